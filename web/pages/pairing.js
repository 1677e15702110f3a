import { html, useState } from "../view/preact.js";
import { useLoad, useNow, useWide } from "../view/hooks.js";
import { Avatar, Back, Button, firstName, From, Icon, Loaded, Notice, Status, Title, Unread } from "../view/parts.js";
import { Safety } from "../view/safety.js";
import { api, useSession } from "../view/session.js";
import { useConversationOf, useConversations, useFresh } from "../view/live.js";
import { Chat, ChatPlace } from "../view/chat.js";
import { go } from "../view/router.js";
import { Agreement, Goals } from "../view/agreement.js";
import { isAhead, kindWords, MeetingLine, mine, nameOf, others, roleWords } from "../view/mentoring.js";
import { SeriesLines } from "../view/series-lines.js";
import { clock, placeOf, withOffset } from "../client/time.js";

/** @import { Meeting, Pairing } from "../client/types.js" */
/** @typedef {{pairing: Pairing, put: (pairing: Pairing) => void}} Shown */

/** Room for slow clocks: a meeting in the past is refused. */
const NOW_MEANS_MS = 30_000;

/** @param {Shown} props */
function Proposal({ pairing, put }) {
  const path = { pairing_id: pairing.id };
  const asker = others(pairing).find(({ person }) => person.id === pairing.proposed_by);
  if (pairing.may.includes("accept")) {
    const name = firstName(asker?.person.name ?? nameOf(pairing));
    const role = mine(pairing)?.role;
    const what = role === "mentor" ? `${name} asks you to be their mentor.` : role === "mentee" ? `${name} offers to be your mentor.` : `${name} would like to learn with you.`;
    return html`<section class="next needs" aria-label="What now">
      <p>${what}</p>
      ${pairing.note && html`<blockquote>${pairing.note}</blockquote>`}
      <div class="buttons">
        <${Button} kind="primary" busyWords="Accepting …" onPress=${async () => put(await api.post("/v1/pairings/{pairing_id}/accept", { path }))}>Accept<//>
        <${Button} busyWords="Declining …" onPress=${async () => put(await api.post("/v1/pairings/{pairing_id}/decline", { path }))}>Decline<//>
      </div>
      <p class="quiet">Declining is fine. ${name} reads that it does not fit at the moment, and nothing else.</p>
    </section>`;
  }
  return html`<section class="next calm" aria-label="What now">
    <p>You are waiting for ${nameOf(pairing)} to answer.</p>
    ${pairing.note && html`<blockquote>${pairing.note}</blockquote>`}
    ${pairing.may.includes("withdraw") && html`<div class="buttons">
      <${Button} onPress=${async () => put(await api.post("/v1/pairings/{pairing_id}/withdraw", { path }))}>Take the question back<//>
    </div>`}
  </section>`;
}

/**
 * Propose a meeting that starts now, or go to the one that is about to start anyway.
 * @param {Pairing} pairing @param {Meeting[]} ahead @param {string} zone
 */
async function meetNow(pairing, ahead, zone) {
  const soon = ahead.find(({ starts_at: starts, join_opens_at: opens }) => Math.min(Date.parse(starts), Date.parse(opens)) <= Date.now());
  if (soon) return go(`/meetings/${soon.id}`);
  const meeting = await api.post("/v1/pairings/{pairing_id}/meetings", {
    path: { pairing_id: pairing.id },
    body: { starts_at: withOffset(new Date(Date.now() + NOW_MEANS_MS), zone), duration_minutes: 45, zone },
  });
  go(`/meetings/${meeting.id}`);
}

/** @param {{pairing: Pairing, meetings: Meeting[], now: Date, zone: string}} props */
function Meetings({ pairing, meetings, now, zone }) {
  const ahead = meetings.filter((meeting) => isAhead(meeting, now)).sort((one, other) => one.starts_at.localeCompare(other.starts_at));
  const past = meetings.filter((meeting) => !isAhead(meeting, now)).sort((one, other) => other.starts_at.localeCompare(one.starts_at));
  const conversations = useConversations();
  const line = (/** @type {Meeting} */ meeting) => html`<${MeetingLine} key=${meeting.id} meeting=${meeting} zone=${zone} now=${now} under="pairing" unread=${conversations?.of({ meeting: meeting.id })?.unread} />`;
  return html`<section aria-labelledby="meetings">
    <div class="head">
      <h2 id="meetings">Meetings</h2>
      ${pairing.may.includes("meet") && html`<div class="buttons">
        <${Button} icon="video" onPress=${() => meetNow(pairing, ahead, zone)}>Meet now<//>
        <a class="button primary" href=${`/pairings/${pairing.id}/book`}><${Icon} name="calendar-plus" /><span>Pick a time</span></a>
      </div>`}
    </div>
    ${ahead.length > 0 ? html`<ul class="lines">${ahead.map(line)}</ul>` : html`<p class="quiet">No meeting planned.</p>`}
    <${SeriesLines} pairing=${pairing} />
    ${past.length > 0 && html`<details class="earlier"><summary>${past.length === 1 ? "1 earlier meeting" : `${past.length} earlier meetings`}</summary><ul class="lines">${past.map(line)}</ul></details>`}
  </section>`;
}

