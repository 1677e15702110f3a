import { html } from "../view/preact.js";
import { Feed, ImportedCalendars } from "../view/other-calendars.js";
import { Back, Title } from "../view/parts.js";
import { Reminders } from "../view/reminders.js";

export default function Settings() {
  return html`
    <${Back} href="/calendar">Calendar<//>
    <${Title}>Calendars and reminders<//>
    <div class="stack narrow">
      <${ImportedCalendars} />
      <${Feed} />
      <${Reminders} />
    </div>`;
}
