import { html, useEffect, useState } from "../view/preact.js";
import { Problem } from "../client/problem.js";
import { weekWords } from "../client/hours.js";
import { bodyOf, differences, draftOf, freshDraft, isSame, wrongs } from "../client/schedules.js";
import { announce, useAction, useLoad, useNow } from "../view/hooks.js";
import { Absences, Assumed, Paused, pauseOf } from "../view/absences.js";
import { Booking, Hours, NameAndZone, Overrides } from "../view/schedule-form.js";
import { ForPairings } from "../view/schedule-pairings.js";
import { Back, Button, Icon, Loaded, Notice, Title, Trouble } from "../view/parts.js";
import { useFresh } from "../view/live.js";
import { api, useSession } from "../view/session.js";

/** @import { Absence, Pairing, Schedule } from "../client/types.js" */
/** @import { Draft } from "../client/schedules.js" */
/** @typedef {{schedules: Schedule[], absences: Absence[], pairings: Pairing[]}} World */

/** What is typed is not lost by leaving unseen. @param {boolean} dirty */
function useWarning(dirty) {
  useEffect(() => {
    if (!dirty) return;
    const ask = (/** @type {Event} */ event) => event.preventDefault();
    addEventListener("beforeunload", ask);
    return () => removeEventListener("beforeunload", ask);
  }, [dirty]);
}

/** Somebody, or I in another window, saved it meanwhile. @param {{newer: Schedule, draft: Draft, onMine: () => Promise<unknown>, onTheirs: () => void}} props */
function Conflict({ newer, draft, onMine, onTheirs }) {
  const other = draftOf(newer);
  return html`<section class="next needs" aria-label="Two versions" role="alert">
    <p>These hours were changed in another window.</p>
    <p class="quiet">What you set here is kept, and not saved yet. The two differ in: ${differences(draft, other).join(", ") || "nothing"}. The newer ones say ${weekWords(other.week).join("; ") || "no hours"}.</p>
    <div class="buttons">
      <${Button} kind="primary" busyWords="Saving …" onPress=${onMine}>Save mine over it<//>
      <button type="button" class="button" onClick=${onTheirs}>Take the newer ones</button>
    </div>
  </section>`;
}

/**
 * @param {object} props
 * @param {Schedule | null} props.schedule null for a new one
 * @param {Draft} props.fresh what a new one begins with
 * @param {boolean} props.only
 * @param {(schedule: Schedule | null) => Promise<unknown>} props.onSaved null when it is gone
 * @param {() => void} [props.onDrop] a new one is not wanted after all
 */
