import { html } from "../view/preact.js";
import { useLoad } from "../view/hooks.js";
import { Empty, Loaded, Title } from "../view/parts.js";
import { api, useSession } from "../view/session.js";
import { useConversations, useFresh } from "../view/live.js";
import { PairingLine } from "../view/mentoring.js";

/** @import { Pairing } from "../client/types.js" */

const GROUPS = /** @type {[string, (pairing: Pairing) => boolean][]} */ ([
  ["Needs your answer", (pairing) => pairing.may.includes("accept")],
  ["Active", (pairing) => pairing.status === "active"],
  ["Waiting for an answer", (pairing) => pairing.status === "proposed" && !pairing.may.includes("accept")],
  ["Earlier", (pairing) => ["declined", "withdrawn", "ended"].includes(pairing.status)],
]);

/** @param {{pairings: Pairing[]}} props */
function Groups({ pairings }) {
  const { membership } = useSession();
  const conversations = useConversations();
  return html`<div class="stack">
    ${GROUPS.map(([words, belongs]) => {
      const members = pairings.filter(belongs);
      return members.length > 0 && html`<section key=${words} aria-label=${words}>
        <h2>${words}</h2>
        <ul class="lines">${members.map((pairing) => html`<${PairingLine} key=${pairing.id} pairing=${pairing} mineOrganisation=${membership?.organisation} unread=${conversations?.of({ pairing: pairing.id })?.unread} />`)}</ul>
      </section>`;
    })}
  </div>`;
}

export default function Pairings() {
  const { coordinates } = useSession();
  const pairings = useLoad(() => api.all("/v1/pairings"), []);
  useFresh(pairings.refresh, ["/v1/pairings"]);
  return html`
    <header class="head"><${Title}>Pairings<//>
      ${coordinates && html`<a class="button" href="/organisation#circles">Start a circle</a>`}
    </header>
    <${Loaded} of=${pairings}>${(/** @type {Pairing[]} */ items) => items.length > 0 ? html`<${Groups} pairings=${items} />` : html`
      <${Empty} title="No pairings yet" icon="heart-handshake">
        <p>A pairing is you and someone you agreed to learn with: what it is for, your goals and your meetings. For example: "I want to feel at ease giving evidence in court."</p>
        <a class="button primary" href="/people">Find a mentor</a>
      <//>`}
    <//>`;
}
