import { askedToWait, isSignedOut, jittered, PATIENCE_MS } from "./line.js";

/**
 * What was written and is not known to have arrived: kept on this device, sent in order, again and again with the
 * same client id, until the service says yes or a plain no. Sending twice is saying once, so nobody need be sure.
 *
 * Each message is an entry of its own in localStorage, so that tabs never overwrite each other's; they take turns
 * sending under one Web Lock. Signing out clears everything: devices are shared.
 */

/** @import { Posts } from "./events-protocol.js" */
/**
 * @typedef {object} Letter
 * @property {string} client_id
 * @property {string} conversation_id
 * @property {string} text
 * @property {string[]} mentions
 * @property {number} written_at
 * @property {Refusal | null} refused it will never be taken as it is
 */
/** @typedef {{status: number, code: string, detail: string}} Refusal */

const PREFIX = "mentorspan.outbox.";
const DRAFT = "mentorspan.draft.";
const LOCK = "mentorspan-outbox-";
/** Answers of 400 to 499 that another try may change; all others of them are final. */
const PASSING = [401, 408, 425, 429];

/** @param {string} prefix */
function keysOf(prefix) {
  const keys = Array.from({ length: localStorage.length }, (_, index) => localStorage.key(index) ?? "");
  return keys.filter((key) => key.startsWith(prefix));
}

/** Everything that any account left on this device, but for one. @param {string} [but] */
export function clearDevice(but) {
  for (const prefix of [PREFIX, DRAFT]) {
    for (const key of keysOf(prefix)) if (!but || !key.startsWith(`${prefix}${but}.`)) localStorage.removeItem(key);
  }
}

/**
 * Events: `change` (something was added, sent or refused), `sent` (detail: the message as the service has it).
 */
export class Outbox extends EventTarget {
  /** What could not be stored, as the device is full or forbids it: kept for as long as the page. @type {Map<string, Letter>} */
  #unstored = new Map();
  #tried = 0;
  #stopped = false;
  /** @type {Promise<void> | null} */
  #sending = null;
  #wanted = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {{api: Posts, account: string, random?: () => number}} given */
  constructor({ api, account, random = Math.random }) {
    super();
    this.api = api;
    this.account = account;
    this.random = random;
    this.again = () => this.kick();
    this.elsewhere = (/** @type {any} */ { key }) => key?.startsWith(this.#prefix) && this.#changed();
    globalThis.addEventListener("online", this.again);
    globalThis.addEventListener("storage", this.elsewhere);
    this.kick();
  }

  get #prefix() {
    return `${PREFIX}${this.account}.`;
  }

  /** What waits, oldest first. @param {string} [conversation] only there @returns {Letter[]} */
  letters(conversation) {
    const stored = keysOf(this.#prefix).flatMap((key) => {
      try {
        return [/** @type {Letter} */ (JSON.parse(localStorage.getItem(key) ?? ""))];
      } catch {
        return [];
      }
    });
    const all = [...stored, ...this.#unstored.values()].filter((letter) => !conversation || letter.conversation_id === conversation);
    return all.sort((one, other) => one.written_at - other.written_at || one.client_id.localeCompare(other.client_id));
  }

  /**
   * Write something. It is safe when this returns, and sent when that is possible.
   * @param {string} conversation
   * @param {string} text
   * @param {string[]} [mentions]
   */
  write(conversation, text, mentions = []) {
    // Clocks are put back, and pages are closed and opened: after what waits already it is in any case.
    const after = this.letters().at(-1)?.written_at ?? 0;
    const writtenAt = Math.max(Date.now(), after + 1);
    const letter = { client_id: crypto.randomUUID(), conversation_id: conversation, text, mentions, written_at: writtenAt, refused: null };
    this.#put(letter);
    this.kick();
    return letter;
  }

  /** It has arrived, as one heard otherwise, or it is not wanted any more. @param {string} id */
  drop(id) {
    const known = this.#unstored.delete(id) || localStorage.getItem(this.#prefix + id) !== null;
    localStorage.removeItem(this.#prefix + id);
    if (known) this.#changed();
  }

  /** What was being written when one went away. @param {string} conversation */
  draft(conversation) {
    return localStorage.getItem(`${DRAFT}${this.account}.${conversation}`) ?? "";
  }

  /** @param {string} conversation @param {string} text */
  keepDraft(conversation, text) {
    const key = `${DRAFT}${this.account}.${conversation}`;
    try {
      if (text) localStorage.setItem(key, text);
      else localStorage.removeItem(key);
    } catch {
      // A full device keeps no drafts; what was sent matters more, and has its own way.
    }
  }

  /** Send now what waits, without waiting for the time of the next try. */
  kick() {
    clearTimeout(this.#timer);
    this.#wanted = true;
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = null;
    });
    return this.#sending;
  }

  /** Leave; what waits stays on the device until this account is here again. */
  stop() {
    this.#stopped = true;
    clearTimeout(this.#timer);
    globalThis.removeEventListener("online", this.again);
    globalThis.removeEventListener("storage", this.elsewhere);
  }

  /** The account signs out: nothing of it stays on this device. */
  clear() {
    this.stop();
    clearDevice();
    this.#unstored.clear();
  }

  async #sendAll() {
    while (this.#wanted && !this.#stopped && this.letters().some(({ refused }) => !refused)) {
      this.#wanted = false;
      // While another tab sends, this one waits, and then finds less or nothing to do.
      const wait = await navigator.locks.request(LOCK + this.account, () => this.#sendInTurn());
      if (wait !== null && !this.#stopped) {
        this.#timer = setTimeout(() => this.kick(), wait);
        return;
      }
    }
  }

  /** Send what waits; a refused one makes way. @returns {Promise<number | null>} when to try again, if at all */
  async #sendInTurn() {
    for (let next = this.#next(); next && !this.#stopped; next = this.#next()) {
      try {
        await this.#send(next);
        this.#tried = 0;
      } catch (error) {
        if (isSignedOut(error)) return null;
        const wait = askedToWait(error) + jittered(this.#tried, this.random);
        this.#tried += 1;
        return wait;
      }
    }
    return null;
  }

  #next() {
    return this.letters().find(({ refused }) => !refused);
  }

  /** @param {Letter} letter */
  async #send({ client_id, conversation_id, text, mentions }) {
    let message;
    try {
      message = await this.api.post("/v1/conversations/{conversation_id}/messages", {
        path: { conversation_id }, body: { client_id, text, mentions }, signal: AbortSignal.timeout(PATIENCE_MS),
      });
    } catch (error) {
      const { status, code, detail } = /** @type {any} */ (error);
      if (!(status >= 400 && status < 500) || PASSING.includes(status)) throw error;
      this.#refuse(client_id, { status, code, detail: detail || "" });
      return;
    }
    // First shown, then dropped: what one has sent does not vanish for a moment.
    this.dispatchEvent(new CustomEvent("sent", { detail: message }));
    this.drop(client_id);
  }

  /** @param {string} id @param {Refusal} refused */
  #refuse(id, refused) {
    const letter = this.letters().find(({ client_id }) => client_id === id);
    // Dropped meanwhile: it arrived, or nobody wants it.
    if (letter) this.#put({ ...letter, refused });
  }

  /** @param {Letter} letter */
  #put(letter) {
    try {
      localStorage.setItem(this.#prefix + letter.client_id, JSON.stringify(letter));
      this.#unstored.delete(letter.client_id);
    } catch {
      this.#unstored.set(letter.client_id, letter);
    }
    this.#changed();
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}