function Editor({ schedule, fresh, only, onSaved, onDrop }) {
  const [base, setBase] = useState(schedule);
  const saved = base ? draftOf(base) : fresh;
  const [draft, setDraft] = useState(saved);
  const [newer, setNewer] = useState(/** @type {Schedule | null} */ (null));
  const [tried, setTried] = useState(false);
  const change = (/** @type {Partial<Draft>} */ part) => setDraft((old) => ({ ...old, ...part }));
  const dirty = base === null || !isSame(draft, saved);
  const wrong = wrongs(draft);
  useWarning(dirty && !isSame(draft, fresh));
  useEffect(() => {
    // Read anew, and nothing is typed: what is shown is what is kept.
    if (!schedule || !base || schedule.version === base.version) return;
    if (dirty) return;
    setBase(schedule);
    setDraft(draftOf(schedule));
  }, [schedule?.version]);
  const took = async (/** @type {Schedule} */ kept) => {
    setBase(kept);
    setDraft(draftOf(kept));
    setNewer(null);
    setTried(false);
    announce("Your hours are saved");
    await onSaved(kept);
  };
  const put = (/** @type {Schedule} */ over) => api.put("/v1/schedules/{schedule_id}", { path: { schedule_id: over.id }, body: { ...bodyOf(draft), version: over.version } });
  const { run, busy, problem } = useAction(async () => {
    setTried(true);
    if (wrong.length > 0) return;
    if (!base) return took(await api.post("/v1/schedules", { body: bodyOf(draft) }));
    try {
      await took(await put(base));
    } catch (error) {
      if (!(error instanceof Problem) || error.code !== "schedule_changed") throw error;
      setNewer(await api.get("/v1/schedules/{schedule_id}", { path: { schedule_id: base.id } }));
    }
  });
  return html`<div class="stack schedule">
    <${Hours} draft=${draft} change=${change} />
    <${Overrides} draft=${draft} change=${change} />
    <${Booking} draft=${draft} change=${change} />
    <${NameAndZone} draft=${draft} change=${change} only=${only} />
    ${newer && html`<${Conflict} newer=${newer} draft=${draft} onMine=${async () => took(await put(newer))} onTheirs=${() => took(newer)} />`}
    ${!!problem && html`<${Trouble} problem=${problem} />`}
    ${tried && wrong.length > 0 && html`<div class="notice trouble" role="alert"><${Icon} name="circle-alert" /><div>${wrong.map((words) => html`<p key=${words}>${words}</p>`)}</div></div>`}
    <div class="save-bar" data-dirty=${dirty}>
      <p class="quiet" role="status">${dirty ? "Not saved yet" : "All of it is saved"}</p>
      <div class="buttons">
        ${base && dirty && html`<button type="button" class="button quiet" onClick=${() => setDraft(saved)}>Undo my changes</button>`}
        ${!base && onDrop && html`<button type="button" class="button quiet" onClick=${onDrop}>Never mind</button>`}
        <button type="button" class="button primary" disabled=${!dirty} aria-disabled=${busy || undefined} onClick=${() => run()}>${busy ? "Saving …" : "Save my hours"}</button>
      </div>
    </div>
    ${base && !only && !base.is_default && html`<div><${Button} kind="danger" busyWords="Removing …" onPress=${async () => {
      await api.delete("/v1/schedules/{schedule_id}", { path: { schedule_id: base.id } });
      announce(`Removed: ${base.name}`);
      await onSaved(null);
    }}>Remove “${base.name}”<//></div>`}
  </div>`;
}

/** @param {{world: World, refresh: () => Promise<unknown>}} props */
function Whole({ world: { schedules, absences, pairings }, refresh }) {
  const { zone } = useSession();
  const now = useNow();
  const usual = schedules.find((each) => each.is_default) ?? schedules[0];
  const [chosen, choose] = useState(/** @type {string | null} */ (null));
  const making = chosen === "new";
  const shown = making ? null : schedules.find(({ id }) => id === chosen) ?? usual ?? null;
  const pause = pauseOf(absences, now);
  const saved = async (/** @type {Schedule | null} */ kept) => {
    await refresh();
    choose(kept?.id ?? null);
  };
  return html`
    ${pause && html`<${Paused} absence=${pause} onChange=${refresh} />`}
    ${!usual && !making && html`<${Assumed} zone=${zone} onBegin=${() => choose("new")} />`}
    ${schedules.length > 0 && html`<div class="head schedules">
      <div class="segments" role="group" aria-label="Which hours">
        ${schedules.map((each) => html`<button key=${each.id} type="button" aria-pressed=${shown?.id === each.id} onClick=${() => choose(each.id)}>${each.name}${each.is_default && schedules.length > 1 ? html` <small>usual</small>` : ""}</button>`)}
        ${making && html`<button type="button" aria-pressed="true">New hours</button>`}
      </div>
      ${!making && html`<button type="button" class="button quiet" onClick=${() => choose("new")}><${Icon} name="plus" /><span>Other hours for some</span></button>`}
    </div>`}
    ${shown && !shown.is_default && html`<${ForPairings} schedule=${shown} pairings=${pairings} onChange=${refresh} />`}
    ${(shown || making) && html`<${Editor} key=${shown?.id ?? "new"} schedule=${shown} fresh=${freshDraft(zone, schedules.length === 0)} only=${schedules.length <= (making ? 0 : 1)} onSaved=${saved} onDrop=${() => choose(null)} />`}
    <${Absences} absences=${absences} onChange=${refresh} />
    <${Notice}>Others see which times are free for both of you, never why another is not.<//>`;
}

export default function Availability() {
  const world = useLoad(async () => {
    const [schedules, absences, pairings] = await Promise.all([api.all("/v1/schedules"), api.all("/v1/absences"), api.all("/v1/pairings", { query: { status: "active" } })]);
    return { schedules, absences, pairings };
  }, []);
  useFresh(world.refresh, ["/v1/schedules", "/v1/schedules/{schedule_id}", "/v1/absences", "/v1/pairings"]);
  return html`
    <${Back} href="/calendar">Calendar<//>
    <${Title}>When you can meet<//>
    <p class="lead">Others are offered only times that lie in your hours and in which you are free.</p>
    <${Loaded} of=${world} rows=${5}>${(/** @type {World} */ loaded) => html`<${Whole} world=${loaded} refresh=${world.refresh} />`}<//>`;
}
