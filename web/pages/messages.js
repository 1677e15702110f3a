import { html } from "../view/preact.js";
import { useNow } from "../view/hooks.js";
import { Avatar, Empty, firstName, Icon, Skeleton, Title, Unread } from "../view/parts.js";
import { useSession } from "../view/session.js";
import { useConversations } from "../view/live.js";
import { conversationName, conversationWhen } from "../view/mentoring.js";
import { clock, dayIn, weekdayAndDate } from "../client/time.js";

/** @import { ConversationRead } from "../client/types.js" */

/** @param {ConversationRead} conversation */
const lastAt = ({ last_message: last, created_at: made }) => last?.posted_at ?? made;

/** @param {ConversationRead} conversation */
function lastWords({ last_message: last, people }) {
  if (!last) return "Nothing written yet";
  const author = people.find(({ id }) => id === last.author_id);
  const who = author ? `${author.is_me ? "You" : firstName(author.name)}: ` : "";
  return who + (last.deleted ? "deleted a message" : last.text);
}

/** @param {{conversation: ConversationRead, now: Date}} props */
function Line({ conversation, now }) {
  const { zone } = useSession();
  const at = new Date(lastAt(conversation));
  const others = conversation.people.filter((each) => !each.is_me && !each.left);
  const when = conversationWhen(conversation, zone);
  return html`<li class=${conversation.unread > 0 ? "line unread" : "line"}>
    ${others.length === 1 ? html`<${Avatar} id=${others[0].id} name=${others[0].name} />` : html`<span class="avatar circle" aria-hidden="true"><${Icon} name="users-round" /></span>`}
    <div class="line-main">
      <a class="line-name" href=${`/messages/${conversation.id}`}>${conversationName(conversation)}${when && html` <span class="line-when">${when}</span>`}</a>
      <p class="quiet last-said">${lastWords(conversation)}</p>
    </div>
    <p class="quiet bits"><time dateTime=${at.toISOString()}>${dayIn(at, zone) === dayIn(now, zone) ? clock(at, zone) : weekdayAndDate(at, zone)}</time><${Unread} count=${conversation.unread} /></p>
  </li>`;
}

export default function Messages() {
  const now = useNow(60_000);
  const all = useConversations();
  // A meeting of which nobody wrote anything is no conversation to look for.
  const shown = [...(all?.all.values() ?? [])].filter(({ kind, last_message: last }) => kind === "pairing" || last)
    .sort((one, other) => lastAt(other).localeCompare(lastAt(one)));
  let content;
  if (shown.length > 0) content = html`<ul class="lines">${shown.map((each) => html`<${Line} key=${each.id} conversation=${each} now=${now} />`)}</ul>`;
  else if (!all?.loaded) content = html`<${Skeleton} />`;
  else {
    content = html`<${Empty} title="No messages yet" icon="messages-square">
      <p>Every pairing has a place for messages, from the moment it is accepted. Only the people in it read them.</p>
      <a class="button primary" href="/people">Find a mentor</a>
    <//>`;
  }
  return html`<${Title}>Messages<//>${content}`;
}
