/**
 * The calls socket: says hello or resumes, keeps itself alive, comes back by itself, and tells in order what
 * it heard. What travels is described in docs/protocol.md.
 */

import { GOING_AWAY, LOST, NEW_TICKET, NORMAL, NOT_READY, STAY_AWAY, staysAway, Wire } from "./wire.js";

/** @import { Grant, Heard, Said } from "./protocol.js" */

const VERSION = 1;
/** The first try is immediate, later ones wait 0.5, 1, 2, 4 s. */
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 4_000;
/** After this long without the service the call is given up: people have long picked up the phone by then. */
const GIVE_UP_MS = 120_000;
/** A socket is silent for too long when this many heartbeats passed without a word. */
const SILENT_BEATS = 3;
/** A stopping server sends everybody away at once: spread the return over this time. */
const SPREAD_MS = 2_000;
/** Messages said while the socket is away wait for it, up to this many. */
const WAITING_LIMIT = 256;

/**
 * Waiting time before a try: doubled each time, spread so that a crowd does not come back at once.
 * @param {number} tried how often it was tried already
 */
export function backoff(tried, random = Math.random) {
  if (tried === 0) return 0;
  const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (tried - 1));
  return wait / 2 + (wait / 2) * random();
}

export class CallSocket {
  /** @type {Wire | null} */
  #wire = null;
  /** @type {string | null} */
  #resumeToken = null;
  #lastSeq = 0;
  #tried = 0;
  /** Counts attempts to connect: one that was overtaken while it waited gives way. */
  #attempt = 0;
  #awaySince = 0;
  #done = false;
  /** @type {string | null} */
  #endedBecause = null;
  /** @type {Said[]} */
  #waiting = [];
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {object} given
   * @param {(renew: boolean) => Promise<Grant>} given.grant a ticket and where to take it; `renew` asks for a fresh one
   * @param {() => {audio: boolean, video: boolean}} given.media what this side sends now
   * @param {(message: Heard) => void} given.heard
   * @param {(open: boolean) => void} given.opened the socket came or went
   * @param {(reason: string, code: number) => void} given.over it will not come back
   */
  constructor(given) {
    this.given = given;
    this.comeBackNow = () => this.#awaySince > 0 && this.#again(0);
  }

  async open() {
    addEventListener("online", this.comeBackNow);
    await this.#connect(false);
  }

  /** @param {Said} message */
  say(message) {
    if (this.#done || this.#wire?.say(message)) return;
    if (this.#waiting.length < WAITING_LIMIT) this.#waiting.push(message);
  }

  /** Leave for good. */
  leave() {
    this.#wire?.sayLast({ type: "leave" });
    this.#finish();
  }

  /** Act as if the network had gone, to try out coming back. */
  drop() {
    this.#wire?.cut();
  }

  /** @param {boolean} renew */
  async #connect(renew) {
    if (this.#done) return;
    const attempt = ++this.#attempt;
    let grant;
    try {
      grant = await this.given.grant(renew);
    } catch (error) {
      return this.#noGrant(error);
    }
    if (this.#done || attempt !== this.#attempt) return;
    const overtaken = this.#wire;
    this.#endedBecause = null;
    clearTimeout(this.#timer);
    this.#wire = new Wire({
      url: grant.socket_url,
      hello: () => this.#hello(grant.ticket),
      heard: (message) => this.#receive(message),
      closed: (code, reason) => this.#closed(code, reason),
      silentBeats: SILENT_BEATS,
    });
    // Two sockets saying hello with one token would put this very person out of the call.
    overtaken?.drop();
  }

  /**
   * The first refusal is the caller's to show; later on only a plain no ends the call.
   * @param {unknown} error
   */
  #noGrant(error) {
    if (this.#awaySince === 0) throw error;
    const status = Number(/** @type {any} */ (error)?.status);
    if (status < 400 || status >= 500 || status === 429 || Number.isNaN(status)) return this.#unreachable();
    this.#finish();
    this.given.over("no_ticket", STAY_AWAY);
  }

  /** @param {string} ticket */
  #hello(ticket) {
    const media = this.given.media();
    if (this.#resumeToken) {
      return { type: "hello", version: VERSION, resume: { token: this.#resumeToken, last_seq: this.#lastSeq }, media };
    }
    return { type: "hello", version: VERSION, ticket, media };
  }

  /** @param {Exclude<Heard, {type: "pong"}>} message */
  #receive(message) {
    // What comes before the welcome has the number 0 and is not part of the count.
    if (message.type === "welcome" || message.seq > this.#lastSeq) this.#lastSeq = message.seq;
    if (message.type === "ended") this.#endedBecause = message.reason;
    if (message.type === "welcome") this.#welcomed(message);
    this.given.heard(message);
  }

  /** @param {Extract<Heard, {type: "welcome"}>} welcome */
  #welcomed(welcome) {
    this.#resumeToken = welcome.resume_token;
    this.#tried = 0;
    this.#awaySince = 0;
    // What was meant for people of an earlier stay would only confuse those of this one.
    const waiting = this.#waiting.splice(0);
    if (welcome.resumed) for (const each of waiting) this.say(each);
    this.given.opened(true);
  }

  /**
   * @param {number} code
   * @param {string} reason
   */
  #closed(code, reason) {
    if (this.#done) return;
    const stayAway = code === NORMAL || staysAway(code);
    const ended = this.#endedBecause !== null && this.#endedBecause !== "server_stopped";
    if (stayAway || ended) {
      this.#finish();
      this.given.over(this.#endedBecause ?? (reason || String(code)), code);
      return;
    }
    if (NEW_TICKET.includes(code)) this.#resumeToken = null;
    this.#awaySince ||= performance.now();
    this.given.opened(false);
    if (code === GOING_AWAY || code === NOT_READY) this.#again(Math.random() * SPREAD_MS);
    else this.#unreachable();
  }

  #unreachable() {
    if (performance.now() - this.#awaySince > GIVE_UP_MS) {
      this.#finish();
      this.given.over("unreachable", LOST);
      return;
    }
    this.#again(backoff(this.#tried));
  }

  /** @param {number} wait */
  #again(wait) {
    this.#tried += 1;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#connect(this.#resumeToken === null), wait);
  }

  #finish() {
    this.#done = true;
    clearTimeout(this.#timer);
    removeEventListener("online", this.comeBackNow);
    this.#wire?.drop(NORMAL, "left");
  }
}
