import { html, useState } from "../view/preact.js";
import { repeatOf, ruleWords } from "../client/rule.js";
import { bothSides, lengthOf, placeOf, weekdayAndDate } from "../client/time.js";
import { announce, useLoad } from "../view/hooks.js";
import { useFresh } from "../view/live.js";
import { list, nameOf, others } from "../view/mentoring.js";
import { Back, Button, firstName, Loaded, Notice, Status, Title } from "../view/parts.js";
import { sidesOfPairing } from "../view/picking.js";
import { go } from "../view/router.js";
import { bodyOfPlan, SeriesEditor } from "../view/series-editor.js";
import { api, useSession } from "../view/session.js";

/** @import { Occurrence, Pairing, Series } from "../client/types.js" */
/** @import { Plan } from "../view/series-editor.js" */
/** @typedef {{series: Series, pairing: Pairing}} World */
/** @typedef {World & {put: (series: Series) => void}} Shown */

const SKIPPED = /** @type {Record<string, string>} */ ({
  meeting: "There is another meeting then.", hold: "Somebody was just booking that time.", absence: "Somebody is away.", holiday: "It is a holiday.", elsewhere: "Somebody is busy elsewhere.",
});

/** @param {Shown} props */
function Answer({ series, pairing, put }) {
  const path = { series_id: series.id };
  const names = list(others(pairing).map(({ person }) => firstName(person.name)));
  const change = series.continues_id !== null;
  if (series.may.includes("accept")) {
    return html`<section class="next needs" aria-label="What now">
      <p>${change ? `${names} would like to change your meetings to this.` : `${names} would like to meet you at these times.`}</p>
      <div class="buttons">
        <${Button} kind="primary" busyWords="Accepting …" onPress=${async () => {
          put(await api.post("/v1/series/{series_id}/accept", { path }));
          announce("Accepted. The meetings are booked.");
        }}>Accept them all<//>
        <${Button} busyWords="Declining …" onPress=${async () => put(await api.post("/v1/series/{series_id}/decline", { path }))}>${change ? "Leave it as it was" : "Decline"}<//>
      </div>
    </section>`;
  }
  if (series.status === "proposed") {
    return html`<section class="next calm" aria-label="What now"><p>Waiting for ${names} to say yes.</p>
      ${series.may.includes("cancel") && html`<${Button} onPress=${async () => put(await api.post("/v1/series/{series_id}/cancel", { path, body: {} }))}>Take it back<//>`}</section>`;
  }
  return null;
}

/** What is to happen from one of them on, or with all. @typedef {{what: "change" | "cancel", from: Occurrence | null}} Doing */

/** @param {{each: Occurrence, series: Series, when: string, onDo: (doing: Doing) => void}} props */
function Line({ each, series, when, onDo }) {
  const { zone } = useSession();
  const named = weekdayAndDate(new Date(each.starts_at), zone);
  return html`<li class="line">
    <div class="line-main">
      ${each.meeting_id ? html`<a class="line-name" href=${`/meetings/${each.meeting_id}`}>${when}</a>` : html`<b>${each.skipped ? html`<s>${when}</s>` : when}</b>`}
      ${each.skipped && html`<p class="quiet">Skipped. ${SKIPPED[each.skipped] ?? ""}${each.meeting_id ? " Another time is proposed: open it to see." : ""}</p>`}
    </div>
    ${series.may.includes("change") && html`<details class="line-more"><summary>From here on<span class="unseen"> (${named})</span></summary><div class="buttons">
      <button type="button" class="button" onClick=${() => onDo({ what: "change", from: each })}>Change<span class="unseen"> from ${named}</span></button>
      <button type="button" class="button danger" onClick=${() => onDo({ what: "cancel", from: each })}>Cancel<span class="unseen"> from ${named}</span></button>
    </div></details>`}
  </li>`;
}

/** @param {Shown & {doing: Doing, onEnd: () => void}} props */
function Change({ series, pairing, put, doing, onEnd }) {
  const repeat = repeatOf(series.rule);
  if (!repeat) return html`<${Notice}><p>This rhythm was made elsewhere and says more than can be chosen here. Cancel these meetings and plan new ones.</p><button type="button" class="button" onClick=${onEnd}>Back</button><//>`;
  const from = doing.from?.recurrence_id ?? null;
  const [date, time] = (from ?? series.next[0]?.recurrence_id ?? series.dtstart).split("T");
  const begin = { date, time: time.slice(0, 5), zone: series.zone, minutes: series.duration_minutes, title: series.title ?? "", repeat, exdates: [] };
  const names = list(others(pairing).map(({ person }) => firstName(person.name)));
  return html`<section aria-label="Change"><h2>${doing.from ? "Change this and all after it" : "Change all that are still to come"}</h2>
    <${SeriesEditor} begin=${begin} sides=${sidesOfPairing(pairing)} send="Propose the change" after=${`Until ${names} agrees, the old times stay booked.`} onSend=${async (/** @type {Plan} */ plan) => {
      const changed = await api.post("/v1/series/{series_id}/change", { path: { series_id: series.id }, body: { ...bodyOfPlan(plan), from, version: series.version } });
      onEnd();
      if (changed.id === series.id) put(changed);
      else go(`/series/${changed.id}`);
    }} />
    <button type="button" class="button quiet" onClick=${onEnd}>Never mind</button>
  </section>`;
}

