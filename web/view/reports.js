import { html, useState } from "./preact.js";
import { useLoad } from "./hooks.js";
import { Area, Form } from "./form.js";
import { Empty, Loaded, Status } from "./parts.js";
import { api, useSession } from "./session.js";
import { useFresh } from "./live.js";
import { clock, weekdayAndDate } from "../client/time.js";

/** What members have told their coordinators. */

/** @import { Report } from "../client/types.js" */

/** @param {{report: Report, onChange: () => Promise<unknown>}} props */
function ReportCard({ report, onChange }) {
  const { zone } = useSession();
  const made = new Date(report.created_at);
  const open = report.resolved_at === null;
  const [writing, setWriting] = useState(false);
  return html`<li class="card">
    <div class="head"><h3>About ${report.subject?.name ?? "a meeting"}</h3><${Status} of=${open ? "open" : "resolved"} /></div>
    <p class="quiet">From ${report.reporter.name}, ${weekdayAndDate(made, zone)}, ${clock(made, zone)}</p>
    <p class="letter">${report.text}</p>
    ${report.resolution && html`<p class="quiet">What was done: ${report.resolution}</p>`}
    ${(open || writing) && html`<details class="earlier" onInput=${() => setWriting(true)}><summary>Mark as resolved</summary>
      <${Form} quiet label="Mark as resolved" send="Mark as resolved" sending="Saving …" onSend=${async (/** @type {any} */ { note }) => {
        await api.post("/v1/reports/{report_id}/resolve", { path: { report_id: report.id }, body: { note: note.trim() } });
        setWriting(false);
        await onChange();
      }}>
        <${Area} name="note" label="What was done" rows=${2} maxLength="4000" missing="Write in a few words what was done." seen="Seen by coordinators of your organisation." />
      <//>
    </details>`}
  </li>`;
}

/** @param {{organisation: {id: string}}} props */
export function Reports({ organisation }) {
  const reports = useLoad(() => api.all("/v1/organisations/{organisation_id}/reports", { path: { organisation_id: organisation.id } }), [organisation.id]);
  useFresh(reports.refresh, ["/v1/organisations/{organisation_id}/reports"]);
  return html`<section aria-labelledby="reports">
    <h2 id="reports">Reports</h2>
    <${Loaded} of=${reports}>${(/** @type {Report[]} */ items) => items.length === 0
      ? html`<${Empty} title="No reports" icon="shield-check"><p>When a member reports a person or a meeting, you read it here and get a letter.</p><//>`
      : html`<ul class="mails">${items.map((report) => html`<${ReportCard} key=${report.id} report=${report} onChange=${reports.reload} />`)}</ul>`}
    <//>
  </section>`;
}
