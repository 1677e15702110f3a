import { History } from "../client/history.js";
import { html, useEffect, useRef, useState } from "./preact.js";
import { announce, useNow } from "./hooks.js";
import { firstName, Notice, Skeleton, Trouble } from "./parts.js";
import { useSession } from "./session.js";
import { belongings, events, useChanges, useEventsState, useStateWords } from "./live.js";
import { list } from "./mentoring.js";
import { layOut, writingWords } from "./chat-words.js";
import { Composer } from "./chat-composer.js";
import { Said } from "./chat-messages.js";
import { useScroll } from "./chat-scroll.js";

/** A conversation: what was said, who is here, and what one wants to say. The same beside a call and on a page. */

/** @import { ConversationPerson, ConversationRead } from "../client/types.js" */

/** How much of a message is read aloud; the rest can be read. */
const ALOUD = 200;

/** One history, for as long as somebody looks at the conversation. @param {string} id */
function useHistory(id) {
  const [history, setHistory] = useState(/** @type {History | null} */ (null));
  useEffect(() => {
    const mine = belongings();
    if (!mine) return;
    const made = new History({ ...mine, id });
    setHistory(made);
    void made.load();
    return () => made.close();
  }, [id]);
  useChanges(history);
  return history;
}

/** Watch who of it is here and who writes. @param {string} id */
function useCompany(id) {
  useEffect(() => events.company.watch(id), [id]);
  useChanges(events.company);
  return events.company;
}

/** Messages of others are read aloud when they come, but only while they are looked at. @param {string} id @param {ConversationPerson[]} people */
function useAloud(id, people) {
  const latest = useRef(people);
  latest.current = people;
  useEffect(() => {
    /** @type {(() => void)[]} */
    const said = [];
    const stop = events.on(id, ({ kind, data }) => {
      const author = latest.current.find((person) => person.id === data.author_id);
      if (kind !== "message.posted" || !author || author.is_me || document.visibilityState === "hidden") return;
      said.push(announce(`${firstName(author.name)}: ${String(data.text).slice(0, ALOUD)}`));
    });
    return () => {
      stop();
      // A conversation that is gone is gone from there, too.
      for (const takeBack of said) takeBack();
    };
  }, [id]);
}

const HERE = /** @type {Record<string, string>} */ ({ online: "here", away: "away" });

/** @param {{people: ConversationPerson[]}} props */
function Here({ people }) {
  const { company } = events;
  useChanges(company);
  const there = people.filter((each) => !each.is_me && !each.left && HERE[company.presenceOf(each.id)]);
  if (there.length === 0) return null;
  return html`<ul class="here" aria-label="Who is here">${there.map((each) => {
    const state = company.presenceOf(each.id);
    return html`<li key=${each.id}><span class=${`presence ${state}`} aria-hidden="true"></span>${firstName(each.name)} is ${HERE[state]}</li>`;
  })}</ul>`;
}

/** Says that it comes late or not at all, where no page around says it. */
function StateLine() {
  const { words, replaced } = useStateWords();
  return html`<div class="chat-link"><p role="status">${words}</p>${replaced && words && html`<button type="button" onClick=${() => events.start()}>Use this window</button>`}</div>`;
}

/** @param {ConversationRead} about */
function closedWords(about) {
  return about.kind === "meeting" ? "This meeting is not booked any more. You can read what was written, and write on the page of the pairing." : "This pairing has ended. You can read what was written here.";
}

