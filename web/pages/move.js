import { html, useState } from "../view/preact.js";
import { useKeys, useLoad } from "../view/hooks.js";
import { Back, Button, Loaded, Notice, Title } from "../view/parts.js";
import { api } from "../view/session.js";
import { useFresh } from "../view/live.js";
import { go } from "../view/router.js";
import { leads, sidesOf, withWhom } from "../view/mentoring.js";
import { KeptUntil, Picker, usePicking } from "../view/picking.js";
import { yoursIsTheirs } from "../client/slots.js";
import { clock, weekdayAndDate, withOffset } from "../client/time.js";

/** Another time for a meeting that is booked: the old one stays in sight, and stays booked until all agree. */

/** @import { Meeting, Pairing } from "../client/types.js" */

/** @param {{meeting: Meeting, picking: import("../view/picking.js").Picking}} props */
function Confirm({ meeting, picking }) {
  const { pairing, chosen, minutes, zone, session, slots, hold, isSlot } = picking;
  const [reason, setReason] = useState("");
  const keyOf = useKeys();
  const [first] = chosen;
  const who = withWhom(meeting);
  const atOnce = leads(pairing) || (Boolean(first) && isSlot(first) && Boolean(slots.data?.people.every((each) => each.is_me || !each.confirm)));
  const old = new Date(meeting.starts_at);
  const send = async () => {
    try {
      const body = { starts_at: withOffset(first, zone), duration_minutes: minutes, zone, reason: reason.trim() || null };
      await api.post("/v1/meetings/{meeting_id}/reschedule", { path: { meeting_id: meeting.id }, key: keyOf(body), match: meeting.version, body });
    } catch (problem) {
      void slots.refresh();
      throw problem;
    }
    hold.release();
    go(`/meetings/${meeting.id}`);
  };
  return html`<aside class="card confirm" aria-label="Your choice">
    <div aria-live="polite" class="confirm-words">
      <dl class="old-new">
        <div><dt>Booked now</dt><dd>${weekdayAndDate(old, session.zone)}, ${clock(old, session.zone)}</dd></div>
        <div><dt>New time</dt><dd>${first ? html`<b>${weekdayAndDate(first, session.zone)}, ${clock(first, session.zone)}</b>` : html`<span class="quiet">Pick one</span>`}</dd></div>
      </dl>
      ${first && html`<p>${yoursIsTheirs(first, session.zone, sidesOf(meeting))}</p><${KeptUntil} picking=${picking} />`}
    </div>
    ${first && html`
      <p class="quiet letter-words">${atOnce ? `It is moved at once; ${who} gets a letter.` : `${who} gets a letter. The old time stays booked until ${who} agrees.`}</p>
      <${Button} kind="primary" busyWords="One moment …" onPress=${send}>${atOnce ? "Move the meeting" : "Ask to move it"}<//>
      <details><summary>Say why</summary>
        <div class="field"><label for="reason">Why</label>
          <textarea id="reason" rows="2" maxLength="500" value=${reason} aria-describedby="reason-seen" onInput=${(/** @type {any} */ { currentTarget }) => setReason(currentTarget.value)}></textarea>
          <p class="seen" id="reason-seen">Seen by everybody in this meeting.</p></div>
      </details>`}
  </aside>`;
}

/** @param {{meeting: Meeting, pairing: Pairing}} props */
function Moving({ meeting, pairing }) {
  const picking = usePicking(pairing, { minutes: meeting.duration_minutes });
  if (!meeting.may.includes("reschedule")) {
    return html`<${Notice}>
      <p>This meeting cannot be moved ${meeting.status === "cancelled" ? "any more: it was cancelled" : "now"}.</p>
      ${meeting.successor ? html`<a href=${`/meetings/${meeting.successor}`}>Go to the meeting in its place</a>` : html`<a href=${`/pairings/${meeting.pairing_id}/book`}>Pick a time for another meeting</a>`}
    <//>`;
  }
  return html`<div class="booking"><${Picker} picking=${picking} /><${Confirm} meeting=${meeting} picking=${picking} /></div>`;
}

/** @param {{id: string}} props */
export default function MovePage({ id }) {
  const loaded = useLoad(async () => {
    const meeting = await api.get("/v1/meetings/{meeting_id}", { path: { meeting_id: id } });
    return { meeting, pairing: await api.get("/v1/pairings/{pairing_id}", { path: { pairing_id: meeting.pairing_id } }) };
  }, [id]);
  useFresh(loaded.refresh, ["/v1/meetings/{meeting_id}", "/v1/pairings/{pairing_id}"], { "meeting.changed": id });
  return html`
    <${Back} href=${`/meetings/${id}`}>Back to the meeting<//>
    <${Loaded} of=${loaded} title>${(/** @type {{meeting: Meeting, pairing: Pairing}} */ { meeting, pairing }) => html`
      <${Title}>Move the meeting with ${withWhom(meeting)}<//>
      <p class="lead">The old time stays yours until a new one is agreed.</p>
      <${Moving} meeting=${meeting} pairing=${pairing} />`}
    <//>`;
}