/** @param {Shown & {doing: Doing, onEnd: () => void}} props */
function Cancel({ series, pairing, put, doing, onEnd }) {
  const { zone } = useSession();
  const [reason, setReason] = useState("");
  const names = list(others(pairing).map(({ person }) => firstName(person.name)));
  return html`<section class="card ending" aria-label="Cancel">
    <h2>${doing.from ? `Cancel ${weekdayAndDate(new Date(doing.from.starts_at), zone)} and all after it?` : "Cancel all that are still to come?"}</h2>
    <p>${names} ${others(pairing).length === 1 ? "gets" : "get"} a letter. Meetings that you have had stay as they are.</p>
    <div class="field"><label for="series-reason">Why <span class="optional">(optional)</span></label>
      <textarea id="series-reason" rows="2" maxLength="500" value=${reason} aria-describedby="series-seen" onInput=${(/** @type {any} */ { currentTarget }) => setReason(currentTarget.value)}></textarea>
      <p class="seen" id="series-seen">Seen by everybody in this pairing.</p></div>
    <div class="buttons">
      <${Button} kind="danger" busyWords="Cancelling …" onPress=${async () => {
        put(await api.post("/v1/series/{series_id}/cancel", { path: { series_id: series.id }, body: { from: doing.from?.recurrence_id ?? null, reason: reason.trim() || null } }));
        announce("Cancelled.");
        onEnd();
      }}>Cancel them<//>
      <button type="button" class="button quiet" onClick=${onEnd}>Keep them</button>
    </div>
  </section>`;
}

/** @param {Shown} props */
function Whole({ series, pairing, put }) {
  const { zone } = useSession();
  const [doing, setDoing] = useState(/** @type {Doing | null} */ (null));
  const sides = sidesOfPairing(pairing);
  const shown = { series, pairing, put };
  const end = () => setDoing(null);
  return html`
    <header class="pairing-head">
      <${Title}>${series.title || `Meetings with ${nameOf(pairing)}`}<//>
      <p class="when">${ruleWords(series.rule)}, ${series.dtstart.slice(11, 16)} in ${placeOf(series.zone)}</p>
      <p class="quiet bits"><${Status} of=${series.status} /><span>${lengthOf(series.duration_minutes)}</span></p>
    </header>
    <${Answer} ...${shown} />
    ${series.reason && html`<blockquote>${series.reason}</blockquote>`}
    ${doing?.what === "change" && html`<${Change} ...${shown} doing=${doing} onEnd=${end} />`}
    ${doing?.what === "cancel" && html`<${Cancel} ...${shown} doing=${doing} onEnd=${end} />`}
    ${!doing && html`<section aria-labelledby="next-title">
      <h2 id="next-title">${series.status === "proposed" ? "These would be the next ones" : "The next ones"}</h2>
      ${series.next.length > 0 ? html`<ul class="lines">${series.next.map((each) => html`<${Line} key=${each.recurrence_id} each=${each} series=${series} when=${bothSides(new Date(each.starts_at), zone, sides)} onDo=${setDoing} />`)}</ul>` : html`<p class="quiet">None is still to come.</p>`}
      <p class="quiet">A single one is moved or cancelled on its own page.</p>
    </section>
    ${series.may.includes("change") && html`<div class="buttons">
      <button type="button" class="button" onClick=${() => setDoing({ what: "change", from: null })}>Change them all</button>
      <button type="button" class="button danger" onClick=${() => setDoing({ what: "cancel", from: null })}>Cancel them all</button>
    </div>`}`}`;
}

/** @param {{id: string}} props */
export default function SeriesPage({ id }) {
  const loaded = useLoad(async () => {
    const series = await api.get("/v1/series/{series_id}", { path: { series_id: id } });
    return { series, pairing: await api.get("/v1/pairings/{pairing_id}", { path: { pairing_id: series.pairing_id } }) };
  }, [id]);
  useFresh(loaded.refresh, ["/v1/series/{series_id}", "/v1/pairings/{pairing_id}"]);
  const put = (/** @type {Series} */ series) => loaded.data && loaded.put({ ...loaded.data, series });
  return html`
    <${Back} href=${loaded.data ? `/pairings/${loaded.data.series.pairing_id}` : "/pairings"}>Back to the pairing<//>
    <${Loaded} of=${loaded} title>${(/** @type {World} */ world) => html`<${Whole} ...${world} put=${put} />`}<//>`;
}
