import { useAction } from "./hooks.js";
import { nameOf } from "./mentoring.js";
import { Trouble } from "./parts.js";
import { html } from "./preact.js";
import { api } from "./session.js";

/** For which mentorships these hours hold instead of the usual ones. Each is kept as soon as it is chosen. */

/** @import { Pairing, Schedule } from "../client/types.js" */

/** @param {{schedule: Schedule, pairings: Pairing[], onChange: () => Promise<unknown>}} props */
export function ForPairings({ schedule, pairings, onChange }) {
  const { run, problem } = useAction(async (/** @type {Pairing} */ pairing, /** @type {boolean} */ on) => {
    await api.put("/v1/pairings/{pairing_id}/schedule", { path: { pairing_id: pairing.id }, body: { schedule_id: on ? schedule.id : null } });
    await onChange();
  });
  const chosen = new Set(schedule.pairing_ids);
  return html`<fieldset class="picks">
    <legend>These hours hold for</legend>
    <p class="hint">${chosen.size === 0 ? "For nobody yet: choose with whom they count." : "With everybody else your usual hours count."}</p>
    <div>${pairings.map((pairing) => html`<label key=${pairing.id} class="pick">
      <input type="checkbox" checked=${chosen.has(pairing.id)} onChange=${() => run(pairing, !chosen.has(pairing.id))} /><span>${nameOf(pairing)}</span>
    </label>`)}</div>
    ${!!problem && html`<${Trouble} problem=${problem} />`}
  </fieldset>`;
}
