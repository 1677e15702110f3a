import { html } from "../view/preact.js";
import { useLoad } from "../view/hooks.js";
import { Avatar, Button, Empty, Loaded, Title } from "../view/parts.js";
import { api, useSession } from "../view/session.js";
import { useFresh } from "../view/live.js";
import { weekdayAndDate } from "../client/time.js";

/** @import { Block } from "../client/types.js" */

export default function Blocks() {
  const { zone } = useSession();
  const blocks = useLoad(() => api.all("/v1/blocks"), []);
  useFresh(blocks.refresh, ["/v1/blocks"]);
  const lift = async (/** @type {Block} */ block) => {
    await api.delete("/v1/blocks/{block_id}", { path: { block_id: block.id } });
    await blocks.reload();
  };
  return html`
    <${Title}>People you have blocked<//>
    <p class="lead">You and they do not find, ask, meet or call each other. They are not told.</p>
    <${Loaded} of=${blocks}>${(/** @type {Block[]} */ items) => items.length === 0
      ? html`<${Empty} title="Nobody is blocked" icon="shield"><p>You can block somebody on their page, under "Something wrong?".</p><//>`
      : html`<ul class="lines">${items.map((block) => html`<li key=${block.id} class="line">
          <${Avatar} id=${block.person.id} name=${block.person.name} />
          <div class="line-main"><b>${block.person.name}</b><p class="quiet">${block.person.organisation.name}<span class="dot"> · </span>since ${weekdayAndDate(new Date(block.created_at), zone)}</p></div>
          <${Button} label=${`Unblock ${block.person.name}`} onPress=${() => lift(block)}>Unblock<//>
        </li>`)}</ul>`}
    <//>`;
}
