import { yoursIsTheirs } from "../client/slots.js";
import { clock, theirSide, weekdayAndDate } from "../client/time.js";
import { announce } from "./hooks.js";
import { company, isOpen, sidesOf, startWords, withWhom } from "./mentoring.js";
import { Button, firstName, Icon } from "./parts.js";
import { html, useState } from "./preact.js";
import { api } from "./session.js";

/** What is to be done about a meeting now: answer, choose a time, agree to a move, join. */

/** @import { Meeting } from "../client/types.js" */
/** @typedef {{meeting: Meeting, put: (meeting: Meeting) => void, zone: string}} About */

/** @param {Date} start @param {Date} end @param {string} zone */
const span = (start, end, zone) => `${weekdayAndDate(start, zone)}, ${clock(start, zone)} to ${clock(end, zone)}`;

/** Times to choose one from. @param {About} props */
function Options({ meeting, put, zone }) {
  const who = withWhom(meeting);
  const starts = [...new Set([meeting.starts_at, ...meeting.options])].sort();
  const [chosen, choose] = useState(/** @type {string | null} */ (null));
  const path = { meeting_id: meeting.id };
  return html`<section class="next needs" aria-label="What now">
    <p>${who} offers ${starts.length} times. Which one suits you?</p>
    <fieldset class="picks options"><legend class="unseen">Times</legend><div>
      ${starts.map((at) => html`<label key=${at} class="pick">
        <input type="radio" name="option" checked=${chosen === at} onChange=${() => choose(at)} />
        <span>${weekdayAndDate(new Date(at), zone)}, ${clock(new Date(at), zone)} your time<small>${sidesOf(meeting).map((side) => theirSide(new Date(at), zone, side)).join(", ")}</small></span>
      </label>`)}
    </div></fieldset>
    <div class="buttons">
      <${Button} kind="primary" disabled=${!chosen} busyWords="Accepting …" onPress=${async () => {
        put(await api.post("/v1/meetings/{meeting_id}/accept", { path, match: meeting.version, body: { starts_at: chosen } }));
        announce("Accepted. The meeting is booked.");
      }}>Accept this time<//>
      <${Button} busyWords="Declining …" onPress=${async () => put(await api.post("/v1/meetings/{meeting_id}/decline", { path }))}>None of them suits me<//>
      <a class="button quiet" href=${`/pairings/${meeting.pairing_id}/book`}>Propose another time</a>
    </div>
  </section>`;
}

