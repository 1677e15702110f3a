import { Problem, Unreachable } from "./problem.js";

/**
 * Keeps the access token (in memory only) and renews it for all tabs of this browser, one at a time.
 *
 * The refresh token lives in an HttpOnly cookie and rotates with every use; using an old one ends the whole
 * sign-in. Two tabs must therefore never renew at once: they take turns under one Web Lock, and a tab that
 * waited takes over the token that the other one announced. Each try has a name, kept until its answer arrived:
 * a try whose answer was lost is repeated under its name, and gets the same answer.
 */

const LOCK = "mentorspan-refresh";
const CHANNEL = "mentorspan-session";
const STAMP = "mentorspan.refreshed-at";
/** The name of a try whose answer has not arrived (yet). */
const ATTEMPT = "mentorspan.refreshing";
/** Says only that a cookie may be there; without it a first visit asks nothing. */
const HINT = "mentorspan.signed-in";
/** A token this close to its end is renewed before it is used. */
const MARGIN_MS = 30_000;
/** How long an announced token may take to arrive from the tab that fetched it. */
const ANNOUNCEMENT_MS = 500;

/** @typedef {{access_token: string, expires_in: number, account: {id: string}}} Session */
/** @typedef {{token: string, expiresAt: number, accountId: string}} Held */

export class TokenKeeper extends EventTarget {
  /** @type {Held | null} */
  #held = null;
  /** @type {Promise<string | null> | null} */
  #renewal = null;
  /** @type {Set<() => void>} */
  #waiting = new Set();
  #channel = new BroadcastChannel(CHANNEL);

  /** @param {(attempt: string) => Promise<Response>} requestRefresh asks for a new session with the cookie */
  constructor(requestRefresh) {
    super();
    this.requestRefresh = requestRefresh;
    this.#channel.onmessage = ({ data }) => this.#heard(data);
  }

  /** Whether this browser was signed in when it was last used. */
  get mayBeSignedIn() {
    return this.#held !== null || localStorage.getItem(HINT) !== null;
  }

  /** @param {Session} session */
  adopt(session) {
    this.#held = {
      token: session.access_token,
      expiresAt: Date.now() + session.expires_in * 1000,
      accountId: session.account.id,
    };
    localStorage.setItem(HINT, "1");
    localStorage.setItem(STAMP, String(Date.now()));
    this.#channel.postMessage({ kind: "session", held: this.#held });
  }

  /** Forget everything, here and in the other tabs. */
  forget() {
    this.#drop();
    localStorage.removeItem(HINT);
    this.#channel.postMessage({ kind: "signed-out" });
  }

  /**
   * A token that is good for a while, or null when nobody is signed in.
   * @param {{rejected?: string}} [options] a token that the service has just refused
   * @returns {Promise<string | null>}
   */
  async current({ rejected } = {}) {
    if (this.#held && this.#held.token !== rejected && this.#held.expiresAt - Date.now() > MARGIN_MS) return this.#held.token;
    if (!this.mayBeSignedIn) return null;
    this.#renewal ??= this.#renew().finally(() => {
      this.#renewal = null;
    });
    return this.#renewal;
  }

  async #renew() {
    const asked = Date.now();
    const old = this.#held?.token;
    return navigator.locks.request(LOCK, async () => {
      const renewedMeanwhile = Number(localStorage.getItem(STAMP)) >= asked;
      if (renewedMeanwhile && this.#held?.token === old) await this.#announcement();
      if (this.#held && this.#held.token !== old) return this.#held.token;
      return this.#fetchNew();
    });
  }

  async #fetchNew() {
    const attempt = localStorage.getItem(ATTEMPT) ?? crypto.randomUUID();
    localStorage.setItem(ATTEMPT, attempt);
    let response;
    try {
      response = await this.requestRefresh(attempt);
    } catch (error) {
      throw new Unreachable(error);
    }
    if (response.ok || response.status === 401) localStorage.removeItem(ATTEMPT);
    if (response.status === 401) {
      this.forget();
      this.dispatchEvent(new Event("signed-out"));
      return null;
    }
    if (!response.ok) throw await Problem.from(response);
    this.adopt(await response.json());
    return this.#held?.token ?? null;
  }

  #announcement() {
    return new Promise((resolve) => {
      const done = () => {
        this.#waiting.delete(done);
        resolve(undefined);
      };
      this.#waiting.add(done);
      setTimeout(done, ANNOUNCEMENT_MS);
    });
  }

  #drop() {
    this.#held = null;
  }

  /** @param {{kind: string, held?: Held}} message */
  #heard(message) {
    if (message.kind === "session" && message.held) {
      const other = this.#held !== null && this.#held.accountId !== message.held.accountId;
      this.#held = message.held;
      for (const done of this.#waiting) done();
      if (other) this.dispatchEvent(new Event("account-changed"));
    } else if (message.kind === "signed-out" && this.#held) {
      this.#drop();
      this.dispatchEvent(new Event("signed-out"));
    }
  }
}
