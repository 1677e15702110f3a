import { clock, relative, weekdayAndDate } from "../client/time.js";
import { Field, Form, Picks } from "./form.js";
import { announce, useLoad } from "./hooks.js";
import { useFresh } from "./live.js";
import { Button, Icon, Loaded, Notice } from "./parts.js";
import { html, useState } from "./preact.js";
import { api, useSession } from "./session.js";

/** Calendars that are kept elsewhere: read in here so that nobody is booked over them, and fed from here. */

/** @import { CalendarFeed, ImportedCalendar } from "../client/types.js" */

/** How it stands with one calendar. @param {{calendar: ImportedCalendar}} props */
function State({ calendar: { problem, fetched_at: fetched, busy_times: times, skipped } }) {
  if (problem) return html`<p class="stands"><${Icon} name="circle-alert" /> ${problem}${fetched ? ` What was read ${relative(new Date(fetched))} still counts.` : ""}</p>`;
  if (!fetched) return html`<p class="quiet">It is being read for the first time.</p>`;
  return html`<p class="quiet">${times === 1 ? "1 time" : `${times} times`} taken in the year ahead, read ${relative(new Date(fetched))}.${skipped > 0 ? ` ${skipped} of its events could not be read.` : ""}</p>`;
}

/** @param {{onAdded: () => unknown}} props */
function Add({ onAdded }) {
  const [round, setRound] = useState(0);
  const [kind, setKind] = useState("ics");
  return html`<details class="earlier" key=${round}><summary>Add a calendar</summary>
    <${Form} quiet label="Add a calendar" send="Add this calendar" sending="Adding …" onSend=${async (/** @type {any} */ { name, url, username, password }) => {
      await api.post("/v1/imported-calendars", { body: { name: name.trim(), kind: /** @type {"ics" | "caldav"} */ (kind), url: url.trim(), username: username?.trim() || null, password: password || null } });
      announce("Added. It is read within a minute.");
      setRound(round + 1);
      await onAdded();
    }}>
      <${Picks} legend="What it is" name="kind" value=${kind} onPick=${setKind} options=${[["ics", "A secret address", "Google, Outlook, iCloud and others give one that ends in .ics."], ["caldav", "A CalDAV server", "With your name and password there."]]} />
      <div class="pair">
        <${Field} name="name" label="Name" maxLength="80" missing="Give it a name, such as Work." hint="For example: Work" />
        <${Field} name="url" label="Address" maxLength="2000" missing="Paste the address of the calendar." seen="Kept sealed, and never shown again." />
      </div>
      ${kind === "caldav" && html`<div class="pair">
        <${Field} name="username" label="Name there" optional maxLength="200" autocomplete="off" />
        <${Field} name="password" label="Password there" optional type="password" maxLength="500" autocomplete="off" seen="Kept sealed. An app password is better than your own." />
      </div>`}
    <//>
  </details>`;
}

export function ImportedCalendars() {
  const calendars = useLoad(() => api.all("/v1/imported-calendars"), []);
  useFresh(calendars.refresh, ["/v1/imported-calendars"]);
  return html`<section aria-labelledby="imported-title">
    <h2 id="imported-title">Calendars that you keep elsewhere</h2>
    <p class="quiet">We read when you are busy, about once an hour, so that nobody is offered those times. What you do then stays yours: only the times are kept.</p>
    <${Loaded} of=${calendars} rows=${1}>${(/** @type {ImportedCalendar[]} */ items) => html`
      ${items.length > 0 && html`<ul class="lines">${items.map((each) => html`<li key=${each.id} class="line">
        <div class="line-main"><b>${each.name}</b> <span class="quiet">${each.host}</span><${State} calendar=${each} /></div>
        <div class="buttons">
          <${Button} kind="quiet" label=${`Read ${each.name} again`} busyWords="Asking …" onPress=${async () => {
            await api.post("/v1/imported-calendars/{imported_calendar_id}/refresh", { path: { imported_calendar_id: each.id } });
            announce("It is read again within a minute.");
            await calendars.refresh();
          }}>Read again<//>
          <${Button} kind="quiet" label=${`Remove ${each.name}`} onPress=${async () => {
            await api.delete("/v1/imported-calendars/{imported_calendar_id}", { path: { imported_calendar_id: each.id } });
            announce(`Removed: ${each.name}. Its times are free again.`);
            await calendars.refresh();
          }}>Remove<//>
        </div>
      </li>`)}</ul>`}
      <${Add} onAdded=${calendars.refresh} />`}
    <//>
  </section>`;
}

/** Shown once: afterwards not even we know it. @param {{url: string}} props */
function Address({ url }) {
  const [copied, setCopied] = useState("");
  return html`<${Notice} kind="done" icon="check">
    <p>Copy the address now. It is shown only this once; whoever has it reads when and with whom you meet.</p>
    <div class="feed-address">
      <input type="text" readonly aria-label="Address of your feed" value=${url} onFocus=${(/** @type {any} */ { currentTarget }) => currentTarget.select()} />
      <button type="button" class="button" onClick=${() => navigator.clipboard.writeText(url).then(() => setCopied("Copied."), () => setCopied("Select the address and copy it."))}><${Icon} name="copy" /><span>Copy</span></button>
    </div>
    <p class="quiet" role="status">${copied}</p>
  <//>`;
}

export function Feed() {
  const { zone } = useSession();
  const feed = useLoad(() => api.get("/v1/calendar-feed"), []);
  useFresh(feed.refresh, ["/v1/calendar-feed"]);
  const [url, setUrl] = useState("");
  const make = async () => {
    const made = await api.post("/v1/calendar-feed");
    setUrl(made.url);
    feed.put({ created_at: made.created_at });
  };
  return html`<section aria-labelledby="feed-title">
    <h2 id="feed-title">Your meetings in your own calendar</h2>
    <p class="quiet">A private address that any calendar program can subscribe to.</p>
    <${Loaded} of=${feed} rows=${1}>${(/** @type {CalendarFeed} */ { created_at: made }) => html`
      ${url && html`<${Address} url=${url} />`}
      ${made ? html`
        <p>Your feed was made ${weekdayAndDate(new Date(made), zone)}, ${clock(new Date(made), zone)}.</p>
        <div class="buttons">
          <${Button} busyWords="Making …" onPress=${make}>Replace the address<//>
          <${Button} kind="danger" busyWords="Ending …" onPress=${async () => {
            await api.delete("/v1/calendar-feed");
            setUrl("");
            feed.put({ created_at: null });
            announce("Your feed has ended.");
          }}>End the feed<//>
        </div>
        <p class="quiet">Both make the old address useless at once.</p>`
      : html`<div><${Button} icon="rss" busyWords="Making …" onPress=${make}>Make my feed<//></div>`}`}
    <//>
  </section>`;
}