/** On a phone the messages have a page of their own. @param {{pairing: Pairing}} props */
function Messages({ pairing }) {
  const conversation = useConversationOf({ pairing: pairing.id });
  const wide = useWide();
  if (!conversation) return conversation === undefined && wide ? html`<${ChatPlace} className="inset"><h2>Messages</h2><//>` : null;
  if (wide) return html`<${Chat} id=${conversation.id} className="inset"><h2>Messages</h2><//>`;
  const last = conversation.last_message;
  return html`<section aria-labelledby="messages">
    <h2 id="messages">Messages</h2>
    <ul class="lines"><li class=${conversation.unread > 0 ? "line unread" : "line"}>
      <div class="line-main"><a class="line-name" href=${`/messages/${conversation.id}`}>Open the messages</a>
        <p class="quiet last-said">${last ? (last.deleted ? "The last message was deleted." : last.text) : "Nothing written yet."}</p></div>
      <${Unread} count=${conversation.unread} />
    </li></ul>
  </section>`;
}

/** @param {{pairing: Pairing, now: Date}} props */
function Participants({ pairing, now }) {
  const { membership } = useSession();
  return html`<section aria-labelledby="people">
    <h2 id="people">Who</h2>
    <ul class="participants">
      ${pairing.participants.filter((each) => !each.left_at).map((each) => html`<li key=${each.id}>
        <${Avatar} id=${each.person.id} name=${each.person.name} size="small" />
        <div>
          ${each.is_me ? html`<strong>You</strong>` : html`<a href=${`/people/${each.person.id}`}>${each.person.name}</a>`} <span class="quiet">${roleWords(each.role)}</span>
          <p class="quiet"><${From} organisation=${each.person.organisation} mine=${membership?.organisation} /><span class="dot"> · </span>${clock(now, each.person.zone)} in ${placeOf(each.person.zone)}</p>
        </div>
      </li>`)}
    </ul>
  </section>`;
}

/** @param {Shown} props */
function Ending({ pairing, put }) {
  const [ending, setEnding] = useState(false);
  const path = { pairing_id: pairing.id };
  if (pairing.may.includes("leave")) {
    return html`<${Button} kind="danger" onPress=${async () => {
      await api.post("/v1/pairings/{pairing_id}/leave", { path });
      go("/pairings");
    }}>Leave the circle<//>`;
  }
  if (!pairing.may.includes("end")) return null;
  if (!ending) return html`<div><button type="button" class="button danger" onClick=${() => setEnding(true)}>End this pairing</button></div>`;
  return html`<section class="card ending" aria-label="End this pairing">
    <h2>End the pairing with ${nameOf(pairing)}?</h2>
    <p>Planned meetings are cancelled. What you wrote stays readable for you both.</p>
    <div class="buttons">
      <${Button} kind="danger" busyWords="Ending …" onPress=${async () => {
        put(await api.post("/v1/pairings/{pairing_id}/end", { path }));
        setEnding(false);
      }}>End the pairing<//>
      <button type="button" class="button quiet" onClick=${() => setEnding(false)}>Keep it</button>
    </div>
  </section>`;
}

/** @param {{loaded: {pairing: Pairing, meetings: Meeting[]}, put: (pairing: Pairing) => void, reload: () => void}} props */
function Whole({ loaded: { pairing, meetings }, put, reload }) {
  const { membership, zone } = useSession();
  const now = useNow();
  const people = others(pairing);
  const organisations = new Map(people.map(({ person }) => [person.organisation.id, person.organisation]));
  const live = pairing.status === "active" || pairing.status === "ended";
  return html`
    <header class="pairing-head">
      <${Title}>${nameOf(pairing)}<//>
      <p class="quiet bits"><${Status} of=${pairing.status} /><span>
        ${kindWords(pairing.kind)}<span class="dot"> · </span>${[...organisations.values()].map((organisation, index) => html`${index > 0 && ", "}<${From} organisation=${organisation} mine=${membership?.organisation} />`)}</span>
      </p>
    </header>
    ${pairing.status === "proposed" && html`<${Proposal} pairing=${pairing} put=${put} />`}
    ${(pairing.status === "declined" || pairing.status === "withdrawn") && html`<${Notice}>
      ${pairing.status === "declined" ? "This did not fit at the time." : "The question was taken back."} <a href="/people">Find somebody else</a>
    <//>`}
    <div class="two">
      <div class="stack">
        ${live && html`<${Meetings} pairing=${pairing} meetings=${meetings} now=${now} zone=${zone} />`}
        ${live && html`<${Messages} pairing=${pairing} />`}
        ${live && html`<${Agreement} pairing=${pairing} put=${put} reload=${reload} />`}
        ${live && html`<${Goals} pairing=${pairing} put=${put} />`}
      </div>
      <aside class="stack">
        <${Participants} pairing=${pairing} now=${now} />
        <${Ending} pairing=${pairing} put=${put} />
        ${people.slice(0, 1).map(({ person }) => pairing.kind !== "circle" && html`<${Safety} key=${person.id} membershipId=${person.id} name=${person.name} />`)}
      </aside>
    </div>`;
}

/** @param {{id: string}} props */
export default function PairingPage({ id }) {
  const loaded = useLoad(async () => {
    const path = { pairing_id: id };
    const [pairing, meetings] = await Promise.all([api.get("/v1/pairings/{pairing_id}", { path }), api.all("/v1/pairings/{pairing_id}/meetings", { path })]);
    return { pairing, meetings };
  }, [id]);
  // Of all its meetings: which of them are of this pairing is known only after reading them.
  useFresh(loaded.refresh, ["/v1/pairings/{pairing_id}", "/v1/pairings/{pairing_id}/meetings"], { "pairing.changed": id });
  const put = (/** @type {Pairing} */ pairing) => loaded.data && loaded.put({ ...loaded.data, pairing });
  return html`
    <${Back} href="/pairings">Pairings<//>
    <${Loaded} of=${loaded} title>${(/** @type {any} */ data) => html`<${Whole} loaded=${data} put=${put} reload=${loaded.reload} />`}<//>`;
}
