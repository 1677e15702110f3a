import { html } from "../view/preact.js";
import { useKeys, useLoad } from "../view/hooks.js";
import { useFresh } from "../view/live.js";
import { leads, list, nameOf, others } from "../view/mentoring.js";
import { Back, firstName, Loaded, Notice, Title } from "../view/parts.js";
import { sidesOfPairing } from "../view/picking.js";
import { go } from "../view/router.js";
import { bodyOfPlan, freshPlan, SeriesEditor } from "../view/series-editor.js";
import { api, useSession } from "../view/session.js";
import { addDays, dayIn } from "../client/time.js";

/** @import { Pairing } from "../client/types.js" */
/** @import { Plan } from "../view/series-editor.js" */

/** @param {{pairing: Pairing}} props */
function Planning({ pairing }) {
  const { zone } = useSession();
  const keyOf = useKeys();
  const names = list(others(pairing).map(({ person }) => firstName(person.name)));
  const atOnce = leads(pairing);
  if (!pairing.may.includes("meet")) return html`<${Notice}>This pairing is not active, so no meetings can be planned in it.<//>`;
  const propose = async (/** @type {Plan} */ plan) => {
    const body = { ...bodyOfPlan(plan), exdates: plan.exdates, rdates: [] };
    const made = await api.post("/v1/pairings/{pairing_id}/series", { path: { pairing_id: pairing.id }, body, key: keyOf(body) });
    go(`/series/${made.id}`);
  };
  return html`<${SeriesEditor} begin=${freshPlan(addDays(dayIn(new Date(), zone), 7), zone)} sides=${sidesOfPairing(pairing)} skips
    send=${atOnce ? "Book them all" : "Propose these meetings"} after=${`${names} ${others(pairing).length === 1 ? "gets" : "get"} a letter${atOnce ? "" : ", and says yes or no to all of them at once"}. What falls on a holiday or a time that is taken is skipped, and another time is proposed for it.`} onSend=${propose} />`;
}

/** @param {{id: string}} props */
export default function NewSeries({ id }) {
  const loaded = useLoad(() => api.get("/v1/pairings/{pairing_id}", { path: { pairing_id: id } }), [id]);
  useFresh(loaded.refresh, ["/v1/pairings/{pairing_id}"], { "pairing.changed": id });
  return html`
    <${Back} href=${`/pairings/${id}`}>Back to the pairing<//>
    <${Loaded} of=${loaded} title>${(/** @type {Pairing} */ pairing) => html`
      <${Title}>Meet again and again with ${nameOf(pairing)}<//>
      <p class="lead">Choose a rhythm; you see each meeting before anybody is asked.</p>
      <${Planning} pairing=${pairing} />`}
    <//>`;
}
