/**
 * How far each stream is known, and which events wait for an earlier one. No sockets, no clock: what arrives
 * goes in, what may be told in order comes out.
 */

/** @import { EventMessage, StreamFound } from "./events-protocol.js" */
/** @typedef {{stream: string, epoch: string, seq: number}} Cursor */
/**
 * @typedef {object} Known
 * @property {string | null} epoch null while only events were heard and no sync has told where it stands
 * @property {number} seq the last number that was told
 * @property {Map<number, EventMessage>} held events that came too early
 */

/** More than this waiting for one number is dropped: the sync brings it anyway. */
const MOST_HELD = 500;

export class Cursors {
  /** @type {Map<string, Known>} */
  #streams = new Map();

  /** What a sync asks with. @returns {Cursor[]} */
  all() {
    return [...this.#streams].flatMap(([stream, { epoch, seq }]) => (epoch === null ? [] : [{ stream, epoch, seq }]));
  }

  /** Whether something of this stream waits for what only a sync may bring. @param {string} stream */
  waits(stream) {
    return (this.#streams.get(stream)?.held.size ?? 0) > 0;
  }

  /** Streams in which something waits. */
  waiting() {
    return [...this.#streams.keys()].filter((stream) => this.waits(stream));
  }

  /**
   * An event from the socket.
   * @param {EventMessage} event
   * @returns {{ready: EventMessage[], missing: "nothing" | "earlier" | "everything"}} what may be told now, in order;
   *   `earlier` numbers may still be on their way, `everything` only a sync can tell
   */
  take(event) {
    const known = this.#streams.get(event.stream) ?? this.#begin(event.stream);
    if (known.epoch === null || event.epoch !== known.epoch) {
      this.#hold(known, event);
      return { ready: [], missing: "everything" };
    }
    if (event.seq <= known.seq) return { ready: [], missing: "nothing" };
    this.#hold(known, event);
    return { ready: this.#drain(known), missing: known.held.size > 0 ? "earlier" : "nothing" };
  }

  /**
   * What a sync said about one stream.
   * @param {StreamFound} found
   * @param {Cursor | undefined} asked
   * @returns {{ready: EventMessage[], reset: boolean, moved: boolean}}
   */
  merge(found, asked) {
    const known = this.#streams.get(found.stream) ?? this.#begin(found.stream);
    // Asked without a cursor, because there are too many for one question: no news about one that we hold.
    if (!asked && known.epoch === found.epoch) return { ready: [], reset: false, moved: false };
    if (found.reset || known.epoch !== found.epoch) {
      // Live events may have gone on while the answer was under way; they are part of what is read afresh.
      const ahead = known.epoch === found.epoch && known.seq > (asked?.seq ?? 0) && known.seq > found.head;
      if (!ahead) this.#put(known, found.epoch, found.head);
      return { ready: this.#drain(known), reset: true, moved: true };
    }
    const before = known.seq;
    /** @type {EventMessage[]} */
    const ready = [];
    for (const event of found.events) {
      if (event.seq !== known.seq + 1) continue;
      known.seq = event.seq;
      ready.push(event);
    }
    ready.push(...this.#drain(known));
    return { ready, reset: false, moved: known.seq > before };
  }

  /**
   * A stream stood here when it was read by REST. Counts only if nothing else is known of it.
   * @param {Cursor} cursor
   */
  know({ stream, epoch, seq }) {
    const known = this.#streams.get(stream) ?? this.#begin(stream);
    if (known.epoch !== null) return [];
    this.#put(known, epoch, seq);
    return this.#drain(known);
  }

  /** After a whole sync: what it left unexplained is of an earlier numbering, or of a stream that is not ours. */
  tidy() {
    for (const [stream, known] of this.#streams) {
      if (known.epoch === null) this.#streams.delete(stream);
      for (const [seq, event] of known.held) if (event.epoch !== known.epoch) known.held.delete(seq);
    }
  }

  /** @param {string} stream */
  forget(stream) {
    this.#streams.delete(stream);
  }

  clear() {
    this.#streams.clear();
  }

  /** @param {string} stream @returns {Known} */
  #begin(stream) {
    const known = { epoch: null, seq: 0, held: new Map() };
    this.#streams.set(stream, known);
    return known;
  }

  /** @param {Known} known @param {string} epoch @param {number} seq */
  #put(known, epoch, seq) {
    known.epoch = epoch;
    known.seq = seq;
  }

  /** @param {Known} known @param {EventMessage} event */
  #hold(known, event) {
    if (known.held.size >= MOST_HELD) known.held.clear();
    known.held.set(event.seq, event);
  }

  /** Everything held that follows without a gap; what is older, or of another numbering, goes. @param {Known} known */
  #drain(known) {
    for (const [seq, event] of known.held) {
      if (event.epoch !== known.epoch || seq <= known.seq) known.held.delete(seq);
    }
    const ready = [];
    for (let next = known.held.get(known.seq + 1); next; next = known.held.get(known.seq + 1)) {
      known.held.delete(next.seq);
      known.seq = next.seq;
      ready.push(next);
    }
    return ready;
  }
}
