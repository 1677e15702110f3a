import { copyDay, DAYS, isRight, minutesOf, MIDNIGHT, nameOfDay, nextSpan, settled, spanWords, timeOf } from "../client/hours.js";
import { announce } from "./hooks.js";
import { Icon } from "./parts.js";
import { html, useState } from "./preact.js";

/** The hours as a plain list of times: exact, and whole without the grid. */

/** @import { Day, Span, Week } from "../client/hours.js" */

/** What `24:00` is in an input of time. @param {number} minutes */
const shown = (minutes) => (minutes === MIDNIGHT ? "00:00" : timeOf(minutes));

/**
 * Times of one day, each from and to.
 * @param {{spans: Span[], of: string, onSpans: (spans: Span[]) => void}} props `of`: whose times, for those who do not see where they stand
 */
export function Spans({ spans, of, onSpans }) {
  const put = (/** @type {number} */ index, /** @type {Span} */ span) => onSpans(spans.map((each, at) => (at === index ? span : each)));
  return html`<ul class="spans">${spans.map((span, index) => {
    const wrong = !isRight(span);
    const clash = !wrong && spans.some((each, at) => at !== index && isRight(each) && each[0] < span[1] && span[0] < each[1]);
    return html`<li key=${index}>
      <div class="span">
        <input type="time" aria-label=${`${of}: from`} aria-invalid=${wrong || undefined} value=${timeOf(span[0])} onChange=${(/** @type {any} */ { currentTarget: { value } }) => value && put(index, [minutesOf(value), span[1]])} />
        <span aria-hidden="true">to</span>
        <input type="time" aria-label=${`${of}: to`} aria-invalid=${wrong || undefined} value=${shown(span[1])} onChange=${(/** @type {any} */ { currentTarget: { value } }) => value && put(index, [span[0], minutesOf(value) || MIDNIGHT])} />
        <button type="button" class="icon-button" aria-label=${`Remove ${of} ${spanWords(span)}`} onClick=${() => {
          onSpans(spans.filter((_, at) => at !== index));
          announce(`Removed: ${of} ${spanWords(span)}`);
        }}><${Icon} name="x" /></button>
      </div>
      ${wrong && html`<p class="error">This ends before it begins. Choose a later end, or 00:00 for midnight.</p>`}
      ${clash && html`<p class="hint">Overlaps another time of this day; they are saved as one.</p>`}
    </li>`;
  })}</ul>`;
}

/** @param {{day: Day, onCopy: (days: Day[]) => void}} props */
function Copy({ day, onCopy }) {
  const rest = DAYS.filter((each) => each !== day);
  const [to, setTo] = useState(/** @type {Day[]} */ ([]));
  const [open, setOpen] = useState(false);
  const copy = (/** @type {Day[]} */ days) => {
    onCopy(days);
    setOpen(false);
    setTo([]);
    announce(`Copied ${nameOfDay(day)} to ${days.map(nameOfDay).join(", ")}`);
  };
  if (!open) return html`<button type="button" class="button quiet" onClick=${() => setOpen(true)}><${Icon} name="copy" /><span>Copy<span class="unseen"> ${nameOfDay(day)}</span> to other days</span></button>`;
  return html`<fieldset class="copy-day">
    <legend>Copy ${nameOfDay(day)} to</legend>
    <div class="copy-days">${rest.map((each) => html`<label key=${each} class="pick"><input type="checkbox" checked=${to.includes(each)} onChange=${() => setTo(to.includes(each) ? to.filter((one) => one !== each) : [...to, each])} /><span>${nameOfDay(each).slice(0, 3)}</span></label>`)}</div>
    <div class="buttons">
      <button type="button" class="button" disabled=${to.length === 0} onClick=${() => copy(to)}>Copy</button>
      <button type="button" class="button quiet" onClick=${() => copy(rest.filter((each) => each !== "SA" && each !== "SU"))}>To all weekdays</button>
      <button type="button" class="button quiet" onClick=${() => setOpen(false)}>Never mind</button>
    </div>
  </fieldset>`;
}

/** @param {{week: Week, onWeek: (week: Week) => void, open: boolean}} props `open`: whether days show their times at first */
export function DayHours({ week, onWeek, open }) {
  return html`<div class="day-hours">${DAYS.map((day) => {
    const spans = week[day];
    const words = settled(spans).map(spanWords).join(", ") || "Not available";
    const put = (/** @type {Span[]} */ next) => onWeek({ ...week, [day]: next });
    return html`<details key=${day} open=${open || undefined}>
      <summary><b>${nameOfDay(day)}</b> <span>${words}</span></summary>
      <div class="day-times">
        <${Spans} spans=${spans} of=${nameOfDay(day)} onSpans=${put} />
        <div class="buttons">
          <button type="button" class="button quiet" onClick=${() => put([...spans, nextSpan(spans)])}><${Icon} name="plus" /><span>Add time<span class="unseen"> on ${nameOfDay(day)}</span></span></button>
          <${Copy} day=${day} onCopy=${(/** @type {Day[]} */ to) => onWeek(copyDay(week, day, to))} />
        </div>
      </div>
    </details>`;
  })}</div>`;
}
