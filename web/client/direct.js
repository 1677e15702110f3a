import { Link } from "./link.js";

/** A direct call: each pair of participants has one connection, and either side may offer on it. */

/** @import { OpenLink, Paths, Surroundings } from "./paths.js" */
/** @import { HeardCandidate, HeardDescription, Participant, Source } from "./protocol.js" */

const PC = "direct";
/** The newcomer offers; whoever was there waits this long before offering instead. */
const PATIENCE_MS = 1_500;
/** A path that has not been found by then is looked for in vain. */
const FIND_WITHIN_MS = 10_000;
/** What has a section here; screens have none. @type {Partial<Record<Source, "audio" | "video">>} */
const KINDS = { microphone: "audio", camera: "video" };

/** @implements {Paths} */
export class Direct {
  /** @type {Map<string, Link>} */
  #links = new Map();
  /** @type {Map<string, MediaStream>} */
  #streams = new Map();
  /** @type {Map<string, ReturnType<typeof setTimeout>>} */
  #patience = new Map();
  /** @type {Map<string, ReturnType<typeof setTimeout>>} */
  #finding = new Map();

  /** @param {Surroundings} given */
  constructor(given) {
    this.given = given;
  }

  /** @param {Participant[]} present */
  begin(present) {
    for (const { id } of present) this.#link(id);
  }

  resumed() {
    for (const link of this.#links.values()) link.returned({ mine: true });
  }

  /** @param {string} id */
  arrived(id) {
    const offerInstead = () => {
      if (this.given.participants.has(id) && !this.#links.has(id)) this.#link(id);
    };
    this.#patience.set(id, setTimeout(offerInstead, PATIENCE_MS));
  }

  /** @param {string} id */
  departed(id) {
    this.#unlink(id);
  }

  /** @param {string} id */
  returned(id) {
    this.#links.get(id)?.returned({ mine: false });
  }

  /** @param {HeardDescription | HeardCandidate} signal */
  heard(signal) {
    const link = this.#linkFor(signal);
    if (signal.type === "candidate") void link?.found(signal.candidate);
    else void link?.described(signal);
  }

  /**
   * Agreed anew with the others only when nothing of this kind was sent before.
   * @param {Source} source
   * @param {MediaStreamTrack | null} track
   */
  async send(source, track) {
    const kind = KINDS[source];
    if (kind) await Promise.all([...this.#links.values()].map((link) => replace(link.pc, kind, track)));
  }

  /** @param {string} id */
  streamOf(id) {
    return this.#streams.get(id) ?? null;
  }

  screenOf() {
    return null;
  }

  /** Nobody stands between two who could hold a picture back. */
  told() {}

  isPaused() {
    return false;
  }

  /** @param {string} id */
  connectionWith(id) {
    return this.#links.get(id)?.state ?? "new";
  }

  states() {
    return [...this.given.participants.keys()].map((id) => this.connectionWith(id));
  }

  /** @returns {OpenLink[]} */
  links() {
    return [...this.#links].map(([participantId, link]) => ({ pc: PC, participantId, link }));
  }

  /** @param {string} id */
  linkFrom(id) {
    return this.#links.get(id) ?? null;
  }

  close() {
    for (const id of [...this.#patience.keys(), ...this.#links.keys()]) this.#unlink(id);
  }

  /**
   * The connection that a signal is for. An offer may open one, or begin its next generation.
   * @param {HeardDescription | HeardCandidate} signal
   */
  #linkFor({ type, from, pc, generation }) {
    if (from === null || pc !== PC) return undefined;
    const link = this.#links.get(from);
    if (link?.generation === generation) return link;
    const stranger = !this.given.participants.has(from);
    if (type !== "offer" || stranger || (link && generation < link.generation)) return undefined;
    return this.#link(from, { answering: true, generation });
  }

  /**
   * @param {string} id
   * @param {{answering?: boolean, generation?: number}} [how] answering: what an offer has room for need not be asked for
   */
  #link(id, { answering = false, generation = 1 } = {}) {
    this.#unlink(id);
    const stream = new MediaStream();
    const { configuration, participants, say, changed, trouble } = this.given;
    const link = new Link({
      configuration: configuration(),
      polite: participants.get(id)?.polite ?? true,
      generation,
      signal: (signal) => signal.type !== "restart" && say({ ...signal, to: id, pc: PC }),
      changed: () => {
        this.#watch(id, link);
        changed();
      },
      arrived: (track) => {
        take(stream, track);
        changed();
      },
      lost: () => this.#link(id, { generation: generation + 1 }),
      trouble,
    });
    this.#links.set(id, link);
    this.#streams.set(id, stream);
    this.#sendAll(link.pc, answering);
    this.#finding.set(id, setTimeout(() => this.#stuck(id), FIND_WITHIN_MS));
    return link;
  }

  /**
   * @param {string} id
   * @param {Link} link
   */
  #watch(id, link) {
    if (link.state === "connected") clearTimeout(this.#finding.get(id));
    if (link.state === "failed") this.#stuck(id);
  }

  /** Whoever is away themself is waited for. @param {string} id */
  #stuck(id) {
    if (this.given.participants.get(id)?.state === "online") this.given.stuck?.();
  }

  /**
   * @param {RTCPeerConnection} pc
   * @param {boolean} answering
   */
  #sendAll(pc, answering) {
    const { microphone, camera } = this.given.sources();
    for (const [kind, track] of /** @type {const} */ ([["audio", microphone], ["video", camera]])) {
      if (track) pc.addTrack(track, new MediaStream([track]));
      else if (!answering) pc.addTransceiver(kind, { direction: "recvonly" });
    }
  }

  /** @param {string} id */
  #unlink(id) {
    for (const timers of [this.#patience, this.#finding]) {
      clearTimeout(timers.get(id));
      timers.delete(id);
    }
    this.#links.get(id)?.close();
    this.#links.delete(id);
    this.#streams.delete(id);
  }
}

/**
 * @param {RTCPeerConnection} pc
 * @param {"audio" | "video"} kind
 * @param {MediaStreamTrack | null} track
 */
async function replace(pc, kind, track) {
  const transceiver = pc.getTransceivers().find((each) => each.receiver.track.kind === kind && each.currentDirection !== "stopped");
  if (!transceiver) {
    if (track) pc.addTrack(track, new MediaStream([track]));
    return;
  }
  await transceiver.sender.replaceTrack(track);
  if (track && transceiver.direction === "recvonly") transceiver.direction = "sendrecv";
}

/**
 * Put a track in the place of the one of its kind.
 * @param {MediaStream} stream
 * @param {MediaStreamTrack} track
 */
function take(stream, track) {
  for (const old of stream.getTracks()) if (old.kind === track.kind) stream.removeTrack(old);
  stream.addTrack(track);
}
