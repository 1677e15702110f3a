import { CallSocket } from "./socket.js";
import { configurationOf, Link } from "./link.js";
import { Meter, totalsOf } from "./quality.js";

/**
 * A call: who is in it, their sound and picture, and how it is going. Needs no page and no framework.
 *
 *     const call = new Call({ ticket: () => api.post("/v1/meetings/{meeting_id}/ticket", ...), audio, video });
 *     call.addEventListener("change", () => show(call.state, call.participants));
 *     await call.join();
 *
 * Events: `change` (anything below changed), `joined` and `left` (detail: the participant, and why they left),
 * `media` (somebody muted or unmuted), `ended` (detail.reason), `trouble` (detail.code, detail.words).
 */

/** @import { Grant, Heard, Media, Participant } from "./protocol.js" */
/** @typedef {"connecting" | "connected" | "reconnecting" | "ended"} CallState */
/** @typedef {{type: string, from: string | null, pc: string, generation: number}} Signalled */

/** Stands for the server where a connection is not with a participant. */
const SERVER = "server";
/** The newcomer offers; whoever was there waits this long before offering instead. */
const PATIENCE_MS = 1_500;
const QUALITY_EVERY_MS = 2_000;

export class Call extends EventTarget {
  /** @type {CallState} */
  state = "connecting";
  /** @type {string | null} */
  id = null;
  /** Me, in this call. @type {string | null} */
  participantId = null;
  /** Everybody else who is here. @type {Map<string, Participant>} */
  participants = new Map();
  /** @type {import("./quality.js").Quality} */
  quality = "unknown";
  /** @type {string | null} */
  endedBecause = null;
  /** @type {Date | null} */
  joinedAt = null;
  #online = false;
  /** @type {Map<string, Link>} */
  #links = new Map();
  /** @type {Map<string, ReturnType<typeof setTimeout>>} */
  #patience = new Map();
  /** @type {RTCConfiguration} */
  #configuration = {};
  /** @type {Grant | null} */
  #grant = null;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #measuring;
  #meter = new Meter();

  /**
   * @param {object} given
   * @param {() => Promise<Grant>} given.ticket asks REST for leave to enter; called again when coming back needs it
   * @param {MediaStreamTrack | null} [given.audio]
   * @param {MediaStreamTrack | null} [given.video]
   */
  constructor({ ticket, audio = null, video = null }) {
    super();
    this.tracks = { audio, video };
    this.ticket = ticket;
    this.socket = new CallSocket({
      grant: (renew) => this.#entry(renew),
      media: () => this.media,
      heard: (message) => this.#heard(message),
      opened: (open) => this.#opened(open),
      over: (reason) => this.#over(reason),
    });
  }

  /** What others hear and see of me. @returns {Media} */
  get media() {
    const { audio, video } = this.tracks;
    return { audio: Boolean(audio?.enabled), video: Boolean(video?.enabled) };
  }

  /** Enter. Fails with the `Problem` of the ticket when there is none to be had. */
  async join() {
    this.#measuring = setInterval(() => void this.#measure(), QUALITY_EVERY_MS);
    try {
      await this.socket.open();
    } catch (error) {
      this.#over("no_ticket");
      throw error;
    }
  }

  leave() {
    this.socket.leave();
    this.#over("left");
  }

  /** @param {boolean} on */
  setMicrophone(on) {
    if (this.tracks.audio) this.tracks.audio.enabled = on;
    this.#tellMedia();
  }

  /**
   * Send another track, or none. The old one is left to its owner to stop.
   * @param {"audio" | "video"} kind
   * @param {MediaStreamTrack | null} track
   */
  async setTrack(kind, track) {
    this.tracks[kind] = track;
    this.#tellMedia();
    await Promise.all([...this.#links.values()].map((link) => link.replace(kind, track)));
  }

  /**
   * Sound and picture of one participant.
   * @param {string} participantId
   */
  streamOf(participantId) {
    return this.#linksWith(participantId)[0]?.stream ?? null;
  }

  /**
   * How the connection to one participant stands.
   * @param {string} participantId
   * @returns {RTCPeerConnectionState}
   */
  connectionWith(participantId) {
    return this.#linksWith(participantId)[0]?.state ?? "new";
  }

  /** Everything the browser measures, one entry per peer connection. */
  async stats() {
    return Promise.all(
      [...this.#links].map(async ([key, link]) => {
        const [pc, participantId] = key.split(" ");
        const reports = [...(await link.pc.getStats()).values()];
        return { pc, participantId, state: link.state, generation: link.generation, ...totalsOf(reports), reports };
      }),
    );
  }

  /** @param {boolean} renew */
  async #entry(renew) {
    if (!this.#grant || renew) {
      this.#grant = await this.ticket();
      this.id = this.#grant.call_id;
      this.#configuration = configurationOf(this.#grant);
    }
    return this.#grant;
  }