/** @param {{history: History, about: ConversationRead, focus: boolean}} props */
function Open({ history, about, focus }) {
  const { zone } = useSession();
  const now = useNow(60_000);
  const company = useCompany(about.id);
  useAloud(about.id, about.people);
  const [editing, setEditing] = useState(/** @type {string | null} */ (null));
  const composer = useRef(/** @type {HTMLTextAreaElement | null} */ (null));
  const me = about.people.find((each) => each.is_me)?.id ?? "";
  const writable = about.may.includes("write");
  const blocks = layOut({ messages: history.messages, letters: history.waiting, me, zone, now, unreadAfter: history.unreadAfter });
  const scroll = useScroll(history, blocks.at(-1)?.key ?? "");
  const names = company.writersIn(about.id).flatMap((id) => about.people.filter((each) => each.id === id && !each.is_me).map(({ name }) => firstName(name)));
  const others = list(about.people.filter((each) => !each.is_me && !each.left).map(({ name }) => firstName(name)));

  // On a phone the keyboard would cover what one wants to read first.
  useEffect(() => {
    if (focus && matchMedia("(pointer: fine)").matches) composer.current?.focus();
  }, []);
  const done = () => {
    setEditing(null);
    composer.current?.focus();
  };
  const editLast = () => {
    const last = history.messages.findLast((message) => message.author_id === me && !message.deleted);
    if (last) setEditing(last.id);
  };
  return html`
    <div class="chat-scroll" ref=${scroll.box} tabindex="0" role="region" aria-label=${`Messages with ${others || "nobody"}`}><div class="chat-content">
      ${history.moreBefore && html`<button type="button" class="button quiet chat-more" onClick=${() => history.older()}>Earlier messages</button>`}
      ${blocks.length === 0
        ? html`<p class="chat-empty">${writable ? `Nothing written yet. Only ${others || "people in this conversation"} and you read what you write here.` : "Nothing was written here."}</p>`
        : html`<${Said} blocks=${blocks} history=${history} about=${about} writable=${writable} editing=${editing} onEdit=${setEditing} onDone=${done} composer=${composer} />`}
      ${history.moreAfter && html`<button type="button" class="button quiet chat-more" onClick=${() => history.newer()}>Later messages</button>`}
    </div></div>
    <div class="chat-foot">
      ${scroll.away && html`<button type="button" class="chat-latest" onClick=${scroll.toEnd}>${scroll.below > 0 ? `${scroll.below} new below` : "To the newest"}</button>`}
      <p class="chat-writing">${writingWords(names)}</p>
      ${writable
        ? html`<${Composer} key=${about.id} history=${history} about=${about} label=${`Message to ${others || "this conversation"}`} field=${composer} onSent=${scroll.toEnd} onUp=${editLast} />`
        : html`<p class="chat-closed">${closedWords(about)}</p>`}
    </div>`;
}

/** Keeps the place of a conversation that is being looked for. @param {{children: unknown, className?: string}} props */
export function ChatPlace({ children, className = "" }) {
  return html`<section class=${`chat ${className}`} aria-label="Messages"><div class="chat-head">${children}</div><div class="chat-scroll"><div class="chat-content"><${Skeleton} rows=${2} /></div></div></section>`;
}

/**
 * @param {object} props
 * @param {string} props.id the conversation
 * @param {unknown} props.children its heading
 * @param {boolean} [props.focus] the person opened it to write
 * @param {boolean} [props.alone] no page around says how the connection is
 * @param {string} [props.className]
 */
export function Chat({ id, children, focus = false, alone = false, className = "" }) {
  const history = useHistory(id);
  const state = useEventsState();
  const about = history?.about ?? null;
  let content;
  if (history?.loaded && about) content = html`<${Open} history=${history} about=${about} focus=${focus} />`;
  else if (history?.problem) content = html`<${Trouble} problem=${history.problem} retry=${() => history.load()} />`;
  else if (history?.loaded) content = html`<${Notice}>This conversation is closed.<//>`;
  else content = html`<div class="chat-scroll"><div class="chat-content"><${Skeleton} rows=${2} /></div></div>`;
  return html`<section class=${`chat ${className}`} aria-label="Messages" data-events=${state}>
    <div class="chat-head">${children}${about && html`<${Here} people=${about.people} />`}</div>
    ${alone && html`<${StateLine} />`}
    ${content}
  </section>`;
}
