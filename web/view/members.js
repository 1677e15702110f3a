import { html, useState } from "./preact.js";
import { announce, useLoad } from "./hooks.js";
import { Choice, Field, Form } from "./form.js";
import { Avatar, Button, Loaded, Notice, Trouble } from "./parts.js";
import { api, useSession } from "./session.js";
import { useFresh } from "./live.js";
import { weekdayAndDate } from "../client/time.js";

/** Who belongs to an organisation, with which roles, and who is invited. */

/** @import { Invitation, Membership, Role } from "../client/types.js" */

const ROLES = /** @type {[Role, string][]} */ ([["member", "Member"], ["coordinator", "Coordinator"], ["administrator", "Administrator"]]);

/** @param {Role} role @returns {Role[]} */
const rolesFor = (role) => (role === "member" ? ["member"] : ["member", role]);
/** @param {string[]} roles @returns {Role} */
const highest = (roles) => (roles.includes("administrator") ? "administrator" : roles.includes("coordinator") ? "coordinator" : "member");
/** @param {string} role */
const roleWords = (role) => ROLES.find(([key]) => key === role)?.[1] ?? role;

/** @param {{member: Membership, editable: boolean, onChange: (member: Membership) => void}} props */
function MemberLine({ member, editable, onChange }) {
  const [problem, setProblem] = useState(/** @type {unknown} */ (null));
  const role = highest(member.roles);
  const change = async (/** @type {any} */ event) => {
    setProblem(null);
    try {
      onChange(await api.put("/v1/memberships/{membership_id}/roles", { path: { membership_id: member.id }, body: { roles: rolesFor(event.currentTarget.value) } }));
      announce(`${member.name} is now ${roleWords(event.currentTarget.value)}`);
    } catch (error) {
      setProblem(error);
    }
  };
  return html`<li class="line">
    <${Avatar} id=${member.id} name=${member.name} />
    <div class="line-main">
      <a class="line-name" href=${`/people/${member.id}`}>${member.name}</a>
      ${member.headline && html`<p class="quiet">${member.headline}</p>`}
      ${!!problem && html`<${Trouble} problem=${problem} />`}
    </div>
    ${editable
      ? html`<label class="unseen" for=${`role-${member.id}`}>Role of ${member.name}</label>
          <select id=${`role-${member.id}`} class="small-select" onChange=${change}>${ROLES.map(([key, words]) => html`<option key=${key} value=${key} selected=${key === role}>${words}</option>`)}</select>`
      : html`<span class="quiet">${roleWords(role)}</span>`}
  </li>`;
}

/** @param {{organisation: {id: string}, administers: boolean, coordinates: boolean}} props */
export function Members({ organisation, administers, coordinates }) {
  const { membership } = useSession();
  const path = { organisation_id: organisation.id };
  const members = useLoad(() => api.all("/v1/organisations/{organisation_id}/memberships", { path }), [organisation.id]);
  useFresh(members.refresh, ["/v1/organisations/{organisation_id}/memberships"]);
  const replace = (/** @type {Membership} */ fresh) => members.put((members.data ?? []).map((each) => (each.id === fresh.id ? fresh : each)));
  return html`<section aria-labelledby="members">
    <h2 id="members">Members</h2>
    <${Loaded} of=${members}>${(/** @type {Membership[]} */ items) => html`
      <ul class="lines">${items.map((member) => html`<${MemberLine} key=${member.id} member=${member} editable=${administers && member.id !== membership?.id} onChange=${replace} />`)}</ul>
      ${!coordinates && html`<p class="quiet">Coordinators and administrators invite new members.</p>`}`}
    <//>
  </section>`;
}

/** @param {{organisation: {id: string}, administers: boolean}} props */
export function Invitations({ organisation, administers }) {
  const { zone } = useSession();
  const [sentTo, setSentTo] = useState("");
  const path = { organisation_id: organisation.id };
  const invitations = useLoad(async () => {
    const all = /** @type {Invitation[]} */ (await api.all("/v1/organisations/{organisation_id}/invitations", { path }));
    return all.filter(({ status }) => status === "pending");
  }, [organisation.id]);
  useFresh(invitations.refresh, ["/v1/organisations/{organisation_id}/invitations"]);
  const invite = async (/** @type {any} */ { email, role }, /** @type {HTMLFormElement} */ form) => {
    await api.post("/v1/organisations/{organisation_id}/invitations", { path, body: { email: email.trim(), roles: rolesFor(role) } });
    setSentTo(email.trim());
    form.reset();
    await invitations.reload();
  };
  return html`<section aria-labelledby="invite">
    <h2 id="invite">Invite somebody</h2>
    ${sentTo && html`<${Notice} kind="done" icon="check">An invitation is on its way to ${sentTo}.<//>`}
    <${Form} quiet className="inline" label="Invite somebody" send="Send invitation" sending="Sending …" onSend=${invite}>
      <${Field} name="email" label="E-mail" type="email" autocomplete="off" missing="Enter the e-mail address of the person." />
      <${Choice} name="role" label="Role" value="member" options=${administers ? ROLES : ROLES.slice(0, 1)} />
    <//>
    <${Loaded} of=${invitations} rows=${1}>${(/** @type {Invitation[]} */ items) => items.length > 0 && html`
      <h3>Waiting for an answer</h3>
      <ul class="lines">${items.map((each) => html`<li key=${each.id} class="line">
        <div class="line-main"><b>${each.email}</b><p class="quiet">${roleWords(highest(each.roles))}<span class="dot"> · </span>invited ${weekdayAndDate(new Date(each.created_at), zone)}</p></div>
        <${Button} label=${`Take back the invitation of ${each.email}`} onPress=${async () => {
          await api.delete("/v1/invitations/{invitation_id}", { path: { invitation_id: each.id } });
          await invitations.reload();
        }}>Take back<//>
      </li>`)}</ul>`}
    <//>
  </section>`;
}
