import { html } from "../view/preact.js";
import { Back, Notice, Skeleton, Title } from "../view/parts.js";
import { useSession } from "../view/session.js";
import { useConversations } from "../view/live.js";
import { conversationName, conversationWhen } from "../view/mentoring.js";
import { Chat } from "../view/chat.js";

/** @param {{id: string}} props */
export default function ConversationPage({ id }) {
  const { zone } = useSession();
  const all = useConversations();
  const about = all?.get(id);
  const name = about ? conversationName(about) : "Messages";
  const when = about ? conversationWhen(about, zone) : "";
  if (!about && all?.loaded) return html`<${Back} href="/messages">Messages<//><${Title}>This conversation is closed<//><${Notice}>It is not there any more, or you are not part of it.<//>`;
  return html`<div class="messages-page">
    <${Back} href="/messages">Messages<//>
    ${all ? html`<${Chat} id=${id} alone>
      <${Title} name=${[name, when].filter(Boolean).join(", ")}><a href=${about?.meeting_id ? `/meetings/${about.meeting_id}` : `/pairings/${about?.pairing_id}`}>${name}${when && html` <span class="line-when">${when}</span>`}</a><//>
    <//>` : html`<${Skeleton} />`}
  </div>`;
}
