import { html, useState } from "../view/preact.js";
import { useLoad, useNow } from "../view/hooks.js";
import { Empty, Loaded, Title } from "../view/parts.js";
import { api, useSession } from "../view/session.js";
import { useConversations, useFresh } from "../view/live.js";
import { isAhead, MeetingLine } from "../view/mentoring.js";
import { dayIn, weekdayAndDate } from "../client/time.js";

/** @import { Meeting } from "../client/types.js" */

/** @param {{meetings: Meeting[], zone: string, now: Date}} props */
function Days({ meetings, zone, now }) {
  /** @type {Map<string, Meeting[]>} */
  const days = new Map();
  for (const meeting of meetings) {
    const day = dayIn(new Date(meeting.starts_at), zone);
    days.set(day, [...(days.get(day) ?? []), meeting]);
  }
  const today = dayIn(now, zone);
  const conversations = useConversations();
  return html`<div class="days">
    ${[...days].map(([day, members]) => html`<section key=${day} class="day">
      <h2>${weekdayAndDate(new Date(members[0].starts_at), zone)}${day === today && html` <span class="today">Today</span>`}</h2>
      <ul class="lines">${members.map((meeting) => html`<${MeetingLine} key=${meeting.id} meeting=${meeting} zone=${zone} now=${now} under="day" unread=${conversations?.of({ meeting: meeting.id })?.unread} />`)}</ul>
    </section>`)}
  </div>`;
}

export default function Calendar() {
  const { zone } = useSession();
  const now = useNow();
  const [past, setPast] = useState(false);
  const meetings = useLoad(async () => {
    const edge = new Date(Date.now() - 2 * 3_600_000).toISOString();
    const items = /** @type {Meeting[]} */ (await api.all("/v1/meetings", { query: past ? {} : { from: edge } }));
    return items.filter((meeting) => isAhead(meeting, new Date()) !== past).sort((one, other) => one.starts_at.localeCompare(other.starts_at) * (past ? -1 : 1));
  }, [past]);
  useFresh(meetings.refresh, ["/v1/meetings"]);
  return html`
    <header class="head"><${Title}>Calendar<//>
      <div class="segments" role="group" aria-label="Which meetings">
        <button type="button" aria-pressed=${!past} onClick=${() => setPast(false)}>Coming up</button>
        <button type="button" aria-pressed=${past} onClick=${() => setPast(true)}>Earlier</button>
      </div>
    </header>
    <p class="lead">Your times are those of ${zone.replaceAll("_", " ")}.</p>
    <${Loaded} of=${meetings}>${(/** @type {Meeting[]} */ items) => items.length > 0 ? html`<${Days} meetings=${items} zone=${zone} now=${now} />` : html`
      <${Empty} title=${past ? "No meetings so far" : "No meetings planned"} icon="calendar">
        <p>${past ? "Meetings that you have had are kept here." : "Open one of your pairings and pick a time that suits you both."}</p>
        <a class="button" href="/pairings">Your pairings</a>
      <//>`}
    <//>`;
}
