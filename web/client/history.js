import { later } from "./conversations.js";

/**
 * What was said in one conversation, as much of it as somebody looks at: a stretch that grows both ways, kept by
 * events, with what is on its way out at its end.
 */

/** @import { Api } from "./api.js" */
/** @import { Conversations } from "./conversations.js" */
/** @import { Events } from "./events.js" */
/** @import { Outbox } from "./outbox.js" */
/** @import { Message } from "./types.js" */
/** @typedef {[message: Message, posted: boolean][]} Heard */

const PAGE = 50;
/** With more unread than this one begins to read where one stopped, and not at the end. */
const MANY_UNREAD = 40;
const BEFORE_UNREAD = 15;

/** Event: `change`. */
export class History extends EventTarget {
  /** In order, without gaps. @type {Message[]} */
  messages = [];
  moreBefore = false;
  moreAfter = false;
  loaded = false;
  /** What went wrong at the last loading. @type {unknown} */
  problem = null;
  /** What was unread when the person came begins after this `seq`. @type {number | null} */
  unreadAfter = null;
  /** Of whom there are messages here. @type {string | null} */
  #who = null;
  /** Whether the person looks at it now. */
  #looking = false;
  #closed = false;
  /** Counts loads from the start: answers to an earlier one are dropped. */
  #begun = 0;
  /** @type {Set<string>} */
  #turning = new Set();
  /** For each answer under way, what is heard until it comes. @type {Set<Heard>} */
  #meanwhile = new Set();
  /** @type {(() => void)[]} */
  #stops = [];

  /** @param {{api: Api, events: Events, outbox: Outbox, conversations: Conversations, id: string}} given */
  constructor({ api, events, outbox, conversations, id }) {
    super();
    this.api = api;
    this.events = events;
    this.outbox = outbox;
    this.conversations = conversations;
    this.id = id;
    const sent = (/** @type {any} */ { detail }) => detail.conversation_id === id && this.#put(detail);
    const changed = () => this.#changed();
    const stands = () => {
      this.#lookWho();
      this.#changed();
    };
    outbox.addEventListener("sent", sent);
    outbox.addEventListener("change", changed);
    conversations.addEventListener("change", stands);
    this.#stops = [
      () => outbox.removeEventListener("sent", sent),
      () => outbox.removeEventListener("change", changed),
      () => conversations.removeEventListener("change", stands),
      events.on(id, ({ kind, data }) => kind.startsWith("message.") && this.#put(/** @type {Message} */ (data), kind === "message.posted")),
      events.onReset(({ stream, epoch, head }) => {
        const { about } = this;
        if (stream === id && !(about?.epoch === epoch && about.head === head)) void this.load();
      }),
      events.onState((state) => {
        if (this.problem && (state === "live" || state === "late")) void this.load();
      }),
    ];
  }

