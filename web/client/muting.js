/** Silencing somebody else, and being silenced: whoever leads a circle may, and everybody may switch on again. */

/** @import { Call } from "./call.js" */
/** @import { Grant, Muted, Source } from "./protocol.js" */

export class Muting {
  /** Who silenced what of mine that is still off. @type {Map<Source, string>} */
  #by = new Map();
  /** @type {NonNullable<Grant["permissions"]>} */
  #permissions = [];

  /** @param {Call} call */
  constructor(call) {
    this.call = call;
    call.addEventListener("change", () => this.#forget());
  }

  /** @param {Grant} grant */
  allowed({ permissions = [] }) {
    this.#permissions = permissions;
  }

  /** Whether I may silence others here. */
  get may() {
    return this.#permissions.includes("moderate") && this.call.topology === "forwarded";
  }

  /**
   * @param {string} participantId
   * @param {Source[]} sources
   */
  mute(participantId, ...sources) {
    for (const source of sources) this.call.socket.say({ type: "mute", participant_id: participantId, source });
  }

  /** The name of who silenced this source of mine, until it is on again. @param {Source} source */
  by(source) {
    return this.#by.get(source) ?? null;
  }

  /** My client obeys: what is silenced is off. @param {Muted} muted */
  heard({ source, by }) {
    const { call } = this;
    const name = call.participants.get(by)?.name ?? "Somebody";
    this.#by.set(source, name);
    if (source === "microphone") call.setMicrophone(false);
    else if (source === "camera") void call.setTrack("video", null);
    else void call.setScreen(null);
    call.dispatchEvent(new CustomEvent("muted", { detail: { source, name } }));
  }

  #forget() {
    const { media, screen } = this.call;
    if (media.audio) this.#by.delete("microphone");
    if (media.video) this.#by.delete("camera");
    if (screen) for (const source of /** @type {const} */ (["screen", "screen_audio"])) this.#by.delete(source);
  }
}
