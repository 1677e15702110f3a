import { html, useEffect } from "../view/preact.js";
import { useLoad, useNow } from "../view/hooks.js";
import { Empty, firstName, Icon, Loaded, Title } from "../view/parts.js";
import { api, useSession } from "../view/session.js";
import { useConversations, useFresh } from "../view/live.js";
import { keptInvitation } from "../view/invited.js";
import { go } from "../view/router.js";
import { isAhead, isOpen, MeetingLine, mine, nameOf, others, PairingLine, startWords, When, withWhom } from "../view/mentoring.js";
import { clock, wallAt, weekdayAndDate } from "../client/time.js";

/** @import { Meeting, Pairing } from "../client/types.js" */
/** @typedef {{pairings: Pairing[], meetings: Meeting[], now: Date, zone: string}} World */

/** @param {Date} now @param {string} zone */
function greeting(now, zone) {
  const { hour } = wallAt(now, zone);
  if (hour < 5 || hour >= 18) return "Good evening";
  return hour < 12 ? "Good morning" : "Good afternoon";
}

/** @typedef {{kind: "join" | "asked" | "proposed" | "booked" | "quiet" | "waiting" | "find", meeting?: Meeting, pairing?: Pairing}} Next */

/**
 * The one thing to do now, most pressing first.
 * @param {Omit<World, "zone">} world
 * @returns {Next}
 */
export function nextThing({ pairings, meetings, now }) {
  const ahead = meetings.filter((meeting) => isAhead(meeting, now)).sort((one, other) => one.starts_at.localeCompare(other.starts_at));
  const open = ahead.find((meeting) => isOpen(meeting, now));
  if (open) return { kind: "join", meeting: open };
  const asked = pairings.find(({ may }) => may.includes("accept"));
  if (asked) return { kind: "asked", pairing: asked };
  const proposed = ahead.find(({ may }) => may.includes("accept"));
  if (proposed) return { kind: "proposed", meeting: proposed };
  const booked = ahead.find(({ status }) => status === "booked");
  const met = new Set(ahead.map(({ pairing_id }) => pairing_id));
  const quiet = pairings.find((pairing) => pairing.status === "active" && pairing.may.includes("meet") && !met.has(pairing.id));
  if (booked) return { kind: "booked", meeting: booked };
  if (quiet) return { kind: "quiet", pairing: quiet };
  if (pairings.some(({ status }) => status === "proposed")) return { kind: "waiting" };
  if (ahead.length > 0) return { kind: "waiting" };
  return { kind: "find" };
}

/** What is asked of me when someone proposes a pairing. @param {Pairing} pairing */
function askedWords(pairing) {
  const asker = others(pairing).find(({ person }) => person.id === pairing.proposed_by) ?? others(pairing)[0];
  const name = asker?.person.name ?? "Someone";
  const role = mine(pairing)?.role;
  if (role === "mentor") return `${name} asks you to be their mentor.`;
  if (role === "mentee") return `${name} offers to be your mentor.`;
  return `${name} would like to learn with you.`;
}

/** @param {World} world */
function WhatNow(world) {
  const { kind, meeting, pairing } = nextThing(world);
  const { now, zone } = world;
  if (kind === "join" && meeting) {
    return html`<section class="next" aria-label="What now">
      <p>Your meeting with ${withWhom(meeting)} ${new Date(meeting.starts_at) > now ? "starts " : ""}${startWords(meeting, now)}.</p>
      <p class="quiet"><${When} meeting=${meeting} zone=${zone} /></p>
      <a class="button primary" href=${`/meetings/${meeting.id}/call`}><${Icon} name="video" /><span>Join</span></a>
    </section>`;
  }
  if (kind === "asked" && pairing) {
    return html`<section class="next needs" aria-label="What now">
      <p>${askedWords(pairing)}</p>
      ${pairing.note && html`<blockquote>${pairing.note}</blockquote>`}
      <a class="button primary" href=${`/pairings/${pairing.id}`}>Read and answer</a>
    </section>`;
  }
  if (kind === "proposed" && meeting) {
    return html`<section class="next needs" aria-label="What now">
      <p>${withWhom(meeting)} proposes a time to meet.</p>
      <p class="quiet"><${When} meeting=${meeting} zone=${zone} /></p>
      <a class="button primary" href=${`/meetings/${meeting.id}`}>Answer</a>
    </section>`;
  }
  if (kind === "booked" && meeting) {
    return html`<section class="next" aria-label="What now">
      <p>You meet ${withWhom(meeting)} ${startWords(meeting, now)}.</p>
      <p class="quiet"><${When} meeting=${meeting} zone=${zone} /></p>
      <a class="button primary" href=${`/meetings/${meeting.id}`}>Open the meeting</a>
    </section>`;
  }
  if (kind === "quiet" && pairing) {
    return html`<section class="next" aria-label="What now">
      <p>You and ${nameOf(pairing)} have no meeting planned.</p>
      <a class="button primary" href=${`/pairings/${pairing.id}/book`}><${Icon} name="calendar-plus" /><span>Pick a time</span></a>
    </section>`;
  }
  if (kind === "waiting") {
    return html`<section class="next calm" aria-label="What now"><p>Nothing needs you now. You are waiting for an answer; a letter tells you when it comes.</p></section>`;
  }
  return html`<section class="next" aria-label="What now">
    <p>Find someone who has been where you are.</p>
    <a class="button primary" href="/people"><${Icon} name="search" /><span>Find a mentor</span></a>
  </section>`;
}

