import { addDays, dayIn } from "./time.js";

/** Days, weeks from Monday and months, as dates without a zone: `2026-11-30`. */

/** @param {string} day */
const utc = (day) => new Date(`${day}T00:00:00Z`);

/** The Monday of a day's week. @param {string} day */
export const mondayOf = (day) => addDays(day, -((utc(day).getUTCDay() + 6) % 7));

/** @param {string} day */
export const weekOfDay = (day) => Array.from({ length: 7 }, (_, index) => addDays(mondayOf(day), index));

/** The first of a day's month. @param {string} day */
export const firstOf = (day) => `${day.slice(0, 7)}-01`;

/** As many months later, on the same number or the last day there is. @param {string} day @param {number} months */
export function addMonths(day, months) {
  const [year, month, number] = day.split("-").map(Number);
  const last = new Date(Date.UTC(year, month + months, 0));
  return addDays(last.toISOString().slice(0, 10), Math.min(number, last.getUTCDate()) - last.getUTCDate());
}

/** All weeks that have a day of this day's month. @param {string} day */
export function weeksOfMonth(day) {
  const first = firstOf(day);
  const weeks = [];
  for (let monday = mondayOf(first); monday < addMonths(first, 1); monday = addDays(monday, 7)) weeks.push(weekOfDay(monday));
  return weeks;
}

/** Where a key leads from a day of a month; null when it is none of these keys. @param {string} day @param {string} key */
export function dayByKey(day, key) {
  const steps = /** @type {Record<string, number>} */ ({ ArrowLeft: -1, ArrowRight: 1, ArrowUp: -7, ArrowDown: 7 });
  if (key in steps) return addDays(day, steps[key]);
  if (key === "Home") return mondayOf(day);
  if (key === "End") return addDays(mondayOf(day), 6);
  if (key === "PageUp") return addMonths(day, -1);
  if (key === "PageDown") return addMonths(day, 1);
  return null;
}

/**
 * What begins on which day in a zone, the earliest first.
 * @template {{starts_at: string}} T
 * @param {T[]} items @param {string} zone @returns {Map<string, T[]>}
 */
export function onDays(items, zone) {
  /** @type {Map<string, T[]>} */
  const days = new Map();
  for (const item of [...items].sort((one, other) => one.starts_at.localeCompare(other.starts_at))) {
    const day = dayIn(new Date(item.starts_at), zone);
    days.set(day, [...(days.get(day) ?? []), item]);
  }
  return days;
}
