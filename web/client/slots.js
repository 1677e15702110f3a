import { addDays, clock, dayIn, instantsOf, offsetAt, weekdayAndDate, withOffset } from "./time.js";

/** Free times as the service lists them, day by day in a zone, and in words of both sides. */

/** @import { Side } from "./time.js" */
/** @typedef {{starts_at: string, ends_at: string, available: number, of: number}} Slot */

/** @param {Slot[]} slots @param {string} zone @returns {Map<string, Slot[]>} */
export function byDay(slots, zone) {
  /** @type {Map<string, Slot[]>} */
  const days = new Map();
  for (const slot of slots) {
    const day = dayIn(new Date(slot.starts_at), zone);
    days.set(day, [...(days.get(day) ?? []), slot]);
  }
  return days;
}

/** Seven days from this one. @param {string} first */
export const daysFrom = (first) => Array.from({ length: 7 }, (_, index) => addDays(first, index));

/** What to ask for a week of days in a zone; never what has passed. @param {string} first @param {string} zone @param {Date} now */
export function weekWindow(first, zone, now) {
  const start = instantsOf(first, "00:00", zone).instants[0];
  const end = instantsOf(addDays(first, 7), "00:00", zone).instants[0];
  return { from: withOffset(start < now ? now : start, zone), to: withOffset(end, zone) };
}

/** Times at which most can come, the earlier first among equals. @param {Slot[]} slots @param {number} count */
export function best(slots, count) {
  return [...slots].sort((one, other) => other.available - one.available || one.starts_at.localeCompare(other.starts_at)).slice(0, count);
}

/** `Your 18:00 is 09:00 for Amara`, with the day when it is another one. @param {Date} instant @param {string} mine @param {Side[]} sides */
export function yoursIsTheirs(instant, mine, sides) {
  const apart = sides.filter(({ zone }) => offsetAt(instant, zone) !== offsetAt(instant, mine));
  if (apart.length === 0) return "It is the same time for everyone.";
  const words = apart.map(({ name, zone }) => {
    const day = dayIn(instant, mine) === dayIn(instant, zone) ? "" : `${weekdayAndDate(instant, zone)}, `;
    return `${day}${clock(instant, zone)} for ${name}`;
  });
  return `Your ${clock(instant, mine)} is ${words.join(", ")}.`;
}

/** The time of a side as it stands on a button: with `+1` or `−1` words when the day is another one. @param {Date} instant @param {string} mine @param {string} theirs */
export function shortTime(instant, mine, theirs) {
  const [here, there] = [dayIn(instant, mine), dayIn(instant, theirs)];
  if (here === there) return clock(instant, theirs);
  return `${weekdayAndDate(instant, theirs).slice(0, 3)} ${clock(instant, theirs)}`;
}
