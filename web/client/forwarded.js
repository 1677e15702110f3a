import { Publisher } from "./publisher.js";
import { Subscription } from "./subscription.js";

/** A forwarded call: sound and picture of everybody pass through the server. */

/** @import { OpenLink, Paths, Surroundings } from "./paths.js" */
/** @import { HeardCandidate, HeardDescription, Source, TrackState } from "./protocol.js" */

/** Stands for the server where others have a participant. */
const SERVER = "server";

/** @implements {Paths} */
export class Forwarded {
  #publisher;
  #subscription;

  /** @param {Surroundings} given */
  constructor(given) {
    this.given = given;
    this.#publisher = new Publisher(given);
    this.#subscription = new Subscription(given);
  }

  begin() {
    this.#publisher.begin();
  }

  resumed() {
    for (const { link } of this.links()) link.returned({ mine: true });
  }

  /** The server offers what a newcomer sends, and takes back what they do not send any more. */
  arrived() {}

  /** @param {string} id */
  departed(id) {
    this.#subscription.departed(id);
  }

  /** Nothing goes to the others but through the server. */
  returned() {}

  /** @param {HeardDescription | HeardCandidate} signal */
  heard(signal) {
    // The addresses of the server stand in its descriptions.
    if (signal.from !== null || signal.type === "candidate") return;
    if (signal.pc === "publish") this.#publisher.answered(signal);
    if (signal.pc === "subscribe") void this.#subscription.offered(signal);
  }

  /** @param {TrackState} state */
  told(state) {
    this.#subscription.told(state);
  }

  /**
   * @param {Source} source
   * @param {MediaStreamTrack | null} track
   */
  async send(source, track) {
    await this.#publisher.send(source, track);
  }

  /** @param {string} id */
  streamOf(id) {
    return this.#subscription.people.get(id) ?? null;
  }

  /** @param {string} id */
  screenOf(id) {
    return this.#subscription.screens.get(id) ?? null;
  }

  /**
   * @param {string} id
   * @param {Source} source
   */
  isPaused(id, source) {
    return this.#subscription.isPaused(id, source);
  }

  /** Everybody comes by the same connection. */
  connectionWith() {
    return this.#subscription.link?.state ?? "new";
  }

  states() {
    const something = [...this.given.participants.values()].some(({ audio, video }) => audio || video);
    const states = this.links().map(({ link }) => link.state);
    // What somebody sends must come by a connection that the server has not offered yet.
    return something && !this.#subscription.link ? [...states, /** @type {const} */ ("new")] : states;
  }

  /** @returns {OpenLink[]} */
  links() {
    const both = /** @type {const} */ ([["publish", this.#publisher.link], ["subscribe", this.#subscription.link]]);
    return both.flatMap(([pc, link]) => (link ? [{ pc, participantId: SERVER, link }] : []));
  }

  linkFrom() {
    return this.#subscription.link;
  }

  close() {
    this.#publisher.close();
    this.#subscription.close();
  }
}
