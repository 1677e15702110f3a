/**
 * The hours of a week, as somebody draws or types them. A time of day is minutes since midnight; 1440 is its end.
 *
 * What is typed is kept as it is typed, however it overlaps, until it is saved: `settled` puts it in order.
 */

/** @typedef {"MO" | "TU" | "WE" | "TH" | "FR" | "SA" | "SU"} Day */
/** @typedef {[start: number, end: number]} Span */
/** @typedef {Record<Day, Span[]>} Week */
/** @typedef {{weekday: Day, start: string, end: string}} Hours */

/** @type {Day[]} */
export const DAYS = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];
const NAMES = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
export const MIDNIGHT = 1440;

/** @param {Day} day */
export const nameOfDay = (day) => NAMES[DAYS.indexOf(day)];

/** @param {string} time `09:30`, or `24:00` @returns {number} */
export function minutesOf(time) {
  const [hours, minutes] = time.split(":").map(Number);
  return hours * 60 + minutes;
}

/** @param {number} minutes */
export function timeOf(minutes) {
  return `${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}`;
}

/** @param {Span} span */
export const spanWords = ([start, end]) => `${timeOf(start)} to ${end === MIDNIGHT ? "midnight" : timeOf(end)}`;

/** Whether it begins before it ends, on one day. @param {Span} span */
export const isRight = ([start, end]) => start >= 0 && start < end && end <= MIDNIGHT;

/** In order; what overlaps or touches is one. What is wrong is left out. @param {Span[]} spans @returns {Span[]} */
export function settled(spans) {
  /** @type {Span[]} */
  const found = [];
  for (const [start, end] of spans.filter(isRight).sort((one, other) => one[0] - other[0])) {
    const last = found.at(-1);
    if (last && start <= last[1]) last[1] = Math.max(last[1], end);
    else found.push([start, end]);
  }
  return found;
}

/** @param {Span[]} spans @param {Span} span */
export const add = (spans, span) => settled([...spans, span]);

/** @param {Span[]} spans @param {Span} span @returns {Span[]} */
export function take(spans, [from, to]) {
  return settled(spans).flatMap(([start, end]) => /** @type {Span[]} */ ([[start, Math.min(end, from)], [Math.max(start, to), end]])).filter(isRight);
}

/** The hours that hold this minute. @param {Span[]} spans @param {number} minute */
export const spanAt = (spans, minute) => settled(spans).find(([start, end]) => start <= minute && minute < end) ?? null;

/** @returns {Week} */
export const emptyWeek = () => ({ MO: [], TU: [], WE: [], TH: [], FR: [], SA: [], SU: [] });

/** @param {Hours[]} hours @returns {Week} */
export function weekOf(hours) {
  const week = emptyWeek();
  for (const { weekday, start, end } of hours) week[weekday].push([minutesOf(start), minutesOf(end)]);
  return /** @type {Week} */ (Object.fromEntries(DAYS.map((day) => [day, settled(week[day])])));
}

/** @param {Week} week @returns {Hours[]} */
export function hoursOf(week) {
  return DAYS.flatMap((weekday) => settled(week[weekday]).map(([start, end]) => ({ weekday, start: timeOf(start), end: timeOf(end) })));
}

/**
 * The week with these hours added to some days, or taken from them.
 * @param {Week} week @param {Day[]} days @param {Span} span @param {boolean} on @returns {Week}
 */
export function paint(week, days, span, on) {
  return { ...week, ...Object.fromEntries(days.map((day) => [day, (on ? add : take)(week[day], span)])) };
}

/**
 * The week with one edge of some hours elsewhere; they are at least `least` minutes long.
 * @param {Week} week @param {Day} day @param {Span} span @param {"start" | "end"} edge @param {number} minute @param {number} least @returns {Week}
 */
export function stretch(week, day, span, edge, minute, least) {
  const moved = /** @type {Span} */ (edge === "start" ? [Math.min(minute, span[1] - least), span[1]] : [span[0], Math.max(minute, span[0] + least)]);
  return { ...week, [day]: add(take(week[day], span), moved) };
}

/** @param {Week} week @param {Day} from @param {Day[]} to @returns {Week} */
export function copyDay(week, from, to) {
  return { ...week, ...Object.fromEntries(to.map((day) => [day, settled(week[from])])) };
}

/** Where hours to be typed may begin: after the last ones of the day, for three hours. @param {Span[]} spans @returns {Span} */
export function nextSpan(spans) {
  const last = settled(spans).at(-1);
  if (!last) return [540, 1020];
  const start = Math.min(last[1] + 60, MIDNIGHT - 60);
  return [start, Math.min(start + 180, MIDNIGHT)];
}

/** Days with the same hours together, in words: `Monday to Friday 09:00 to 17:00`. @param {Week} week */
export function weekWords(week) {
  /** @type {{days: Day[], words: string}[]} */
  const groups = [];
  for (const day of DAYS) {
    const words = settled(week[day]).map(spanWords).join(" and ");
    const last = groups.at(-1);
    if (last && last.words === words) last.days.push(day);
    else groups.push({ days: [day], words });
  }
  return groups.filter(({ words }) => words).map(({ days, words }) => `${nameOfDay(days[0])}${days.length > 1 ? ` ${days.length > 2 ? "to" : "and"} ${nameOfDay(/** @type {Day} */ (days.at(-1)))}` : ""} ${words}`);
}
