import { canOpenScreen, openScreen } from "../client/devices.js";
import { html, useEffect, useState } from "./preact.js";
import { announce } from "./hooks.js";
import { firstName, Icon } from "./parts.js";

/** The buttons of a call that turn something on and off. */

/** @typedef {import("../client/call.js").Call} Call */
/** @typedef {import("./call-devices.js").Devices} Devices */

/** @param {{call: Call | null, devices: Devices}} props */
export function useControls({ call, devices }) {
  const [, draw] = useState(0);
  const again = () => draw((count) => count + 1);
  const media = call?.media ?? { audio: false, video: false };
  const microphone = async () => {
    if (devices.audio.track) call?.setMicrophone(!media.audio);
    else await call?.setTrack("audio", await devices.again("audio"));
    announce(call?.media.audio ? "Your microphone is on" : "Your microphone is off");
    again();
  };
  const camera = async () => {
    // Off means off: the camera is let go of, and its light goes out.
    if (media.video) {
      await call?.setTrack("video", null);
      devices.off("video");
    } else {
      await call?.setTrack("video", await devices.again("video"));
    }
    announce(call?.media.video ? "Your camera is on" : "Your camera is off");
    again();
  };
  useEffect(() => {
    const muted = (/** @type {any} */ { detail: { source, name } }) => {
      if (source === "camera") devices.off("video");
      if (source in MUTED) announce(`${name} ${MUTED[source]}`);
      again();
    };
    call?.addEventListener("muted", muted);
    return () => call?.removeEventListener("muted", muted);
  }, [call]);
  useEffect(() => {
    if (!call || call.state === "ended") return;
    for (const kind of /** @type {const} */ (["audio", "video"])) {
      if (devices[kind].track || !call.tracks[kind]) continue;
      void call.setTrack(kind, null);
      announce(kind === "audio" ? "Your microphone was unplugged" : "Your camera was unplugged");
      again();
    }
  }, [devices.audio.track, devices.video.track]);
  return { media, microphone, camera };
}

/** @type {Record<string, string>} */
const MUTED = { microphone: "muted your microphone", camera: "turned your camera off", screen: "stopped your screen" };

/** My own screen: shared by the button, and taken back by it or by that of the browser. @param {Call | null} call */
export function useScreen(call) {
  const screen = call?.screen ?? null;
  const [trouble, setTrouble] = useState("");
  const possible = Boolean(call?.canShare && canOpenScreen());
  const share = async () => {
    setTrouble("");
    if (screen) return call?.setScreen(null);
    const opened = await openScreen();
    if (opened.trouble) setTrouble(opened.trouble.words);
    if (!opened.stream) return;
    if (call && call.state !== "ended") await call.setScreen(opened.stream);
    else stop(opened.stream);
  };
  useEffect(() => {
    const muted = (/** @type {any} */ { detail: { source, name } }) => source === "screen" && setTrouble(`${name} stopped your screen.`);
    call?.addEventListener("muted", muted);
    return () => call?.removeEventListener("muted", muted);
  }, [call]);
  useEffect(() => {
    if (!screen) return;
    announce("You share your screen");
    return () => {
      stop(screen);
      if (call?.state !== "ended") announce("You do not share your screen any more");
    };
  }, [screen]);
  return { sharing: screen !== null, possible, trouble, share };
}

/** @param {MediaStream} stream */
function stop(stream) {
  for (const track of stream.getTracks()) track.stop();
}

/** @param {{on: boolean, thing: string, icon: string, keys: string, onPress: () => void, by: string | null}} props `by`: who turned it off, if I did not */
export function Toggle({ on, thing, icon, keys, onPress, by }) {
  return html`<button type="button" class=${on ? "control" : "control off"} onClick=${onPress} aria-keyshortcuts=${keys}>
    <${Icon} name=${on ? icon : `${icon}-off`} />
    <span>${by && !on ? html`<span class="unseen">${thing} off. </span>Muted by ${firstName(by)}` : `${thing} ${on ? "on" : "off"}`}<span class="unseen">, turn ${on ? "off" : "on"}</span></span>
  </button>`;
}

/** @param {{of: ReturnType<typeof useScreen>}} props */
export function ShareToggle({ of: { sharing, share } }) {
  return html`<button type="button" class=${sharing ? "control sharing" : "control"} onClick=${share} aria-keyshortcuts="Alt+S">
    <${Icon} name=${sharing ? "screen-share-off" : "screen-share"} /><span>${sharing ? "Stop sharing" : "Share screen"}</span>
  </button>`;
}
