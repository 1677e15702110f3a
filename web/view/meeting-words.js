import { Problem } from "../client/problem.js";
import { clock, weekdayAndDate } from "../client/time.js";
import { Area, Form, Picks } from "./form.js";
import { announce, useAction, useLoad } from "./hooks.js";
import { useFresh } from "./live.js";
import { company, withWhom } from "./mentoring.js";
import { Button, firstName, Notice, Trouble } from "./parts.js";
import { html, useState } from "./preact.js";
import { api } from "./session.js";

/** What is written about a meeting: its title and agenda, how it went, and what happened to it. */

/** @import { Happened as Entry, Meeting } from "../client/types.js" */
/** @typedef {{meeting: Meeting, put: (meeting: Meeting) => void}} Shown */
/** @typedef {{title: string, agenda: string}} Words */

/** @param {Meeting} meeting @returns {Words} */
const wordsOf = ({ title, agenda }) => ({ title: title ?? "", agenda: agenda ?? "" });

/** @param {{newer: Words}} props */
function Newer({ newer }) {
  return html`<${Notice} kind="needs">
    <p>Somebody changed it while you wrote. What you typed is kept below; saving it replaces theirs, which is:</p>
    <blockquote>${newer.title && html`<b>${newer.title}</b>`}${newer.title && newer.agenda ? "\n" : ""}${newer.agenda || "(no agenda)"}</blockquote>
  <//>`;
}

/** @param {Shown & {onEnd: () => void}} props */
function Editing({ meeting, put, onEnd }) {
  const [base, setBase] = useState(meeting);
  const [newer, setNewer] = useState(/** @type {Words | null} */ (null));
  const [typed, setTyped] = useState(wordsOf(meeting));
  const { run, busy, problem } = useAction(async () => {
    try {
      put(await api.patch("/v1/meetings/{meeting_id}", { path: { meeting_id: meeting.id }, match: base.version, body: { title: typed.title.trim() || null, agenda: typed.agenda.trim() || null } }));
      announce("Saved");
      onEnd();
    } catch (error) {
      if (!(error instanceof Problem) || error.status !== 412) throw error;
      const now = await api.get("/v1/meetings/{meeting_id}", { path: { meeting_id: meeting.id } });
      setBase(now);
      setNewer(wordsOf(now));
    }
  });
  return html`<form class="form" aria-label="Agenda" onSubmit=${(/** @type {Event} */ event) => {
    event.preventDefault();
    void run();
  }}>
    ${newer && html`<${Newer} newer=${newer} />`}
    ${!!problem && html`<${Trouble} problem=${problem} />`}
    <div class="field"><label for="meeting-title">Title <span class="optional">(optional)</span></label>
      <input id="meeting-title" type="text" maxLength="120" value=${typed.title} onInput=${(/** @type {any} */ { currentTarget }) => setTyped({ ...typed, title: currentTarget.value })} /></div>
    <div class="field"><label for="meeting-agenda">Agenda <span class="optional">(optional)</span></label>
      <textarea id="meeting-agenda" rows="5" maxLength="4000" value=${typed.agenda} aria-describedby="meeting-agenda-seen" onInput=${(/** @type {any} */ { currentTarget }) => setTyped({ ...typed, agenda: currentTarget.value })}></textarea>
      <p class="seen" id="meeting-agenda-seen">Seen by everybody in this meeting.</p></div>
    <div class="buttons">
      <button type="submit" class="button" aria-disabled=${busy || undefined}>${busy ? "Saving …" : newer ? "Save mine instead" : "Save the agenda"}</button>
      <button type="button" class="button quiet" onClick=${onEnd}>${newer ? "Keep theirs" : "Never mind"}</button>
    </div>
  </form>`;
}

/** @param {Shown} props */
export function Agenda({ meeting, put }) {
  const [editing, setEditing] = useState(false);
  const may = meeting.may.includes("edit");
  if (!may && !meeting.agenda && !editing) return null;
  return html`<section aria-labelledby="agenda-title">
    <div class="head"><h2 id="agenda-title">Agenda</h2>
      ${may && !editing && html`<button type="button" class="button quiet" onClick=${() => setEditing(true)}>${meeting.agenda ? "Change" : "Write one"}</button>`}</div>
    ${editing
      ? html`<${Editing} meeting=${meeting} put=${put} onEnd=${() => setEditing(false)} />`
      : html`<p class=${meeting.agenda ? "agreement" : "quiet"}>${meeting.agenda || "Nothing yet. Two lines are enough: what you bring, what you hope for."}</p>`}
  </section>`;
}

