import { html, useEffect, useRef, useState } from "./preact.js";
import { announce } from "./hooks.js";
import { Avatar, Icon } from "./parts.js";
import { belongings, events } from "./live.js";
import { mentionedIn, nameBegun } from "./chat-words.js";

/** Where one writes: Enter sends, Shift and Enter begins a line, @ offers names, and nothing typed gets lost. */

/** @import { ConversationPerson, ConversationRead } from "../client/types.js" */
/** @typedef {import("../client/history.js").History} History */
/** @typedef {{current: HTMLTextAreaElement | null}} Field */

const MOST = 8000;
const KEEP_AFTER_MS = 400;
/** On a phone Enter begins a line, as there is no other key for that. */
const byTouch = () => matchMedia("(pointer: coarse)").matches;

/** @param {KeyboardEvent} event */
export const sends = (event) => event.key === "Enter" && !event.shiftKey && !event.isComposing && !byTouch();

/** @param {ConversationPerson[]} people @param {string} word */
function matching(people, word) {
  const wanted = word.toLowerCase();
  return people.filter(({ name, is_me: me, left }) => !me && !left && (name.toLowerCase().startsWith(wanted) || name.toLowerCase().includes(` ${wanted}`))).slice(0, 6);
}

/**
 * Names to choose from while one writes after an at sign.
 * @param {Field} field
 * @param {ConversationPerson[]} people
 * @param {() => void} changed
 */
function useNames(field, people, changed) {
  const [begun, setBegun] = useState(/** @type {{from: number, word: string} | null} */ (null));
  const [at, setAt] = useState(0);
  const found = begun ? matching(people, begun.word) : [];
  const chosen = found[Math.min(at, found.length - 1)];
  const look = () => {
    const input = field.current;
    const now = input && input.selectionStart === input.selectionEnd ? nameBegun(input.value, input.selectionStart) : null;
    const complete = now && people.some(({ name }) => `${name} ` === now.word || `${name}` === now.word);
    const next = complete ? null : now;
    if (next && !begun && matching(people, next.word).length > 0) announce("Names: arrow keys to choose, Enter to take, Escape to close");
    if (next?.word !== begun?.word || next?.from !== begun?.from) setAt(0);
    setBegun(next);
  };
  const take = (/** @type {ConversationPerson} */ { name }) => {
    const input = field.current;
    if (!input || !begun) return;
    input.focus();
    input.setRangeText(`@${name} `, begun.from, input.selectionStart, "end");
    setBegun(null);
    changed();
  };
  /** @param {KeyboardEvent} event @returns {boolean} whether the key was for the names */
  const press = (event) => {
    if (found.length === 0 || event.isComposing) return false;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const step = event.key === "ArrowDown" ? 1 : found.length - 1;
      setAt((Math.min(at, found.length - 1) + step) % found.length);
    } else if (event.key === "Enter" || event.key === "Tab") take(chosen);
    else if (event.key === "Escape") {
      event.stopPropagation();
      setBegun(null);
    } else return false;
    event.preventDefault();
    return true;
  };
  return { found, chosen, take, press, look, close: () => setBegun(null) };
}

/** @param {{id: string, names: ReturnType<typeof useNames>}} props */
function Names({ id, names }) {
  return html`<ul id=${id} class="names" role="listbox" aria-label="People to name" hidden=${names.found.length === 0}>
    ${names.found.map((person) => html`<li key=${person.id} id=${`${id}-${person.id}`} role="option" aria-selected=${person.id === names.chosen?.id}
      onMouseDown=${(/** @type {Event} */ event) => event.preventDefault()} onClick=${() => names.take(person)}>
      <${Avatar} id=${person.id} name=${person.name} size="small" /><span>${person.name}<small>${person.organisation.name}</small></span>
    </li>`)}
  </ul>`;
}

/**
 * A field for messages, with names to choose from.
 * @param {object} props
 * @param {Field} props.field
 * @param {string} props.id
 * @param {string} props.label
 * @param {string} [props.value]
 * @param {ConversationPerson[]} props.people
 * @param {() => void} props.onChange
 * @param {(event: KeyboardEvent) => void} props.onKey what the names did not want
 */
export function MessageField({ field, id, label, value = "", people, onChange, onKey }) {
  const names = useNames(field, people, onChange);
  const listed = names.found.length > 0;
  return html`<div class="message-field">
    <label class="unseen" for=${id}>${label}</label>
    <textarea id=${id} ref=${field} rows="1" maxlength=${MOST} defaultValue=${value} placeholder=${label} autocomplete="off"
      aria-autocomplete="list" aria-controls=${listed ? `${id}-names` : undefined} aria-activedescendant=${listed ? `${id}-names-${names.chosen?.id}` : undefined}
      onInput=${() => {
        names.look();
        onChange();
      }}
      onKeyUp=${(/** @type {KeyboardEvent} */ { key }) => ["ArrowLeft", "ArrowRight", "Home", "End"].includes(key) && names.look()}
      onBlur=${names.close}
      onKeyDown=${(/** @type {KeyboardEvent} */ event) => names.press(event) || onKey(event)}></textarea>
    <${Names} id=${`${id}-names`} names=${names} />
  </div>`;
}

/**
 * @param {object} props
 * @param {History} props.history
 * @param {ConversationRead} props.about
 * @param {string} props.label
 * @param {Field} props.field
 * @param {() => void} props.onSent
 * @param {() => void} props.onUp the arrow up in an empty field
 */
export function Composer({ history, about, label, field, onSent, onUp }) {
  const keeping = useRef(/** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined));
  const [draft] = useState(() => history.outbox.draft(about.id));
  const keep = () => {
    clearTimeout(keeping.current);
    // Signed out meanwhile: nothing is left on the device.
    if (field.current && belongings()?.outbox === history.outbox) history.outbox.keepDraft(about.id, field.current.value);
  };
  useEffect(() => {
    // Before a reload or another page comes, the timer may not.
    addEventListener("pagehide", keep);
    return () => {
      removeEventListener("pagehide", keep);
      keep();
      events.company.stopWriting(about.id);
    };
  }, []);
  const typed = () => {
    const empty = !field.current?.value.trim();
    if (empty) events.company.stopWriting(about.id);
    else events.company.write(about.id);
    clearTimeout(keeping.current);
    keeping.current = setTimeout(keep, KEEP_AFTER_MS);
  };
  const send = () => {
    const input = field.current;
    const text = input?.value.trim();
    if (!input || !text) return;
    history.write(text, mentionedIn(text, about.people));
    input.value = "";
    keep();
    onSent();
    input.focus();
  };
  return html`<form class="composer" aria-label="Write" onSubmit=${(/** @type {Event} */ event) => {
    event.preventDefault();
    send();
  }}>
    <${MessageField} field=${field} id=${`write-${about.id}`} label=${label} value=${draft} people=${about.people} onChange=${typed} onKey=${(/** @type {KeyboardEvent} */ event) => {
      if (sends(event)) {
        event.preventDefault();
        send();
      } else if (event.key === "ArrowUp" && !field.current?.value) {
        event.preventDefault();
        onUp();
      }
    }} />
    <button type="submit" class="button primary chat-send"><${Icon} name="send-horizontal" className="flips" /><span class="unseen">Send</span></button>
  </form>`;
}
