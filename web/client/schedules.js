import { emptyWeek, hoursOf, isRight, minutesOf, settled, timeOf, weekOf } from "./hours.js";

/** A schedule while somebody works on it, and as the service keeps it. */

/** @import { Span, Week } from "./hours.js" */
/** @import { Schedule, ScheduleWrite } from "./types.js" */
/** @typedef {{key: string, date: string, spans: Span[]}} Override a date with hours of its own; none is a day off */
/** @typedef {Required<Omit<ScheduleWrite, "hours" | "overrides">> & {week: Week, overrides: Override[]}} Draft */

/** What is usual, for who begins. @param {string} zone @param {boolean} first @returns {Draft} */
export function freshDraft(zone, first) {
  const week = emptyWeek();
  for (const day of /** @type {const} */ (["MO", "TU", "WE", "TH", "FR"])) week[day] = [[540, 1020]];
  return {
    name: first ? "My hours" : "", zone, is_default: first, week, overrides: [],
    buffer_before_minutes: 0, buffer_after_minutes: 0, minimum_notice_minutes: 240, horizon_days: 28,
    most_per_day: null, most_per_week: null, lengths: [30, 45, 60], step_minutes: 30, confirm: false,
  };
}

/** @param {Schedule} schedule @returns {Draft} */
export function draftOf(schedule) {
  const { name, zone, hours, overrides, ...rest } = /** @type {Required<Schedule>} */ (schedule);
  const { is_default, buffer_before_minutes, buffer_after_minutes, minimum_notice_minutes, horizon_days, most_per_day, most_per_week, lengths, step_minutes, confirm } = rest;
  return {
    name, zone, is_default, week: weekOf(hours),
    overrides: overrides.map(({ date, hours: own }) => ({ key: date, date, spans: settled((own ?? []).map(({ start, end }) => [minutesOf(start), minutesOf(end)])) })),
    buffer_before_minutes, buffer_after_minutes, minimum_notice_minutes, horizon_days, most_per_day, most_per_week, lengths, step_minutes, confirm,
  };
}

/** @param {Draft} draft @returns {ScheduleWrite} */
export function bodyOf({ week, overrides, ...rest }) {
  return {
    ...rest,
    name: rest.name.trim(),
    hours: hoursOf(week),
    overrides: [...overrides].sort((one, other) => one.date.localeCompare(other.date))
      .map(({ date, spans }) => ({ date, hours: settled(spans).map(([start, end]) => ({ start: timeOf(start), end: timeOf(end) })) })),
  };
}

/** Whether there is anything to save. @param {Draft} draft @param {Draft} saved */
export const isSame = (draft, saved) => JSON.stringify(bodyOf(draft)) === JSON.stringify(bodyOf(saved));

/** What must be put right before it can be saved. @param {Draft} draft @returns {string[]} */
export function wrongs(draft) {
  const spans = [...Object.values(draft.week).flat(), ...draft.overrides.flatMap((each) => each.spans)];
  const dates = draft.overrides.map(({ date }) => date);
  return [
    !draft.name.trim() && "Give these hours a name.",
    spans.some((span) => !isRight(span)) && "A time ends before it begins. It is marked above.",
    dates.some((date, index) => dates.indexOf(date) !== index) && "A date stands there twice. Remove one of the two.",
    draft.lengths.length === 0 && "Choose at least one length.",
  ].filter((words) => typeof words === "string");
}

/** What differs in few words, to compare two versions. @param {Draft} one @param {Draft} other */
export function differences(one, other) {
  const [mine, theirs] = [bodyOf(one), bodyOf(other)];
  const NAMES = /** @type {Record<string, string>} */ ({ name: "name", zone: "time zone", is_default: "whether it is the default", hours: "weekly hours", overrides: "days that are different" });
  const found = Object.keys(mine).filter((key) => JSON.stringify(/** @type {any} */ (mine)[key]) !== JSON.stringify(/** @type {any} */ (theirs)[key]));
  return [...new Set(found.map((key) => NAMES[key] ?? "how others book"))];
}
