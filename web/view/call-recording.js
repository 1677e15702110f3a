import { html, useEffect, useRef, useState } from "./preact.js";
import { announce } from "./hooks.js";
import { firstName, Icon } from "./parts.js";
import { list } from "./mentoring.js";

/** Asking for a recording, agreeing to it, and seeing all the while that there is one. */

/** @typedef {import("../client/call.js").Call} Call */

const KEPT = "Everybody's sound, picture and shared screen are kept on the server for a limited time. Whoever is in the recording can watch it, and delete it.";

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
      const asked = state === "asked" && !call?.recording.mine;
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

/** @param {{call: Call, answer: (agree: boolean) => void}} props */
function Asked({ call, answer }) {
  return html`<p>${askWords(call)} ${KEPT}</p>
    <div class="buttons">
      <button type="button" class="button primary" onClick=${() => answer(true)}>Agree to the recording</button>
      <button type="button" class="button" onClick=${() => answer(false)}>Do not record</button>
    </div>`;
}

/** Waiting for others, or for nobody any more: then one of those who agreed says so. @param {{call: Call, answer: (agree: boolean) => void}} props */
function Waiting({ call, answer }) {
  const undecided = call.recording.undecided.map(firstName);
  if (undecided.length > 0) return html`<p>Recording begins when ${list(undecided)} ${undecided.length > 1 ? "have" : "has"} agreed.</p>`;
  if (call.participants.size === 0) return html`<p>Recording begins when somebody else is here and has agreed.</p>`;
  return html`<p>Everybody who is here has agreed.</p><button type="button" class="button primary" onClick=${() => answer(true)}>Record now</button>`;
}

/** Why there is no recording, until there is one or it is asked for again. @param {Call | null} call */
function useTrouble(call) {
  const [words, setWords] = useState("");
  useEffect(() => {
    const trouble = (/** @type {any} */ { detail: { code, words: why } }) => code === "recording_unavailable" && setWords(why);
    const told = (/** @type {any} */ { detail: { state } }) => state !== "off" && setWords("");
    call?.addEventListener("trouble", trouble);
    call?.addEventListener("recording", told);
    return () => {
      call?.removeEventListener("trouble", trouble);
      call?.removeEventListener("recording", told);
    };
  }, [call]);
  return words;
}

/** @param {{call: Call | null}} props */
export function RecordingBar({ call }) {
  const bar = useRef(/** @type {HTMLElement | null} */ (null));
  const trouble = useTrouble(call);
  const recording = call?.recording;
  const shown = recording && (recording.state === "on" || recording.state === "asked" || trouble);
  if (!call || !shown) return null;
  const answer = (/** @type {boolean} */ agree) => {
    recording.say(agree);
    // The button that was pressed goes away.
    bar.current?.focus();
  };
  return html`<div class=${`recording-bar ${recording.state}`} ref=${bar} role="group" aria-label="Recording" tabindex="-1">
    ${recording.state === "on" && html`<p><${Icon} name="circle-dot" /> This call is recorded.</p>`}
    ${recording.state === "asked" && (recording.mine ? html`<${Waiting} call=${call} answer=${answer} />` : html`<${Asked} call=${call} answer=${answer} />`)}
    ${recording.state === "off" && html`<p role="alert">${trouble}</p>`}
  </div>`;
}
