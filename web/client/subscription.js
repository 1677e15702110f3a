import { Link } from "./link.js";

/** What this side receives in a forwarded call: one connection with the server, on which only the server offers. */

/** @import { Surroundings } from "./paths.js" */
/** @import { ForwardedTrack, HeardDescription, Source, TrackState } from "./protocol.js" */

const PC = "subscribe";

export class Subscription {
  /** @type {Link | null} */
  link = null;
  /** Camera and microphone of each participant. @type {Map<string, MediaStream>} */
  people = new Map();
  /** What each participant shares. @type {Map<string, MediaStream>} */
  screens = new Map();
  /** The section of each track, as it was named last. @type {Map<string, string>} */
  #named = new Map();
  /** Tracks that the server holds back. @type {Set<string>} */
  #paused = new Set();

  /** @param {Surroundings} given */
  constructor(given) {
    this.given = given;
  }

  /** @param {HeardDescription} description */
  async offered(description) {
    const link = description.type === "offer" ? this.#linkOf(description.generation) : null;
    await link?.described(description);
    if (link && link === this.link) this.#sort(description.tracks ?? []);
  }

  /** @param {TrackState} state */
  told({ participant_id: id, source, state }) {
    if (state === "paused") this.#paused.add(key(id, source));
    else this.#paused.delete(key(id, source));
    this.given.changed();
  }

  /**
   * @param {string} id
   * @param {Source} source
   */
  isPaused(id, source) {
    return this.#paused.has(key(id, source));
  }

  /** @param {string} id */
  departed(id) {
    this.people.delete(id);
    this.screens.delete(id);
  }

  close() {
    this.link?.close();
    this.link = null;
    this.people.clear();
    this.screens.clear();
    this.#paused.clear();
  }

  /**
   * An offer opens the connection, or begins its next generation; an older one is dropped.
   * @param {number} generation
   */
  #linkOf(generation) {
    if (this.link?.generation === generation) return this.link;
    if (this.link && generation < this.link.generation) return null;
    this.link?.close();
    // On a new connection all tracks begin anew.
    this.#paused.clear();
    this.link = this.#open(generation);
    return this.link;
  }

  /** @param {number} generation */
  #open(generation) {
    const { configuration, say, changed, trouble } = this.given;
    const askAgain = (/** @type {number} */ wanted) => say({ type: "restart", pc: PC, generation: wanted });
    return new Link({
      configuration: configuration(),
      // Only the server offers, so its offer is always taken.
      polite: true,
      offers: false,
      generation,
      signal: (signal) => {
        if (signal.type === "answer") say({ ...signal, to: null, pc: PC });
        else if (signal.type === "restart") askAgain(generation);
      },
      changed,
      lost: () => askAgain(generation + 1),
      trouble,
    });
  }

  /** Whose each track is now. Streams stay the same while something of them stays. @param {ForwardedTrack[]} tracks */
  #sort(tracks) {
    const sections = new Map((this.link?.pc.getTransceivers() ?? []).map(({ mid, receiver }) => [mid, receiver.track]));
    const shown = new Set(this.screens.keys());
    this.#name(tracks);
    for (const streams of [this.people, this.screens]) {
      const ofPeople = streams === this.people;
      /** @type {Map<string, MediaStreamTrack[]>} */
      const wanted = new Map();
      for (const { mid, participant_id: id, source } of tracks) {
        const track = sections.get(mid);
        if (track && isPersonal(source) === ofPeople) wanted.set(id, [...(wanted.get(id) ?? []), track]);
      }
      fill(streams, wanted);
    }
    for (const id of shown) if (!this.screens.has(id)) this.given.screened(id, false);
    for (const id of this.screens.keys()) if (!shown.has(id)) this.given.screened(id, true);
    this.given.changed();
  }

  /** What moved to another section is another track, and what went is none: nobody says that these are not paused. @param {ForwardedTrack[]} tracks */
  #name(tracks) {
    const named = new Map(tracks.map(({ participant_id: id, source, mid }) => [key(id, source), mid]));
    for (const each of this.#paused) if (named.get(each) !== this.#named.get(each)) this.#paused.delete(each);
    this.#named = named;
  }
}

/**
 * @param {string} id
 * @param {Source} source
 */
function key(id, source) {
  return `${id} ${source}`;
}

/** @param {Source} source */
function isPersonal(source) {
  return source === "microphone" || source === "camera";
}

/**
 * @param {Map<string, MediaStream>} streams
 * @param {Map<string, MediaStreamTrack[]>} wanted
 */
function fill(streams, wanted) {
  for (const [id, stream] of streams) {
    for (const track of stream.getTracks()) if (!wanted.get(id)?.includes(track)) stream.removeTrack(track);
    if (!wanted.has(id)) streams.delete(id);
  }
  for (const [id, tracks] of wanted) {
    const stream = streams.get(id) ?? new MediaStream();
    for (const track of tracks) if (!stream.getTracks().includes(track)) stream.addTrack(track);
    streams.set(id, stream);
  }
}
