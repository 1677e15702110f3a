import { clock, weekdayAndDate } from "../client/time.js";
import { html, useEffect, useLayoutEffect, useRef, useState } from "./preact.js";
import { announce, useAction } from "./hooks.js";
import { Avatar, Button, From, Icon, Trouble } from "./parts.js";
import { useSession } from "./session.js";
import { MessageField, sends } from "./chat-composer.js";
import { mentionedIn, piecesOf } from "./chat-words.js";

/** What was said: always as text, by day and author, with what can be done with one's own. */

/** @import { ConversationPerson, ConversationRead, Message } from "../client/types.js" */
/** @typedef {import("../client/history.js").History} History */
/** @typedef {import("../client/outbox.js").Letter} Letter */
/** @typedef {import("./chat-words.js").Block} Block */
/** @typedef {import("./chat-words.js").Row} RowOf */
/** @typedef {{history: History, about: ConversationRead, writable: boolean, editing: string | null, onEdit: (id: string | null) => void, onDone: () => void, composer: {current: HTMLTextAreaElement | null}}} Shared */

/** Only after this long one reads that something is not sent yet. */
const PATIENT_MS = 4_000;

/** @param {{text: string, mentions: string[], people: ConversationPerson[]}} props */
function Text({ text, mentions, people }) {
  const names = people.filter(({ id }) => mentions.includes(id)).map(({ name }) => name);
  return html`<p class="chat-text">${piecesOf(text, names).map((piece) => {
    if (piece.kind === "link") return html`<a href=${piece.text} target="_blank" rel="noopener noreferrer">${piece.text}</a>`;
    return piece.kind === "mention" ? html`<b class="mention">${piece.text}</b>` : piece.text;
  })}</p>`;
}

/** @param {{message: Message} & Shared} props */
function Editor({ message, history, about, onDone }) {
  const field = useRef(/** @type {HTMLTextAreaElement | null} */ (null));
  const { run, busy, problem } = useAction(async () => {
    const text = field.current?.value.trim() ?? "";
    if (!text) return;
    if (text !== message.text) await history.edit(message, text, mentionedIn(text, about.people));
    announce("Changed");
    onDone();
  });
  // Before the next key is pressed.
  useLayoutEffect(() => {
    field.current?.focus();
    field.current?.setSelectionRange(message.text.length, message.text.length);
  }, []);
  return html`<form class="chat-editor" aria-label="Change your message" onSubmit=${(/** @type {Event} */ event) => {
    event.preventDefault();
    void run();
  }}>
    <${MessageField} field=${field} id=${`edit-${message.id}`} label="Your message" value=${message.text} people=${about.people} onChange=${() => undefined} onKey=${(/** @type {KeyboardEvent} */ event) => {
      if (event.key === "Escape") {
        event.stopPropagation();
        onDone();
      } else if (sends(event)) {
        event.preventDefault();
        void run();
      }
    }} />
    ${!!problem && html`<${Trouble} problem=${problem} />`}
    <div class="buttons">
      <button type="submit" class="button" aria-disabled=${busy || undefined}>${busy ? "Saving …" : "Save"}</button>
      <button type="button" class="button quiet" onClick=${onDone}>Cancel</button>
    </div>
  </form>`;
}

/** @param {{message: Message, onKeep: () => void} & Shared} props */
function Deleting({ message, history, onDone, onKeep }) {
  const keep = useRef(/** @type {HTMLElement | null} */ (null));
  useLayoutEffect(() => keep.current?.focus(), []);
  return html`<div class="chat-ask" role="group" aria-label="Delete this message?">
    <p>Delete this message for everybody?</p>
    <div class="buttons">
      <${Button} kind="danger" busyWords="Deleting …" onPress=${async () => {
        await history.remove(message);
        announce("Deleted");
        onDone();
      }}>Delete<//>
      <button type="button" class="button quiet" ref=${keep} onClick=${onKeep}>Keep</button>
    </div>
  </div>`;
}

/** What is on its way, or could not go. @param {{letter: Letter} & Shared} props */
function Waiting({ letter, history, composer, about }) {
  const [late, setLate] = useState(Date.now() - letter.written_at > PATIENT_MS);
  useEffect(() => {
    const timer = setTimeout(() => setLate(true), Math.max(0, letter.written_at + PATIENT_MS - Date.now()));
    return () => clearTimeout(timer);
  }, []);
  if (!letter.refused) return late ? html`<p class="chat-late">Not sent yet. It is sent as soon as that is possible.</p>` : null;
  const again = () => {
    const input = composer.current;
    if (!input) return;
    input.value = input.value ? `${input.value}\n${letter.text}` : letter.text;
    history.outbox.keepDraft(about.id, input.value);
    history.outbox.drop(letter.client_id);
    input.focus();
  };
  return html`<div class="chat-refused" role="alert">
    <p><${Icon} name="circle-alert" />Not sent. ${letter.refused.detail || "The service does not take this message."}</p>
    <div class="buttons">
      ${composer.current && html`<button type="button" class="button" onClick=${again}>Change it</button>`}
      <${Button} onPress=${async () => {
        await navigator.clipboard.writeText(letter.text);
        announce("Copied");
      }}>Copy<//>
      <button type="button" class="button quiet" onClick=${() => history.outbox.drop(letter.client_id)}>Discard</button>
    </div>
  </div>`;
}

