import { clock, instantsOf, weekdayAndDate, withOffset } from "../client/time.js";
import { Area, Field, Form } from "./form.js";
import { announce, useAction } from "./hooks.js";
import { Button, Trouble } from "./parts.js";
import { html, useState } from "./preact.js";
import { api, useSession } from "./session.js";

/** When somebody is away, or pauses until further notice. */

/** @import { Absence } from "../client/types.js" */

/** @param {Absence} absence @param {string} zone */
function when({ starts_at: starts, ends_at: ends }, zone) {
  const words = (/** @type {string} */ at) => `${weekdayAndDate(new Date(at), zone)}, ${clock(new Date(at), zone)}`;
  return ends ? `${words(starts)} to ${words(ends)}` : `Since ${words(starts)}, until further notice`;
}

/** @param {Absence[]} absences @param {Date} now */
export function pauseOf(absences, now) {
  return absences.find(({ starts_at: starts, ends_at: ends }) => new Date(starts) <= now && (!ends || new Date(ends) > now)) ?? null;
}

/** @param {{absence: Absence, onChange: () => unknown}} props */
export function Paused({ absence, onChange }) {
  const { zone } = useSession();
  return html`<section class="next needs" aria-label="What now">
    <p>You are away: nobody is offered your times${absence.ends_at ? ` before ${weekdayAndDate(new Date(absence.ends_at), zone)}, ${clock(new Date(absence.ends_at), zone)}` : ""}.</p>
    <${Button} kind="primary" busyWords="One moment …" onPress=${async () => {
      await api.delete("/v1/absences/{absence_id}", { path: { absence_id: absence.id } });
      announce("You are back. Your times are offered again.");
      await onChange();
    }}>I am back<//>
  </section>`;
}

/** @param {{onChange: () => unknown}} props */
function NewAbsence({ onChange }) {
  const { zone } = useSession();
  const [open, setOpen] = useState(0);
  return html`<details class="earlier"><summary>Add a time away</summary>
    <${Form} key=${open} quiet label="A time away" send="Save this time away" sending="Saving …" onSend=${async (/** @type {any} */ { first, last, note }) => {
      const starts = instantsOf(first, "00:00", zone).instants[0];
      const ends = instantsOf(new Date(Date.parse(`${last}T00:00:00Z`) + 86_400_000).toISOString().slice(0, 10), "00:00", zone).instants[0];
      await api.post("/v1/absences", { body: { starts_at: withOffset(starts, zone), ends_at: withOffset(ends, zone), note: note.trim() } });
      announce("Saved. Nobody is offered these days.");
      setOpen(open + 1);
      await onChange();
    }}>
      <div class="pair">
        <${Field} name="first" label="First day away" type="date" missing="Choose the first day." />
        <${Field} name="last" label="Last day away" type="date" missing="Choose the last day." />
      </div>
      <${Area} name="note" label="Note" optional rows=${2} maxLength="200" seen="Seen by nobody but you." />
    <//>
  </details>`;
}

/** @param {{absences: Absence[], onChange: () => unknown}} props */
export function Absences({ absences, onChange }) {
  const { zone } = useSession();
  const pause = useAction(async () => {
    await api.post("/v1/absences", { body: { starts_at: withOffset(new Date(), zone), ends_at: null, note: "" } });
    announce("Paused. Nobody is offered your times until you are back.");
    await onChange();
  });
  const away = absences.filter(({ ends_at: ends }) => !ends || new Date(ends) > new Date());
  return html`<section aria-labelledby="away-title">
    <div class="head"><h2 id="away-title">Away</h2>
      ${!pauseOf(away, new Date()) && html`<button type="button" class="button" aria-disabled=${pause.busy || undefined} onClick=${() => pause.run()}>Pause from now on</button>`}
    </div>
    <p class="quiet">While you are away nobody is offered your times. Meetings that are booked stay booked.</p>
    ${!!pause.problem && html`<${Trouble} problem=${pause.problem} />`}
    ${away.length > 0 && html`<ul class="lines">${away.map((absence) => html`<li key=${absence.id} class="line">
      <div class="line-main"><b>${when(absence, zone)}</b>${absence.note && html`<p class="quiet">${absence.note}</p>`}</div>
      <${Button} kind="quiet" label=${`Remove: ${when(absence, zone)}`} onPress=${async () => {
        await api.delete("/v1/absences/{absence_id}", { path: { absence_id: absence.id } });
        announce("Removed.");
        await onChange();
      }}>Remove<//>
    </li>`)}</ul>`}
    <${NewAbsence} onChange=${onChange} />
  </section>`;
}

/** Not yet set: what others are offered meanwhile. @param {{zone: string, onBegin: () => void}} props */
export function Assumed({ zone, onBegin }) {
  return html`<section class="next" aria-label="What now">
    <p>Say when you can meet.</p>
    <p class="quiet">Until you do, we assume weekdays from 09:00 to 17:00 in the time of ${zone.replaceAll("_", " ")}, and every booking waits for your yes.</p>
    <button type="button" class="button primary" onClick=${onBegin}>Set my hours</button>
  </section>`;
}

