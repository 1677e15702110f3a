/**
 * One peer connection of a call, kept in agreement with the other end by perfect negotiation (W3C WebRTC,
 * section 10.7): either side may offer at any time; when both do, the polite one takes its offer back.
 */

/** @import { CandidateLine, Description } from "./protocol.js" */
/**
 * What is to be told to the other end, about this generation of the connection.
 * @typedef {{generation: number} & (
 *   {type: "offer" | "answer", sdp: string} | {type: "candidate", candidate: CandidateLine | null} | {type: "restart"})} LinkSignal
 */

/** How long "disconnected" may heal by itself before new network paths are looked for. */
const HEAL_MS = 3_000;
/** The polite side lets the other one restart first, so that the two restarts do not meet. */
const POLITE_WAIT_MS = 1_500;
/** After a socket was lost and is back, the answer to an offer has this long to arrive before it is said again. */
const ANSWER_MS = 1_000;
/** After so many restarts in a row without success only a new connection helps. */
const RESTART_LIMIT = 3;

export class Link {
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
   * @param {boolean} [given.offers] false where only the other end offers: it is asked for a restart
   * @param {number} given.generation which incarnation of the connection between the two this is
   * @param {(signal: LinkSignal) => void} given.signal
   * @param {() => void} given.changed its state did
   * @param {(track: MediaStreamTrack) => void} [given.arrived] a track of the other end
   * @param {() => void} given.lost only a new connection helps
   * @param {(error: unknown) => void} given.trouble a signal could not be followed
   */
  constructor(given) {
    const { configuration, polite, offers = true, generation, signal, arrived } = given;
    this.given = given;
    this.polite = polite;
    this.offers = offers;
    this.generation = generation;
    this.signal = signal;
    this.pc = new RTCPeerConnection(configuration);
    this.pc.onnegotiationneeded = () => void this.#offer();
    this.pc.onicecandidate = ({ candidate }) => signal({ type: "candidate", generation, candidate: line(candidate) });
    this.pc.ontrack = ({ track }) => arrived?.(track);
    this.pc.onconnectionstatechange = () => this.#watch();
  }

  get state() {
    return this.pc.connectionState;
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
      if (this.pc.signalingState !== "closed") this.given.trouble(error);
    });
    return this.#queue;
  }

  #watch() {
    clearTimeout(this.#restartTimer);
    if (this.state === "connected") this.#restarts = 0;
    const extra = this.offers && this.polite ? POLITE_WAIT_MS : 0;
    if (this.state === "failed") this.#restartTimer = setTimeout(() => this.restart(), extra);
    if (this.state === "disconnected") this.#restartTimer = setTimeout(() => this.restart(), HEAL_MS + extra);
    this.given.changed();
  }

  /** Look for new network paths (ICE restart); sound and picture go on over the old ones until they are found. */
  restart() {
    if (this.pc.signalingState === "closed") return;
    this.#restarts += 1;
    if (this.#restarts > RESTART_LIMIT) this.given.lost();
    else this.renew();
  }

  /** The same, though nothing has failed that would count. */
  renew() {
    if (this.pc.signalingState === "closed") return;
    if (this.offers) this.pc.restartIce();
    else this.signal({ type: "restart", generation: this.generation });
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
