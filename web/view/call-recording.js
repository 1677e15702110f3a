import { html, useEffect } from "./preact.js";
import { announce } from "./hooks.js";
import { firstName, Icon } from "./parts.js";
import { list } from "./mentoring.js";

/** Asking for a recording, agreeing to it, and seeing all the while that there is one. */

/** @typedef {import("../client/call.js").Call} Call */

const KEPT = "Everybody's sound and picture are kept for the people in this call, and each of you can delete them.";

/** @type {Record<string, string>} */
const SPOKEN = {
  "asked on": "The recording has stopped: somebody new has to agree first",
  "off on": "The call is not recorded any more",
  "off asked": "The call will not be recorded",
};

/** @param {Call | null} call */
export function useRecording(call) {
  useEffect(() => {
    const told = (/** @type {any} */ { detail: { state, before } }) => {
      const asked = state === "asked" && before === "off" && !call?.recording.mine;
      const words = state === "on" ? "This call is recorded" : asked ? askWords(call) : SPOKEN[`${state} ${before}`];
      if (words) announce(words);
    };
    call?.addEventListener("recording", told);
    return () => call?.removeEventListener("recording", told);
  }, [call]);
  return call?.recording ?? null;
}

/** @param {Call | null} call */
function askWords(call) {
  const asker = call?.recording.asker;
  return asker ? `${asker} asks to record this call.` : "You are asked to agree to a recording of this call.";
}

/** @param {{of: import("../client/recording.js").Recording | null}} props */
export function RecordToggle({ of: recording }) {
  if (!recording || recording.state === "unavailable" || (recording.state === "asked" && !recording.mine)) return null;
  const off = recording.state === "off";
  const words = off ? "Record" : recording.state === "on" ? "Stop recording" : "Do not record";
  return html`<button type="button" class=${recording.state === "on" ? "control sharing" : "control"} onClick=${() => recording.say(off)}>
    <${Icon} name=${off ? "circle-dot" : "circle-stop"} /><span>${words}</span>
  </button>`;
}

/** @param {{call: Call}} props */
function Asked({ call }) {
  return html`<p>${askWords(call)} ${KEPT}</p>
    <div class="buttons">
      <button type="button" class="button primary" onClick=${() => call.recording.say(true)}>Agree to the recording</button>
      <button type="button" class="button" onClick=${() => call.recording.say(false)}>Do not record</button>
    </div>`;
}

/** @param {{call: Call | null}} props */
export function RecordingBar({ call }) {
  const recording = call?.recording;
  if (!call || !recording || recording.state === "off" || recording.state === "unavailable") return null;
  const undecided = recording.undecided.map(firstName);
  return html`<div class=${`recording-bar ${recording.state}`}>
    ${recording.state === "on" && html`<p><${Icon} name="circle-dot" /> This call is recorded.</p>`}
    ${recording.state === "asked" && recording.mine && html`<p>${undecided.length > 0 ? `Recording begins when ${list(undecided)} ${undecided.length > 1 ? "have" : "has"} agreed.` : "Recording begins when somebody else is here and has agreed."}</p>`}
    ${recording.state === "asked" && !recording.mine && html`<${Asked} call=${call} />`}
  </div>`;
}
