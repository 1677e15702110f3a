import { add, DAYS, nameOfDay, paint, settled, spanAt, spanWords, take } from "../client/hours.js";

/**
 * Marking hours on a grid of days and times, by keys or by a pointer: what each step leads to, and what is said of it.
 * Pure, so that both ways provably mean the same.
 */

/** @import { Day, Span, Week } from "../client/hours.js" */
/** @typedef {{day: number, minute: number}} At a cell: the index of its day, and the minute at which it begins */
/** @typedef {{at: At, from: At | null}} Mark where one is, and where marking began */
/** @typedef {{first: number, last: number, step: number}} Scale the times that are shown; `last` is the end of the last cell */
/** @typedef {{mark: Mark, week: Week, said: string, handled: boolean}} Step */

/** @param {number} value @param {number} least @param {number} most */
const within = (value, least, most) => Math.min(Math.max(value, least), most);

/** Days and hours between two cells, both of them included. @param {At} one @param {At} other @param {Scale} scale @returns {{days: Day[], span: Span}} */
export function marked(one, other, { step }) {
  const days = DAYS.slice(Math.min(one.day, other.day), Math.max(one.day, other.day) + 1);
  return { days, span: [Math.min(one.minute, other.minute), Math.max(one.minute, other.minute) + step] };
}

/** @param {Day[]} days @param {Span} span */
function words(days, span) {
  const named = days.length > 1 ? `${nameOfDay(days[0])} to ${nameOfDay(/** @type {Day} */ (days.at(-1)))}` : nameOfDay(days[0]);
  return `${named} ${spanWords(span)}`;
}

/** What a cell is, for those who hear it. @param {Week} week @param {At} at @param {Scale} scale */
export function cellWords(week, { day, minute }, { step }) {
  const inside = spanAt(week[DAYS[day]], minute) ?? spanAt(week[DAYS[day]], minute + step - 1);
  return `${words([DAYS[day]], [minute, minute + step])}, ${inside ? `in your hours of ${spanWords(inside)}` : "not in your hours"}`;
}

/** @type {Record<string, [days: number, steps: number]>} */
const MOVES = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0], PageUp: [0, -4], PageDown: [0, 4] };

/** @param {At} at @param {string} key @param {Scale} scale @returns {At | null} */
function moved(at, key, { first, last, step }) {
  if (key === "Home") return { ...at, minute: first };
  if (key === "End") return { ...at, minute: last - step };
  const move = MOVES[key];
  return move ? { day: within(at.day + move[0], 0, DAYS.length - 1), minute: within(at.minute + move[1] * step, first, last - step) } : null;
}

/** The marked hours become hours, or cease to be. @param {Mark} mark @param {Week} week @param {Scale} scale @param {boolean} on @returns {Step} */
export function end(mark, week, scale, on) {
  const { days, span } = marked(mark.from ?? mark.at, mark.at, scale);
  return { mark: { at: mark.at, from: null }, week: paint(week, days, span, on), said: `${on ? "Set" : "Removed"}: ${words(days, span)}`, handled: true };
}

/** The hours that the cell where one is lies in. @param {Mark} mark @param {Week} week @param {Scale} scale */
export function here({ at }, week, { step }) {
  const day = DAYS[at.day];
  const span = spanAt(week[day], at.minute) ?? spanAt(week[day], at.minute + step - 1);
  return span && { day, span, words: words([day], span) };
}

/** A pointer that began to mark was lifted. Where it did not move, and hours are, they are only looked at. @param {Mark} mark @param {Week} week @param {Scale} scale @returns {Step} */
export function lift(mark, week, scale) {
  const found = here(mark, week, scale);
  const still = mark.from && mark.from.day === mark.at.day && mark.from.minute === mark.at.minute;
  if (still && found) return { mark: { at: mark.at, from: null }, week, said: found.words, handled: true };
  return end(mark, week, scale, true);
}

/** @param {Mark} mark @param {Week} week @param {Scale} scale @returns {Step} */
function remove(mark, week, scale) {
  if (mark.from) return end(mark, week, scale, false);
  const found = here(mark, week, scale);
  if (!found) return { mark, week, said: "There are no hours here.", handled: true };
  return { mark, week: { ...week, [found.day]: take(week[found.day], found.span) }, said: `Removed: ${found.words}`, handled: true };
}

/**
 * A key was pressed on the grid.
 * @param {string} key as `KeyboardEvent.key`; in a right-to-left page left and right are swapped before
 * @param {Mark} mark @param {Week} week @param {Scale} scale
 * @returns {Step}
 */
export function press(key, mark, week, scale) {
  const at = moved(mark.at, key, scale);
  if (at) {
    const { days, span } = marked(mark.from ?? at, at, scale);
    return { mark: { at, from: mark.from }, week, said: mark.from ? words(days, span) : "", handled: true };
  }
  if (key === "Enter" || key === " ") {
    if (mark.from) return end(mark, week, scale, true);
    return { mark: { at: mark.at, from: mark.at }, week, said: "Marking. Arrows extend, Enter sets the hours, Delete removes them, Escape drops it.", handled: true };
  }
  if (key === "Escape" && mark.from) return { mark: { at: mark.at, from: null }, week, said: "Dropped. Nothing was changed.", handled: true };
  if (key === "Delete" || key === "Backspace") return remove(mark, week, scale);
  return { mark, week, said: "", handled: false };
}

/** The week as it would be if marking ended now. @param {Mark} mark @param {Week} week @param {Scale} scale @returns {Week} */
export function preview(mark, week, scale) {
  if (!mark.from) return week;
  const { days, span } = marked(mark.from, mark.at, scale);
  return { ...week, ...Object.fromEntries(days.map((day) => [day, add(week[day], span)])) };
}

const EARLY = 420;
const LATE = 1200;

/** The times to show: the day, and all hours that somebody has. @param {Week} week @param {boolean} whole @param {number} step @returns {Scale} */
export function scaleOf(week, whole, step) {
  const spans = DAYS.flatMap((day) => settled(week[day]));
  if (whole) return { first: 0, last: 1440, step };
  const first = Math.min(EARLY, ...spans.map(([start]) => Math.floor(start / 60) * 60));
  return { first, last: Math.max(LATE, ...spans.map(([, last]) => Math.ceil(last / 60) * 60)), step };
}
