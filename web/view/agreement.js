import { Problem } from "../client/problem.js";
import { clock, weekdayAndDate } from "../client/time.js";
import { html, useState } from "./preact.js";
import { announce } from "./hooks.js";
import { Area, Field, Form } from "./form.js";
import { Button, Icon, Notice } from "./parts.js";
import { api, useSession } from "./session.js";

/** What a pairing is for, and its goals: both sides edit both. */

/** @import { Goal, Pairing } from "../client/types.js" */
/** @typedef {{pairing: Pairing, put: (pairing: Pairing) => void}} Shown */

/** @param {{theirs: string, onTakeTheirs: () => void}} props */
function Conflict({ theirs, onTakeTheirs }) {
  return html`<div class="notice needs" role="alert">
    <${Icon} name="git-compare" />
    <div>
      <p>The other side changed the text while you were writing. Theirs is below, and yours is kept in the field. Saving now replaces theirs with yours.</p>
      <blockquote>${theirs || "(They removed the text.)"}</blockquote>
      <button type="button" class="button" onClick=${onTakeTheirs}>Take theirs instead</button>
    </div>
  </div>`;
}

/** @param {Shown & {onDone: () => void}} props */
function AgreementEditor({ pairing, put, onDone }) {
  const [base, setBase] = useState(pairing.agreement);
  const [conflict, setConflict] = useState(false);
  const path = { pairing_id: pairing.id };
  const save = async (/** @type {any} */ { text }) => {
    try {
      put(await api.put("/v1/pairings/{pairing_id}/agreement", { path, body: { text, version: base.version } }));
      announce("Saved");
      onDone();
    } catch (problem) {
      if (!(problem instanceof Problem && problem.code === "agreement_changed")) throw problem;
      const fresh = await api.get("/v1/pairings/{pairing_id}", { path });
      setBase(fresh.agreement);
      setConflict(true);
    }
  };
  return html`
    ${conflict && html`<${Conflict} theirs=${base.text} onTakeTheirs=${() => {
      put({ ...pairing, agreement: base });
      onDone();
    }} />`}
    <${Form} label="What it is for" send="Save" sending="Saving …" onSend=${save}
      beside=${html`<button type="button" class="button quiet" onClick=${onDone}>Cancel</button>`}>
      <${Area} name="text" label="What you agreed" value=${pairing.agreement.text} rows=${7} optional maxLength="8000"
        hint="What it is for, how often you meet, what stays between you." seen="Seen and changed by everybody in this pairing." />
    <//>`;
}

/** @param {Shown} props */
export function Agreement({ pairing, put }) {
  const { zone } = useSession();
  const [editing, setEditing] = useState(false);
  const { text, updated_at: updated, updated_by: by } = pairing.agreement;
  const author = pairing.participants.find(({ person }) => person.id === by);
  return html`<section aria-labelledby="agreement">
    <div class="head">
      <h2 id="agreement">What it is for</h2>
      ${!editing && pairing.may.includes("edit") && html`<button type="button" class="button quiet" onClick=${() => setEditing(true)}>
        <${Icon} name="pencil" /><span>Edit<span class="unseen"> what it is for</span></span>
      </button>`}
    </div>
    ${editing
      ? html`<${AgreementEditor} pairing=${pairing} put=${put} onDone=${() => setEditing(false)} />`
      : text
        ? html`<p class="agreement">${text}</p>
            ${by && updated && html`<p class="quiet">Last changed by ${author?.is_me ? "you" : author?.person.name ?? "somebody"}, ${weekdayAndDate(new Date(updated), zone)}, ${clock(new Date(updated), zone)}</p>`}`
        : html`<p class="quiet">Nothing written yet. A line is enough to begin with, for example: "We meet every second Tuesday, and what we say stays between us."</p>`}
  </section>`;
}