/** @param {World} world */
function NeedsYou({ pairings, meetings, now, zone }) {
  const { membership } = useSession();
  // What stands at the top as the next thing need not stand here again.
  const next = nextThing({ pairings, meetings, now });
  const asked = pairings.filter((pairing) => pairing.may.includes("accept") && pairing !== next.pairing);
  const proposed = meetings.filter((meeting) => isAhead(meeting, now) && meeting.may.includes("accept") && meeting !== next.meeting);
  if (asked.length + proposed.length === 0) return null;
  return html`<section aria-labelledby="needs">
    <h2 id="needs" class="needs-title">Needs you</h2>
    <ul class="lines">
      ${asked.map((pairing) => html`<${PairingLine} key=${pairing.id} pairing=${pairing} mineOrganisation=${membership?.organisation}><p>${askedWords(pairing)}</p><//>`)}
      ${proposed.map((meeting) => html`<${MeetingLine} key=${meeting.id} meeting=${meeting} zone=${zone} now=${now} />`)}
    </ul>
  </section>`;
}

/** @param {World} world */
function Ahead({ meetings, now, zone }) {
  const ahead = meetings.filter((meeting) => isAhead(meeting, now) && !meeting.may.includes("accept"))
    .sort((one, other) => one.starts_at.localeCompare(other.starts_at)).slice(0, 6);
  if (ahead.length === 0) return null;
  return html`<section aria-labelledby="ahead">
    <div class="head"><h2 id="ahead">Coming up</h2><a href="/calendar">Calendar</a></div>
    <ul class="lines">${ahead.map((meeting) => html`<${MeetingLine} key=${meeting.id} meeting=${meeting} zone=${zone} now=${now} />`)}</ul>
  </section>`;
}

/** @param {World} world */
function Active({ pairings, meetings, now }) {
  const { membership } = useSession();
  const conversations = useConversations();
  const active = pairings.filter(({ status }) => status === "active");
  if (active.length === 0) return null;
  const planned = new Set(meetings.filter((meeting) => isAhead(meeting, now)).map(({ pairing_id }) => pairing_id));
  return html`<section aria-labelledby="active">
    <div class="head"><h2 id="active">Your pairings</h2><a href="/pairings">All pairings</a></div>
    <ul class="lines">${active.slice(0, 5).map((pairing) => html`<${PairingLine} key=${pairing.id} pairing=${pairing} mineOrganisation=${membership?.organisation} unread=${conversations?.of({ pairing: pairing.id })?.unread}>
      ${!planned.has(pairing.id) && html`<p class="quiet">No meeting planned. <a href=${`/pairings/${pairing.id}/book`} aria-label=${`Pick a time with ${nameOf(pairing)}`}>Pick a time</a></p>`}
    <//>`)}</ul>
  </section>`;
}

function Homeless() {
  return html`<${Empty} title="You do not belong to an organisation yet" icon="building-2">
    <p>Mentoring happens between members of organisations that know each other. Open the link in your invitation, or begin with an organisation of your own.</p>
    <a class="button primary" href="/organisation">Create an organisation</a>
  <//>`;
}

export default function Home() {
  const { me, membership, zone } = useSession();
  const now = useNow();
  const world = useLoad(async () => {
    const since = new Date(Date.now() - 12 * 3_600_000).toISOString();
    const [pairings, meetings] = await Promise.all([api.all("/v1/pairings"), api.all("/v1/meetings", { query: { from: since } })]);
    return { pairings, meetings };
  }, []);
  useEffect(() => {
    if (keptInvitation()) go("/invitation", { replace: true });
  }, []);
  useFresh(world.refresh, ["/v1/pairings", "/v1/meetings"]);
  const name = firstName(me?.account.name ?? "");
  return html`
    <header class="greeting">
      <${Title} name="Home">${greeting(now, zone)}, ${name}<//>
      <p class="quiet">${weekdayAndDate(now, zone, { long: true })}, ${clock(now, zone)}</p>
    </header>
    ${!membership ? html`<${Homeless} />` : html`<${Loaded} of=${world} rows=${4}>${(/** @type {any} */ loaded) => html`
      <${WhatNow} ...${loaded} now=${now} zone=${zone} />
      <div class="stack">
        <${NeedsYou} ...${loaded} now=${now} zone=${zone} />
        <${Ahead} ...${loaded} now=${now} zone=${zone} />
        <${Active} ...${loaded} now=${now} zone=${zone} />
      </div>`}
    <//>`}`;
}
