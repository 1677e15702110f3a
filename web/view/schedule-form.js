import { nextSpan } from "../client/hours.js";
import { allZones, lengthOf, weekdayAndDate } from "../client/time.js";
import { DayHours, Spans } from "./day-hours.js";
import { PickNumber, PickOne, PickSome, Switch, Text } from "./draft-fields.js";
import { Picks } from "./form.js";
import { useWide } from "./hooks.js";
import { Icon } from "./parts.js";
import { html, useState } from "./preact.js";
import { WeekGrid } from "./week-grid.js";

/** The parts of a schedule, as fields over a draft. */

/** @import { Draft, Override } from "../client/schedules.js" */
/** @typedef {{draft: Draft, change: (part: Partial<Draft>) => void}} Editing */

/** @param {Editing} props */
export function Hours({ draft, change }) {
  const wide = useWide();
  const onWeek = (/** @type {Draft["week"]} */ week) => change({ week });
  const list = html`<${DayHours} week=${draft.week} onWeek=${onWeek} open=${false} />`;
  return html`<section aria-labelledby="hours-title">
    <h2 id="hours-title">Your week</h2>
    <p class="quiet">In the time of ${draft.zone.replaceAll("_", " ")}, whatever the clocks do there.</p>
    ${wide
      ? html`<div class="hours-both"><${WeekGrid} week=${draft.week} onWeek=${onWeek} />${list}</div>`
      : html`${list}<details class="earlier"><summary>Draw on the week instead</summary><${WeekGrid} week=${draft.week} onWeek=${onWeek} /></details>`}
  </section>`;
}

/** @param {string} date */
const dateWords = (date) => weekdayAndDate(new Date(`${date}T12:00:00Z`), "UTC");

/** @param {Editing} props */
export function Overrides({ draft, change }) {
  const [date, setDate] = useState("");
  const put = (/** @type {Override[]} */ overrides) => change({ overrides });
  const there = draft.overrides.some((each) => each.date === date);
  const add = (/** @type {boolean} */ off) => {
    if (!date || there) return;
    put([...draft.overrides, /** @type {Override} */ ({ key: date, date, spans: off ? [] : [[540, 1020]] })].sort((one, other) => one.date.localeCompare(other.date)));
    setDate("");
  };
  return html`<section aria-labelledby="overrides-title">
    <h2 id="overrides-title">Days that are different</h2>
    <p class="quiet">On these dates your weekly hours do not count: a day off, or other hours.</p>
    ${draft.overrides.length > 0 && html`<ul class="lines">${draft.overrides.map((each) => html`<li key=${each.key} class="line override">
      <div class="line-main">
        <b>${dateWords(each.date)}</b> ${each.spans.length === 0 && html`<span class="quiet">Day off</span>`}
        <${Spans} spans=${each.spans} of=${dateWords(each.date)} onSpans=${(/** @type {Override["spans"]} */ spans) => put(draft.overrides.map((one) => (one === each ? { ...each, spans } : one)))} />
      </div>
      <div class="buttons">
        <button type="button" class="button quiet" onClick=${() => put(draft.overrides.map((one) => (one === each ? { ...each, spans: [...each.spans, nextSpan(each.spans)] } : one)))}><${Icon} name="plus" /><span>Add time<span class="unseen"> on ${dateWords(each.date)}</span></span></button>
        <button type="button" class="icon-button" aria-label=${`Remove ${dateWords(each.date)}`} onClick=${() => put(draft.overrides.filter((one) => one !== each))}><${Icon} name="trash-2" /></button>
      </div>
    </li>`)}</ul>`}
    <div class="add-date">
      <${Text} label="Date" type="date" value=${date} onText=${setDate} />
      <button type="button" class="button" disabled=${!date || there} onClick=${() => add(true)}>Day off</button>
      <button type="button" class="button" disabled=${!date || there} onClick=${() => add(false)}>Other hours</button>
    </div>
    ${there && html`<p class="hint">${dateWords(date)} stands above already.</p>`}
  </section>`;
}

/** @param {number} minutes */
function longWords(minutes) {
  if (minutes === 0) return "None";
  if (minutes % 10_080 === 0) return minutes === 10_080 ? "1 week" : `${minutes / 10_080} weeks`;
  if (minutes % 1_440 === 0) return minutes === 1_440 ? "1 day" : `${minutes / 1_440} days`;
  return lengthOf(minutes);
}

