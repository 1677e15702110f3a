/**
 * One peer connection of a call, kept in agreement with the other end by perfect negotiation (W3C WebRTC,
 * section 10.7): either side may offer at any time; when both do, the polite one takes its offer back.
 */

/** @typedef {import("./protocol.js").Description} Description */
/** @typedef {import("./protocol.js").CandidateLine} CandidateLine */
/** @typedef {{audio: MediaStreamTrack | null, video: MediaStreamTrack | null}} Tracks */

/** How long "disconnected" may heal by itself before new network paths are looked for. */
const HEAL_MS = 3_000;
/** The polite side lets the other one restart first, so that the two restarts do not meet. */
const POLITE_WAIT_MS = 1_500;
/** After a socket was lost and is back, the answer to an offer has this long to arrive before it is said again. */
const ANSWER_MS = 1_000;
/** After so many restarts in a row without success only a new connection helps. */
const RESTART_LIMIT = 3;

export class Link extends EventTarget {
  /** The remote side's sound and picture. */
  stream = new MediaStream();
  #makingOffer = false;
  #ignoringOffer = false;
  #settingAnswer = false;
  #restarts = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #restartTimer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #repeatTimer;
  #mineReturned = false;
  /** Signals are worked off one after the other, as they came. @type {Promise<void>} */
  #queue = Promise.resolve();

  /**
   * @param {object} given
   * @param {RTCConfiguration} given.configuration
   * @param {boolean} given.polite
   * @param {boolean} [given.offers] false on connections where only the other end ever offers
   * @param {boolean} [given.answering] made because an offer has come: what it has room for need not be asked for
   * @param {number} given.generation which incarnation of the connection between the two this is
   * @param {Tracks} given.tracks
   * @param {(signal: {type: "offer" | "answer", generation: number, sdp: string} | {type: "candidate", generation: number, candidate: CandidateLine | null}) => void} given.signal
   */
  constructor({ configuration, polite, offers = true, answering = false, generation, tracks, signal }) {
    super();
    this.polite = polite;
    this.offers = offers;
    this.generation = generation;
    this.signal = signal;
    this.pc = new RTCPeerConnection(configuration);
    this.pc.onnegotiationneeded = () => void this.#offer();
    this.pc.onicecandidate = ({ candidate }) => signal({ type: "candidate", generation: this.generation, candidate: line(candidate) });
    this.pc.ontrack = ({ track }) => this.#arrived(track);
    this.pc.onconnectionstatechange = () => this.#watch();
    if (offers) this.#send(tracks, answering);
  }

  get state() {
    return this.pc.connectionState;
  }

