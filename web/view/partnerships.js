import { html } from "./preact.js";
import { useLoad } from "./hooks.js";
import { Area, Field, Form } from "./form.js";
import { Avatar, Button, Empty, Loaded, Status } from "./parts.js";
import { api, useSession } from "./session.js";
import { useFresh } from "./live.js";
import { weekdayAndDate } from "../client/time.js";

/** With which other organisations this one works: only then do their people find each other. */

/** @import { Partnership } from "../client/types.js" */

const VERBS = /** @type {const} */ ([
  ["accept", "Accept", "primary", "/v1/partnerships/{partnership_id}/accept"],
  ["decline", "Decline", "", "/v1/partnerships/{partnership_id}/decline"],
  ["end", "End", "danger", "/v1/partnerships/{partnership_id}/end"],
]);

/** @param {{partnership: Partnership, mineId: string, onChange: () => Promise<unknown>}} props */
function PartnershipLine({ partnership, mineId, onChange }) {
  const { zone } = useSession();
  const other = partnership.organisation.id === mineId ? partnership.partner : partnership.organisation;
  const may = /** @type {string[]} */ (partnership.may);
  const since = partnership.ended_at ?? partnership.decided_at ?? partnership.proposed_at;
  return html`<li class="line">
    <${Avatar} id=${other.id} name=${other.name} />
    <div class="line-main">
      <b>${other.name}</b>
      <p class="quiet"><${Status} of=${partnership.status} words=${may.includes("accept") ? "Needs your answer" : undefined} /><span class="dot"> · </span>since ${weekdayAndDate(new Date(since), zone)}</p>
      ${partnership.note && html`<p class="quiet">"${partnership.note}"</p>`}
    </div>
    <div class="buttons">
      ${VERBS.filter(([verb]) => may.includes(verb)).map(([verb, words, kind, path]) => html`<${Button} key=${verb} kind=${kind} label=${`${verb === "end" && partnership.status === "proposed" ? "Take back" : words} the partnership with ${other.name}`} onPress=${async () => {
        await api.post(path, { path: { partnership_id: partnership.id } });
        await onChange();
      }}>${verb === "end" && partnership.status === "proposed" ? "Take back" : words}<//>`)}
    </div>
  </li>`;
}

/** @param {{organisation: {id: string, name: string, slug: string}, administers: boolean}} props */
export function Partnerships({ organisation, administers }) {
  const path = { organisation_id: organisation.id };
  const partnerships = useLoad(() => api.all("/v1/organisations/{organisation_id}/partnerships", { path }), [organisation.id]);
  useFresh(partnerships.refresh, ["/v1/organisations/{organisation_id}/partnerships"]);
  const propose = async (/** @type {any} */ { slug, note }, /** @type {HTMLFormElement} */ form) => {
    await api.post("/v1/organisations/{organisation_id}/partnerships", { path, body: { partner_slug: slug.trim(), note: note.trim() } });
    form.reset();
    await partnerships.reload();
  };
  return html`<div class="stack">
    <section aria-labelledby="partners">
      <h2 id="partners">Partners</h2>
      <${Loaded} of=${partnerships}>${(/** @type {Partnership[]} */ items) => items.length === 0
        ? html`<${Empty} title="No partners yet" icon="handshake"><p>People of two organisations see each other only after both have agreed. Your short name, which others need, is <code>${organisation.slug}</code>.</p><//>`
        : html`<ul class="lines">${items.map((each) => html`<${PartnershipLine} key=${each.id} partnership=${each} mineId=${organisation.id} onChange=${partnerships.reload} />`)}</ul>`}
      <//>
    </section>
    ${administers && html`<section class="narrow" aria-labelledby="propose">
      <h2 id="propose">Propose a partnership</h2>
      <p>When the other organisation accepts, members of both who let partners see them can find each other. Either side can end it at any time.</p>
      <${Form} quiet label="Propose a partnership" send="Propose partnership" sending="Proposing …" onSend=${propose}>
        <${Field} name="slug" label="Short name of the other organisation" hint="Ask its coordinator; it looks like northside-trust." autocapitalize="none" spellcheck=${false} missing="Enter the short name of the other organisation." />
        <${Area} name="note" label="A line to them" optional rows=${2} maxLength="2000" seen="Seen by coordinators and administrators of both organisations." />
      <//>
    </section>`}
  </div>`;
}
