import { CatchUp } from "./catch-up.js";
import { Company } from "./company.js";
import { Cursors } from "./cursors.js";
import { EventsLine, isSignedOut, wasAnswered } from "./line.js";

/**
 * What happens elsewhere, as it happens: every event of every stream this account hears, once and in order.
 *
 *     const events = new Events({ api });
 *     events.on("pairing.changed", ({ data }) => readAgain(data.id));
 *     events.onReset(({ stream, kind }) => readEverythingAgain(stream));
 *     events.onState((state) => console.log(state));
 *     events.start();
 *
 * The socket is only a messenger: what it misses is asked for with `POST /v1/sync`, after every welcome, when a
 * number is missing, and now and again. Without a socket, asking alone goes on.
 */

/** @import { EventMessage, EventsHeard, EventsWelcome, Posts, StreamFound, StreamKind } from "./events-protocol.js" */
/** @typedef {import("./line.js").Ending} Ending */
/** @typedef {"connecting" | "catching up" | "live" | "late" | "offline" | "signed out" | "replaced" | "stopped"} EventsState */
/** @typedef {{stream: string, kind: StreamKind, epoch: string, head: number}} Reset */

const POLL_MS = 60_000;
const POLL_WHEN_LATE_MS = 10_000;
/** What many hear at once is not answered by all at once. */
const SPREAD_MS = 1_000;

export class Events {
  /** @type {EventsState} */
  state = "stopped";
  #cursors = new Cursors();
  /** @type {Map<string, Set<(about: any) => void>>} */
  #hearers = new Map();
  /** @type {Ending | null} */
  #ending = null;
  /** Whether this node sees everything; it says so when it does not. */
  #nodeLive = true;
  /** Whether everything up to the welcome has been told. */
  #caughtUp = false;
  /** Whether asking goes on while there is no socket. */
  #polling = false;
  /** Whether the service answered when it was last asked; null before. @type {boolean | null} */
  #reached = null;

  /** @param {{api: Posts, random?: () => number}} given */
  constructor({ api, random = Math.random }) {
    this.random = random;
    /** @type {CatchUp} */
    this.catchUp = new CatchUp({
      api,
      random,
      cursors: this.#cursors,
      found: (found, asked) => this.#found(found, asked),
      gone: (stream) => this.#gone(stream),
      done: () => this.#done(),
      failed: (error) => this.#failed(error),
    });
    /** @type {EventsLine} */
    this.line = new EventsLine({
      api,
      random,
      presence: () => this.company.state,
      up: (welcome) => this.#up(welcome),
      down: () => this.#down(),
      over: (ending) => this.#over(ending),
      refused: (answered) => this.#answered(answered),
      heard: (message) => this.#heard(message),
    });
    /** Who is here and who writes. @type {Company} */
    this.company = new Company((message) => this.line.say(message));
    // Neither word of the browser is the truth, but both are a reason to find out.
    this.findOut = () => void this.catchUp.now();
  }

  /** Begin; what happened so far has been told when the promise is fulfilled, if the service can be reached. */
  async start() {
    if (this.state !== "stopped" && this.#ending === null) return;
    this.#ending = null;
    for (const type of ["online", "offline"]) globalThis.addEventListener(type, this.findOut);
    this.#look("connecting");
    this.line.start();
    await this.catchUp.now();
  }

  /** Stop, and forget where the streams stand. */
  stop() {
    this.#leave();
    this.#cursors.clear();
    this.#ending = null;
    this.#look("stopped");
  }

  /** A person is looking: what would wait for a while is done now, and a refused socket is asked for again. */
  wake() {
    if (this.#ending === "refused") return void this.start();
    if (this.state === "stopped" || this.#ending !== null) return;
    this.line.comeBackNow();
    if (this.state !== "live") void this.catchUp.now();
  }

  /**
   * Hear events of a kind, of a stream (by its id), or all (`*`). Returns how to stop.
   * @param {string} what
   * @param {(event: EventMessage) => void} hear
   */
  on(what, hear) {
    return this.#hear(`event ${what}`, hear);
  }

  /** @param {(state: EventsState) => void} hear */
  onState(hear) {
    return this.#hear("state", hear);
  }

  /**
   * A stream was begun anew, or is heard for the first time: read what it is about afresh.
   * @param {(reset: Reset) => void} hear
   */
  onReset(hear) {
    return this.#hear("reset", hear);
  }

  /** A stream is not ours to hear any more. @param {(stream: string) => void} hear */
  onGone(hear) {
    return this.#hear("gone", hear);
  }

  /**
   * What was read by REST stood here; events from here on are heard, also if the stream is new.
   * @param {string} stream
   * @param {string} epoch
   * @param {number} head
   */
  know(stream, epoch, head) {
    this.#tell(this.#cursors.know({ stream, epoch, seq: head }));
  }

  /** Ask by REST what happened since. */
  sync() {
    return this.catchUp.now();
  }

  /** @param {EventsWelcome} welcome */
  #up(welcome) {
    this.#nodeLive = welcome.live;
    this.#caughtUp = this.#polling = false;
    this.company.welcomed();
    this.#look();
    void this.catchUp.now();
  }

  #down() {
    this.company.lost();
    this.#caughtUp = this.#polling = false;
    this.#pollLater();
    this.#look();
  }

  /** @param {Ending} ending */
  #over(ending) {
    this.#ending = ending;
    this.#caughtUp = this.#polling = false;
    this.company.lost();
    if (ending === "signed out") this.#leave();
    else this.#pollLater();
    this.#look();
  }