  /**
   * @param {Tracks} tracks
   * @param {boolean} answering
   */
  #send(tracks, answering) {
    for (const kind of /** @type {const} */ (["audio", "video"])) {
      const track = tracks[kind];
      if (track) this.pc.addTrack(track, new MediaStream([track]));
      else if (!answering) this.pc.addTransceiver(kind, { direction: "recvonly" });
    }
  }

  /**
   * Send another track of this kind, or none; agreed anew with the other side only when nothing was sent before.
   * @param {"audio" | "video"} kind
   * @param {MediaStreamTrack | null} track
   */
  async replace(kind, track) {
    const transceiver = this.pc.getTransceivers().find((each) => each.receiver.track.kind === kind && each.currentDirection !== "stopped");
    if (!transceiver) {
      if (track && this.offers) this.pc.addTrack(track, new MediaStream([track]));
      return;
    }
    await transceiver.sender.replaceTrack(track);
    if (track && transceiver.direction === "recvonly") transceiver.direction = "sendrecv";
  }

  async #offer() {
    if (!this.offers) return;
    try {
      this.#makingOffer = true;
      await this.pc.setLocalDescription();
      this.#tell();
    } catch (error) {
      if (this.pc.signalingState !== "closed") throw error;
    } finally {
      this.#makingOffer = false;
    }
  }

  #tell() {
    const description = this.pc.localDescription;
    if (!description || (description.type !== "offer" && description.type !== "answer")) return;
    this.signal({ type: description.type, generation: this.generation, sdp: description.sdp });
  }

  /**
   * A socket between the two was lost and is back: `mine`, or that of the other side.
   * @param {{mine: boolean}} whose
   */
  returned({ mine }) {
    this.#mineReturned ||= mine;
    clearTimeout(this.#repeatTimer);
    this.#repeatTimer = setTimeout(() => this.#repeat(), ANSWER_MS);
  }

  /** Offer again what is still not answered, as the offer or the answer was lost; look for paths that were. */
  #repeat() {
    const mine = this.#mineReturned;
    this.#mineReturned = false;
    if (this.pc.signalingState === "have-local-offer") this.#tell();
    else if (mine && this.state !== "connected") this.restart();
  }

  /**
   * @param {Description} description
   * @returns {Promise<void>}
   */
  described(description) {
    return this.#inTurn(() => this.#described(description));
  }

  /**
   * @param {CandidateLine | null} candidate null when there are no more
   * @returns {Promise<void>}
   */
  found(candidate) {
    return this.#inTurn(() => this.#found(candidate));
  }

  /**
   * A repeated offer is answered again; a second answer to the same offer finds nothing that waits for it.
   * @param {Description} description
   */
  async #described({ type, sdp }) {
    const ready = !this.#makingOffer && (this.pc.signalingState === "stable" || this.#settingAnswer);
    const collision = type === "offer" && !ready;
    this.#ignoringOffer = !this.polite && collision;
    if (this.#ignoringOffer || (type === "answer" && this.pc.signalingState !== "have-local-offer")) return;
    this.#settingAnswer = type === "answer";
    try {
      await this.pc.setRemoteDescription({ type, sdp });
    } finally {
      this.#settingAnswer = false;
    }
    if (type === "offer") {
      await this.pc.setLocalDescription();
      this.#tell();
    }
  }

  /** @param {CandidateLine | null} candidate */
  async #found(candidate) {
    // Signals come in order, so this one belongs to a first offer that was ignored.
    if (!this.pc.remoteDescription) return;
    try {
      await this.pc.addIceCandidate(candidate ?? undefined);
    } catch (error) {
      // Candidates of an offer that lost the race belong to nothing; so may the last ones before a restart.
      if (!this.#ignoringOffer) console.warn("A network path of the other side could not be used.", error);
    }
  }

  /** @param {() => Promise<void>} work */
  #inTurn(work) {
    this.#queue = this.#queue.then(work).catch((error) => {
      if (this.pc.signalingState !== "closed") this.dispatchEvent(new CustomEvent("trouble", { detail: error }));
    });
    return this.#queue;
  }

  /** @param {MediaStreamTrack} track */
  #arrived(track) {
    for (const old of this.stream.getTracks()) if (old.kind === track.kind) this.stream.removeTrack(old);
    this.stream.addTrack(track);
    this.dispatchEvent(new Event("stream"));
  }

  #watch() {
    clearTimeout(this.#restartTimer);
    if (this.state === "connected") this.#restarts = 0;
    const extra = this.polite ? POLITE_WAIT_MS : 0;
    if (this.state === "failed") this.#restartTimer = setTimeout(() => this.restart(), extra);
    if (this.state === "disconnected") this.#restartTimer = setTimeout(() => this.restart(), HEAL_MS + extra);
    this.dispatchEvent(new Event("state"));
  }

  /** Look for new network paths (ICE restart); sound and picture go on over the old ones until they are found. */
  restart() {
    if (!this.offers || this.pc.signalingState === "closed") return;
    this.#restarts += 1;
    if (this.#restarts > RESTART_LIMIT) this.dispatchEvent(new Event("lost"));
    else this.pc.restartIce();
  }

  close() {
    clearTimeout(this.#restartTimer);
    clearTimeout(this.#repeatTimer);
    this.pc.onconnectionstatechange = null;
    this.pc.onnegotiationneeded = null;
    this.pc.close();
  }
}

/**
 * How connections are to be made, as the ticket says.
 * @param {import("./protocol.js").Grant} grant
 * @returns {RTCConfiguration}
 */
export function configurationOf({ ice_servers, ice_policy }) {
  return {
    // Browsers would read a null user name as the word "null".
    iceServers: ice_servers.map(({ urls, username, credential }) =>
      username && credential ? { urls, username, credential } : { urls }),
    iceTransportPolicy: ice_policy,
    bundlePolicy: "max-bundle",
  };
}

/**
 * @param {RTCIceCandidate | null} candidate
 * @returns {CandidateLine | null}
 */
function line(candidate) {
  if (!candidate || candidate.candidate === "") return null;
  return /** @type {CandidateLine} */ (candidate.toJSON());
}
