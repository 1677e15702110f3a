/** How well everybody is connected, as the server of a forwarded call measures it. */

/** @import { Figures, QualityTold } from "./protocol.js" */

/** At this score and below people have trouble to follow. */
const WEAK = 2;

export class Scores {
  /** The server's figures of my own connection. @type {Figures | null} */
  own = null;
  /** @type {Map<string, number>} */
  #of = new Map();

  /** In a new stay everything is told anew. */
  begin() {
    this.own = null;
    this.#of.clear();
  }

  /** @param {QualityTold} told */
  heard({ scores, own }) {
    for (const { participant_id, score } of scores) this.#of.set(participant_id, score);
    this.own = own ?? this.own;
  }

  /** @param {string} id */
  forget(id) {
    this.#of.delete(id);
  }

  /** From 1 to 5, the best; null while nothing is known. @param {string} id */
  of(id) {
    return this.#of.get(id) ?? null;
  }

  /** @param {string | null | undefined} id */
  isWeak(id) {
    return (this.#of.get(id ?? "") ?? WEAK + 1) <= WEAK;
  }
}
