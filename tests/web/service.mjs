/** The service as the events client sees it: streams with numbers, a sync, tickets, and sockets that can be cut. */

import { mock } from "node:test";

/** As `Problem`, as far as the client looks at it. */
export class Refused extends Error {
  constructor(status, code, retryAfter = null) {
    super(code);
    Object.assign(this, { status, code, retryAfter });
  }
}

export class Service {
  streams = new Map();
  asked = [];
  posts = [];
  /** How the next requests fail, in order: an error, or a promise to wait for. */
  trouble = [];
  tickets = 0;
  live = true;
  /** Messages by sender's client id: the same one again is the same message. */
  messages = new Map();

  constructor(browser) {
    this.browser = browser;
  }

  begin(stream, { kind = "membership", epoch = "e1" } = {}) {
    this.streams.set(stream, { kind, epoch, floor: 0, log: [] });
  }

  /** Something happens; returns the event as the socket would carry it. */
  happen(stream, kind = "pairing.changed", data = { id: "p" }) {
    const { epoch, log } = this.streams.get(stream);
    const event = { type: "event", stream, epoch, seq: log.length + 1, kind, data };
    log.push(event);
    return event;
  }

  /** The newest socket. */
  get socket() {
    return this.browser.sockets.at(-1);
  }

  welcome(more = {}) {
    this.socket.open();
    this.socket.hear({ type: "welcome", version: 1, resume_token: `r${this.browser.sockets.length}`, heartbeat_seconds: 25, live: this.live, ...more });
  }

  get api() {
    return { post: (path, given = {}) => this.#post(path, given) };
  }

  async #post(path, { body, path: params }) {
    this.posts.push(path);
    const trouble = this.trouble.shift();
    if (trouble instanceof Error) throw trouble;
    // What a lost answer leaves behind: it was done, and nobody heard.
    if (trouble?.lostAnswer) {
      await this.#answer(path, body, params);
      throw trouble.lostAnswer;
    }
    if (trouble) await trouble;
    return structuredClone(await this.#answer(path, body, params));
  }

  async #answer(path, body, params) {
    if (path === "/v1/events/ticket") return { ticket: `t${(this.tickets += 1)}`, socket_url: "ws://node/events", expires_at: "" };
    if (path === "/v1/sync") return this.#sync(body);
    if (path === "/v1/conversations/{conversation_id}/messages") return this.#message(params.conversation_id, body);
    throw new Refused(404, "not_found");
  }

  #sync({ cursors, limit }) {
    this.asked.push(cursors);
    const given = new Map(cursors.map((cursor) => [cursor.stream, cursor]));
    const streams = [];
    for (const [stream, { kind, epoch, floor, log }] of this.streams) {
      const cursor = given.get(stream);
      const head = log.length;
      if (cursor?.epoch === epoch && cursor.seq === head) continue;
      const follows = cursor?.epoch === epoch && floor <= cursor.seq && cursor.seq < head;
      const events = follows ? log.slice(cursor.seq, cursor.seq + Math.min(limit, this.most ?? limit)) : [];
      const last = events.at(-1)?.seq ?? 0;
      streams.push({ stream, kind, epoch, head, reset: !follows, limited: follows && last < head, events });
    }
    return { streams, gone: cursors.map(({ stream }) => stream).filter((stream) => !this.streams.has(stream)) };
  }

  #message(conversation, { client_id: id, text, mentions }) {
    const before = this.messages.get(id);
    if (before) return before;
    const message = {
      id: `m-${id}`, conversation_id: conversation, author_id: "me", client_id: id, text, mentions,
      posted_at: new Date(0).toISOString(), edited_at: null, deleted: false,
    };
    this.messages.set(id, message);
    if (this.streams.has(conversation)) message.seq = this.happen(conversation, "message.posted", message).seq;
    return message;
  }
}

/** A clock that is moved by hand, for timers and for `performance.now`. */
export class Clock {
  #now = 0;

  constructor() {
    mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
    mock.method(performance, "now", () => this.#now);
  }

  /** Let what is under way come to its end. */
  async settle() {
    for (let round = 0; round < 40; round += 1) await Promise.resolve();
  }

  /** Pass time in steps, so that what one timer begins the next one finds done. */
  async wait(ms) {
    const most = ms > 10_000 ? 250 : 50;
    for (let left = ms; left >= 0; left -= most) {
      const step = Math.min(most, left);
      this.#now += step;
      mock.timers.tick(step);
      await this.settle();
    }
  }

  restore() {
    mock.timers.reset();
    mock.restoreAll();
  }
}

/** Random numbers that come again with their seed. */
export function seeded(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
