import { html } from "../view/preact.js";
import { useLoad } from "../view/hooks.js";
import { Button, Empty, Loaded, Title } from "../view/parts.js";
import { api, useSession } from "../view/session.js";
import { clock, weekdayAndDate } from "../client/time.js";
import NotFound from "./not-found.js";

/** @import { Mail } from "../client/types.js" */

/** The text of a letter, its addresses made into links. @param {string} text */
function linked(text) {
  return text.split(/(https?:\/\/[^\s<>"]+)/).map((part, index) => {
    if (index % 2 === 0) return part;
    const url = new URL(part);
    // A letter may name this server by its other name; the path is what matters here.
    return html`<a href=${url.pathname + url.search + url.hash}>${part}</a>`;
  });
}

export default function Mailbox() {
  const { config, zone } = useSession();
  const mails = useLoad(async () => (config?.mailbox ? (await api.get("/v1/mailbox")).items : []), [config?.mailbox]);
  if (!config?.mailbox) return html`<${NotFound} />`;
  return html`
    <header class="head"><${Title}>Mailbox<//><${Button} icon="refresh-cw" onPress=${mails.reload}>Look again<//></header>
    <p class="lead">Letters that this development server would have sent. Newest first.</p>
    <${Loaded} of=${mails}>${(/** @type {Mail[]} */ items) => items.length === 0
      ? html`<${Empty} title="No letters yet" icon="mail"><p>Create an account or send an invitation, then look again.</p><//>`
      : html`<ul class="mails">
          ${[...items].sort((one, other) => other.created_at.localeCompare(one.created_at)).map((mail) => html`<li key=${mail.id} class="card">
            <h2>${mail.subject}</h2>
            <p class="quiet">To ${mail.to} · ${weekdayAndDate(new Date(mail.created_at), zone)}, ${clock(new Date(mail.created_at), zone)}</p>
            <p class="letter">${linked(mail.text)}</p>
          </li>`)}
        </ul>`}
    <//>`;
}
