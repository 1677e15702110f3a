import { html, useState } from "./preact.js";
import { Area, Form } from "./form.js";
import { Button, firstName, Icon, Notice } from "./parts.js";
import { api } from "./session.js";

/** Keeping someone away, and telling a coordinator: wherever a person or a meeting stands. */

/** @param {{membershipId: string, name: string}} props */
function BlockButton({ membershipId, name }) {
  const [block, setBlock] = useState(/** @type {{id: string} | null} */ (null));
  const first = firstName(name);
  if (block) {
    return html`<${Notice} icon="shield">
      <p>${first} is blocked: you no longer find, ask, meet or call each other. ${first} is not told.</p>
      <${Button} onPress=${async () => {
        await api.delete("/v1/blocks/{block_id}", { path: { block_id: block.id } });
        setBlock(null);
      }}>Undo<//>
    <//>`;
  }
  return html`<${Button} kind="danger" icon="shield-ban" onPress=${async () => setBlock(await api.post("/v1/blocks", { body: { membership_id: membershipId } }))}>
    Block ${first}
  <//>`;
}

/** @param {{membershipId?: string, meetingId?: string, about: string}} props */
export function ReportForm({ membershipId, meetingId, about }) {
  const [sent, setSent] = useState(false);
  if (sent) {
    return html`<${Notice} kind="done" icon="check">Your coordinator has your report and will get in touch with you.<//>`;
  }
  return html`<${Form} quiet label=${`Report ${about}`} send="Send the report" sending="Sending …" onSend=${async (/** @type {any} */ { text }) => {
    await api.post("/v1/reports", { body: { text: text.trim(), ...(membershipId ? { membership_id: membershipId } : { meeting_id: meetingId }) } });
    setSent(true);
  }}>
    <${Area} name="text" label="What happened?" rows=${4} maxLength="8000" missing="Write in a few words what happened."
      seen="Seen by the coordinators of your organisation only." />
  <//>`;
}

/** @param {{membershipId: string, name: string}} props */
export function Safety({ membershipId, name }) {
  const first = firstName(name);
  return html`<details class="safety">
    <summary><${Icon} name="shield" />Something wrong with ${first}?</summary>
    <div class="stack">
      <p>If you feel pressed or unsafe, you can stop contact at once, and tell your coordinator.</p>
      <div><${BlockButton} membershipId=${membershipId} name=${name} /></div>
      <h3>Report ${first}</h3>
      <${ReportForm} membershipId=${membershipId} about=${name} />
    </div>
  </details>`;
}
