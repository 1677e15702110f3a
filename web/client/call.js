import { CallSocket } from "./socket.js";
import { configurationOf } from "./link.js";
import { Muting } from "./muting.js";
import { figuresOf, receivedBy, Watch } from "./quality.js";
import { Recording } from "./recording.js";
import { Route } from "./route.js";
import { Scores } from "./scores.js";
import { Views } from "./views.js";

/**
 * A call: who is in it, their sound and picture, and how it is going. Needs no page and no framework.
 *
 *     const call = new Call({ ticket: () => api.post("/v1/meetings/{meeting_id}/ticket", ...), audio, video });
 *     call.addEventListener("change", () => show(call.state, call.participants));
 *     await call.join();
 *
 * Events: `change` (anything below changed), `joined` and `left` (detail: the participant, and why they left),
 * `media` (somebody muted or unmuted), `screen` (detail: the participant, and whether they share it now),
 * `muted` (detail.source, detail.name: who silenced it), `speakers` (detail.speakers: others speak now, or nobody),
 * `recording` (detail.state, detail.before), `ended` (detail.reason), `trouble` (detail.code, detail.words).
 */

/** @import { Sources } from "./paths.js" */
/** @import { Grant, Heard, Media, Participant, Source, Viewed, Welcome } from "./protocol.js" */
/** @typedef {"connecting" | "connected" | "reconnecting" | "ended"} CallState */