  #tellMedia() {
    this.socket.say({ type: "media", ...this.media });
    this.#changed();
  }

  /** @param {Heard} message */
  #heard(message) {
    switch (message.type) {
      case "welcome": return this.#welcomed(message);
      case "participant_joined": return this.#arrived(message.participant);
      case "participant_left": return this.#departed(message.participant_id, message.reason);
      case "participant_media": return this.#update(message.participant_id, { audio: message.audio, video: message.video }, "media");
      case "participant_connection": return this.#reached(message.participant_id, message.state);
      case "offer":
      case "answer": return void this.#linkFor(message)?.described(message);
      case "candidate": return void this.#linkFor(message)?.found(message.candidate);
      case "error": return this.#emit("trouble", { code: message.code, words: message.detail });
    }
  }

  /** @param {import("./protocol.js").Welcome} welcome */
  #welcomed(welcome) {
    this.participantId = welcome.participant_id;
    this.joinedAt ??= new Date();
    const present = new Set(welcome.participants.map(({ id }) => id));
    for (const id of [...this.participants.keys()]) {
      if (!present.has(id)) this.#departed(id, "connection_lost");
    }
    for (const participant of welcome.participants) {
      this.participants.set(participant.id, participant);
      if (welcome.resumed) for (const link of this.#linksWith(participant.id)) link.returned({ mine: true });
      // In a new stay nothing of an earlier one goes on.
      else if (welcome.topology === "direct") this.#link(participant.id, "direct");
    }
    this.#changed();
  }

  /**
   * Somebody's socket was lost or is back.
   * @param {string} id
   * @param {Participant["state"]} state
   */
  #reached(id, state) {
    this.#update(id, { state });
    if (state === "online") for (const link of this.#linksWith(id)) link.returned({ mine: false });
  }

  /** @param {Participant} participant */
  #arrived(participant) {
    this.participants.set(participant.id, participant);
    const offerInstead = () => {
      if (this.participants.has(participant.id) && this.#linksWith(participant.id).length === 0) this.#link(participant.id, "direct");
    };
    this.#patience.set(participant.id, setTimeout(offerInstead, PATIENCE_MS));
    this.#emit("joined", { participant });
    this.#changed();
  }

  /**
   * @param {string} id
   * @param {string} reason
   */
  #departed(id, reason) {
    const participant = this.participants.get(id);
    this.participants.delete(id);
    this.#unlink(id);
    if (participant) this.#emit("left", { participant, reason });
    this.#changed();
  }

  /**
   * @param {string} id
   * @param {Partial<Participant>} what
   * @param {string} [event]
   */
  #update(id, what, event) {
    const participant = this.participants.get(id);
    if (!participant) return;
    const updated = { ...participant, ...what };
    this.participants.set(id, updated);
    if (event) this.#emit(event, { participant: updated });
    this.#changed();
  }

  /** @param {string} participantId */
  #linksWith(participantId) {
    return [...this.#links].filter(([key]) => key.endsWith(` ${participantId}`)).map(([, link]) => link);
  }

  /**
   * The connection that a signal is for. An offer may open one, or begin its next generation.
   * @param {Signalled} message
   */
  #linkFor({ type, from, pc, generation }) {
    const id = from ?? SERVER;
    const link = this.#links.get(`${pc} ${id}`);
    if (link?.generation === generation) return link;
    const stranger = id !== SERVER && !this.participants.has(id);
    if (type !== "offer" || stranger || (link && generation < link.generation)) return undefined;
    return this.#link(id, pc, { answering: true, generation });
  }

  /** @param {string} id */
  #beginAnew(id) {
    const generation = (this.#links.get(`direct ${id}`)?.generation ?? 0) + 1;
    this.#link(id, "direct", { generation });
  }

  /**
   * @param {string} id the participant, or the server on connections that it offers
   * @param {string} pc
   * @param {{answering?: boolean, generation?: number}} [how]
   */
  #link(id, pc, { answering = false, generation = 1 } = {}) {
    this.#unlink(id, pc);
    const direct = pc === "direct";
    const link = new Link({
      configuration: this.#configuration,
      // What the server offers is always taken; only two browsers can offer at the same time.
      polite: direct ? this.participants.get(id)?.polite ?? true : true,
      offers: direct,
      answering,
      generation,
      tracks: this.tracks,
      signal: (signal) => this.socket.say({ ...signal, to: id === SERVER ? null : id, pc }),
    });
    this.#links.set(`${pc} ${id}`, link);
    for (const event of ["state", "stream"]) link.addEventListener(event, () => this.#changed());
    link.addEventListener("lost", () => this.#beginAnew(id));
    link.addEventListener("trouble", () => this.#emit("trouble", { code: "negotiation", words: "The connection could not be agreed." }));
    return link;
  }

  /**
   * @param {string} id
   * @param {string} [pc] only this one
   */
  #unlink(id, pc) {
    clearTimeout(this.#patience.get(id));
    this.#patience.delete(id);
    for (const [key, link] of this.#links) {
      if (!key.endsWith(` ${id}`) || (pc && !key.startsWith(`${pc} `))) continue;
      link.close();
      this.#links.delete(key);
    }
  }

  /** @param {boolean} open */
  #opened(open) {
    this.#online = open;
    this.#changed();
  }

  /** @param {string} reason */
  #over(reason) {
    if (this.state === "ended") return;
    this.state = "ended";
    this.endedBecause = reason;
    clearInterval(this.#measuring);
    for (const id of [...this.participants.keys()]) this.#unlink(id);
    for (const link of this.#links.values()) link.close();
    this.#links.clear();
    this.participants.clear();
    this.#emit("ended", { reason });
    this.#changed();
  }

  /** @returns {CallState} */
  #currentState() {
    if (this.state === "ended") return "ended";
    if (!this.#online) return this.joinedAt ? "reconnecting" : "connecting";
    const states = [...this.participants.keys()].map((id) => this.connectionWith(id));
    if (states.some((state) => state === "failed" || state === "disconnected")) return "reconnecting";
    return states.every((state) => state === "connected") ? "connected" : "connecting";
  }

  async #measure() {
    for (const { state, pc } of this.#links.values()) {
      if (state !== "connected") continue;
      const quality = await this.#meter.read(pc);
      if (quality === this.quality) continue;
      this.quality = quality;
      this.#changed();
    }
  }

  #changed() {
    this.state = this.#currentState();
    this.#emit("change", {});
  }

  /**
   * @param {string} type
   * @param {object} detail
   */
  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
