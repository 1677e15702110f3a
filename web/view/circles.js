import { html, useState } from "./preact.js";
import { useLoad } from "./hooks.js";
import { Area, Field, Form } from "./form.js";
import { Loaded, Notice } from "./parts.js";
import { api, useSession } from "./session.js";
import { go } from "./router.js";

/** A coordinator brings together a circle: one or two who lead it, and several who learn. */

/** @import { Person } from "../client/types.js" */

/** @param {{legend: string, people: Person[], chosen: string[], taken: string[], onPick: (ids: string[]) => void}} props */
function Choose({ legend, people, chosen, taken, onPick }) {
  const toggle = (/** @type {string} */ id) => onPick(chosen.includes(id) ? chosen.filter((each) => each !== id) : [...chosen, id]);
  return html`<fieldset class="choose">
    <legend>${legend} <span class="quiet">${chosen.length} chosen</span></legend>
    <div class="choose-list">
      ${people.map((person) => html`<label key=${person.id}>
        <input type="checkbox" checked=${chosen.includes(person.id)} disabled=${taken.includes(person.id)} onChange=${() => toggle(person.id)} />
        <span>${person.name}<small>${person.organisation.name}</small></span>
      </label>`)}
    </div>
  </fieldset>`;
}

/** @param {{people: Person[], organisationId: string}} props */
function CircleForm({ people, organisationId }) {
  const [leads, setLeads] = useState(/** @type {string[]} */ ([]));
  const [mentees, setMentees] = useState(/** @type {string[]} */ ([]));
  const [missing, setMissing] = useState(false);
  const create = async (/** @type {any} */ { title, note }) => {
    setMissing(leads.length === 0 || mentees.length === 0);
    if (leads.length === 0 || mentees.length === 0) return;
    const pairing = await api.post("/v1/organisations/{organisation_id}/circles", {
      path: { organisation_id: organisationId }, body: { title: title.trim(), lead_ids: leads, mentee_ids: mentees, note: note.trim() },
    });
    go(`/pairings/${pairing.id}`);
  };
  return html`<${Form} label="Start a circle" send="Start the circle" sending="Starting …" onSend=${create}>
    ${missing && html`<${Notice} kind="needs" icon="triangle-alert">Choose at least one person who leads and one who learns.<//>`}
    <${Field} name="title" label="What it is called" maxLength="80" missing="Give the circle a name." seen="Seen by everybody in the circle." />
    <div class="pair">
      <${Choose} legend="Who leads" people=${people} chosen=${leads} taken=${mentees} onPick=${setLeads} />
      <${Choose} legend="Who learns" people=${people} chosen=${mentees} taken=${leads} onPick=${setMentees} />
    </div>
    <${Area} name="note" label="What it is about" optional rows=${3} maxLength="2000" seen="Seen by everybody in the circle." />
  <//>`;
}

/** @param {{organisation: {id: string}}} props */
export function Circles({ organisation }) {
  const { membership } = useSession();
  const people = useLoad(() => api.all("/v1/people", { query: { membership_id: membership?.id ?? "", limit: 100 } }), [organisation.id]);
  return html`<section aria-labelledby="circle">
    <h2 id="circle">Start a circle</h2>
    <p class="lead">A few people who learn together, with one or two who lead. It begins at once; everybody can leave it.</p>
    <${Loaded} of=${people}>${(/** @type {Person[]} */ items) => html`<${CircleForm} people=${items} organisationId=${organisation.id} />`}<//>
  </section>`;
}