export class Call extends EventTarget {
  /** @type {CallState} */
  state = "connecting";
  /** @type {string | null} */
  id = null;
  /** Me, in this call. @type {string | null} */
  participantId = null;
  /** Everybody else who is here. @type {Map<string, Participant>} */
  participants = new Map();
  /** @type {string | null} */
  endedBecause = null;
  /** @type {Date | null} */
  joinedAt = null;
  /** My own screen, while it is shared. @type {MediaStream | null} */
  screen = null;
  /** Who speaks in a forwarded call, the dominant one first; I may be among them. @type {string[]} */
  speakers = [];
  /** How well everybody is connected to the server of a forwarded call. */
  scores = new Scores();
  muting = new Muting(this);
  recording = new Recording(this);
  #online = false;
  #route;
  /** @type {RTCConfiguration} */
  #configuration = {};
  /** @type {Grant | null} */
  #grant = null;
  #watch = new Watch();
  #views = new Views((tracks) => this.socket.say({ type: "view", tracks }));

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
    this.#route = new Route({
      configuration: () => this.#configuration,
      sources: () => this.#sources(),
      participants: this.participants,
      say: (message) => this.socket.say(message),
      changed: () => this.#changed(),
      screened: (id, on) => this.#screened(id, on),
      trouble: () => this.#emit("trouble", { code: "negotiation", words: "The connection could not be agreed." }),
    });
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
    this.#watch.begin(() => this.#route.links(), () => this.#changed());
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
    await this.#route.send(kind === "audio" ? "microphone" : "camera", track);
  }

  /** How sound and picture travel; known from the welcome on. */
  get topology() {
    return this.#route.topology;
  }

  /** The connections in one word, by what this browser measures. */
  get quality() {
    return this.#watch.quality;
  }

  /** Whether a screen can be shared in this call. */
  get canShare() {
    return this.topology !== null;
  }

  /**
   * Share a screen, with its sound if it has one, or cease to. The old one is left to its owner to stop. A direct call
   * has the server carry it first.
   * @param {MediaStream | null} stream
   */
  async setScreen(stream) {
    if (!this.canShare) return;
    this.screen = stream;
    const { screen, screen_audio } = this.#sources();
    if (screen) {
      screen.contentHint = "detail";
      // Browsers have a button of their own that ends it.
      screen.addEventListener("ended", () => this.screen === stream && void this.setScreen(null));
    }
    this.#changed();
    if (stream) this.#route.ask();
    await Promise.all([this.#route.send("screen", screen), this.#route.send("screen_audio", screen_audio)]);
  }

  /**
   * Camera and microphone of one participant.
   * @param {string} participantId
   */
  streamOf(participantId) {
    return this.#route.streamOf(participantId);
  }

  /**
   * The screen that one participant shares, and its sound.
   * @param {string} participantId
   */
  screenOf(participantId) {
    return this.#route.screenOf(participantId);
  }

  /**
   * Say how large somebody's picture is shown; in a forwarded call nothing larger is sent.
   * @param {string} participantId
   * @param {Viewed["source"]} source
   * @param {number} height in the screen's own pixels, 0 when it is not shown
   */
  look(participantId, source, height) {
    const there = source === "screen" ? this.screenOf(participantId) !== null : this.participants.has(participantId);
    if (there) this.#views.look(participantId, source, height);
  }

  /**
   * Whether somebody's picture is held back because my network has no room for it.
   * @param {string} participantId
   * @param {Source} source
   */
  isPaused(participantId, source) {
    return this.#route.isPaused(participantId, source);
  }

  /**
   * How the connection that one participant comes by stands.
   * @param {string} participantId
   * @returns {RTCPeerConnectionState}
   */
  connectionWith(participantId) {
    return this.#route.connectionWith(participantId);
  }

  /** Whether sound and picture go both ways, however the socket may be. */
  get flowing() {
    return this.#route.flowing;
  }

  /** Everything the browser measures, one entry per peer connection. */
  async stats() {
    return Promise.all(this.#route.links().map(figuresOf));
  }

  /**
   * What came in of one participant's camera and microphone.
   * @param {string} participantId
   */
  async statsOf(participantId) {
    return receivedBy(this.#route.linkFrom(participantId), this.streamOf(participantId)?.getTracks() ?? []);
  }

  /** @param {boolean} renew */
  async #entry(renew) {
    if (!this.#grant || renew) {
      this.#grant = await this.ticket();
      this.id = this.#grant.call_id;
      this.muting.allowed(this.#grant);
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
      case "answer":
      case "candidate": return this.#route.heard(message);
      case "promoted": return this.#promoted();
      case "track_state": return this.#route.told(message);
      case "speakers": return this.#speak(message.participant_ids);
      case "quality": this.scores.heard(message); return this.#changed();
      case "recording": this.recording.heard(message); return this.#changed();
      case "muted": return this.muting.heard(message);
      case "error": return this.#emit("trouble", { code: message.code, words: message.detail });
    }
  }

  /** @param {Welcome} welcome */
  #welcomed(welcome) {
    this.participantId = welcome.participant_id;
    this.joinedAt ??= new Date();
    const present = new Set(welcome.participants.map(({ id }) => id));
    for (const id of [...this.participants.keys()]) {
      if (!present.has(id)) this.#departed(id, "connection_lost");
    }
    for (const participant of welcome.participants) this.participants.set(participant.id, participant);
    this.recording.heard(welcome.recording);
    if (welcome.resumed && this.topology) this.#route.resumed();
    else {
      // In a new stay nothing of an earlier one goes on.
      this.#speak([]);
      this.scores.begin();
      this.#route.begin(welcome.topology, welcome.participants);
    }
    if (this.topology === "forwarded") this.#views.begin();
    this.#changed();
  }

  /** The call goes through the server from now on. */
  #promoted() {
    this.#route.promoted([...this.participants.values()]);
    this.#views.begin();
    this.#changed();
  }

  /** @returns {Sources} */
  #sources() {
    const { audio, video } = this.tracks;
    const [screen = null] = this.screen?.getVideoTracks() ?? [];
    const [sound = null] = this.screen?.getAudioTracks() ?? [];
    return { microphone: audio, camera: video, screen, screen_audio: sound };
  }

  /**
   * @param {string} id
   * @param {boolean} on
   */
  #screened(id, on) {
    const participant = this.participants.get(id);
    if (!on) this.#views.forget(id, "screen");
    if (participant) this.#emit("screen", { participant, on });
  }

  /** @param {string[]} ids */
  #speak(ids) {
    if (ids.join() === this.speakers.join()) return;
    this.speakers = ids;
    this.#emit("speakers", { speakers: ids });
    this.#changed();
  }

  /**
   * Somebody's socket was lost or is back.
   * @param {string} id
   * @param {Participant["state"]} state
   */
  #reached(id, state) {
    this.#update(id, { state });
    if (state === "online") this.#route.returned(id);
  }

  /** @param {Participant} participant */
  #arrived(participant) {
    this.participants.set(participant.id, participant);
    this.#route.arrived(participant.id);
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
    this.#route.departed(id);
    this.#views.forget(id, "camera", "screen");
    this.scores.forget(id);
    this.#speak(this.speakers.filter((each) => each !== id));
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

  /** @param {boolean} open */
  #opened(open) {
    this.#online = open;
    if (!open) this.#views.hold();
    this.#changed();
  }

  /** @param {string} reason */
  #over(reason) {
    if (this.state === "ended") return;
    this.state = "ended";
    this.endedBecause = reason;
    this.#watch.end();
    this.#views.hold();
    this.#route.close();
    this.screen = null;
    this.speakers = [];
    this.participants.clear();
    this.#emit("ended", { reason });
    this.#changed();
  }

  /** @returns {CallState} */
  #currentState() {
    if (this.state === "ended") return "ended";
    if (!this.#online) return this.joinedAt ? "reconnecting" : "connecting";
    return this.#route.state;
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
