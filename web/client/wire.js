/**
 * One WebSocket from its hello to its end, the same for calls and for events: says hello, waits for the welcome,
 * keeps itself alive, and lets go of a network that died without a goodbye. Whether to come back is its owner's
 * matter; the close codes say so (docs/protocol.md).
 */

/** @typedef {{type: string, [name: string]: any}} Message */

/** From opening the socket to the welcome. */
const WELCOME_MS = 10_000;
/** The end that nobody announced. */
export const LOST = 1006;
export const NORMAL = 1000;
export const GOING_AWAY = 4400;
export const RESUME_REFUSED = 4410;
export const NOT_READY = 4411;
export const REMOVED = 4503;
export const REPLACED = 4504;
/** Codes from here on say "stay away" until a person asks again. */
export const STAY_AWAY = 4500;
/** Only a new ticket opens the door again after these; anything else that is not "stay away" resumes. */
export const NEW_TICKET = [GOING_AWAY, RESUME_REFUSED, NOT_READY];

/** @param {number} code */
export function staysAway(code) {
  return code >= STAY_AWAY && code < STAY_AWAY + 100;
}

export class Wire {
  /** @type {WebSocket | null} */
  #socket;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #heart;
  #lastHeard = 0;
  /** Whether the welcome came and the socket still stands. */
  open = false;

  /**
   * @param {object} given
   * @param {string} given.url
   * @param {() => object} given.hello the first frame
   * @param {(message: any) => void} given.heard every message but `pong`
   * @param {(code: number, reason: string) => void} given.closed told once, unless `drop` came first
   * @param {number} given.silentBeats silent for so many heartbeats it is dead
   */
  constructor(given) {
    this.given = given;
    const socket = new WebSocket(given.url);
    this.#socket = socket;
    this.#timer = setTimeout(() => this.#giveUp(), WELCOME_MS);
    socket.onopen = () => socket === this.#socket && socket.send(JSON.stringify(given.hello()));
    socket.onmessage = ({ data }) => socket === this.#socket && this.#receive(JSON.parse(data));
    socket.onclose = ({ code, reason }) => socket === this.#socket && this.#closed(code, reason);
  }

  /**
   * Send, if the welcome has come.
   * @param {object} message
   */
  say(message) {
    if (!this.open || this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  /** Send something last and go, also before the welcome. @param {object} message */
  sayLast(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
    this.drop(NORMAL, "left");
  }

  /**
   * Close without telling the owner.
   * @param {number} [code]
   * @param {string} [reason]
   */
  drop(code, reason) {
    const socket = this.#letGo();
    socket?.close(code, reason);
  }

  /** Act as if the network had gone, to try out coming back. */
  cut() {
    this.#socket?.close(4000, "dropped");
  }

  /** @param {Message} message */
  #receive(message) {
    this.#lastHeard = performance.now();
    if (message.type === "pong") return;
    if (message.type === "welcome") this.#welcomed(message.heartbeat_seconds * 1000);
    this.given.heard(message);
  }

  /** @param {number} beat in milliseconds */
  #welcomed(beat) {
    clearTimeout(this.#timer);
    clearInterval(this.#heart);
    this.open = true;
    let half = false;
    this.#heart = setInterval(() => {
      half = !half;
      if (performance.now() - this.#lastHeard > beat * this.given.silentBeats) this.#giveUp();
      else if (!half) this.say({ type: "ping" });
    }, beat / 2);
  }

  /** A dead network does not say goodbye: let go of the socket without waiting for it. */
  #giveUp() {
    const socket = this.#letGo();
    if (!socket) return;
    socket.close();
    this.given.closed(LOST, "silent");
  }

  /**
   * @param {number} code
   * @param {string} reason
   */
  #closed(code, reason) {
    this.#letGo();
    this.given.closed(code, reason);
  }

  #letGo() {
    clearTimeout(this.#timer);
    clearInterval(this.#heart);
    this.open = false;
    const socket = this.#socket;
    this.#socket = null;
    return socket;
  }
}
