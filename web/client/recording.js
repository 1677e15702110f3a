/** Whether the call is recorded: only while everybody in it has agreed. */

/** @import { Call } from "./call.js" */
/** @import { RecordingNow } from "./protocol.js" */

export class Recording {
  /** @type {RecordingNow["state"]} */
  state = "unavailable";
  /** @type {string[]} */
  #agreed = [];
  #question = 0;

  /** @param {Call} call */
  constructor(call) {
    this.call = call;
  }

  /** Whether I have agreed. */
  get mine() {
    return this.#agreed.includes(this.call.participantId ?? "");
  }

  /** The name of whoever asked, if that was somebody else. */
  get asker() {
    return this.call.participants.get(this.#agreed[0] ?? "")?.name ?? null;
  }

  /** The names of those who have not agreed yet, but for me. */
  get undecided() {
    return [...this.call.participants.values()].filter(({ id }) => !this.#agreed.includes(id)).map(({ name }) => name);
  }

  /** Say yes, which also asks the others for theirs; or no, which ends it for everybody. @param {boolean} agree */
  say(agree) {
    // A yes is to what was asked, not to what somebody asks anew while it is on its way.
    const answers = agree && this.state === "asked";
    this.call.socket.say({ type: "record", agree, ...(answers && { question: this.#question }) });
  }

  /** @param {RecordingNow} now */
  heard({ state, agreed, question }) {
    const before = this.state;
    this.state = state;
    this.#agreed = agreed;
    this.#question = question;
    if (state !== before) this.call.dispatchEvent(new CustomEvent("recording", { detail: { state, before } }));
  }
}