/** A move that somebody asks for: the old time, which still holds, beside the new one. @param {About} props */
function Move({ meeting, put, zone }) {
  const { move } = meeting;
  if (!move) return null;
  const who = firstName(company(meeting).find(({ id }) => id === move.proposed_by)?.name ?? "");
  const mayAccept = meeting.may.includes("accept_move");
  const path = { meeting_id: meeting.id };
  const start = new Date(move.starts_at);
  const decline = async () => {
    put(await api.post("/v1/meetings/{meeting_id}/move/decline", { path, match: meeting.version }));
    announce("The meeting stays where it was.");
  };
  return html`<section class=${mayAccept ? "next needs" : "next calm"} aria-label="What now">
    <p>${mayAccept ? `${who || "Somebody"} asks to move this meeting.` : who ? `${who} asks to move this meeting.` : `You asked to move it. ${withWhom(meeting)} has not answered yet.`}</p>
    <dl class="old-new">
      <div><dt>Booked now</dt><dd>${span(new Date(meeting.starts_at), new Date(meeting.ends_at), zone)}<small>${yoursIsTheirs(new Date(meeting.starts_at), zone, sidesOf(meeting))}</small></dd></div>
      <div><dt>New time</dt><dd><b>${span(start, new Date(move.ends_at), zone)}</b><small>${yoursIsTheirs(start, zone, sidesOf(meeting))}</small></dd></div>
    </dl>
    ${move.reason && html`<blockquote>${move.reason}</blockquote>`}
    <p class="quiet">Until ${mayAccept ? "you agree" : "all agree"}, the meeting stays at the old time.</p>
    <div class="buttons">
      ${mayAccept && html`<${Button} kind="primary" busyWords="Moving …" onPress=${async () => {
        put(await api.post("/v1/meetings/{meeting_id}/move/accept", { path, match: meeting.version, body: {} }));
        announce("Moved to the new time.");
      }}>Move it<//>`}
      ${meeting.may.includes("decline_move") && html`<${Button} busyWords="One moment …" onPress=${decline}>${mayAccept ? "Keep the old time" : "Take it back"}<//>`}
      ${mayAccept && html`<a class="button quiet" href=${`/meetings/${meeting.id}/move`}>Suggest another time</a>`}
    </div>
  </section>`;
}

/** @param {About & {now: Date}} props */
function Room({ meeting, now, zone }) {
  if (isOpen(meeting, now)) {
    return html`<section class="next" aria-label="What now">
      <p>The room is open${new Date(meeting.starts_at) > now ? `; you start ${startWords(meeting, now)}` : ""}.</p>
      <a class="button primary" href=${`/meetings/${meeting.id}/call`}><${Icon} name="video" /><span>Join</span></a>
    </section>`;
  }
  if (meeting.status === "booked" && new Date(meeting.join_opens_at) > now && !meeting.move) {
    return html`<section class="next calm" aria-label="What now"><p>Booked. The room opens at ${clock(new Date(meeting.join_opens_at), zone)} your time, 15 minutes before you start.</p></section>`;
  }
  return null;
}

/** What became of it, when it does not take place. @param {{meeting: Meeting}} props */
function Over({ meeting }) {
  const words = { cancelled: "This meeting was cancelled.", declined: "This time did not suit." }[/** @type {string} */ (meeting.status)];
  if (!words) return null;
  return html`<section class="next calm" aria-label="What now">
    <p>${words}</p>
    ${meeting.reason && html`<blockquote>${meeting.reason}</blockquote>`}
    ${meeting.late && html`<p class="quiet">It was cancelled shortly before it began.</p>`}
    ${meeting.successor
      ? html`<a class="button primary" href=${`/meetings/${meeting.successor}`}>Go to the meeting in its place</a>`
      : html`<a class="button" href=${`/pairings/${meeting.pairing_id}/book?instead-of=${meeting.id}`}><${Icon} name="calendar-plus" /><span>Pick another time</span></a>`}
  </section>`;
}

/** @param {About & {now: Date}} props */
export function Now({ meeting, put, now, zone }) {
  const path = { meeting_id: meeting.id };
  const who = withWhom(meeting);
  const act = (/** @type {"accept" | "decline"} */ verb) => async () => {
    put(await api.post(verb === "accept" ? "/v1/meetings/{meeting_id}/accept" : "/v1/meetings/{meeting_id}/decline", { path }));
    announce(verb === "accept" ? "Accepted. The meeting is booked." : "Declined.");
  };
  if (meeting.may.includes("accept") && meeting.options.length > 1) return html`<${Options} meeting=${meeting} put=${put} zone=${zone} />`;
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
  if (meeting.status === "proposed" && meeting.options.length > 1) {
    return html`<section class="next calm" aria-label="What now" aria-live="polite"><p>Waiting for ${who} to choose one of ${meeting.options.length} times.</p>
      <ul class="plain">${meeting.options.map((at) => html`<li key=${at}>${weekdayAndDate(new Date(at), zone)}, ${clock(new Date(at), zone)} your time</li>`)}</ul></section>`;
  }
  if (meeting.status === "proposed") {
    return html`<section class="next calm" aria-label="What now" aria-live="polite"><p>Waiting for ${who} to accept. This page shows it as soon as it happens.</p></section>`;
  }
  return html`<${Room} meeting=${meeting} put=${put} now=${now} zone=${zone} />
    <${Move} meeting=${meeting} put=${put} zone=${zone} />
    <${Over} meeting=${meeting} />`;
}
