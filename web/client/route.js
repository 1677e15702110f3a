import { Direct } from "./direct.js";
import { Forwarded } from "./forwarded.js";
import { whenElsewhere } from "./network.js";
import { receivedBy } from "./quality.js";

/**
 * The way that sound and picture take: direct, or through the server. When a direct call is promoted, what comes
 * directly is shown until the same comes through the server, so that nobody disappears.
 */

/** @import { Paths, Surroundings } from "./paths.js" */
/** @import { HeardCandidate, HeardDescription, Participant, Source, TrackState, Welcome } from "./protocol.js" */

const LOOK_EVERY_MS = 100;
/** What has not come through the server by then will not be missed. */
const MOST_LOOKS = 100;
/** The others may not have moved yet. */
const LINGER_MS = 3_000;

export class Route {
  /** Known from the first welcome on. @type {Welcome["topology"] | null} */
  topology = null;
  /** @type {Paths | null} */
  #now = null;
  /** The direct way, while it is being left. @type {Paths | null} */
  #former = null;
  /** Whose sound and picture have come by the present way. @type {Set<string>} */
  #moved = new Set();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** Be told no more of other networks. @type {() => void} */
  #stay = () => undefined;

  /** @param {Surroundings} given */
  constructor(given) {
    this.given = given;
  }

  /**
   * In a new stay nothing of an earlier one goes on.
   * @param {NonNullable<Route["topology"]>} topology
   * @param {Participant[]} present
   */
  begin(topology, present) {
    this.close();
    this.#stay = whenElsewhere(() => this.#now?.links().forEach(({ link }) => link.renew()));
    this.topology = topology;
    this.#now = this.#open(topology);
    this.#now.begin(present);
    if (this.given.sources().screen) this.ask();
  }

  /** Ask that the server carry the call; it tells everybody when it does. */
  ask() {
    if (this.topology === "direct") this.given.say({ type: "forward" });
  }

  /** The server carries the call from now on. @param {Participant[]} present */
  promoted(present) {
    if (this.topology !== "direct") return;
    this.topology = "forwarded";
    this.#former = this.#now;
    this.#now = this.#open("forwarded");
    this.#now.begin(present);
    void this.#move(MOST_LOOKS);
  }

  resumed() {
    this.#now?.resumed();
  }

  /** @param {string} id */
  arrived(id) {
    this.#now?.arrived(id);
  }

  /** @param {string} id */
  departed(id) {
    this.#former?.departed(id);
    this.#now?.departed(id);
  }

  /** @param {string} id */
  returned(id) {
    this.#now?.returned(id);
  }

  /** @param {HeardDescription | HeardCandidate} signal */
  heard(signal) {
    this.#now?.heard(signal);
  }

  /** @param {TrackState} state */
  told(state) {
    this.#now?.told(state);
  }

  /**
   * @param {Source} source
   * @param {MediaStreamTrack | null} track
   */
  async send(source, track) {
    await Promise.all([this.#former?.send(source, track), this.#now?.send(source, track)]);
  }

  /** @param {string} id */
  streamOf(id) {
    return this.#wayOf(id)?.streamOf(id) ?? null;
  }

  /** @param {string} id */
  screenOf(id) {
    return this.#now?.screenOf(id) ?? null;
  }

  /**
   * @param {string} id
   * @param {Source} source
   */
  isPaused(id, source) {
    return this.#now?.isPaused(id, source) ?? false;
  }

  /** @param {string} id */
  connectionWith(id) {
    return this.#wayOf(id)?.connectionWith(id) ?? "new";
  }

  /** Of all connections that the call needs now. */
  states() {
    const before = this.#former?.states() ?? [];
    const serves = before.length > 0 && before.every((state) => state === "connected");
    return (serves ? before : this.#now?.states()) ?? [];
  }

  /** Whether sound and picture go both ways. */
  get flowing() {
    const states = this.states();
    return states.length > 0 && states.every((state) => state === "connected");
  }

  /** All that in one word. @returns {"connecting" | "connected" | "reconnecting"} */
  get state() {
    const states = this.states();
    if (states.some((state) => state === "failed" || state === "disconnected")) return "reconnecting";
    return states.every((state) => state === "connected") ? "connected" : "connecting";
  }

  links() {
    return [...(this.#former?.links() ?? []), ...(this.#now?.links() ?? [])];
  }

  /** @param {string} id */
  linkFrom(id) {
    return this.#wayOf(id)?.linkFrom(id) ?? null;
  }

  close() {
    clearTimeout(this.#timer);
    this.#stay();
    this.#moved.clear();
    this.#former?.close();
    this.#now?.close();
    this.#former = this.#now = null;
  }

  /** @param {string} id */
  #wayOf(id) {
    const serves = this.#former?.connectionWith(id) === "connected" && !this.#moved.has(id);
    return serves ? this.#former : this.#now;
  }

  /**
   * @param {NonNullable<Route["topology"]>} topology
   * @returns {Paths}
   */
  #open(topology) {
    const surroundings = {
      ...this.given,
      // Nobody but the server learns where this is, so a relay is only for where nothing else gets through.
      configuration: () => ({ ...this.given.configuration(), ...(topology === "forwarded" && { iceTransportPolicy: /** @type {const} */ ("all") }) }),
      // What is left behind agrees nothing any more.
      say: (/** @type {import("./protocol.js").Said} */ message) => topology === this.topology && this.given.say(message),
      stuck: () => this.ask(),
    };
    return topology === "direct" ? new Direct(surroundings) : new Forwarded(surroundings);
  }

  /** @param {number} looks so often at most */
  async #move(looks) {
    const now = this.#now;
    const here = [...this.given.participants.values()].filter(({ id }) => !this.#moved.has(id));
    const come = await Promise.all(here.map((each) => hasCome(now, each)));
    if (now !== this.#now) return;
    here.forEach(({ id }, index) => come[index] && this.#moved.add(id));
    if (come.includes(true)) this.given.changed();
    // Whoever is away for a moment has not heard of it yet.
    const away = here.some(({ state }) => state !== "online");
    const left = away ? looks : looks - 1;
    if (looks > 0 && come.includes(false)) this.#timer = setTimeout(() => void this.#move(left), LOOK_EVERY_MS);
    else this.#timer = setTimeout(() => this.#leave(), LINGER_MS);
  }

  #leave() {
    this.#former?.close();
    this.#former = null;
    this.given.changed();
  }
}

/**
 * Whether what somebody sends can be seen and heard by this way.
 * @param {Paths | null} way
 * @param {Participant} participant
 */
async function hasCome(way, { id, audio, video }) {
  if (!audio && !video) return true;
  const link = way?.linkFrom(id) ?? null;
  if (link?.state !== "connected") return false;
  const { framesDecoded, packetsReceived } = await receivedBy(link, way?.streamOf(id)?.getTracks() ?? []);
  // What is not looked at, or has no room, is not sent.
  const comes = video && globalThis.document?.visibilityState !== "hidden" && !way?.isPaused(id, "camera");
  return comes ? framesDecoded > 0 : packetsReceived > 0;
}
