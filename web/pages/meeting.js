import { html, useState } from "../view/preact.js";
import { announce, useLoad, useNow } from "../view/hooks.js";
import { Avatar, Back, Button, From, Icon, Loaded, Status, Title } from "../view/parts.js";
import { Recordings } from "../view/recordings.js";
import { ReportForm } from "../view/safety.js";
import { api, useSession } from "../view/session.js";
import { useConversationOf, useFresh } from "../view/live.js";
import { Chat, ChatPlace } from "../view/chat.js";
import { company, isOpen, sidesOf, startWords, When, withWhom } from "../view/mentoring.js";
import { bothSides, clock, lengthOf, placeOf, weekdayAndDate } from "../client/time.js";

/** @import { Meeting, Stay } from "../client/types.js" */

/** @param {{meeting: Meeting, put: (meeting: Meeting) => void, now: Date, zone: string}} props */
function Now({ meeting, put, now, zone }) {
  const path = { meeting_id: meeting.id };
  const who = withWhom(meeting);
  const act = (/** @type {"accept" | "decline"} */ verb) => async () => {
    put(await api.post(verb === "accept" ? "/v1/meetings/{meeting_id}/accept" : "/v1/meetings/{meeting_id}/decline", { path }));
    announce(verb === "accept" ? "Accepted. The meeting is booked." : "Declined.");
  };
  if (meeting.may.includes("accept")) {
    return html`<section class="next needs" aria-label="What now">
      <p>${who} would like to meet you then.</p>
      <div class="buttons">
        <${Button} kind="primary" busyWords="Accepting …" onPress=${act("accept")}>Accept<//>
        <${Button} busyWords="Declining …" onPress=${act("decline")}>Decline<//>
        <a class="button quiet" href=${`/pairings/${meeting.pairing_id}/book`}>Propose another time</a>
      </div>
    </section>`;
  }
  if (meeting.status === "proposed") {
    return html`<section class="next calm" aria-label="What now" aria-live="polite"><p>Waiting for ${who} to accept. This page shows it as soon as it happens.</p></section>`;
  }
  if (isOpen(meeting, now)) {
    return html`<section class="next" aria-label="What now">
      <p>The room is open${new Date(meeting.starts_at) > now ? `; you start ${startWords(meeting, now)}` : ""}.</p>
      <a class="button primary" href=${`/meetings/${meeting.id}/call`}><${Icon} name="video" /><span>Join</span></a>
    </section>`;
  }
  if (meeting.status === "booked" && new Date(meeting.join_opens_at) > now) {
    return html`<section class="next calm" aria-label="What now"><p>Booked. The room opens at ${clock(new Date(meeting.join_opens_at), zone)} your time, 15 minutes before you start.</p></section>`;
  }
  return null;
}

/** @param {{meeting: Meeting, zone: string}} props */
function Attendance({ meeting, zone }) {
  const stays = useLoad(async () => (await api.get("/v1/meetings/{meeting_id}/attendance", { path: { meeting_id: meeting.id } })).items, [meeting.id]);
  useFresh(stays.refresh, ["/v1/meetings/{meeting_id}/attendance"], { "call.changed": meeting.id, "pairing.changed": meeting.pairing_id });
  if (!stays.data || stays.data.length === 0) return null;
  return html`<section aria-labelledby="attendance">
    <h2 id="attendance">Who was there</h2>
    <ul class="plain">${stays.data.map((/** @type {Stay} */ stay) => html`<li key=${stay.membership_id + stay.joined_at}>
      <strong>${stay.name}</strong>, ${weekdayAndDate(new Date(stay.joined_at), zone)}, ${clock(new Date(stay.joined_at), zone)}
      ${stay.left_at ? ` to ${clock(new Date(stay.left_at), zone)}` : ", there now"}
      ${stay.reason === "connection_lost" ? " (connection lost)" : ""}
    </li>`)}</ul>
  </section>`;
}