  close() {
    this.#closed = true;
    for (const stop of this.#stops) stop();
  }

  /** Who is in it and how it stands; null when it is not ours (any more). */
  get about() {
    return this.conversations.get(this.id);
  }

  /** What was written here and has not arrived. */
  get waiting() {
    return this.outbox.letters(this.id);
  }

  /** Load from the start: the newest, or where many unread ones begin. */
  async load() {
    const begun = this.#beginAnew();
    try {
      await this.#answer(async () => {
        await this.conversations.refresh(this.id);
        this.#lookWho();
        const { about } = this;
        const from = about && about.unread > MANY_UNREAD ? about.read_up_to : null;
        const [first, last] = from === null
          ? [null, await this.#ask({ limit: PAGE })]
          : await Promise.all([this.#ask({ before: from + 1, limit: BEFORE_UNREAD }), this.#ask({ after: from, limit: PAGE })]);
        return () => {
          this.messages = [...(first?.items ?? []), ...last.items];
          this.moreBefore = (first ?? last).more_before;
          this.moreAfter = last.more_after;
          if (!this.loaded && about && about.unread > 0) this.unreadAfter = about.read_up_to;
          this.loaded = true;
          this.problem = null;
        };
      });
    } catch (problem) {
      if (begun !== this.#begun || this.#closed) return;
      this.problem = problem;
      this.#changed();
    }
  }

  /** The page before the first. */
  async older() {
    const [first] = this.messages;
    if (!first || !this.moreBefore) return;
    await this.#turn("before", async () => {
      const page = await this.#ask({ before: first.seq, limit: PAGE });
      return () => {
        this.messages = [...page.items.filter(({ seq }) => seq < this.messages[0].seq), ...this.messages];
        this.moreBefore = page.more_before;
      };
    });
  }

  /** The page after the last. */
  async newer() {
    const last = this.messages.at(-1);
    if (!last || !this.moreAfter) return;
    await this.#turn("after", async () => {
      const page = await this.#ask({ after: last.seq, limit: PAGE });
      return () => {
        const known = new Set(this.messages.map(({ id }) => id));
        this.messages = [...this.messages, ...page.items.filter(({ id }) => !known.has(id))];
        this.moreAfter = page.more_after;
      };
    });
  }

  /** Leave out what is between, and show the end. */
  async latest() {
    if (!this.moreAfter) return;
    this.#beginAnew();
    await this.#answer(async () => {
      const page = await this.#ask({ limit: PAGE });
      return () => {
        this.messages = page.items;
        this.moreBefore = page.more_before;
        this.moreAfter = false;
      };
    });
  }

  /**
   * Say something; it is kept from now on, and sent when that is possible.
   * @param {string} text
   * @param {string[]} mentions
   */
  write(text, mentions) {
    this.unreadAfter = null;
    this.events.company.stopWriting(this.id);
    this.outbox.write(this.id, text, mentions);
    void this.latest().catch(() => undefined);
  }

  /**
   * @param {Message} message
   * @param {string} text
   * @param {string[]} mentions
   */
  async edit(message, text, mentions) {
    this.#put(await this.api.patch("/v1/messages/{message_id}", { path: { message_id: message.id }, body: { text, mentions } }));
  }

  /** @param {Message} message */
  async remove(message) {
    await this.api.delete("/v1/messages/{message_id}", { path: { message_id: message.id } });
    this.#put({ ...message, text: "", mentions: [], deleted: true });
  }

  /** The person looks at it, or away. @param {boolean} looking */
  look(looking) {
    if (this.#looking && !looking) this.unreadAfter = null;
    this.#looking = looking;
  }

  /** The person has seen what is here up to this. @param {number} seq */
  async seen(seq) {
    await this.conversations.read(this.id, seq).catch(() => undefined);
  }

  /** @param {{before?: number, after?: number, limit: number}} query */
  #ask(query) {
    return this.api.get("/v1/conversations/{conversation_id}/messages", { path: { conversation_id: this.id }, query });
  }

  /** What is under way is not wanted any more. */
  #beginAnew() {
    this.#turning.clear();
    return (this.#begun += 1);
  }

  /**
   * One page at a time in each direction; a new beginning makes it void.
   * @param {"before" | "after"} where
   * @param {() => Promise<() => void>} ask
   */
  async #turn(where, ask) {
    if (this.#turning.has(where)) return;
    this.#turning.add(where);
    const begun = this.#begun;
    try {
      await this.#answer(ask);
    } finally {
      if (begun === this.#begun) this.#turning.delete(where);
    }
  }

  /**
   * Ask, and put the answer in place, unless one began anew meanwhile. It may be older than what was heard while it
   * was under way: that counts on top of it.
   * @param {() => Promise<() => void>} ask
   */
  async #answer(ask) {
    const begun = this.#begun;
    /** @type {Heard} */
    const heard = [];
    this.#meanwhile.add(heard);
    try {
      const put = await ask();
      if (begun !== this.#begun || this.#closed) return;
      put();
      for (const each of heard) this.#place(...each);
      this.#changed();
    } finally {
      this.#meanwhile.delete(heard);
    }
  }

  /** Whoever is kept apart from us is not among the people any more: neither is what they said. Or both are again. */
  #lookWho() {
    const people = this.about?.people.map(({ id }) => id).sort() ?? [];
    const who = people.join();
    if (!this.about || who === this.#who) return;
    const before = this.#who;
    this.#who = who;
    if (before === null || !this.loaded) return;
    this.messages = this.messages.filter(({ author_id: author }) => people.includes(author));
    void this.load();
  }

  /** @param {Message} message @param {boolean} [posted] heard as new */
  #put(message, posted = false) {
    // Heard before the answer came: it has arrived, and need not be sent again.
    this.outbox.drop(message.client_id);
    for (const heard of this.#meanwhile) heard.push([message, posted]);
    this.#place(message, posted);
    this.#changed();
  }

  /** @param {Message} message @param {boolean} posted */
  #place(message, posted) {
    const at = this.messages.findIndex(({ id }) => id === message.id);
    if (at >= 0) {
      this.messages = this.messages.with(at, later(this.messages[at], message));
    } else if (this.loaded && !this.moreAfter && message.seq > (this.messages[0]?.seq ?? 0)) {
      this.messages = [...this.messages, message].sort((one, other) => one.seq - other.seq);
      const mine = this.about?.people.some(({ id, is_me: me }) => me && id === message.author_id);
      if (posted && !mine && !this.#looking) this.unreadAfter ??= this.about?.read_up_to ?? null;
    }
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}
