/**
 * Time for people in two places: instants in words of both sides, and wall time to instant in a zone.
 *
 * Rules at a change of the clocks are explicit: a wall time that does not exist moves forward by the length
 * of the gap, and one that happens twice gives both instants, the earlier first.
 */

const LANGUAGE = "en-GB";
const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

/** @typedef {{year: number, month: number, day: number, hour: number, minute: number, second: number}} Wall */
/** @typedef {{name: string, zone: string}} Side */

/** @type {Map<string, Intl.DateTimeFormat>} */
const formats = new Map();

/**
 * @param {string} zone
 * @param {Intl.DateTimeFormatOptions} options
 */
function format(zone, options) {
  const key = zone + JSON.stringify(options);
  let found = formats.get(key);
  if (!found) {
    found = new Intl.DateTimeFormat(LANGUAGE, { ...options, timeZone: zone });
    formats.set(key, found);
  }
  return found;
}

/** The zone that this device is set to. */
export function deviceZone() {
  return Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
}

/** Every zone this browser knows, with UTC. */
export function allZones() {
  return [...new Set(["UTC", ...Intl.supportedValuesOf("timeZone")])].sort();
}

/** @param {string} zone */
export function isZone(zone) {
  try {
    format(zone, {});
    return true;
  } catch {
    return false;
  }
}

/**
 * What the clocks on the wall show at an instant.
 * @param {Date} instant
 * @param {string} zone
 * @returns {Wall}
 */
export function wallAt(instant, zone) {
  const parts = format(zone, {
    year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric", hourCycle: "h23",
  }).formatToParts(instant);
  /** @param {string} type */
  const number = (type) => Number(parts.find((part) => part.type === type)?.value);
  return {
    year: number("year"), month: number("month"), day: number("day"),
    hour: number("hour"), minute: number("minute"), second: number("second"),
  };
}

/** @param {Wall} wall */
function asIfUtc(wall) {
  return Date.UTC(wall.year, wall.month - 1, wall.day, wall.hour, wall.minute, wall.second);
}

/**
 * Minutes that a zone is ahead of UTC at an instant.
 * @param {Date} instant
 * @param {string} zone
 */
export function offsetAt(instant, zone) {
  const whole = Math.floor(instant.getTime() / 1000) * 1000;
  return (asIfUtc(wallAt(instant, zone)) - whole) / MINUTE_MS;
}

/**
 * The instants at which clocks in a zone show this date and time.
 * @param {string} date `2026-11-24`
 * @param {string} time `18:00`
 * @param {string} zone
 * @returns {{kind: "exact" | "gap" | "overlap", instants: Date[]}}
 */
export function instantsOf(date, time, zone) {
  const wanted = Date.parse(`${date}T${time}:00Z`);
  const before = offsetAt(new Date(wanted - DAY_MS), zone);
  const after = offsetAt(new Date(wanted + DAY_MS), zone);
  const instants = [...new Set([before, after])]
    .map((offset) => new Date(wanted - offset * MINUTE_MS))
    .filter((instant) => asIfUtc(wallAt(instant, zone)) === wanted)
    .sort((one, other) => one.getTime() - other.getTime());
  if (instants.length === 2) return { kind: "overlap", instants };
  if (instants.length === 1) return { kind: "exact", instants };
  return { kind: "gap", instants: [new Date(wanted - before * MINUTE_MS)] };
}

/**
 * The calendar day an instant falls on in a zone, as `2026-11-24`.
 * @param {Date} instant
 * @param {string} zone
 */
export function dayIn(instant, zone) {
  return new Date(asIfUtc(wallAt(instant, zone))).toISOString().slice(0, 10);
}

/**
 * @param {string} day `2026-11-24`
 * @param {number} days
 */
export function addDays(day, days) {
  return new Date(Date.parse(`${day}T00:00:00Z`) + days * DAY_MS).toISOString().slice(0, 10);
}

/**
 * `2026-11-24T18:00:00+01:00`: an instant that says which wall time was meant.
 * @param {Date} instant
 * @param {string} zone
 */
export function withOffset(instant, zone) {
  const offset = offsetAt(instant, zone);
  const local = new Date(Math.floor(instant.getTime() / 1000) * 1000 + offset * MINUTE_MS).toISOString().slice(0, 19);
  const size = Math.abs(offset);
  const two = (/** @type {number} */ value) => String(Math.floor(value)).padStart(2, "0");
  return `${local}${offset < 0 ? "-" : "+"}${two(size / 60)}:${two(size % 60)}`;
}

