import { askedToWait, jittered, PATIENCE_MS } from "./line.js";

/**
 * Asks by REST what happened since: one question at a time, again while more follows, later when it failed.
 */

/** @import { Posts, StreamFound, Synced } from "./events-protocol.js" */
/** @typedef {import("./cursors.js").Cursor} Cursor */

/** An event that overtook another waits this long for it. */
const REORDER_MS = 300;
const MOST_CURSORS = 1_000;
const EVENTS_AT_ONCE = 200;

export class CatchUp {
  /** How often asking has failed, one after the other. */
  failures = 0;
  /** @type {Promise<void> | null} */
  #asking = null;
  #wanted = false;
  /** Counts stops: what was asked before is not heard any more. */
  #run = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #due = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #regular;
  /** @type {Map<string, ReturnType<typeof setTimeout>>} */
  #gaps = new Map();

  /**
   * @param {object} given
   * @param {Posts} given.api
   * @param {() => number} given.random
   * @param {import("./cursors.js").Cursors} given.cursors
   * @param {(found: StreamFound, asked: Cursor | undefined) => boolean} given.found returns whether that was a step forward
   * @param {(stream: string) => void} given.gone
   * @param {() => void} given.done everything up to the last question has been told
   * @param {(error: unknown) => void} given.failed it is tried again later, unless `stop` is called
   */
  constructor(given) {
    this.given = given;
  }

  /** Ask; and when one is asking already, once more after that. */
  now() {
    this.#wanted = true;
    if (!this.#asking) {
      const asking = this.#untilDone(this.#run).finally(() => {
        if (this.#asking === asking) this.#asking = null;
      });
      this.#asking = asking;
    }
    return this.#asking;
  }

  /** Ask in so many milliseconds, or earlier if that is planned. @param {number} wait */
  within(wait) {
    const at = performance.now() + wait;
    if (this.#due && this.#due <= at) return;
    clearTimeout(this.#timer);
    this.#due = at;
    this.#timer = setTimeout(() => {
      this.#due = 0;
      void this.now();
    }, wait);
  }

  /** Ask in any case when so many milliseconds have passed. @param {number} wait */
  atLatest(wait) {
    clearTimeout(this.#regular);
    this.#regular = setTimeout(() => void this.now(), wait);
  }

  /** An event overtook another, which usually is right behind: ask if it does not come. @param {string} stream */
  missing(stream) {
    // Whoever is asking looks afterwards whether something is still missing.
    if (this.#asking || this.#gaps.has(stream)) return;
    this.#gaps.set(stream, setTimeout(() => {
      this.#gaps.delete(stream);
      if (this.given.cursors.waits(stream)) void this.now();
    }, REORDER_MS));
  }

  /** @param {string} stream */
  filled(stream) {
    clearTimeout(this.#gaps.get(stream));
    this.#gaps.delete(stream);
  }

  stop() {
    this.#run += 1;
    this.#asking = null;
    this.#wanted = false;
    this.failures = 0;
    clearTimeout(this.#timer);
    clearTimeout(this.#regular);
    this.#due = 0;
    for (const timer of this.#gaps.values()) clearTimeout(timer);
    this.#gaps.clear();
  }

  /** @param {number} run */
  async #untilDone(run) {
    while (this.#wanted && run === this.#run) {
      this.#wanted = false;
      try {
        if (await this.#ask(run)) this.#wanted = true;
      } catch (error) {
        if (run === this.#run) this.#failed(error);
        return;
      }
    }
    if (run !== this.#run) return;
    this.failures = 0;
    this.given.cursors.tidy();
    this.#asking = null;
    for (const stream of this.given.cursors.waiting()) this.missing(stream);
    this.given.done();
  }

  /** @param {number} run @returns {Promise<boolean>} whether to ask for more at once */
  async #ask(run) {
    const all = this.given.cursors.all();
    let more = false;
    for (let from = 0; from === 0 || from < all.length; from += MOST_CURSORS) {
      const cursors = all.slice(from, from + MOST_CURSORS);
      const body = { cursors, limit: EVENTS_AT_ONCE };
      const signal = AbortSignal.timeout(PATIENCE_MS);
      const { streams, gone } = /** @type {Synced} */ (await this.given.api.post("/v1/sync", { body, signal }));
      if (run !== this.#run) return false;
      const asked = new Map(cursors.map((cursor) => [cursor.stream, cursor]));
      let moved = false;
      for (const found of streams) {
        this.filled(found.stream);
        moved = this.given.found(found, asked.get(found.stream)) || moved;
      }
      for (const stream of gone) {
        this.filled(stream);
        this.given.gone(stream);
      }
      // Without a step forward, asking again would only ask the same.
      more ||= moved && streams.some(({ limited }) => limited);
    }
    return more;
  }

  /** @param {unknown} error */
  #failed(error) {
    const wait = askedToWait(error) + jittered(this.failures, this.given.random);
    this.failures += 1;
    this.within(wait);
    this.given.failed(error);
  }
}
