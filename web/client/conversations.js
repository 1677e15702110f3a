import { Gather } from "./gather.js";

/**
 * Every conversation of this account as it stands: who is in it, what was said last, how much is unread. Read
 * once, and kept by events.
 */

/** @import { Api } from "./api.js" */
/** @import { Events, Reset } from "./events.js" */
/** @import { EventMessage } from "./events-protocol.js" */
/** @import { ConversationRead, Message } from "./types.js" */

/** Of how many at most each is read by itself; beyond, reading all of them is less. */
const FEW = 4;

/** @param {ConversationRead} conversation @param {string} membership */
const isMine = (conversation, membership) => conversation.people.some(({ id, is_me: me }) => me && id === membership);

/**
 * Whichever of two states of one message is the later.
 * @param {Message} one
 * @param {Message} other
 */
export function later(one, other) {
  if (one.deleted !== other.deleted) return one.deleted ? one : other;
  return (other.edited_at ?? "") >= (one.edited_at ?? "") ? other : one;
}

/** Event: `change`. */
export class Conversations extends EventTarget {
  /** @type {Map<string, ConversationRead>} */
  all = new Map();
  /** Whether all of them have been read. */
  loaded = false;
  /** @type {Promise<void> | null} */
  #loading = null;
  /** Counts readings, and of each conversation which one's answer stands: an earlier one that answers later says nothing. */
  #asked = 0;
  /** @type {Map<string, number>} */
  #answered = new Map();
  /** Pairings that changed: with them may have changed who is in their conversations, and what they are called. @type {Set<string>} */
  #pairings = new Set();
  /** What could not be read when it should have been. @type {Set<string>} */
  #stale = new Set();
  #afterwards = new Gather(() => this.#readStale());
  #afresh = new Gather(() => this.#readAll());
  /** Readings under way, and whether another is wanted after. @type {Map<string, {again: boolean, done: Promise<void>}>} */
  #reading = new Map();
  /** Marks on their way, by conversation. @type {Map<string, number>} */
  #marks = new Map();
  /** @type {(() => void)[]} */
  #stops;

