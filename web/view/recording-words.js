import { clock, lengthOf, weekdayAndDate } from "../client/time.js";
import { list } from "./mentoring.js";

/** Recordings in words. */

/** @import { Recording, RecordingFile } from "../client/types.js" */

const SOURCES = /** @type {Record<string, string>} */ ({
  camera: "camera",
  microphone: "microphone",
  screen: "shared screen",
  screen_audio: "sound of the screen",
});
/** Why it ended, where that was nobody's wish. */
const ENDED = /** @type {Record<string, string>} */ ({
  too_long: "It ended by itself: it had become as long as one may be.",
  disk_full: "It ended early: the server had no room left.",
  disk_slow: "It ended early: the server could not keep up.",
  disk_failed: "It ended early: the server could not write it.",
  interrupted: "It ended early: the server stopped.",
});
const MINUTE_MS = 60_000;
const MEGABYTE = 1_000_000;

/** `40 seconds`, `23 minutes`. @param {number} ms */
export function lasting(ms) {
  if (ms >= MINUTE_MS) return lengthOf(Math.round(ms / MINUTE_MS));
  const seconds = Math.max(1, Math.round(ms / 1000));
  return `${seconds} ${seconds === 1 ? "second" : "seconds"}`;
}

/** `105 MB`. @param {number} bytes */
export function sizeOf(bytes) {
  if (bytes < MEGABYTE) return "under 1 MB";
  if (bytes < 1000 * MEGABYTE) return `${Math.round(bytes / MEGABYTE)} MB`;
  return `${(bytes / 1000 / MEGABYTE).toFixed(1)} GB`;
}

/** `Tue 24 Nov, 18:00 to 18:23`. @param {Recording} recording @param {string} zone */
export function whenRecorded({ started_at, duration_ms }, zone) {
  const start = new Date(started_at);
  const end = new Date(start.getTime() + duration_ms);
  const [from, to] = [start, end].map((each) => clock(each, zone));
  return `${weekdayAndDate(start, zone)}, ${from}${from === to ? "" : ` to ${to}`}`;
}

/** What is to be known of it besides. @param {Recording} recording @param {string} zone */
export function aboutRecording({ duration_ms, ended, cut, expires_at }, zone) {
  const words = [`${lasting(duration_ms)}.`, ENDED[ended], cut && "Its last seconds are missing.",
    `It is deleted by itself on ${weekdayAndDate(new Date(expires_at), zone)}.`];
  return words.filter(Boolean).join(" ");
}

/** Who is on it. @param {RecordingFile} file */
export function whoseFile({ person, is_me }) {
  return is_me ? "You" : person;
}

/** `camera and microphone` @param {RecordingFile} file */
export function sourcesOf({ sources }) {
  return list(sources.map((source) => SOURCES[source] ?? source));
}

/** `Camera and microphone, 23 minutes, 105 MB`. @param {RecordingFile} file */
export function aboutFile(file) {
  const { duration_ms, offset_ms, bytes } = file;
  const names = sourcesOf(file);
  const later = offset_ms >= 10_000 && `from ${lasting(offset_ms)} in`;
  const words = [names && names[0].toUpperCase() + names.slice(1), later, lasting(duration_ms), sizeOf(bytes)];
  return words.filter(Boolean).join(", ");
}

/** What a file is called on the device of who keeps it. @param {Recording} recording @param {RecordingFile} file @param {string} zone */
export function savedAs({ started_at }, { person, sources, name }, zone) {
  const start = new Date(started_at);
  const what = sources.some((source) => source.startsWith("screen")) ? "screen" : "call";
  const stem = `${person} ${what} ${weekdayAndDate(start, zone)} ${clock(start, zone)}`;
  return stem.replace(/[^\p{L}\p{N} -]+/gu, ".").trim() + name.slice(name.lastIndexOf("."));
}
