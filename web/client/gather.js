/**
 * Many reasons to do one thing again: a burst of them is answered by one doing, doings never overlap, and a reason
 * that comes while it is done is answered by another one after it.
 */

/** Reasons that come as close together as this are one. */
const QUIET_MS = 150;
/** Reasons that never cease do not put it off for longer. */
const LONGEST_MS = 1_000;
/** What failed is tried again: nobody tells a second time. */
const AFTER_FAILURE_MS = 10_000;

export class Gather {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** When the first reason came that is not answered yet. @type {number | null} */
  #since = null;
  #doing = false;
  #stopped = false;

  /** @param {() => unknown} work may promise; `false` says that it failed, as does an error */
  constructor(work) {
    this.work = work;
  }

  /** There is a reason. */
  soon() {
    const now = performance.now();
    this.#since ??= now;
    if (!this.#doing) this.#within(Math.max(0, Math.min(QUIET_MS, this.#since + LONGEST_MS - now)));
  }

  /** It could not be done just now. */
  later() {
    if (this.#timer === undefined) this.#within(AFTER_FAILURE_MS);
  }

  stop() {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** @param {number} wait */
  #within(wait) {
    clearTimeout(this.#timer);
    if (!this.#stopped) this.#timer = setTimeout(() => void this.#do(), wait);
  }

  async #do() {
    this.#timer = undefined;
    this.#since = null;
    this.#doing = true;
    let done;
    try {
      done = await this.work();
    } catch {
      done = false;
    }
    this.#doing = false;
    if (this.#since !== null) this.soon();
    else if (done === false) this.later();
  }
}