/** @param {{row: RowOf, mine: boolean} & Shared} props */
function Row({ row, mine, ...shared }) {
  const { about, writable, editing, onEdit } = shared;
  const { zone } = useSession();
  const [asking, setAsking] = useState(false);
  const opener = useRef(/** @type {HTMLElement | null} */ (null));
  const { message, letter } = row;
  const text = message?.text ?? letter?.text ?? "";
  if (message?.deleted) return html`<div class="chat-row gone" data-key=${row.key} data-seq=${message.seq}><p class="chat-text">This message was deleted.</p></div>`;
  if (message && editing === message.id) return html`<div class="chat-row" data-key=${row.key}><${Editor} message=${message} ...${shared} /></div>`;
  const short = text.length > 40 ? `${text.slice(0, 40)} …` : text;
  const edited = message?.edited_at ? new Date(message.edited_at) : null;
  return html`<div class=${letter ? "chat-row waiting" : "chat-row"} data-key=${row.key} data-seq=${message?.seq}>
    <div class="chat-line">
      <div class="chat-words"><${Text} text=${text} mentions=${message?.mentions ?? letter?.mentions ?? []} people=${about.people} />
        ${edited && html` <small class="chat-edited" title=${`${weekdayAndDate(edited, zone)}, ${clock(edited, zone)}`}>edited</small>`}</div>
      ${letter && !letter.refused && html`<small class="chat-sending">Sending …</small>`}
      ${message && mine && html`<span class="chat-tools">
        ${writable && html`<button type="button" class="icon-button" aria-label=${`Change: ${short}`} onClick=${() => onEdit(message.id)}><${Icon} name="pencil" /></button>`}
        <button type="button" class="icon-button" ref=${opener} aria-label=${`Delete: ${short}`} aria-expanded=${asking} onClick=${() => setAsking(!asking)}><${Icon} name="trash-2" /></button>
      </span>`}
    </div>
    ${message && asking && html`<${Deleting} message=${message} ...${shared} onKeep=${() => {
      setAsking(false);
      opener.current?.focus();
    }} />`}
    ${letter && html`<${Waiting} letter=${letter} ...${shared} />`}
  </div>`;
}

/** @param {{row: RowOf, author: ConversationPerson | undefined, name: string}} props */
function By({ row, author, name }) {
  const { zone, membership } = useSession();
  const elsewhere = author && !author.is_me && author.organisation.id !== membership?.organisation.id;
  return html`<p class="chat-by"><b>${author?.is_me ? "You" : name}</b>
    ${elsewhere && html` <${From} organisation=${author.organisation} mine=${membership?.organisation} />`}
    ${author?.left && html` <span>left</span>`}
    <time dateTime=${row.at.toISOString()}>${clock(row.at, zone)}</time></p>`;
}

/** @param {{block: Extract<Block, {kind: "said"}>} & Shared} props */
function Item({ block, ...shared }) {
  const { row, first } = block;
  const author = shared.about.people.find(({ id }) => id === row.author);
  const name = author?.name ?? "Somebody who was here";
  return html`<li class=${first ? "chat-item first" : "chat-item"}>
    ${first && html`<${Avatar} id=${row.author} name=${name} size="small" />`}
    <div class="chat-said">
      ${first && html`<${By} row=${row} author=${author} name=${name} />`}
      <${Row} key=${row.key} row=${row} mine=${Boolean(author?.is_me)} ...${shared} />
    </div>
  </li>`;
}

/** @param {{blocks: Block[]} & Shared} props */
export function Said({ blocks, ...shared }) {
  return html`<ol class="chat-list">${blocks.map((block) => {
    if (block.kind === "day") return html`<li key=${block.key} class="chat-day"><span>${block.words}</span></li>`;
    if (block.kind === "unread") return html`<li key=${block.key} class="chat-unread"><span>New since you were here</span></li>`;
    return html`<${Item} key=${block.key} block=${block} ...${shared} />`;
  })}</ol>`;
}
