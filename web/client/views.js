/**
 * How large each picture of a forwarded call is shown, told to the server so that it sends what fits, and nothing of
 * what nobody sees. While the socket is away nothing is told; when it is back, everything is.
 */

/** @import { Viewed } from "./protocol.js" */

/** At most one message in this time. */
const EVERY_MS = 250;
/** A picture that became larger or smaller by less than this part stays as it is. */
const NOTABLE = 0.1;
/** The most that can be told of one picture. */
const TALLEST = 10_000;

export class Views {
  /** By participant and source. @type {Map<string, Viewed>} */
  #shown = new Map();
  /** Heights as they were told last. @type {Map<string, number>} */
  #told = new Map();
  #open = false;
  /** Runs before a message, so that all that changes at once is told at once, and after it. @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {(tracks: Viewed[]) => void} tell */
  constructor(tell) {
    this.tell = tell;
  }

  /**
   * @param {string} id
   * @param {Viewed["source"]} source
   * @param {number} height in the screen's own pixels, 0 when it is not shown
   */
  look(id, source, height) {
    // What is shown at all is not told as hidden.
    const whole = height > 0 ? Math.min(TALLEST, Math.max(1, Math.round(height))) : 0;
    this.#shown.set(key(id, source), { participant_id: id, source, height: whole });
    this.#plan();
  }

  /**
   * These pictures are sent no more, so nobody needs to be told.
   * @param {string} id
   * @param {Viewed["source"][]} sources
   */
  forget(id, ...sources) {
    for (const source of sources) {
      this.#shown.delete(key(id, source));
      this.#told.delete(key(id, source));
    }
  }

  /** The socket is there: tell everything, whatever was told before. */
  begin() {
    this.#open = true;
    this.#told.clear();
    this.#plan();
  }

  /** The socket is gone, or nobody listens to this any more. */
  hold() {
    this.#open = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #plan() {
    if (this.#open) this.#timer ??= setTimeout(() => this.#say(), 0);
  }

  #say() {
    this.#timer = undefined;
    if (![...this.#shown].some(([which, { height }]) => isNotable(height, this.#told.get(which)))) return;
    this.#told = new Map([...this.#shown].map(([which, { height }]) => [which, height]));
    this.tell([...this.#shown.values()]);
    this.#timer = setTimeout(() => this.#say(), EVERY_MS);
  }
}

/**
 * @param {string} id
 * @param {Viewed["source"]} source
 */
function key(id, source) {
  return `${id} ${source}`;
}

/**
 * @param {number} height
 * @param {number} [told]
 */
function isNotable(height, told) {
  if (told === undefined || height === 0 || told === 0) return height !== told;
  return Math.abs(height - told) > NOTABLE * told;
}
