import { bothSides, clock, lengthOf, relative, theirSide, weekdayAndDate } from "../client/time.js";
import { html } from "./preact.js";
import { Avatar, firstName, From, Icon, Status, Unread } from "./parts.js";

/** Pairings and meetings in words, the same on every page. */

/** @import { ConversationRead, Meeting, Pairing } from "../client/types.js" */

const ROLES = /** @type {Record<string, string>} */ ({ mentor: "Mentor", mentee: "Mentee", peer: "Peer", lead: "Leads the circle" });
const KINDS = /** @type {Record<string, string>} */ ({
  one_to_one: "Mentoring", peers: "Peers", reciprocal: "Mentoring each other", circle: "Circle",
});

/** @param {string} role */
export const roleWords = (role) => ROLES[role] ?? role;
/** @param {string} kind */
export const kindWords = (kind) => KINDS[kind] ?? kind;

/** Everybody in a pairing but me, once each: in a reciprocal one each has two parts. @param {Pairing} pairing */
export function others(pairing) {
  const parts = pairing.participants.filter((each) => !each.is_me && !each.left_at);
  return parts.filter(({ person }, place) => parts.findIndex((each) => each.person.id === person.id) === place);
}

/** @param {Pairing} pairing */
export function mine(pairing) {
  return pairing.participants.find((each) => each.is_me) ?? null;
}

/** Whether I lead a circle: what I arrange in it is booked at once. @param {Pairing} pairing */
export function leads(pairing) {
  return pairing.kind === "circle" && pairing.participants.some((each) => each.is_me && !each.left_at && each.role === "lead");
}

/** @param {string[]} words */
export function list(words) {
  return new Intl.ListFormat("en-GB", { type: "conjunction" }).format(words);
}

/** What a pairing is called. @param {Pairing} pairing */
export function nameOf(pairing) {
  return pairing.title || list(others(pairing).map(({ person }) => person.name)) || "Pairing";
}

/** @param {ConversationRead} conversation */
export function conversationName({ kind, title, people }) {
  const present = people.filter((each) => !each.is_me && !each.left);
  const named = list((present.length > 0 ? present : people.filter((each) => !each.is_me)).map(({ name }) => name));
  if (kind === "meeting") return title || `Meeting with ${named}`;
  return title || named || "Messages";
}

/** When the meeting of a conversation starts, if it is that of a meeting. @param {ConversationRead} conversation @param {string} zone */
export function conversationWhen({ starts_at: starts }, zone) {
  if (!starts) return "";
  const start = new Date(starts);
  return `${weekdayAndDate(start, zone)}, ${clock(start, zone)}`;
}

/** @param {Meeting} meeting */
export function company(meeting) {
  return meeting.people.filter((each) => !each.is_me);
}

/** @param {Meeting} meeting */
export function withWhom(meeting) {
  return list(company(meeting).map(({ name }) => firstName(name))) || "nobody yet";
}

/** The other sides of a meeting, for times in words; one per zone. @param {Meeting} meeting */
export function sidesOf(meeting) {
  /** @type {Map<string, string[]>} */
  const zones = new Map();
  for (const { name, zone } of company(meeting)) zones.set(zone, [...(zones.get(zone) ?? []), firstName(name)]);
  return [...zones].map(([zone, names]) => ({ zone, name: list(names) }));
}

/** @param {{meeting: Meeting, zone: string}} props */
export function When({ meeting, zone }) {
  const start = new Date(meeting.starts_at);
  return html`<time dateTime=${meeting.starts_at}>${bothSides(start, zone, sidesOf(meeting))}</time>`;
}

/** @param {Meeting} meeting @param {Date} now */
export function isOpen(meeting, now) {
  return meeting.status === "booked" && now >= new Date(meeting.join_opens_at) && now < new Date(meeting.join_closes_at);
}

/** @param {Meeting} meeting @param {Date} now */
export function isAhead(meeting, now) {
  return (meeting.status === "booked" || meeting.status === "proposed") && new Date(meeting.ends_at) > now;
}

/** @param {Meeting} meeting @param {Date} now */
export function startWords(meeting, now) {
  const start = new Date(meeting.starts_at);
  return start < now && new Date(meeting.ends_at) > now && relative(start, now) !== "now" ? `started ${relative(start, now)}` : relative(start, now);
}

/** The other sides' times of a meeting. @param {Meeting} meeting @param {string} zone */
function elsewhere(meeting, zone) {
  return sidesOf(meeting).map((side) => theirSide(new Date(meeting.starts_at), zone, side)).join(", ");
}

/**
 * A meeting as one line of a list. Its name is with whom it is, or when where that is clear.
 * @param {{meeting: Meeting, zone: string, now: Date, under?: "day" | "pairing", unread?: number}} props `under` what the list stands
 */
export function MeetingLine({ meeting, zone, now, under, unread = 0 }) {
  const start = new Date(meeting.starts_at);
  const what = meeting.title || `Meeting with ${withWhom(meeting)}`;
  const when = `${weekdayAndDate(start, zone)}, ${clock(start, zone)}`;
  const times = under === "day" ? `${clock(start, zone)} to ${clock(new Date(meeting.ends_at), zone)} your time, ${elsewhere(meeting, zone)}`
    : under === "pairing" ? elsewhere(meeting, zone) : null;
  return html`<li class="line meeting-line">
    <div class="line-main">
      <a class="line-name" href=${`/meetings/${meeting.id}`}>${under === "pairing" ? html`${meeting.title && `${meeting.title}, `}${when} your time` : what}</a>
      <p class="quiet">${times ?? html`<${When} meeting=${meeting} zone=${zone} />`}<span class="dot"> · </span><span class="whole">${lengthOf(meeting.duration_minutes)}</span></p>
    </div>
    <${Unread} count=${unread} />
    ${isOpen(meeting, now)
      ? html`<a class="button primary" href=${`/meetings/${meeting.id}/call`} aria-label=${`Join: ${what}`}>Join</a>`
      : html`<${Status} of=${meeting.status} words=${meeting.status === "proposed" && meeting.may.includes("accept") ? "Needs your answer" : undefined} />`}
  </li>`;
}

/** @param {{pairing: Pairing, mineOrganisation?: {id: string, name: string} | null, unread?: number, children?: unknown}} props */
export function PairingLine({ pairing, mineOrganisation, unread = 0, children }) {
  const people = others(pairing);
  const first = people[0]?.person;
  const organisations = new Map(people.map(({ person }) => [person.organisation.id, person.organisation]));
  const needsMe = pairing.may.includes("accept");
  return html`<li class="line pairing-line">
    ${pairing.kind === "circle"
      ? html`<span class="avatar circle" aria-hidden="true"><${Icon} name="users-round" /></span>`
      : html`<${Avatar} id=${first?.id ?? pairing.id} name=${first?.name ?? nameOf(pairing)} />`}
    <div class="line-main">
      <a class="line-name" href=${`/pairings/${pairing.id}`}>${nameOf(pairing)}</a>
      <p class="quiet">
        ${[...organisations.values()].map((organisation, index) => html`${index > 0 && ", "}<${From} key=${organisation.id} organisation=${organisation} mine=${mineOrganisation} />`)}
        <span class="dot"> · </span>${pairing.kind === "one_to_one" ? roleWords(people[0]?.role ?? "") : kindWords(pairing.kind)}
      </p>
      ${children}
    </div>
    <${Unread} count=${unread} />
    <${Status} of=${pairing.status} words=${needsMe ? "Needs your answer" : undefined} />
  </li>`;
}