/** @param {{meeting: Meeting, put: (meeting: Meeting) => void}} props */
function Cancel({ meeting, put }) {
  const [asking, setAsking] = useState(false);
  if (!meeting.may.includes("cancel")) return null;
  if (!asking) return html`<div><button type="button" class="button danger" onClick=${() => setAsking(true)}>Cancel this meeting</button></div>`;
  return html`<section class="card ending" aria-label="Cancel this meeting">
    <h2>Cancel the meeting with ${withWhom(meeting)}?</h2>
    <p>${withWhom(meeting)} gets a letter. You can propose another time afterwards.</p>
    <div class="buttons">
      <${Button} kind="danger" busyWords="Cancelling …" onPress=${async () => {
        put(await api.post("/v1/meetings/{meeting_id}/cancel", { path: { meeting_id: meeting.id } }));
        setAsking(false);
      }}>Cancel the meeting<//>
      <button type="button" class="button quiet" onClick=${() => setAsking(false)}>Keep it</button>
    </div>
  </section>`;
}

/** @param {{meeting: Meeting, put: (meeting: Meeting) => void}} props */
function Whole({ meeting, put }) {
  const { zone, membership } = useSession();
  const conversation = useConversationOf({ meeting: meeting.id });
  const now = useNow(5_000);
  const start = new Date(meeting.starts_at);
  return html`
    <header class="pairing-head">
      <${Title}>${meeting.title || `Meeting with ${withWhom(meeting)}`}<//>
      <p class="when"><${When} meeting=${meeting} zone=${zone} /></p>
      <p class="quiet bits"><${Status} of=${meeting.status} /><span>${startWords(meeting, now)}<span class="dot"> · </span>${lengthOf(meeting.duration_minutes)}</span></p>
    </header>
    <${Now} meeting=${meeting} put=${put} now=${now} zone=${zone} />
    <div class="two">
      <div class="stack">
        <section aria-labelledby="who"><h2 id="who">Who</h2>
          <ul class="participants">${company(meeting).map((person) => html`<li key=${person.id}>
            <${Avatar} id=${person.id} name=${person.name} size="small" />
            <div><a href=${`/people/${person.id}`}>${person.name}</a>
              <p class="quiet"><${From} organisation=${person.organisation} mine=${membership?.organisation} /><span class="dot"> · </span>${weekdayAndDate(start, person.zone)}, ${clock(start, person.zone)} in ${placeOf(person.zone)}</p></div>
          </li>`)}</ul>
        </section>
        ${conversation === undefined && meeting.status === "booked" && html`<${ChatPlace} className="inset"><h2>Messages</h2><//>`}
        ${conversation && html`<${Chat} id=${conversation.id} className="inset"><h2>Messages</h2><//>`}
        <${Recordings} meeting=${meeting} zone=${zone} />
        <${Attendance} meeting=${meeting} zone=${zone} />
      </div>
      <aside class="stack">
        <a class="button" href=${`/pairings/${meeting.pairing_id}`}>Open the pairing</a>
        <${Cancel} meeting=${meeting} put=${put} />
        <details class="safety"><summary><${Icon} name="shield" />Something wrong with this meeting?</summary>
          <${ReportForm} meetingId=${meeting.id} about=${`the meeting of ${bothSides(start, zone, sidesOf(meeting))}`} />
        </details>
      </aside>
    </div>`;
}

/** @param {{id: string}} props */
export default function MeetingPage({ id }) {
  const meeting = useLoad(() => api.get("/v1/meetings/{meeting_id}", { path: { meeting_id: id } }), [id]);
  useFresh(meeting.refresh, ["/v1/meetings/{meeting_id}"], { "meeting.changed": id, "pairing.changed": meeting.data?.pairing_id });
  return html`
    <${Back} href="/calendar">Calendar<//>
    <${Loaded} of=${meeting} title>${(/** @type {Meeting} */ data) => html`<${Whole} meeting=${data} put=${meeting.put} />`}<//>`;
}