/** @param {number[]} numbers @param {(value: number) => string} words @returns {[number, string][]} */
const choices = (numbers, words) => numbers.map((each) => [each, words(each)]);
const most = (/** @type {number} */ count) => (count === 1 ? "1 meeting" : `${count} meetings`);
/** @type {[null, string]} */
const NO_LIMIT = [null, "No limit"];
const BUFFERS = choices([0, 5, 10, 15, 20, 30, 45, 60, 90, 120], longWords);
const LENGTHS = [15, 30, 45, 60, 90];

/** @param {Editing} props */
export function Booking({ draft, change }) {
  const lengths = [...new Set([...LENGTHS, ...draft.lengths])].sort((one, other) => one - other);
  return html`<section aria-labelledby="booking-title">
    <h2 id="booking-title">How others book you</h2>
    <${Picks} legend="When somebody books one of these times" name="confirm" value=${draft.confirm ? "yes" : "no"} onPick=${(/** @type {string} */ value) => change({ confirm: value === "yes" })} options=${[
      ["no", "It is booked at once", "You get a letter, and can still move or cancel it."],
      ["yes", "It waits for my yes", "You are asked first."],
    ]} />
    <${PickSome} legend="Lengths" value=${draft.lengths} options=${choices(lengths, lengthOf)} onPick=${(/** @type {number[]} */ value) => change({ lengths: value })} />
    <div class="pair">
      <${PickNumber} label="Shortest notice" value=${draft.minimum_notice_minutes} options=${choices([0, 60, 120, 240, 720, 1440, 2880, 4320, 10_080], longWords)} other=${longWords} onPick=${(/** @type {number} */ value) => change({ minimum_notice_minutes: value })} hint="Nobody books you sooner than this." />
      <${PickNumber} label="How far ahead" value=${draft.horizon_days} options=${choices([7, 14, 28, 56, 84, 182, 365], (days) => longWords(days * 1440))} other=${(/** @type {number} */ days) => longWords(days * 1440)} onPick=${(/** @type {number} */ value) => change({ horizon_days: value })} hint="Times are offered up to then." />
      <${PickNumber} label="Free before a meeting" value=${draft.buffer_before_minutes} options=${BUFFERS} other=${longWords} onPick=${(/** @type {number} */ value) => change({ buffer_before_minutes: value })} />
      <${PickNumber} label="Free after a meeting" value=${draft.buffer_after_minutes} options=${BUFFERS} other=${longWords} onPick=${(/** @type {number} */ value) => change({ buffer_after_minutes: value })} />
      <${PickNumber} label="Most in one day" value=${draft.most_per_day} options=${[NO_LIMIT, ...choices([1, 2, 3, 4, 5, 6, 8], most)]} other=${most} onPick=${(/** @type {number | null} */ value) => change({ most_per_day: value })} />
      <${PickNumber} label="Most in one week" value=${draft.most_per_week} options=${[NO_LIMIT, ...choices([1, 2, 3, 4, 5, 8, 10, 15], most)]} other=${most} onPick=${(/** @type {number | null} */ value) => change({ most_per_week: value })} />
      <${PickNumber} label="Times offered every" value=${draft.step_minutes} options=${choices([5, 10, 15, 20, 30, 60], lengthOf)} onPick=${(/** @type {any} */ value) => change({ step_minutes: value })} />
    </div>
  </section>`;
}

/** @param {Editing & {only: boolean}} props `only`: there is no other schedule */
export function NameAndZone({ draft, change, only }) {
  return html`<section aria-labelledby="name-title">
    <h2 id="name-title">Name and time zone</h2>
    <div class="pair">
      <${Text} label="Name" value=${draft.name} maxLength="80" onText=${(/** @type {string} */ name) => change({ name })} hint="Seen by nobody but you." />
      <${PickOne} label="These hours are in the time of" hint="The clock on the wall that you read them from." value=${draft.zone} options=${allZones().map((zone) => [zone, zone.replaceAll("_", " ")])} onPick=${(/** @type {string} */ zone) => change({ zone })} />
    </div>
    ${!only && html`<${Switch} label="My usual hours" on=${draft.is_default} onPick=${(/** @type {boolean} */ on) => change({ is_default: on })} hint="They hold for every mentorship that has no other hours." />`}
  </section>`;
}
