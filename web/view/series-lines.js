import { ruleWords } from "../client/rule.js";
import { useLoad } from "./hooks.js";
import { useFresh } from "./live.js";
import { Icon, Status } from "./parts.js";
import { html } from "./preact.js";
import { api } from "./session.js";

/** The series of a pairing, where its meetings stand. */

/** @import { Pairing, Series } from "../client/types.js" */

/** @param {{pairing: Pairing}} props */
export function SeriesLines({ pairing }) {
  const loaded = useLoad(() => api.all("/v1/pairings/{pairing_id}/series", { path: { pairing_id: pairing.id } }), [pairing.id]);
  useFresh(loaded.refresh, ["/v1/pairings/{pairing_id}/series"]);
  const items = /** @type {Series[]} */ (loaded.data ?? []).filter(({ status }) => status === "proposed" || status === "active");
  return html`
    ${items.length > 0 && html`<ul class="lines">${items.map((series) => html`<li key=${series.id} class="line">
      <div class="line-main"><a class="line-name" href=${`/series/${series.id}`}>${series.title || ruleWords(series.rule)}</a>${series.title && html`<p class="quiet">${ruleWords(series.rule)}</p>`}</div>
      <${Status} of=${series.status} words=${series.may.includes("accept") ? "Needs your answer" : undefined} />
    </li>`)}</ul>`}
    ${pairing.may.includes("meet") && html`<div><a class="button quiet" href=${`/pairings/${pairing.id}/series`}><${Icon} name="repeat" /><span>Meet again and again</span></a></div>`}`;
}
