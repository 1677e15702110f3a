import { dayIn, weekdayAndDate } from "../client/time.js";

/** Messages as they stand on the page: by day, by author, with links and names found in plain text. */

/** @import { ConversationPerson, Message } from "../client/types.js" */
/** @import { Letter } from "../client/outbox.js" */

/** What one person writes within this time stands together. */
const TOGETHER_MS = 5 * 60_000;
const LINK = /https?:\/\/[^\s<>"]+/gi;

/** @typedef {{kind: "text" | "link" | "mention", text: string}} Piece */
/** @typedef {{key: string, author: string, at: Date, message: Message | null, letter: Letter | null}} Row */
/**
 * @typedef {{kind: "day", key: string, words: string}
 *   | {kind: "unread", key: string}
 *   | {kind: "said", key: string, row: Row, first: boolean}} Block `first` of what its author said in one go
 */

/** Without what ends the sentence and not the address. @param {string} found */
function trimmed(found) {
  let link = found.replace(/[.,;:!?'"»”’]+$/, "");
  while (link.endsWith(")") && link.split("(").length < link.split(")").length) link = link.slice(0, -1).replace(/[.,;:!?]+$/, "");
  return link;
}

/** @param {string} text */
function isAddress(text) {
  try {
    const { protocol, hostname } = new URL(text);
    return (protocol === "https:" || protocol === "http:") && hostname !== "";
  } catch {
    return false;
  }
}

/**
 * The pieces of a message. Whatever is not plainly a link or a name stays text.
 * @param {string} text
 * @param {string[]} names of the people who are mentioned
 * @returns {Piece[]}
 */
export function piecesOf(text, names) {
  /** @type {Piece[]} */
  const pieces = [];
  let from = 0;
  for (const { 0: found, index } of text.matchAll(LINK)) {
    const link = trimmed(found);
    if (!isAddress(link)) continue;
    pieces.push(...withNames(text.slice(from, index), names), { kind: "link", text: link });
    from = index + link.length;
  }
  return [...pieces, ...withNames(text.slice(from), names)];
}

/** @param {string} text @param {string[]} names @returns {Piece[]} */
function withNames(text, names) {
  const longestFirst = [...names].sort((one, other) => other.length - one.length);
  for (const name of longestFirst) {
    const at = text.indexOf(`@${name}`);
    if (at < 0) continue;
    const end = at + name.length + 1;
    return [...withNames(text.slice(0, at), names), { kind: "mention", text: text.slice(at, end) }, ...withNames(text.slice(end), names)];
  }
  return text ? [{ kind: "text", text }] : [];
}

/**
 * Memberships of those who are named in a text, as "(at)Name".
 * @param {string} text
 * @param {ConversationPerson[]} people
 */
export function mentionedIn(text, people) {
  const there = people.filter((each) => !each.is_me && !each.left);
  const names = there.map(({ name }) => name);
  const found = new Set(withNames(text, names).flatMap(({ kind, text: words }) => (kind === "mention" ? [words.slice(1)] : [])));
  return there.filter(({ name }) => found.has(name)).map(({ id }) => id).slice(0, 20);
}

/**
 * What is being written after an at sign, if the caret stands there.
 * @param {string} text
 * @param {number} caret
 */
export function nameBegun(text, caret) {
  const begun = /(?:^|[\s([{])@([^\s@]{0,30}(?: [^\s@]{0,30})?)$/u.exec(text.slice(0, caret));
  return begun ? { from: caret - begun[1].length - 1, word: begun[1] } : null;
}

/** @param {string} day @param {Date} at @param {string} zone @param {Date} now */
function dayWords(day, at, zone, now) {
  const words = weekdayAndDate(at, zone, { now });
  if (day === dayIn(now, zone)) return `Today, ${words}`;
  return day === dayIn(new Date(now.getTime() - 24 * 3_600_000), zone) ? `Yesterday, ${words}` : words;
}

/**
 * @param {object} given
 * @param {Message[]} given.messages
 * @param {Letter[]} given.letters what is on its way, by me
 * @param {string} given.me
 * @param {string} given.zone
 * @param {Date} given.now
 * @param {number | null} given.unreadAfter
 * @returns {Block[]}
 */
export function layOut({ messages, letters, me, zone, now, unreadAfter }) {
  /** @type {Row[]} */
  const rows = messages.map((message) => ({ key: message.client_id, author: message.author_id, at: new Date(message.posted_at), message, letter: null }));
  const arrived = new Set(messages.map(({ client_id: id }) => id));
  for (const letter of letters) {
    if (!arrived.has(letter.client_id)) rows.push({ key: letter.client_id, author: me, at: new Date(letter.written_at), message: null, letter });
  }
  /** @type {Block[]} */
  const blocks = [];
  let day = "";
  let divided = unreadAfter === null;
  for (const row of rows) {
    const today = dayIn(row.at, zone);
    if (today !== day && !(row.letter && today < day)) {
      day = today;
      blocks.push({ kind: "day", key: `day ${day}`, words: dayWords(day, row.at, zone, now) });
    }
    if (!divided && row.message && row.message.seq > (unreadAfter ?? 0) && row.author !== me) {
      divided = true;
      blocks.push({ kind: "unread", key: "unread" });
    }
    const last = blocks.at(-1);
    const before = last?.kind === "said" ? last.row : null;
    const goesOn = before?.author === row.author && row.at.getTime() - before.at.getTime() < TOGETHER_MS;
    // One block a message, however it is grouped: what is added before or after must not make anew what one is changing.
    blocks.push({ kind: "said", key: row.key, row, first: !goesOn });
  }
  return blocks;
}

/** Who writes, in words. @param {string[]} names first names */
export function writingWords(names) {
  if (names.length === 0) return "";
  if (names.length === 1) return `${names[0]} is writing …`;
  return names.length === 2 ? `${names[0]} and ${names[1]} are writing …` : "Several people are writing …";
}