  /** @param {{api: Api, events: Events}} given */
  constructor({ api, events }) {
    super();
    this.api = api;
    this.events = events;
    this.#stops = [
      events.on("message.posted", (event) => this.#posted(event)),
      events.on("message.edited", (event) => this.#altered(event)),
      events.on("message.deleted", (event) => this.#altered(event)),
      events.on("conversation.changed", ({ data }) => void this.refresh(data.id)),
      events.on("conversation.read", ({ data }) => void this.refresh(data.id)),
      events.on("pairing.changed", ({ data }) => {
        this.#pairings.add(data.id);
        this.#afterwards.soon();
      }),
      events.onReset((reset) => this.#reset(reset)),
      events.onGone((stream) => this.#forget(stream)),
    ];
  }

  stop() {
    for (const stop of this.#stops) stop();
    this.#afterwards.stop();
    this.#afresh.stop();
  }

  /** How much is unread in all of them. */
  get unread() {
    return [...this.all.values()].reduce((sum, { unread }) => sum + unread, 0);
  }

  /** @param {string} id @returns {ConversationRead | null} */
  get(id) {
    return this.all.get(id) ?? null;
  }

  /**
   * The conversation of a pairing itself, or that of one of its meetings.
   * @param {{pairing: string} | {meeting: string}} of
   */
  of(of) {
    for (const each of this.all.values()) {
      if ("meeting" in of ? each.meeting_id === of.meeting : each.pairing_id === of.pairing && !each.meeting_id) return each;
    }
    return null;
  }

  /** Read them all. */
  load() {
    this.#loading ??= this.#readAll().finally(() => {
      this.#loading = null;
    });
    return this.#loading;
  }

  /**
   * Find the conversation of a pairing or a meeting, also while not all of them have been read.
   * @param {{pairing: string} | {meeting: string}} of
   */
  async find(of) {
    const known = this.of(of);
    if (known) return known;
    const query = "meeting" in of ? { meeting_id: of.meeting } : { pairing_id: of.pairing };
    const begun = (this.#asked += 1);
    const { items } = await this.api.get("/v1/conversations", { query });
    for (const each of items) this.#take(each, begun);
    return this.of(of);
  }

  /** Read one again. @param {string} id @returns {Promise<void>} */
  refresh(id) {
    const under = this.#reading.get(id);
    if (under) {
      under.again = true;
      return under.done;
    }
    const entry = { again: false, done: Promise.resolve() };
    this.#reading.set(id, entry);
    entry.done = this.#readOne(id, entry);
    return entry.done;
  }

  /**
   * The person has seen everything up to here.
   * @param {string} id
   * @param {number} seq
   */
  async read(id, seq) {
    const known = this.all.get(id);
    // Nothing of others: one's own words need no mark.
    if (!known || known.unread === 0 || seq <= Math.max(known.read_up_to, this.#marks.get(id) ?? 0)) return;
    this.#marks.set(id, seq);
    try {
      const reading = await this.api.post("/v1/conversations/{conversation_id}/read", { path: { conversation_id: id }, body: { seq } });
      this.#change(id, (now) => (reading.read_up_to >= now.read_up_to ? reading : {}));
    } finally {
      if (this.#marks.get(id) === seq) this.#marks.delete(id);
    }
  }

  async #readAll() {
    const begun = (this.#asked += 1);
    const items = /** @type {ConversationRead[]} */ (await this.api.all("/v1/conversations", { query: { limit: 100 } }));
    const found = new Set(items.map(({ id }) => id));
    for (const id of this.all.keys()) if (!found.has(id) && (this.#answered.get(id) ?? 0) < begun) this.all.delete(id);
    this.loaded = true;
    for (const each of items) this.#take(each, begun);
    this.#changed();
  }

  async #readStale() {
    for (const { id, pairing_id: pairing } of this.all.values()) if (this.#pairings.has(pairing)) this.#stale.add(id);
    const ids = [...this.#stale];
    this.#pairings.clear();
    this.#stale.clear();
    if (ids.length > FEW) return void this.#afresh.soon();
    await Promise.all(ids.map((id) => this.refresh(id)));
  }

  /** @param {string} id @param {{again: boolean}} entry */
  async #readOne(id, entry) {
    do {
      entry.again = false;
      const begun = (this.#asked += 1);
      try {
        this.#take(await this.api.get("/v1/conversations/{conversation_id}", { path: { conversation_id: id } }), begun);
      } catch (error) {
        if (/** @type {any} */ (error)?.status === 404) this.#forget(id);
        else {
          this.#stale.add(id);
          this.#afterwards.later();
        }
      }
    } while (entry.again);
    // At once, not in a later turn: whoever asks from here on begins a reading of its own.
    this.#reading.delete(id);
  }

  /** @param {ConversationRead} fresh @param {number} begun */
  #take(fresh, begun) {
    if ((this.#answered.get(fresh.id) ?? 0) > begun) return;
    const known = this.all.get(fresh.id);
    // An answer that was long under way must not undo what events have told since.
    if (known && known.epoch === fresh.epoch && known.head > fresh.head) return void this.refresh(fresh.id);
    this.#answered.set(fresh.id, begun);
    this.all.set(fresh.id, fresh);
    this.events.know(fresh.id, fresh.epoch, fresh.head);
    this.#changed();
  }

  /** @param {EventMessage} event */
  #posted({ stream, seq, data }) {
    const message = /** @type {Message} */ (data);
    const known = this.all.get(stream);
    if (!known) return void this.refresh(stream);
    // Counted by whoever told us where the conversation stood.
    if (seq <= known.head) return;
    const mine = isMine(known, message.author_id);
    const counts = !mine && !message.deleted;
    const named = message.mentions.some((membership) => isMine(known, membership));
    this.#change(stream, (now) => ({
      head: seq,
      last_message: message,
      unread: now.unread + Number(counts),
      unread_mentions: now.unread_mentions + Number(counts && named),
    }));
  }

  /** @param {EventMessage} event */
  #altered({ stream, seq, data }) {
    const message = /** @type {Message} */ (data);
    const known = this.all.get(stream);
    if (!known || seq <= known.head) return;
    const last = known.last_message?.id === message.id ? later(known.last_message, message) : known.last_message;
    this.#change(stream, () => ({ head: seq, last_message: last }));
    // Whether it counted before is not known here.
    if (message.seq > known.read_up_to && !isMine(known, message.author_id)) void this.refresh(stream);
  }

  /** @param {Reset} reset */
  #reset({ stream, kind, epoch, head }) {
    const known = this.all.get(stream);
    if (kind === "conversation" && known && !(known.epoch === epoch && known.head >= head)) void this.refresh(stream);
    if (kind === "conversation" && !known && this.loaded) void this.refresh(stream);
    if (kind === "membership" && (this.loaded || this.#loading)) this.#afresh.soon();
  }

  /** @param {string} id */
  #forget(id) {
    this.#answered.set(id, (this.#asked += 1));
    if (this.all.delete(id)) this.#changed();
  }

  /** @param {string} id @param {(now: ConversationRead) => Partial<ConversationRead>} how */
  #change(id, how) {
    const known = this.all.get(id);
    if (!known) return;
    this.all.set(id, { ...known, ...how(known) });
    this.#changed();
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}