/** How it went. @param {Shown} props */
export function Outcome({ meeting, put }) {
  const known = meeting.outcome;
  const [held, setHeld] = useState(/** @type {string | null} */ (null));
  const [editing, setEditing] = useState(false);
  const may = meeting.may.includes("tell_outcome");
  if (!known && !may) return null;
  const absent = company(meeting).filter(({ id }) => known?.absent.includes(id)).map(({ name }) => firstName(name));
  if (known && !editing) {
    return html`<section aria-labelledby="outcome-title">
      <div class="head"><h2 id="outcome-title">How it went</h2>${may && html`<button type="button" class="button quiet" onClick=${() => setEditing(true)}>Change</button>`}</div>
      <p>${known.held ? "You met." : "It did not take place."}${known.by === "attendance" ? " That is what the call shows; you know better." : ""}${absent.length > 0 ? ` ${absent.join(", ")} did not come.` : ""}</p>
      ${known.note && html`<blockquote>${known.note}</blockquote>`}
    </section>`;
  }
  return html`<section aria-labelledby="outcome-title">
    <h2 id="outcome-title">How it went</h2>
    <${Form} quiet label="How it went" send="Save" sending="Saving …" onSend=${async (/** @type {any} */ { note }) => {
      put(await api.put("/v1/meetings/{meeting_id}/outcome", { path: { meeting_id: meeting.id }, body: { held: (held ?? (known?.held === false ? "no" : "yes")) === "yes", note: note.trim() } }));
      announce("Saved");
      setEditing(false);
    }}>
      <${Picks} legend=${`Did you and ${withWhom(meeting)} meet?`} name="held" value=${held ?? (known?.held === false ? "no" : "yes")} onPick=${setHeld} options=${[["yes", "We met"], ["no", "We did not"]]} />
      <${Area} name="note" label="In a line or two" optional rows=${2} maxLength="2000" value=${known?.note ?? ""} seen="Seen by everybody in this meeting." />
    <//>
  </section>`;
}

const HAPPENED = /** @type {Record<string, string>} */ ({
  proposed: "proposed this meeting", booked: "said yes: it was booked", declined: "declined", cancelled: "cancelled it", moved: "moved it", held: "said that you met", not_held: "said that it did not take place",
  move_proposed: "asked to move it", move_declined: "kept the old time", move_withdrawn: "took the move back", move_superseded: "asked for another time instead",
});

/** @param {{meeting: Meeting, zone: string}} props */
function Happened({ meeting, zone }) {
  const loaded = useLoad(() => api.get("/v1/meetings/{meeting_id}/history", { path: { meeting_id: meeting.id } }), [meeting.id, meeting.version]);
  useFresh(loaded.refresh, ["/v1/meetings/{meeting_id}", "/v1/meetings/{meeting_id}/history"], { "meeting.changed": meeting.id, "pairing.changed": meeting.pairing_id });
  const when = (/** @type {string} */ at) => `${weekdayAndDate(new Date(at), zone)}, ${clock(new Date(at), zone)}`;
  if (loaded.problem) return html`<${Trouble} problem=${loaded.problem} retry=${loaded.reload} />`;
  const items = /** @type {Entry[]} */ (loaded.data?.items ?? []);
  return html`<ol class="history" aria-busy=${loaded.data === null}>${items.map((each) => html`<li key=${each.at + each.what}>
    <p class="quiet">${when(each.at)}</p>
    <p>${each.name ?? "Mentorspan"} ${HAPPENED[each.what] ?? each.what}${each.from_starts_at ? `, from ${when(each.from_starts_at)} to ${when(each.starts_at)}` : each.what === "proposed" ? ` for ${when(each.starts_at)}` : ""}.</p>
    ${each.reason && html`<blockquote>${each.reason}</blockquote>`}
  </li>`)}</ol>`;
}

/** Read when somebody opens it. @param {{meeting: Meeting, zone: string}} props */
export function History({ meeting, zone }) {
  const [open, setOpen] = useState(false);
  return html`<details class="earlier" onToggle=${(/** @type {any} */ { currentTarget }) => setOpen(currentTarget.open)}>
    <summary>What happened to this meeting</summary>
    ${open && html`<${Happened} meeting=${meeting} zone=${zone} />`}
  </details>`;
}

/** @param {Shown} props */
export function Cancel({ meeting, put }) {
  const [asking, setAsking] = useState(false);
  const [reason, setReason] = useState("");
  if (!meeting.may.includes("cancel")) return null;
  if (!asking) return html`<div><button type="button" class="button danger" onClick=${() => setAsking(true)}>Cancel this meeting</button></div>`;
  return html`<section class="card ending" aria-label="Cancel this meeting">
    <h2>Cancel the meeting with ${withWhom(meeting)}?</h2>
    <p>${withWhom(meeting)} gets a letter. You can propose another time afterwards.</p>
    <div class="field"><label for="cancel-reason">Why <span class="optional">(optional)</span></label>
      <textarea id="cancel-reason" rows="2" maxLength="500" value=${reason} aria-describedby="cancel-seen" onInput=${(/** @type {any} */ { currentTarget }) => setReason(currentTarget.value)}></textarea>
      <p class="seen" id="cancel-seen">Seen by everybody in this meeting.</p></div>
    <div class="buttons">
      <${Button} kind="danger" busyWords="Cancelling …" onPress=${async () => {
        put(await api.post("/v1/meetings/{meeting_id}/cancel", { path: { meeting_id: meeting.id }, body: { reason: reason.trim() || null } }));
        setAsking(false);
      }}>Cancel the meeting<//>
      <button type="button" class="button quiet" onClick=${() => setAsking(false)}>Keep it</button>
    </div>
  </section>`;
}
