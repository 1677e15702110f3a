import { html, useState } from "../view/preact.js";
import { useKeys, useLoad } from "../view/hooks.js";
import { Back, Button, firstName, Icon, Loaded, Notice, Title } from "../view/parts.js";
import { api } from "../view/session.js";
import { useFresh } from "../view/live.js";
import { go } from "../view/router.js";
import { leads, list, nameOf, others } from "../view/mentoring.js";
import { KeptUntil, MOST, Picker, sidesOfPairing, usePicking } from "../view/picking.js";
import { yoursIsTheirs } from "../client/slots.js";
import { clock, lengthOf, weekdayAndDate, withOffset } from "../client/time.js";

/** @import { Pairing } from "../client/types.js" */
/** @import { Picking } from "../view/picking.js" */

/** @param {{picking: Picking, names: string}} props */
function Several({ picking: { chosen, session, pick }, names }) {
  const sides = chosen.length === 0 ? "Pick up to three times." : chosen.length < MOST ? `You can add ${MOST - chosen.length} more.` : "";
  return html`<h2>Let ${names} choose</h2>
    <ul class="offered">${chosen.map((start) => html`<li key=${start.getTime()}>
      <span>${weekdayAndDate(start, session.zone)}, ${clock(start, session.zone)}</span>
      <button type="button" class="icon-button" aria-label=${`Do not offer ${weekdayAndDate(start, session.zone)}, ${clock(start, session.zone)}`} onClick=${() => pick(start)}><${Icon} name="x" /></button>
    </li>`)}</ul>
    <p class="quiet">${sides}</p>`;
}

/** @param {{picking: Picking, pairing: Pairing}} props */
function Confirm({ picking, pairing }) {
  const { chosen, several, minutes, zone, session, slots, hold, isSlot, letThemChoose } = picking;
  const sides = sidesOfPairing(pairing);
  const names = list(others(pairing).map(({ person }) => firstName(person.name)));
  const keyOf = useKeys();
  const [agenda, setAgenda] = useState("");
  const insteadOf = new URLSearchParams(location.search).get("instead-of");
  const one = others(pairing).length === 1;
  const first = chosen[0];
  const free = Boolean(first) && isSlot(first);
  const atOnce = !several && (leads(pairing) || (free && Boolean(slots.data?.people.every((each) => each.is_me || !each.confirm))));
  const send = async () => {
    try {
      const body = {
        starts_at: withOffset(first, zone), duration_minutes: minutes, zone, options: chosen.slice(1).map((each) => withOffset(each, zone)),
        agenda: agenda.trim() || null, instead_of: insteadOf,
      };
      const meeting = await api.post("/v1/pairings/{pairing_id}/meetings", { path: { pairing_id: pairing.id }, key: keyOf(body), body });
      hold.release(true);
      go(`/meetings/${meeting.id}`);
    } catch (problem) {
      void slots.refresh();
      throw problem;
    }
  };
  const button = several && chosen.length > 1 ? "Offer these times" : atOnce ? "Book this time" : "Propose this time";
  const letChoose = pairing.kind !== "circle" && html`<button type="button" class="button quiet" onClick=${() => letThemChoose(!several)}>${several ? "Offer one time only" : `Let ${names} choose from three`}</button>`;
  return html`<aside class="card confirm" aria-label="Your choice">
    <div aria-live="polite" class="confirm-words">
      ${several ? html`<${Several} picking=${picking} names=${names} />` : html`<h2 class="one-time">${first ? `Meet ${names}` : "Pick a day and a time"}</h2>`}
      ${!several && first && html`
        <p class="confirm-when">${weekdayAndDate(first, session.zone)}, ${clock(first, session.zone)} to ${clock(new Date(first.getTime() + minutes * 60_000), session.zone)}</p>
        <p>${yoursIsTheirs(first, session.zone, sides)}</p>
        <${KeptUntil} picking=${picking} />`}
      ${!first && !several && html`<p class="quiet">These are times when ${pairing.kind === "circle" ? "at least half of you can come" : "everybody is free"}. A time that you pick is kept for you for five minutes.</p>`}
    </div>
    ${first && html`
      <p class="quiet letter-words">${lengthOf(minutes)}, by video here on Mentorspan. ${names} ${one ? "gets" : "get"} a letter${atOnce ? "; it is booked at once" : ` and can accept${several ? " one of them" : ""} or propose another time`}.</p>
      ${!free && !several && html`<p class="quiet">This lies outside the free times: ${names} may not be able to.</p>`}
      <${Button} kind="primary" busyWords=${atOnce ? "Booking …" : "Proposing …"} onPress=${send}>${button}<//>
      <details><summary>${pairing.kind === "circle" ? "Say what it is about" : "Add words, or more times"}</summary>
        <div class="stack">
          <div class="field"><label for="agenda">What it is about</label>
            <textarea id="agenda" rows="2" maxLength="4000" value=${agenda} aria-describedby="agenda-seen" onInput=${(/** @type {any} */ { currentTarget }) => setAgenda(currentTarget.value)}></textarea>
            <p class="seen" id="agenda-seen">Seen by everybody in this pairing.</p></div>
          ${letChoose}
        </div>
      </details>`}
    ${!first && letChoose}
  </aside>`;
}

/** @param {{pairing: Pairing}} props */
function Booking({ pairing }) {
  const picking = usePicking(pairing);
  return html`<div class="booking">
    <${Picker} picking=${picking} />
    <${Confirm} picking=${picking} pairing=${pairing} />
  </div>`;
}

/** @param {{id: string}} props */
export default function Book({ id }) {
  const loaded = useLoad(() => api.get("/v1/pairings/{pairing_id}", { path: { pairing_id: id } }), [id]);
  useFresh(loaded.refresh, ["/v1/pairings/{pairing_id}"], { "pairing.changed": id });
  return html`
    <${Back} href=${`/pairings/${id}`}>Back to the pairing<//>
    <${Loaded} of=${loaded} title>${(/** @type {Pairing} */ pairing) => html`
      <${Title}>Pick a time with ${nameOf(pairing)}<//>
      ${!pairing.may.includes("meet") && html`<${Notice}>This pairing is not active, so no meeting can be planned in it.<//>`}
      <${Booking} pairing=${pairing} />`}
    <//>`;
}
