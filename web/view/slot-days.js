import { best, byDay, daysFrom, shortTime } from "../client/slots.js";
import { addDays, clock, instantsOf, offsetAt, placeOf, theirSide, weekdayAndDate } from "../client/time.js";
import { Field, Form } from "./form.js";
import { Icon, Notice } from "./parts.js";
import { html, useState } from "./preact.js";

/** A week of days, and the free times of one of them: what one picks from. */

/** @import { Slot } from "../client/slots.js" */
/** @import { Side } from "../client/time.js" */

/** Noon of a day: far from any change of the clocks. @param {string} day */
export const noon = (day) => new Date(`${day}T12:00:00Z`);

/** Arrows go from button to button of a group. @param {KeyboardEvent} event */
export function byArrows(event) {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (!step) return;
  const group = /** @type {HTMLElement} */ (event.currentTarget);
  const mirrored = event.key !== "ArrowDown" && event.key !== "ArrowUp" && getComputedStyle(group).direction === "rtl";
  const buttons = /** @type {HTMLElement[]} */ ([...group.querySelectorAll("button:not(:disabled)")]);
  const next = buttons[buttons.indexOf(/** @type {HTMLElement} */ (event.target)) + (mirrored ? -step : step)];
  if (!next) return;
  event.preventDefault();
  next.focus();
}

/** `Tue 24 Nov` in three lines. @param {string} day @param {string} today */
function dayWords(day, today) {
  const [weekday, number, month] = weekdayAndDate(noon(day), "UTC").split(" ");
  return html`<small>${weekday}</small> <b>${number}</b> <small>${month}</small>${day === today && html`<span class="unseen">, today</span>`}`;
}

/** @param {{slots: Slot[] | null, zone: string, week: string, day: string, today: string, onWeek: (day: string) => void, onDay: (day: string) => void}} props `slots`: null while they are looked up */
export function WeekStrip({ slots, zone, week, day, today, onWeek, onDay }) {
  const days = daysFrom(week);
  const found = byDay(slots ?? [], zone);
  const count = (/** @type {string} */ each) => found.get(each)?.length ?? 0;
  return html`<div class="week">
    <div class="head">
      <p><b>${weekdayAndDate(noon(days[0]), "UTC").slice(4)}</b> to <b>${weekdayAndDate(noon(days[6]), "UTC").slice(4)}</b></p>
      <div>
        <button type="button" class="icon-button" aria-label="The week before" disabled=${week <= today} onClick=${() => onWeek(addDays(week, -7) < today ? today : addDays(week, -7))}><${Icon} name="chevron-left" className="flips" /></button>
        <button type="button" class="icon-button" aria-label="The week after" onClick=${() => onWeek(addDays(week, 7))}><${Icon} name="chevron-right" className="flips" /></button>
      </div>
    </div>
    <div class="week-days" role="group" aria-label="Day" onKeyDown=${byArrows}>
      ${days.map((each) => html`<button key=${each} type="button" class=${count(each) > 0 ? "week-day" : "week-day none"} aria-pressed=${each === day} onClick=${() => onDay(each)}>
        ${dayWords(each, today)}
        <small class="week-count">${slots ? (count(each) || html`<span aria-hidden="true">–</span><span class="unseen">no</span>`) : " "}<span class="unseen"> ${count(each) === 1 ? "time" : "times"}</span></small>
      </button>`)}
    </div>
  </div>`;
}

/** @typedef {{zone: string, sides: Side[], chosen: Date[], onPick: (instant: Date) => void}} Choosing */

/** @param {Choosing & {slot: Slot, dated?: boolean}} props */
function SlotButton({ slot, zone, sides, chosen, dated = false, onPick }) {
  const start = new Date(slot.starts_at);
  const apart = sides.filter((side) => offsetAt(start, side.zone) !== offsetAt(start, zone));
  const when = dated ? `${weekdayAndDate(start, zone)}, ${clock(start, zone)}` : clock(start, zone);
  const elsewhere = apart.map((side) => theirSide(start, zone, side)).join(", ");
  // What is seen is short; what is heard says in addition where everybody is.
  return html`<button type="button" class="slot" aria-pressed=${chosen.some((each) => each.getTime() === start.getTime())} onClick=${() => onPick(start)}>
    <b>${when}</b><span class="unseen">, </span>
    ${slot.of > 2 ? html`<small>${slot.available} of ${slot.of} can come</small><span class="unseen">, ${elsewhere}</span>`
      : apart.map((side) => html`<small key=${side.zone}>${shortTime(start, zone, side.zone)} <span class="unseen">for </span>${side.name}<span class="unseen"> (${placeOf(side.zone)})</span></small>`)}
  </button>`;
}

/** @param {Choosing & {slots: Slot[], day: string}} props */
export function DaySlots({ slots, day, ...choosing }) {
  const found = byDay(slots, choosing.zone).get(day) ?? [];
  if (found.length === 0) return html`<p class="quiet">No time suits on ${weekdayAndDate(noon(day), "UTC", { long: true })}.</p>`;
  return html`<div class="slots" role="group" aria-label="Time" onKeyDown=${byArrows}>
    ${found.map((slot) => html`<${SlotButton} key=${slot.starts_at} slot=${slot} ...${choosing} />`)}
  </div>`;
}

/** In a circle: when most of it can come. @param {Choosing & {slots: Slot[]}} props */
export function BestSlots({ slots, ...choosing }) {
  const found = best(slots, 3);
  if (found.length === 0) return null;
  return html`<section aria-labelledby="best-title"><h2 id="best-title">When most can come this week</h2>
    <div class="slots best" role="group" aria-labelledby="best-title" onKeyDown=${byArrows}>${found.map((slot) => html`<${SlotButton} key=${slot.starts_at} slot=${slot} dated ...${choosing} />`)}</div>
  </section>`;
}

/** Any time, to the minute. @param {{day: string, zone: string, open?: boolean, onPick: (instant: Date) => void}} props */
export function Exact({ day, zone, open = false, onPick }) {
  const [said, setSaid] = useState("");
  return html`<details class="earlier" open=${open || undefined}><summary>Another time</summary>
    <${Form} quiet className="inline" label="Another time" send="Use this time" onSend=${async (/** @type {any} */ { date, time }) => {
      const { kind, instants } = instantsOf(date, time, zone);
      setSaid(kind === "gap" ? "The clocks go forward over this time: it does not exist that day. The time right after is chosen."
        : kind === "overlap" ? "The clocks go back: this time happens twice that day. The first one is chosen." : "");
      onPick(instants[0]);
    }}>
      <${Field} name="date" label="Date" type="date" value=${day} missing="Choose a date." />
      <${Field} name="time" label="Time" type="time" value="12:00" missing="Choose a time." />
    <//>
    ${said && html`<${Notice}>${said}<//>`}
  </details>`;
}
