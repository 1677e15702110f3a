import { firstName } from "./parts.js";
import { company, list } from "./mentoring.js";

/** What goes on in a call, in words. */

/** @import { Meeting } from "../client/types.js" */
/** @typedef {import("../client/call.js").Call} Call */
/** @typedef {import("../client/protocol.js").Participant} Participant */

const QUALITY = { good: "Connection: good", fair: "Connection: fair", poor: "Connection: poor", unknown: "Connected" };
/** So many people are named one by one. */
const NAMED = 3;

/** @param {number} count @param {string} one @param {string} many */
const counted = (count, one, many) => `${count} ${count === 1 ? one : many}`;

/** Whom a room is shared with, short enough for a heading. @param {Meeting} meeting */
export function withThem(meeting) {
  const names = company(meeting).map(({ name }) => firstName(name));
  if (names.length <= NAMED) return list(names) || "nobody yet";
  return list([...names.slice(0, NAMED - 1), `${names.length - NAMED + 1} others`]);
}

/**
 * Whether what somebody sends has come, as far as one can tell.
 * @param {Call} call
 * @param {Participant} participant
 */
export function isReached(call, { id, audio, video }) {
  if (call.topology === "direct") return call.connectionWith(id) === "connected";
  const silent = !audio && !video;
  return silent || (call.connectionWith(id) === "connected" && call.streamOf(id) !== null);
}

export const PAUSED = "Picture paused: your connection is slow";

/**
 * What stands in the place of somebody's picture, or nothing when it is there.
 * @param {Call} call
 * @param {Participant} participant
 */
export function insteadWords(call, participant) {
  if (!isReached(call, participant)) return `Connecting to ${firstName(participant.name)} …`;
  if (!participant.video) return `${firstName(participant.name)}'s camera is off`;
  return call.isPaused(participant.id, "camera") ? PAUSED : "";
}

/**
 * Whether this person speaks. The server takes a second to notice that somebody turned their microphone off.
 * @param {Call | null} call
 * @param {string | null | undefined} id
 * @param {{audio: boolean}} media
 */
export function isSpeaking(call, id, { audio }) {
  return Boolean(audio && id && call?.speakers.includes(id));
}

/** @param {Call | null} call */
export function connectionWords(call) {
  if (!call || call.state === "connecting") return call ? connectingWords(call) : "Connecting …";
  const heard = call.flowing && call.participants.size > 0;
  if (call.state === "reconnecting") return heard ? "The service is away for a moment. You can go on talking." : "The connection is gone. Coming back …";
  if (call.participants.size === 0) return "You are connected";
  return call.scores.isWeak(call.participantId) ? "Your connection is weak" : QUALITY[call.quality];
}

/** @param {Call} call */
function connectingWords(call) {
  const awaited = [...call.participants.values()].filter((participant) => !isReached(call, participant));
  if (awaited.length === 0) return "Connecting …";
  if (awaited.length > NAMED) return `Connecting to ${awaited.length} people …`;
  return `Connecting to ${list(awaited.map(({ name }) => firstName(name)))} …`;
}

/** What one should know of somebody, or nothing when all is on. @param {Participant} participant */
export function mutedWords({ audio, video, state }) {
  if (state === "reconnecting") return "coming back";
  if (!audio && !video) return "microphone and camera off";
  if (!audio) return "microphone off";
  return video ? "" : "camera off";
}

/** @param {Participant[]} others */
export function hereWords(others) {
  if (others.length === 0) return "Here: only you.";
  if (others.length > NAMED) return crowdWords(others);
  const named = others.map((participant) => {
    const words = mutedWords(participant);
    return words ? `${participant.name} (${words})` : participant.name;
  });
  return `Here: ${list(["you", ...named])}.`;
}

/** Each one's name and state stand at their picture. @param {Participant[]} others */
function crowdWords(others) {
  const muted = others.filter(({ audio }) => !audio).length;
  const away = others.filter(({ state }) => state === "reconnecting").length;
  const words = [`you and ${others.length} others`];
  if (muted > 0) words.push(counted(muted, "microphone is off", "microphones are off"));
  if (away > 0) words.push(counted(away, "person is coming back", "people are coming back"));
  return `Here: ${words.join("; ")}.`;
}
