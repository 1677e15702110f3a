import { dayByKey, onDays, weekOfDay, weeksOfMonth } from "../client/months.js";
import { shortTime } from "../client/slots.js";
import { clock, weekdayAndDate } from "../client/time.js";
import { useConversations } from "./live.js";
import { MeetingLine, withWhom } from "./mentoring.js";
import { firstName } from "./parts.js";
import { html, useEffect, useRef } from "./preact.js";

/** Meetings by week and by month. Under each stands the same list that is read anywhere else. */

/** @import { Meeting } from "../client/types.js" */
/** @typedef {{meetings: Meeting[], zone: string, now: Date, on: string, today: string, onDay: (day: string) => void}} View `on`: the day that is looked at */

const noon = (/** @type {string} */ day) => new Date(`${day}T12:00:00Z`);
const gone = (/** @type {Meeting} */ { status }) => status === "cancelled" || status === "declined";

/** @param {{meetings: Meeting[], zone: string, now: Date, day: string, today: string}} props */
export function DayList({ meetings, zone, now, day, today }) {
  const conversations = useConversations();
  return html`<section class="day">
    <h2>${weekdayAndDate(noon(day), "UTC")}${day === today && html` <span class="today">Today</span>`}</h2>
    ${meetings.length === 0 ? html`<p class="quiet nothing">Nothing planned.</p>` : html`<ul class="lines">${meetings.map((meeting) => html`<${MeetingLine} key=${meeting.id} meeting=${meeting} zone=${zone} now=${now} under="day" unread=${conversations?.of({ meeting: meeting.id })?.unread} />`)}</ul>`}
  </section>`;
}

/** @param {{meetings: Meeting[], zone: string, now: Date, today: string, backwards?: boolean}} props */
export function Agenda({ meetings, zone, now, today, backwards = false }) {
  const days = [...onDays(meetings, zone)].sort(([one], [other]) => one.localeCompare(other) * (backwards ? -1 : 1));
  return html`<div class="days">${days.map(([day, members]) => html`<${DayList} key=${day} day=${day} meetings=${members} zone=${zone} now=${now} today=${today} />`)}</div>`;
}

/** @param {View} props */
export function Week({ meetings, zone, on, today }) {
  const days = onDays(meetings, zone);
  return html`<div class="calendar-week">${weekOfDay(on).map((day) => html`<section key=${day} class=${day === today ? "now" : ""}>
    <h2>${weekdayAndDate(noon(day), "UTC").split(" ").slice(0, 3).join(" ")}${day === today && html`<span class="today">Today</span>`}</h2>
    ${(days.get(day) ?? []).map((meeting) => html`<a key=${meeting.id} class=${gone(meeting) ? "event gone" : `event ${meeting.status}`} href=${`/meetings/${meeting.id}`}>
      <b>${clock(new Date(meeting.starts_at), zone)}</b> <span>${meeting.title || withWhom(meeting)}</span>
      ${meeting.people.filter((each) => !each.is_me && each.zone !== zone).slice(0, 1).map((each) => html`<small key=${each.id}>${shortTime(new Date(meeting.starts_at), zone, each.zone)} ${firstName(each.name)}</small>`)}
      ${meeting.status === "proposed" && html`<small>Not booked yet</small>`}${gone(meeting) && html`<small>${meeting.status === "declined" ? "Declined" : "Cancelled"}</small>`}
    </a>`)}
    ${!days.has(day) && html`<p class="quiet"><span aria-hidden="true">–</span><span class="unseen">Nothing planned</span></p>`}
  </section>`)}</div>`;
}

/** @param {View} props */
export function Month({ meetings, zone, now, on, today, onDay }) {
  const days = onDays(meetings, zone);
  const grid = useRef(/** @type {HTMLElement | null} */ (null));
  const moved = useRef(false);
  useEffect(() => {
    if (!moved.current) return;
    moved.current = false;
    /** @type {HTMLElement | null} */ (grid.current?.querySelector("[tabindex='0']") ?? null)?.focus();
  }, [on]);
  const key = (/** @type {KeyboardEvent} */ event) => {
    const mirrored = getComputedStyle(/** @type {Element} */ (event.currentTarget)).direction === "rtl";
    const swapped = mirrored ? { ArrowLeft: "ArrowRight", ArrowRight: "ArrowLeft" }[event.key] : undefined;
    const next = event.altKey || event.ctrlKey || event.metaKey ? null : dayByKey(on, swapped ?? event.key);
    if (!next) return;
    event.preventDefault();
    moved.current = true;
    onDay(next);
  };
  const words = (/** @type {string} */ day) => {
    const count = days.get(day)?.length ?? 0;
    return `${weekdayAndDate(noon(day), "UTC", { long: true })}${day === today ? ", today" : ""}, ${count === 0 ? "nothing planned" : count === 1 ? "1 meeting" : `${count} meetings`}`;
  };
  return html`<div class="month" role="grid" aria-label="Month" ref=${grid} onKeyDown=${key}>
      <div role="row" class="month-row month-head">${["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"].map((each) => html`<span key=${each} role="columnheader">${each}</span>`)}</div>
      ${weeksOfMonth(on).map((week) => html`<div key=${week[0]} role="row" class="month-row">${week.map((day) => html`<button key=${day} type="button" role="gridcell" aria-selected=${day === on} tabindex=${day === on ? 0 : -1}
        class=${`month-day${day === today ? " now" : ""}${day.slice(0, 7) === on.slice(0, 7) ? "" : " other"}`} onClick=${() => onDay(day)}>
        <b aria-hidden="true">${Number(day.slice(8))}</b><span class="unseen">${words(day)} </span>
        ${(days.get(day) ?? []).slice(0, 3).map((meeting) => html`<span key=${meeting.id} class=${gone(meeting) ? "event-dot gone" : `event-dot ${meeting.status}`}><i>${clock(new Date(meeting.starts_at), zone)} ${meeting.title || withWhom(meeting)}</i></span>`)}
        ${(days.get(day)?.length ?? 0) > 3 && html`<small>+${(days.get(day)?.length ?? 0) - 3}</small>`}
      </button>`)}</div>`)}
    </div>
    <div class="days" aria-live="polite"><${DayList} day=${on} meetings=${days.get(on) ?? []} zone=${zone} now=${now} today=${today} /></div>`;
}
