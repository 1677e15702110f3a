import { DAYS, nameOfDay } from "../client/hours.js";
import { dayOfDate, freshRepeat, nthOfDate, ruleOf, ruleWords } from "../client/rule.js";
import { bothSides, lengthOf, weekdayAndDate } from "../client/time.js";
import { PickNumber, PickOne, PickSome, Text } from "./draft-fields.js";
import { Picks } from "./form.js";
import { useLoad } from "./hooks.js";
import { Button, Trouble } from "./parts.js";
import { html, useRef, useState } from "./preact.js";
import { api, useSession } from "./session.js";

/** A series in the making: what is chosen on one side, the meetings that it would be on the other. */

/** @import { Repeat } from "../client/rule.js" */
/** @import { Side } from "../client/time.js" */
/** @import { RecurrencePreview } from "../client/types.js" */
/** @typedef {{date: string, time: string, zone: string, minutes: number, title: string, repeat: Repeat, exdates: string[]}} Plan */

const SHOWN = 12;

/** @param {string} date @param {string} zone @returns {Plan} */
export const freshPlan = (date, zone) => ({ date, time: "10:00", zone, minutes: 45, title: "", repeat: freshRepeat(date), exdates: [] });

/** As the service takes it. @param {Plan} plan */
export const bodyOfPlan = ({ date, time, zone, minutes, title, repeat }) => ({ dtstart: `${date}T${time}:00`, zone, rule: ruleOf(repeat), duration_minutes: minutes, title: title.trim() || null });

/** @param {{plan: Plan, change: (part: Partial<Plan>) => void}} props */
function Choices({ plan, change }) {
  const { repeat } = plan;
  const again = (/** @type {Partial<Repeat>} */ part) => change({ repeat: { ...repeat, ...part }, exdates: [] });
  const onDate = (/** @type {string} */ date) => {
    if (!date) return;
    const single = repeat.days.length === 1 || repeat.every === "month";
    change({ date, exdates: [], repeat: { ...repeat, nth: nthOfDate(date), ...(single && { days: [dayOfDate(date)] }) } });
  };
  return html`<div class="stack choices">
    <div class="pair">
      <${Text} label="First meeting on" type="date" value=${plan.date} onText=${onDate} />
      <${Text} label="At" type="time" value=${plan.time} onText=${(/** @type {string} */ time) => time && change({ time, exdates: [] })} />
    </div>
    <${Picks} legend="Again" name="every" value=${repeat.every} onPick=${(/** @type {Repeat["every"]} */ every) => again({ every, ...(every === "month" && { days: [dayOfDate(plan.date)] }) })}
      options=${[["week", "Every week"], ["fortnight", "Every two weeks"], ["month", "Every month"]]} />
    ${repeat.every === "month"
      ? html`<${PickOne} label=${`On which ${nameOfDay(repeat.days[0])} of the month`} value=${String(repeat.nth)} options=${[["1", "The first"], ["2", "The second"], ["3", "The third"], ["4", "The fourth"], ["-1", "The last"]]} onPick=${(/** @type {string} */ nth) => again({ nth: Number(nth) })} />`
      : html`<${PickSome} legend="On" value=${repeat.days} options=${DAYS.map((day) => [day, nameOfDay(day).slice(0, 3)])} onPick=${(/** @type {Repeat["days"]} */ days) => days.length > 0 && again({ days })} />`}
    <${Picks} legend="It ends" name="ends" value=${repeat.until === null ? "count" : "until"} onPick=${(/** @type {string} */ how) => again(how === "count" ? { count: 6, until: null } : { count: null, until: plan.date })}
      options=${[["count", "After some meetings"], ["until", "On a date"]]} />
    ${repeat.until === null
      ? html`<${PickNumber} label="How many meetings" value=${repeat.count} options=${[2, 3, 4, 5, 6, 8, 10, 12, 20, 26].map((count) => [count, String(count)])} onPick=${(/** @type {number} */ count) => again({ count })} />`
      : html`<${Text} label="Last day" type="date" min=${plan.date} value=${repeat.until} onText=${(/** @type {string} */ until) => until && again({ until })} />`}
    <div class="pair">
      <${PickNumber} label="How long" value=${plan.minutes} options=${[15, 30, 45, 60, 90].map((length) => [length, lengthOf(length)])} other=${lengthOf} onPick=${(/** @type {number} */ minutes) => change({ minutes })} />
      <${Text} label="Title, if you like" value=${plan.title} maxLength="120" onText=${(/** @type {string} */ title) => change({ title })} />
    </div>
  </div>`;
}

/** The meetings that it would be. @param {{plan: Plan, sides: Side[], change: (part: Partial<Plan>) => void, skips: boolean}} props */
function Preview({ plan, sides, change, skips }) {
  const { zone } = useSession();
  const rule = ruleOf(plan.repeat);
  const dtstart = `${plan.date}T${plan.time}:00`;
  const loaded = useLoad(() => api.get("/v1/recurrences/preview", { query: { dtstart, zone: plan.zone, rule, limit: SHOWN } }), [dtstart, plan.zone, rule]);
  // What was shown stays until there is something else to show: nothing jumps while one chooses.
  const kept = useRef(/** @type {RecurrencePreview | null} */ (null));
  kept.current = loaded.data ?? kept.current;
  if (loaded.problem) return html`<${Trouble} problem=${loaded.problem} />`;
  const items = kept.current?.items ?? [];
  return html`<ol class="occurrences" aria-busy=${loaded.data === null}>${items.map(({ local, instant, shifted }) => {
    const skipped = plan.exdates.includes(local);
    const when = bothSides(new Date(instant), zone, sides);
    return html`<li key=${local} class=${skipped ? "skipped" : ""}>
      <span>${skipped ? html`<s>${when}</s> <b>Skipped</b>` : when}${shifted && html`<small>The clocks go forward that day, so it is later.</small>`}</span>
      ${skips && html`<button type="button" class="button quiet" aria-label=${`${skipped ? "Meet on" : "Skip"} ${weekdayAndDate(new Date(instant), zone)}`} onClick=${() => change({ exdates: skipped ? plan.exdates.filter((each) => each !== local) : [...plan.exdates, local] })}>${skipped ? "Meet" : "Skip"}</button>`}
    </li>`;
  })}</ol>
  ${items.length === SHOWN && html`<p class="quiet">And so on.</p>`}`;
}

/**
 * @param {object} props
 * @param {Plan} props.begin
 * @param {Side[]} props.sides everybody else, by zone
 * @param {string} props.send what the button says
 * @param {string} props.after what happens then
 * @param {boolean} [props.skips] whether days can be skipped
 * @param {(plan: Plan) => Promise<unknown>} props.onSend
 */
export function SeriesEditor({ begin, sides, send, after, skips = false, onSend }) {
  const [plan, setPlan] = useState(begin);
  const change = (/** @type {Partial<Plan>} */ part) => setPlan({ ...plan, ...part });
  return html`<div class="series-editor">
    <${Choices} plan=${plan} change=${change} />
    <section class="card" aria-labelledby="preview-title">
      <h2 id="preview-title">${ruleWords(ruleOf(plan.repeat))}</h2>
      <div aria-live="polite"><${Preview} plan=${plan} sides=${sides} change=${change} skips=${skips} /></div>
      <p class="quiet">${after}</p>
      <${Button} kind="primary" busyWords="One moment …" onPress=${() => onSend(plan)}>${send}<//>
    </section>
  </div>`;
}
