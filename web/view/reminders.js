import { lengthOf, placeOf } from "../client/time.js";
import { PickSome, Switch } from "./draft-fields.js";
import { announce, useAction, useLoad } from "./hooks.js";
import { useFresh } from "./live.js";
import { Loaded, Trouble } from "./parts.js";
import { html, useState } from "./preact.js";
import { api } from "./session.js";

/** How one wants to be reminded. */

/** @import { ReminderPreferences } from "../client/types.js" */
/** @typedef {Omit<ReminderPreferences, "zone">} Edit */

const LEADS = [10, 30, 60, 120, 1440, 2880];

/** @param {number} minutes */
const leadWords = (minutes) => (minutes % 1440 === 0 ? (minutes === 1440 ? "1 day before" : `${minutes / 1440} days before`) : `${lengthOf(minutes)} before`);

/** @param {{saved: ReminderPreferences, put: (saved: ReminderPreferences) => void}} props */
function Fields({ saved, put }) {
  const [edit, setEdit] = useState(/** @type {Partial<Edit>} */ ({}));
  const { zone, ...kept } = saved;
  const now = { ...kept, ...edit };
  const change = (/** @type {Partial<Edit>} */ part) => setEdit({ ...edit, ...part });
  const dirty = Object.keys(edit).length > 0;
  const quiet = now.quiet_hours;
  const { run, busy, problem } = useAction(async () => {
    put(await api.put("/v1/reminder-preferences", { body: now }));
    setEdit({});
    announce("Saved");
  });
  const leads = [...new Set([...LEADS, ...now.lead_minutes])].sort((one, other) => one - other);
  return html`<form class="form" aria-label="Reminders" onSubmit=${(/** @type {Event} */ event) => {
    event.preventDefault();
    void run();
  }}>
    <${PickSome} legend="Remind me" value=${now.channels} options=${[["mail", "By mail"], ["page", "On this page"]]} hint=${now.channels.length === 0 ? "Neither: you are not reminded at all." : undefined} onPick=${(/** @type {Edit["channels"]} */ channels) => change({ channels })} />
    <${PickSome} legend="When" value=${now.lead_minutes} options=${leads.map((each) => [each, leadWords(each)])} hint=${now.lead_minutes.length >= 5 ? "Five are the most." : undefined} onPick=${(/** @type {number[]} */ lead_minutes) => change({ lead_minutes: lead_minutes.slice(0, 5) })} />
    <${Switch} label="Leave me alone at night" on=${quiet !== null} hint=${`In the time of ${placeOf(zone)}. What would come then comes before; reminders of 30 minutes or less stay.`} onPick=${(/** @type {boolean} */ on) => change({ quiet_hours: on ? { start: "22:00", end: "07:00" } : null })} />
    ${quiet && html`<div class="quiet-hours">
      <div class="field"><label for="quiet-from">From</label><input id="quiet-from" type="time" required value=${quiet.start} onChange=${(/** @type {any} */ { currentTarget: { value } }) => value && change({ quiet_hours: { ...quiet, start: value } })} /></div>
      <div class="field"><label for="quiet-to">To</label><input id="quiet-to" type="time" required value=${quiet.end} onChange=${(/** @type {any} */ { currentTarget: { value } }) => value && change({ quiet_hours: { ...quiet, end: value } })} /></div>
    </div>`}
    <${Switch} label="A letter at 17:00 with the meetings of the next day" on=${now.agenda} onPick=${(/** @type {boolean} */ agenda) => change({ agenda })} />
    <${Switch} label="Tell me when we have not met for some weeks" on=${now.nudges} onPick=${(/** @type {boolean} */ nudges) => change({ nudges })} />
    ${!!problem && html`<${Trouble} problem=${problem} />`}
    <div class="buttons">
      <button type="submit" class="button primary" disabled=${!dirty} aria-disabled=${busy || undefined}>${busy ? "Saving …" : "Save my reminders"}</button>
      <p class="quiet" role="status">${dirty ? "Not saved yet" : ""}</p>
    </div>
  </form>`;
}

export function Reminders() {
  const preferences = useLoad(() => api.get("/v1/reminder-preferences"), []);
  useFresh(preferences.refresh, ["/v1/reminder-preferences"]);
  return html`<section aria-labelledby="reminders-title">
    <h2 id="reminders-title">Reminders</h2>
    <${Loaded} of=${preferences} rows=${2}>${(/** @type {ReminderPreferences} */ saved) => html`<${Fields} saved=${saved} put=${preferences.put} />`}<//>
  </section>`;
}
