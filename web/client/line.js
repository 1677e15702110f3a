import { NEW_TICKET, NORMAL, REMOVED, REPLACED, staysAway, Wire } from "./wire.js";

/**
 * The events socket, kept up: a ticket, a hello, a resume where it helps, and back again after every loss, later
 * and later and never all at once. It carries messages and knows nothing of what they mean.
 */

/** @import { EventsGrant, EventsHeard, EventsWelcome, Posts } from "./events-protocol.js" */
/** @typedef {"signed out" | "replaced" | "refused"} Ending */

const VERSION = 1;
const SILENT_BEATS = 2.5;
/** The first wait is up to this long, and each further one up to twice as long. */
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 30_000;
/** A request without an answer for this long is given up: a network that is gone says nothing. */
export const PATIENCE_MS = 20_000;
/** Whoever stood for this long begins to count its tries anew. */
const STABLE_MS = 60_000;

/**
 * Full jitter: any time up to the limit, so that a crowd that was cut off at once comes back spread out.
 * @param {number} tried how often it was tried already
 * @param {() => number} random
 */
export function jittered(tried, random) {
  return random() * Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(tried, 10));
}

/** @param {unknown} error */
const statusOf = (error) => Number(/** @type {any} */ (error)?.status) || 0;

/** Nobody is signed in (any more). @param {unknown} error */
export const isSignedOut = (error) => statusOf(error) === 401;

/** The service answered, whatever it said; otherwise nothing came back. @param {unknown} error */
export const wasAnswered = (error) => statusOf(error) > 0 && ![502, 504].includes(statusOf(error));

/** How long the service asked to wait. @param {unknown} error */
export const askedToWait = (error) => (Number(/** @type {any} */ (error)?.retryAfter) || 0) * 1000;

export class EventsLine {
  /** @type {Wire | null} */
  #wire = null;
  /** How to come back without a ticket; good for one try. @type {{url: string, token: string} | null} */
  #resume = null;
  #tried = 0;
  /** Counts attempts: one that was overtaken while it waited for its ticket gives way. */
  #attempt = 0;
  #running = false;
  /** Between two tries. */
  #waiting = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #again;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #stable;

  /**
   * @param {object} given
   * @param {Posts} given.api
   * @param {() => number} given.random
   * @param {() => import("./company.js").Shown} given.presence
   * @param {(welcome: EventsWelcome) => void} given.up
   * @param {() => void} given.down the socket is gone, and another is on its way
   * @param {(ending: Ending) => void} given.over it stays away
   * @param {(answered: boolean) => void} given.refused asking for a ticket failed
   * @param {(message: EventsHeard) => void} given.heard
   */
  constructor(given) {
    this.given = given;
    this.comeBackNow = () => {
      if (this.#waiting) void this.#connect();
    };
  }

  get open() {
    return Boolean(this.#wire?.open);
  }

  start() {
    if (this.#running) return;
    this.#running = true;
    this.#tried = 0;
    globalThis.addEventListener("online", this.comeBackNow);
    void this.#connect();
  }

  stop() {
    this.#running = this.#waiting = false;
    this.#attempt += 1;
    this.#resume = null;
    clearTimeout(this.#again);
    clearTimeout(this.#stable);
    globalThis.removeEventListener("online", this.comeBackNow);
    this.#wire?.drop(NORMAL, "left");
    this.#wire = null;
  }

  /** @param {object} message */
  say(message) {
    return this.#wire?.say(message) ?? false;
  }

  /** Come back with a fresh ticket: what it says has changed. */
  renew() {
    if (!this.#running) return;
    this.#resume = null;
    this.#wire?.drop(NORMAL, "left");
    this.#wire = null;
    this.given.down();
    void this.#connect();
  }

  /** Act as if the network had gone, to try out coming back. */
  cut() {
    this.#wire?.cut();
  }

  async #connect() {
    clearTimeout(this.#again);
    clearTimeout(this.#stable);
    this.#waiting = false;
    const attempt = ++this.#attempt;
    const resume = this.#resume;
    this.#resume = null;
    let url = resume?.url ?? "";
    let proof = /** @type {object} */ ({ resume: { token: resume?.token } });
    if (!resume) {
      try {
        const grant = /** @type {EventsGrant} */ (await this.given.api.post("/v1/events/ticket", { signal: AbortSignal.timeout(PATIENCE_MS) }));
        url = grant.socket_url;
        proof = { ticket: grant.ticket };
      } catch (error) {
        if (this.#running && attempt === this.#attempt) this.#noTicket(error);
        return;
      }
    }
    if (!this.#running || attempt !== this.#attempt) return;
    this.#wire?.drop();
    this.#wire = new Wire({
      url,
      hello: () => ({ type: "hello", version: VERSION, ...proof, state: this.given.presence() }),
      heard: (message) => this.#heard(message, url),
      closed: (code) => this.#closed(code),
      silentBeats: SILENT_BEATS,
    });
  }

  /** @param {unknown} error */
  #noTicket(error) {
    if (isSignedOut(error)) return this.#end("signed out");
    this.given.refused(wasAnswered(error));
    this.#later(askedToWait(error));
  }

  /**
   * @param {EventsHeard} message
   * @param {string} url
   */
  #heard(message, url) {
    if (message.type === "welcome") {
      this.#resume = { url, token: message.resume_token };
      this.#stable = setTimeout(() => {
        this.#tried = 0;
      }, STABLE_MS);
      this.given.up(message);
    } else {
      this.given.heard(message);
    }
  }

  /** @param {number} code */
  #closed(code) {
    clearTimeout(this.#stable);
    if (!this.#running) return;
    if (code === REMOVED) return this.#end("signed out");
    if (code === REPLACED) return this.#end("replaced");
    if (staysAway(code)) return this.#end("refused");
    if (NEW_TICKET.includes(code)) this.#resume = null;
    this.given.down();
    this.#later();
  }

  /** @param {number} [least] */
  #later(least = 0) {
    clearTimeout(this.#again);
    this.#waiting = true;
    const wait = least + jittered(this.#tried, this.given.random);
    this.#tried += 1;
    this.#again = setTimeout(() => void this.#connect(), wait);
  }

  /** @param {Ending} ending */
  #end(ending) {
    this.stop();
    this.given.over(ending);
  }
}
