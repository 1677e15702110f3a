/**
 * Who is here and who is writing: heard over the socket only, kept nowhere, and forgotten when it is lost.
 */

/** @import { EventsHeard, PresenceState } from "./events-protocol.js" */
/** How I show myself: at the device, not at it, or not at all. @typedef {"online" | "away" | "hidden"} Shown */

/** The server forgets that someone writes after 6 s; one that writes says so again before. */
const REPEAT_MS = 3_000;
/** Without a further letter for this long one has stopped writing. */
const PAUSE_MS = 4_000;
/** A "stopped" that got lost must not leave somebody writing for ever. */
const FORGET_MS = 7_000;
const MOST_WATCHED = 100;
/** When the node could not find out who is in a stream. */
const ASK_AGAIN_MS = 3_000;

export class Company extends EventTarget {
  /** @type {Map<string, PresenceState>} */
  #presence = new Map();
  /** Who writes, by stream. @type {Map<string, Map<string, ReturnType<typeof setTimeout>>>} */
  #writers = new Map();
  /** Streams whose people somebody on this page looks at, and how many do. @type {Map<string, number>} */
  #watched = new Map();
  /** Where I am writing. @type {Map<string, {saidAt: number, stop: ReturnType<typeof setTimeout>}>} */
  #writing = new Map();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retry;
  /** @type {Shown} */
  state = "online";

  /** @param {(message: object) => boolean} say */
  constructor(say) {
    super();
    this.say = say;
  }

  /** @param {string} membership @returns {PresenceState} */
  presenceOf(membership) {
    return this.#presence.get(membership) ?? "offline";
  }

  /** Memberships of the people who write in a stream now. @param {string} stream */
  writersIn(stream) {
    return [...(this.#writers.get(stream)?.keys() ?? [])];
  }

  /**
   * Hear who of a stream's people is here, until the returned function is called.
   * @param {string} stream
   */
  watch(stream) {
    this.#watched.set(stream, (this.#watched.get(stream) ?? 0) + 1);
    this.#tellWatched();
    return () => {
      const left = (this.#watched.get(stream) ?? 1) - 1;
      if (left > 0) this.#watched.set(stream, left);
      else this.#watched.delete(stream);
      this.#tellWatched();
    };
  }

  /** Say whether I am at the device. @param {Shown} state */
  setState(state) {
    if (state === this.state) return;
    this.state = state;
    this.say({ type: "presence", state });
  }

  /** I have typed a letter. @param {string} stream */
  write(stream) {
    const before = this.#writing.get(stream);
    clearTimeout(before?.stop);
    const now = performance.now();
    const due = !before || now - before.saidAt >= REPEAT_MS;
    if (due) this.say({ type: "typing", stream, typing: true });
    this.#writing.set(stream, { saidAt: due ? now : before.saidAt, stop: setTimeout(() => this.stopWriting(stream), PAUSE_MS) });
  }

  /** I have sent it, or stopped. @param {string} stream */
  stopWriting(stream) {
    const writing = this.#writing.get(stream);
    if (!writing) return;
    clearTimeout(writing.stop);
    this.#writing.delete(stream);
    this.say({ type: "typing", stream, typing: false });
  }

  /** @param {EventsHeard} message */
  heard(message) {
    if (message.type === "presence") {
      this.#presence.set(message.membership_id, message.state);
      this.#changed();
    } else if (message.type === "typing") {
      if (message.typing) this.#writes(message.stream, message.membership_id);
      else this.wrote(message.stream, message.membership_id);
    } else if (message.type === "error" && message.about === "watch" && message.code === "not_ready") {
      clearTimeout(this.#retry);
      this.#retry = setTimeout(() => this.#tellWatched(), ASK_AGAIN_MS);
    }
  }

  /** Somebody's message came: they do not write any more. @param {string} stream @param {string} membership */
  wrote(stream, membership) {
    const writers = this.#writers.get(stream);
    if (!writers?.has(membership)) return;
    clearTimeout(writers.get(membership));
    writers.delete(membership);
    this.#changed();
  }

  welcomed() {
    if (this.#watched.size > 0) this.#tellWatched();
  }

  /** What was only heard is not known any more. */
  lost() {
    for (const writers of this.#writers.values()) for (const timer of writers.values()) clearTimeout(timer);
    for (const { stop } of this.#writing.values()) clearTimeout(stop);
    clearTimeout(this.#retry);
    this.#writers.clear();
    this.#writing.clear();
    this.#presence.clear();
    this.#changed();
  }

  /** @param {string} stream @param {string} membership */
  #writes(stream, membership) {
    const writers = this.#writers.get(stream) ?? new Map();
    this.#writers.set(stream, writers);
    clearTimeout(writers.get(membership));
    const known = writers.has(membership);
    writers.set(membership, setTimeout(() => this.wrote(stream, membership), FORGET_MS));
    if (!known) this.#changed();
  }

  #tellWatched() {
    this.say({ type: "watch", streams: [...this.#watched.keys()].slice(-MOST_WATCHED) });
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}
