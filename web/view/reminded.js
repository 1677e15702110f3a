import { events } from "./live.js";
import { company, isAhead, nameOf, startWords, When, withWhom } from "./mentoring.js";
import { Icon } from "./parts.js";
import { html, useEffect, useState } from "./preact.js";
import { api, useSession } from "./session.js";

/** Reminders on the page: a meeting comes, or two have not met for weeks. They lie over the page and move nothing. */

/** @import { Meeting, Pairing } from "../client/types.js" */
/** @typedef {{meeting?: Meeting, pairing?: Pairing}} About */

/** What it is about, if that is still to be told. @param {string} kind @param {string} id @returns {Promise<About | null>} */
async function about(kind, id) {
  if (kind === "meeting.reminder") {
    const meeting = await api.get("/v1/meetings/{meeting_id}", { path: { meeting_id: id } });
    return meeting.status === "booked" && isAhead(meeting, new Date()) && company(meeting).length > 0 ? { meeting } : null;
  }
  const pairing = await api.get("/v1/pairings/{pairing_id}", { path: { pairing_id: id } });
  return pairing.may.includes("meet") ? { pairing } : null;
}

export function Reminded() {
  const { zone } = useSession();
  const [shown, show] = useState(/** @type {About | null} */ (null));
  useEffect(() => {
    const hear = (/** @type {string} */ kind) => events.on(kind, ({ data }) => {
      about(kind, data.id).then((found) => found && show(found), () => undefined);
    });
    const stops = ["meeting.reminder", "pairing.reminder"].map(hear);
    return () => stops.forEach((stop) => stop());
  }, []);
  const { meeting, pairing } = shown ?? {};
  return html`<div class="reminded" role="status">${shown && html`<div class="card">
    ${meeting && html`<p><b>You meet ${withWhom(meeting)} ${startWords(meeting, new Date())}.</b></p>
      <p class="quiet"><${When} meeting=${meeting} zone=${zone} /></p>
      <a class="button primary" href=${`/meetings/${meeting.id}`} onClick=${() => show(null)}>Open the meeting</a>`}
    ${pairing && html`<p><b>You and ${nameOf(pairing)} have not met for some weeks.</b></p>
      <a class="button primary" href=${`/pairings/${pairing.id}/book`} onClick=${() => show(null)}>Pick a time</a>`}
    <button type="button" class="icon-button" aria-label="Close the reminder" onClick=${() => show(null)}><${Icon} name="x" /></button>
  </div>`}</div>`;
}