  #leave() {
    for (const type of ["online", "offline"]) globalThis.removeEventListener(type, this.findOut);
    this.catchUp.stop();
    this.line.stop();
    this.company.lost();
    this.#reached = null;
    this.#caughtUp = this.#polling = false;
  }

  /** @param {EventsHeard} message */
  #heard(message) {
    switch (message.type) {
      case "event": return this.#event(message);
      case "sync": return this.catchUp.within(this.random() * SPREAD_MS);
      case "live":
        this.#nodeLive = message.live;
        this.#pollLater();
        this.catchUp.within(this.random() * SPREAD_MS);
        return this.#look();
      case "error":
      case "typing":
      case "presence": return this.company.heard(message);
    }
  }

  /** @param {EventMessage} event */
  #event(event) {
    const { ready, missing } = this.#cursors.take(event);
    this.#tell(ready);
    if (missing === "everything") void this.catchUp.now();
    else if (missing === "earlier") this.catchUp.missing(event.stream);
    else this.catchUp.filled(event.stream);
  }

  /** @param {StreamFound} found @param {import("./cursors.js").Cursor | undefined} asked */
  #found(found, asked) {
    const { ready, reset, moved } = this.#cursors.merge(found, asked);
    if (reset) this.#emit("reset", { stream: found.stream, kind: found.kind, epoch: found.epoch, head: found.head });
    this.#tell(ready);
    return moved;
  }

  /** @param {string} stream */
  #gone(stream) {
    this.#cursors.forget(stream);
    this.#emit("gone", stream);
  }

  #done() {
    this.#polling = !this.line.open && this.#reached !== null;
    this.#caughtUp = true;
    this.#answered(true);
    this.#pollLater();
  }

  /** Asking now and again goes on in any case: nothing else tells of a stream in which nothing was heard. */
  #pollLater() {
    const late = !this.line.open || !this.#nodeLive;
    this.catchUp.atLatest((late ? POLL_WHEN_LATE_MS : POLL_MS) * (0.75 + 0.5 * this.random()));
  }

  /** @param {unknown} error */
  #failed(error) {
    if (isSignedOut(error)) this.#over("signed out");
    else if (!wasAnswered(error)) this.#answered(false);
  }

  /** @param {boolean} answered */
  #answered(answered) {
    this.#reached = answered;
    this.#look();
  }

  /** @returns {EventsState} */
  #currentState() {
    if (this.#ending === "signed out" || this.#ending === "replaced") return this.#ending;
    // The socket may stand while nothing can be sent; once is no proof.
    if (this.#reached === false && (!this.line.open || this.catchUp.failures > 1)) return "offline";
    if (!this.line.open) return this.#polling ? "late" : "connecting";
    if (!this.#caughtUp) return "catching up";
    return this.#nodeLive ? "live" : "late";
  }

  /** @param {EventsState} [state] */
  #look(state = this.state === "stopped" ? "stopped" : this.#currentState()) {
    if (state === this.state) return;
    this.state = state;
    this.#emit("state", state);
  }

  /** @param {EventMessage[]} ready */
  #tell(ready) {
    for (const event of ready) {
      // Only its number is for us.
      if (event.kind === "hidden") continue;
      // Streams may have come or gone.
      if (event.kind === "memberships.changed") void this.catchUp.now();
      if (event.kind === "message.posted") this.company.wrote(event.stream, event.data.author_id);
      for (const what of [event.kind, event.stream, "*"]) this.#emit(`event ${what}`, event);
    }
  }

  /** @param {string} what @param {(about: any) => void} hear */
  #hear(what, hear) {
    const hearers = this.#hearers.get(what) ?? new Set();
    this.#hearers.set(what, hearers.add(hear));
    return () => void hearers.delete(hear);
  }

  /** One hearer that fails must not keep the others from hearing. @param {string} what @param {any} about */
  #emit(what, about) {
    for (const hear of [...(this.#hearers.get(what) ?? [])]) {
      try {
        hear(about);
      } catch (error) {
        setTimeout(() => {
          throw error;
        });
      }
    }
  }
}