/**
 * `18:00`
 * @param {Date} instant
 * @param {string} zone
 */
export function clock(instant, zone) {
  return format(zone, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(instant);
}

/**
 * `Tue 24 Nov`, with the year when it is not this one.
 * @param {Date} instant
 * @param {string} zone
 * @param {{now?: Date, long?: boolean}} [options]
 */
export function weekdayAndDate(instant, zone, { now = new Date(), long = false } = {}) {
  const parts = format(zone, { weekday: long ? "long" : "short", day: "numeric", month: long ? "long" : "short", year: "numeric" }).formatToParts(instant);
  const part = (/** @type {string} */ type) => parts.find((each) => each.type === type)?.value ?? "";
  // Browsers disagree about "Sep" and "Sept".
  const month = long ? part("month") : part("month").slice(0, 3);
  const year = wallAt(now, zone).year === wallAt(instant, zone).year ? "" : ` ${part("year")}`;
  return `${part("weekday")} ${part("day")} ${month}${year}`;
}

/**
 * The place a zone is named after: `America/Argentina/Buenos_Aires` is `Buenos Aires`.
 * @param {string} zone
 */
export function placeOf(zone) {
  return (zone.split("/").at(-1) ?? zone).replaceAll("_", " ");
}

/**
 * The time on the other side, in words: `09:00 for Amara (Toronto)`, with the day when it is another one.
 * @param {Date} instant
 * @param {string} mine
 * @param {Side} side
 */
export function theirSide(instant, mine, { name, zone }) {
  const otherDay = dayIn(instant, mine) !== dayIn(instant, zone);
  const time = otherDay ? `${weekdayAndDate(instant, zone)}, ${clock(instant, zone)}` : clock(instant, zone);
  return `${time} for ${name} (${placeOf(zone)})`;
}

/**
 * `Tue 24 Nov, 18:00 your time, 09:00 for Amara (Toronto)`
 * @param {Date} instant
 * @param {string} mine
 * @param {Side[]} sides
 */
export function bothSides(instant, mine, sides) {
  const own = `${weekdayAndDate(instant, mine)}, ${clock(instant, mine)}`;
  const elsewhere = sides.filter(({ zone }) => offsetAt(instant, zone) !== offsetAt(instant, mine));
  if (sides.length > 0 && elsewhere.length === 0) {
    return `${own}, the same time for ${sides.length === 1 ? sides[0].name : "everyone"}`;
  }
  return [`${own} your time`, ...elsewhere.map((side) => theirSide(instant, mine, side))].join(", ");
}

/**
 * How far away an instant is, to stand beside the absolute time: `in 5 minutes`, `2 days ago`.
 * @param {Date} instant
 * @param {Date} [now]
 */
export function relative(instant, now = new Date()) {
  const words = new Intl.RelativeTimeFormat(LANGUAGE, { numeric: "auto" });
  const minutes = Math.round((instant.getTime() - now.getTime()) / MINUTE_MS);
  if (minutes === 0) return "now";
  if (Math.abs(minutes) < 60) return words.format(minutes, "minute");
  if (Math.abs(minutes) < 24 * 60) return words.format(Math.round(minutes / 60), "hour");
  return words.format(Math.round(minutes / (24 * 60)), "day");
}

/**
 * `45 minutes`, `1 hour`, `1 hour 30 minutes`
 * @param {number} minutes
 */
export function lengthOf(minutes) {
  const hours = Math.floor(minutes / 60);
  const rest = minutes % 60;
  const words = [hours && `${hours} ${hours === 1 ? "hour" : "hours"}`, (rest || !hours) && `${rest} ${rest === 1 ? "minute" : "minutes"}`];
  return words.filter(Boolean).join(" ");
}

/**
 * Hours of a day (7:00 to 22:00) that two zones share at an instant.
 * @param {Date} instant
 * @param {string} mine
 * @param {string} theirs
 */
export function sharedHours(instant, mine, theirs) {
  const apart = Math.abs(offsetAt(instant, mine) - offsetAt(instant, theirs)) / 60;
  return Math.max(0, Math.floor(15 - Math.min(apart, 24 - apart)));
}
