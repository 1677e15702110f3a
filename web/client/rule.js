import { DAYS, nameOfDay } from "./hours.js";

/** Recurrence rules (RFC 5545) as somebody chooses them: every week, every other week, or on the nth weekday of a month. */

/** @import { Day } from "./hours.js" */
/** @typedef {{every: "week" | "fortnight" | "month", days: Day[], nth: number, count: number | null, until: string | null}} Repeat `nth`: of the month, -1 the last; it ends by `count` or `until`, a date */

const NTH = /** @type {Record<number, string>} */ ({ 1: "first", 2: "second", 3: "third", 4: "fourth", [-1]: "last" });

/** @param {string} date @returns {Day} */
export const dayOfDate = (date) => DAYS[(new Date(`${date}T12:00:00Z`).getUTCDay() + 6) % 7];

/** Which of its weekday in its month a date is; after the fourth it is called the last. @param {string} date */
export function nthOfDate(date) {
  const nth = Math.ceil(Number(date.slice(8)) / 7);
  return nth > 4 ? -1 : nth;
}

/** What is usual, for who begins on a date. @param {string} date @returns {Repeat} */
export const freshRepeat = (date) => ({ every: "fortnight", days: [dayOfDate(date)], nth: nthOfDate(date), count: 6, until: null });

/** @param {Repeat} repeat */
export function ruleOf({ every, days, nth, count, until }) {
  const ends = until ? `UNTIL=${until.replaceAll("-", "")}` : `COUNT=${count ?? 1}`;
  const inOrder = DAYS.filter((day) => days.includes(day));
  if (every === "month") return `FREQ=MONTHLY;BYDAY=${nth}${inOrder[0]};${ends}`;
  return `FREQ=WEEKLY;${every === "fortnight" ? "INTERVAL=2;" : ""}BYDAY=${inOrder.join()};${ends}`;
}

/** A rule as it is chosen here, or null for one that was made elsewhere and says more. @param {string} rule @returns {Repeat | null} */
export function repeatOf(rule) {
  const parts = Object.fromEntries(rule.replace(/;$/, "").split(";").map((part) => part.split("=")));
  const { FREQ, INTERVAL = "1", BYDAY = "", COUNT, UNTIL, WKST = "MO", ...more } = parts;
  if (Object.keys(more).length > 0 || WKST !== "MO" || (!COUNT && !UNTIL)) return null;
  const ends = { count: COUNT ? Number(COUNT) : null, until: UNTIL ? `${UNTIL.slice(0, 4)}-${UNTIL.slice(4, 6)}-${UNTIL.slice(6, 8)}` : null };
  const monthly = /^(-1|[1-4])([A-Z]{2})$/.exec(BYDAY);
  if (FREQ === "MONTHLY" && INTERVAL === "1" && monthly) return { every: "month", days: [/** @type {Day} */ (monthly[2])], nth: Number(monthly[1]), ...ends };
  const days = /** @type {Day[]} */ (BYDAY.split(","));
  if (FREQ !== "WEEKLY" || !["1", "2"].includes(INTERVAL) || !days.every((day) => DAYS.includes(day))) return null;
  return { every: INTERVAL === "2" ? "fortnight" : "week", days, nth: 1, ...ends };
}

/** `Every second week on Tuesday`; a rule from elsewhere stands as it is. @param {string} rule */
export function ruleWords(rule) {
  const repeat = repeatOf(rule);
  if (!repeat) return rule;
  const days = new Intl.ListFormat("en-GB").format(DAYS.filter((day) => repeat.days.includes(day)).map(nameOfDay));
  if (repeat.every === "month") return `On the ${NTH[repeat.nth]} ${days} of every month`;
  return `${repeat.every === "week" ? "Every week" : "Every second week"} on ${days}`;
}
