import { html, useEffect, useState } from "../view/preact.js";
import { Field, Form } from "../view/form.js";
import { Empty, Title } from "../view/parts.js";
import { actAs, api, refreshMe, useSession } from "../view/session.js";
import { Invitations, Members } from "../view/members.js";
import { Partnerships } from "../view/partnerships.js";
import { Circles } from "../view/circles.js";
import { Reports } from "../view/reports.js";

/** An organisation: its members, its partners, and for coordinators circles and reports. */

/** @param {{first?: boolean}} props */
function Create({ first = false }) {
  return html`<section class="narrow" aria-labelledby="create">
    <h2 id="create">${first ? "Begin with an organisation of your own" : "Create another organisation"}</h2>
    <p>You become its administrator: you invite its people and decide which organisations it works with.</p>
    <${Form} quiet=${!first} label="Create an organisation" send="Create organisation" sending="Creating …" onSend=${async (/** @type {any} */ { name }) => {
      const organisation = await api.post("/v1/organisations", { body: { name: name.trim() } });
      await refreshMe();
      const { memberships } = await api.get("/v1/me");
      const mine = memberships.find((/** @type {any} */ each) => each.organisation.id === organisation.id);
      if (mine) actAs(mine.id);
    }}>
      <${Field} name="name" label="Name of the organisation" maxLength="80" missing="Enter its name." seen="Seen by its members and by partners." />
    <//>
  </section>`;
}

const TABS = /** @type {[string, string, boolean][]} */ ([
  ["members", "Members", false],
  ["partners", "Partners", false],
  ["circles", "Circles", true],
  ["reports", "Reports", true],
]);

/** @param {{organisation: {id: string, name: string, slug: string}, coordinates: boolean, administers: boolean}} props */
function Console({ organisation, coordinates, administers }) {
  const tabs = TABS.filter(([, , restricted]) => coordinates || !restricted);
  const chosen = () => tabs.find(([key]) => key === location.hash.slice(1))?.[0] ?? "members";
  const [tab, setTab] = useState(chosen);
  useEffect(() => {
    const look = () => setTab(chosen());
    // With a role come tabs, and go.
    look();
    addEventListener("hashchange", look);
    return () => removeEventListener("hashchange", look);
  }, [coordinates]);
  const pick = (/** @type {string} */ key) => {
    location.hash = key;
  };
  return html`
    <div class="segments wide-segments" role="group" aria-label="Parts of the organisation">
      ${tabs.map(([key, words]) => html`<button key=${key} type="button" aria-pressed=${tab === key} onClick=${() => pick(key)}>${words}</button>`)}
    </div>
    ${tab === "members" && html`<div class="stack">
      <${Members} organisation=${organisation} administers=${administers} coordinates=${coordinates} />
      ${coordinates && html`<${Invitations} organisation=${organisation} administers=${administers} />`}
      <details class="earlier"><summary>Create another organisation</summary><${Create} /></details>
    </div>`}
    ${tab === "partners" && html`<${Partnerships} organisation=${organisation} administers=${coordinates} />`}
    ${tab === "circles" && html`<${Circles} organisation=${organisation} />`}
    ${tab === "reports" && html`<${Reports} organisation=${organisation} />`}`;
}

export default function Organisation() {
  const { membership, coordinates, administers } = useSession();
  if (!membership) {
    return html`<${Title}>Organisation<//>
      <${Empty} title="You do not belong to an organisation yet" icon="building-2"><p>If yours is on Mentorspan already, ask its coordinator for an invitation.</p><//>
      <${Create} first />`;
  }
  return html`
    <${Title}>${membership.organisation.name}<//>
    <p class="lead">Its short name for partners is <code>${membership.organisation.slug}</code>. You are ${membership.roles.length > 1 || !membership.roles.some((role) => role === "member") ? `a ${membership.roles.filter((role) => role !== "member").join(" and ")}` : "a member"} here.</p>
    <${Console} organisation=${membership.organisation} coordinates=${coordinates} administers=${administers} />`;
}
