import { html, useState } from "../view/preact.js";
import { addMonths, firstOf, weekOfDay, weeksOfMonth } from "../client/months.js";
import { Agenda, Month, Week } from "../view/calendar-views.js";
import { useLoad, useNow } from "../view/hooks.js";
import { Empty, Icon, Loaded, Title, Trouble } from "../view/parts.js";
import { api, useSession } from "../view/session.js";
import { useFresh } from "../view/live.js";
import { isAhead } from "../view/mentoring.js";
import { addDays, dayIn, instantsOf, weekdayAndDate, withOffset } from "../client/time.js";

/** @import { Meeting } from "../client/types.js" */
/** @typedef {"agenda" | "week" | "month" | "earlier"} Which */

/** @type {[Which, string][]} */
const VIEWS = [["agenda", "Coming up"], ["week", "Week"], ["month", "Month"], ["earlier", "Earlier"]];
const MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];

/** The days that are shown. @param {Which} which @param {string} on */
const shownDays = (which, on) => (which === "week" ? weekOfDay(on) : weeksOfMonth(on).flat());

/** What to ask for. @param {Which} which @param {string} on @param {string} zone */
function query(which, on, zone) {
  if (which === "earlier") return {};
  if (which === "agenda") return { from: new Date(Date.now() - 2 * 3_600_000).toISOString() };
  const days = shownDays(which, on);
  const midnight = (/** @type {string} */ day) => withOffset(instantsOf(day, "00:00", zone).instants[0], zone);
  return { from: midnight(days[0]), to: midnight(addDays(/** @type {string} */ (days.at(-1)), 1)) };
}

/** @param {string} zone */
function useShown(zone) {
  const said = new URLSearchParams(location.search);
  const today = dayIn(new Date(), zone);
  const [which, setWhich] = useState(/** @type {Which} */ (VIEWS.find(([key]) => key === said.get("view"))?.[0] ?? "agenda"));
  const [on, setOn] = useState(/^\d{4}-\d\d-\d\d$/.test(said.get("on") ?? "") ? /** @type {string} */ (said.get("on")) : today);
  const show = (/** @type {Which} */ next, day = on) => {
    setWhich(next);
    setOn(day);
    // Whoever comes back, or sends the address, sees the same.
    history.replaceState(null, "", next === "agenda" ? location.pathname : `${location.pathname}?view=${next}&on=${day}`);
  };
  return { which, on, today, show };
}

/** The week or month that is shown, and the ways to others. @param {ReturnType<typeof useShown>} props */
function Period({ which, on, today, show }) {
  const days = weekOfDay(on);
  const short = (/** @type {string} */ day) => weekdayAndDate(new Date(`${day}T12:00:00Z`), "UTC").slice(4);
  const words = which === "week" ? `${short(days[0])} to ${short(days[6])}` : `${MONTHS[Number(on.slice(5, 7)) - 1]} ${on.slice(0, 4)}`;
  const to = (/** @type {number} */ step) => show(which, which === "week" ? addDays(on, step * 7) : addMonths(firstOf(on), step));
  return html`<div class="head period">
    <h2 aria-live="polite">${words}</h2>
    <div class="buttons">
      <button type="button" class="button quiet" disabled=${on === today} onClick=${() => show(which, today)}>Today</button>
      <button type="button" class="icon-button" aria-label=${`The ${which} before`} onClick=${() => to(-1)}><${Icon} name="chevron-left" className="flips" /></button>
      <button type="button" class="icon-button" aria-label=${`The ${which} after`} onClick=${() => to(1)}><${Icon} name="chevron-right" className="flips" /></button>
    </div>
  </div>`;
}

/** @param {{past: boolean}} props */
const Nothing = ({ past }) => html`<${Empty} title=${past ? "No meetings so far" : "No meetings planned"} icon="calendar">
  <p>${past ? "Meetings that you have had are kept here." : "Open one of your pairings and pick a time that suits you both."}</p>
  <a class="button" href="/pairings">Your pairings</a>
<//>`;

export default function Calendar() {
  const { zone } = useSession();
  const now = useNow();
  const shown = useShown(zone);
  const { which, on, today, show } = shown;
  const dated = which === "week" || which === "month";
  const window = dated ? shownDays(which, on)[0] : "";
  const meetings = useLoad(async () => {
    const items = /** @type {Meeting[]} */ (await api.all("/v1/meetings", { query: query(which, on, zone) }));
    return dated ? items : items.filter((meeting) => isAhead(meeting, new Date()) === (which === "agenda"));
  }, [which, window]);
  useFresh(meetings.refresh, ["/v1/meetings"]);
  const items = meetings.data ?? [];
  const view = { meetings: items, zone, now, on, today, onDay: (/** @type {string} */ day) => show(which, day) };
  return html`
    <header class="head"><${Title}>Calendar<//>
      <div class="segments four" role="group" aria-label="Which meetings">
        ${VIEWS.map(([key, words]) => html`<button key=${key} type="button" aria-pressed=${which === key} onClick=${() => show(key)}>${words}</button>`)}
      </div>
    </header>
    <div class="head calendar-about"><p class="lead">Your times are those of ${zone.replaceAll("_", " ")}.</p>
      <p class="bits"><a href="/availability">When you can meet</a><a href="/settings">Calendars and reminders</a></p></div>
    ${dated && html`<${Period} ...${shown} />`}
    ${dated
      // Nothing moves while another week or month is looked up, and whoever goes by keys keeps the focus.
      ? html`<div aria-busy=${meetings.data === null && !meetings.problem}>
          ${!!meetings.problem && html`<${Trouble} problem=${meetings.problem} retry=${meetings.reload} />`}
          ${which === "week" ? html`<${Week} ...${view} />` : html`<${Month} ...${view} />`}
        </div>`
      : html`<${Loaded} of=${meetings}>${() => items.length > 0 ? html`<${Agenda} meetings=${items} zone=${zone} now=${now} today=${today} backwards=${which === "earlier"} />` : html`<${Nothing} past=${which === "earlier"} />`}<//>`}`;
}
