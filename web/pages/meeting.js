import { html } from "../view/preact.js";
import { useLoad, useNow } from "../view/hooks.js";
import { Avatar, Back, From, Icon, Loaded, Status, Title } from "../view/parts.js";
import { Recordings } from "../view/recordings.js";
import { ReportForm } from "../view/safety.js";
import { api, useSession } from "../view/session.js";
import { useConversationOf, useFresh } from "../view/live.js";
import { Chat, ChatPlace } from "../view/chat.js";
import { Now } from "../view/meeting-now.js";
import { Agenda, Cancel, History, Outcome } from "../view/meeting-words.js";
import { company, sidesOf, startWords, When, withWhom } from "../view/mentoring.js";
import { bothSides, clock, lengthOf, placeOf, weekdayAndDate } from "../client/time.js";

/** @import { Meeting, Stay } from "../client/types.js" */

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
        <${Outcome} meeting=${meeting} put=${put} />
        <${Agenda} meeting=${meeting} put=${put} />
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
        <${History} meeting=${meeting} zone=${zone} />
      </div>
      <aside class="stack">
        ${meeting.may.includes("reschedule") && html`<a class="button" href=${`/meetings/${meeting.id}/move`}><${Icon} name="calendar-clock" /><span>Move to another time</span></a>`}
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