/** @param {{goal: Goal, editable: boolean, onChange: (goal: Goal | null) => void}} props */
function GoalLine({ goal, editable, onChange }) {
  const [editing, setEditing] = useState(false);
  const path = { goal_id: goal.id };
  const change = async (/** @type {{text?: string, done?: boolean}} */ body) => onChange(await api.patch("/v1/goals/{goal_id}", { path, body }));
  const tick = (/** @type {any} */ event) => {
    const done = event.currentTarget.checked;
    onChange({ ...goal, done });
    change({ done }).catch(() => {
      onChange({ ...goal, done: !done });
      announce("This could not be saved. Try again.");
    });
  };
  if (editing) {
    return html`<li class="goal-editing"><${Form} label="Change the goal" send="Save" quiet onSend=${async (/** @type {any} */ { text }) => {
      await change({ text });
      setEditing(false);
    }} beside=${html`<button type="button" class="button quiet" onClick=${() => setEditing(false)}>Cancel</button>`}>
      <${Field} name="text" label="Goal" value=${goal.text} maxLength="300" missing="Write the goal in a few words." />
    <//></li>`;
  }
  return html`<li class="goal">
    <label><input type="checkbox" checked=${goal.done} disabled=${!editable} onChange=${tick} /><span>${goal.text}</span></label>
    ${editable && html`<span class="goal-tools">
      <button type="button" class="icon-button" aria-label=${`Change: ${goal.text}`} onClick=${() => setEditing(true)}><${Icon} name="pencil" /></button>
      <${Button} kind="quiet icon-button" label=${`Remove: ${goal.text}`} onPress=${async () => {
        await api.delete("/v1/goals/{goal_id}", { path });
        onChange(null);
      }}><${Icon} name="trash-2" /><//>
    </span>`}
  </li>`;
}

/** @param {Shown} props */
export function Goals({ pairing, put }) {
  const [removed, setRemoved] = useState(/** @type {Goal | null} */ (null));
  const { goals } = pairing;
  const editable = pairing.may.includes("edit");
  const done = goals.filter((goal) => goal.done).length;
  const add = async (/** @type {string} */ text) => api.post("/v1/pairings/{pairing_id}/goals", { path: { pairing_id: pairing.id }, body: { text } });
  const replace = (/** @type {Goal} */ old, /** @type {Goal | null} */ fresh) => {
    if (!fresh) setRemoved(old);
    put({ ...pairing, goals: goals.flatMap((goal) => (goal.id === old.id ? (fresh ? [fresh] : []) : [goal])) });
  };
  return html`<section aria-labelledby="goals">
    <div class="head"><h2 id="goals">Goals</h2>${goals.length > 0 && html`<p class="quiet">${done} of ${goals.length} reached</p>`}</div>
    ${goals.length > 0
      ? html`<progress max=${goals.length} value=${done} aria-label="Goals reached"></progress>
          <ul class="goals">${goals.map((goal) => html`<${GoalLine} key=${goal.id} goal=${goal} editable=${editable} onChange=${(/** @type {Goal | null} */ fresh) => replace(goal, fresh)} />`)}</ul>`
      : html`<p class="quiet">No goals yet. One or two that you can tell when you have reached them, for example: "Write a court report without help."</p>`}
    ${removed && html`<${Notice} icon="trash-2">
      <p>"${removed.text}" was removed.</p>
      <${Button} onPress=${async () => {
        const goal = await add(removed.text);
        setRemoved(null);
        put({ ...pairing, goals: [...goals, goal] });
      }}>Undo<//>
    <//>`}
    ${editable && html`<${Form} className="inline" quiet label="Add a goal" send="Add goal" onSend=${async (/** @type {any} */ { text }, /** @type {HTMLFormElement} */ form) => {
      const goal = await add(text.trim());
      put({ ...pairing, goals: [...goals, goal] });
      form.reset();
    }}><${Field} name="text" label="New goal" maxLength="300" missing="Write the goal in a few words." /><//>`}
  </section>`;
}
