import { watchLevel } from "../client/devices.js";
import { html, useEffect, useRef, useState } from "./preact.js";
import { useLoad } from "./hooks.js";
import { Button, Icon, Title, Trouble } from "./parts.js";
import { useFresh } from "./live.js";
import { api, useSession } from "./session.js";
import { Picture } from "./picture.js";
import { When, withWhom } from "./mentoring.js";

/** Before a call: your own picture, a bar that moves when you speak, and how the network is, in words. */

/** @import { Meeting } from "../client/types.js" */
/** @typedef {import("./call-devices.js").Devices} Devices */

const HEARD = 0.12;

/** @param {{track: MediaStreamTrack}} props */
function Level({ track }) {
  const bar = useRef(/** @type {HTMLElement | null} */ (null));
  const [heard, setHeard] = useState(false);
  useEffect(() => {
    setHeard(false);
    return watchLevel(track, (level) => {
      bar.current?.style.setProperty("--level", String(level));
      if (level > HEARD) setHeard(true);
    });
  }, [track]);
  return html`<div class="level">
    <span class="level-bar" ref=${bar} aria-hidden="true"><i></i></span>
    <p role="status">${heard ? "Your microphone works." : "Say something: the bar should move."}</p>
  </div>`;
}

/** How far away the service is. */
function Network() {
  const [words, setWords] = useState("Checking your connection …");
  useEffect(() => {
    const measure = async () => {
      const begun = performance.now();
      await api.get("/v1/config");
      const took = performance.now() - begun;
      if (took < 300) setWords("Your connection to the service is good.");
      else if (took < 1000) setWords("Your connection to the service is slow. If the picture stutters, turn your camera off.");
      else setWords("Your connection to the service is very slow. Sound alone may work better.");
    };
    measure().catch(() => setWords("The service does not answer. Check your connection."));
  }, []);
  return html`<p class="network"><${Icon} name="wifi" /><span role="status">${words}</span></p>`;
}

/** @param {{kind: "audio" | "video", devices: Devices, children?: unknown}} props */
function Pick({ kind, devices, children }) {
  const id = `pick-${kind}`;
  const words = kind === "audio" ? "Microphone" : "Camera";
  const choices = devices.lists[kind];
  const { track, trouble } = devices[kind];
  return html`<div class="field">
    <label for=${id}>${words}</label>
    ${choices.length > 0 && html`<select id=${id} onChange=${(/** @type {any} */ event) => devices.choose(kind, event.currentTarget.value)}>
      ${choices.map((device, index) => html`<option key=${device.deviceId} value=${device.deviceId} selected=${device.deviceId === track?.getSettings().deviceId}>${device.label || `${words} ${index + 1}`}</option>`)}
    </select>`}
    ${choices.length === 0 && !trouble && html`<p id=${id} class="quiet">${devices.ready ? "None found." : "Waiting for you to allow it …"}</p>`}
    ${children}
    ${trouble && html`<div class="notice needs" role="alert"><${Icon} name="triangle-alert" /><div>
      <p>${trouble.words}</p><${Button} onPress=${() => devices.again(kind)}>Try the ${words.toLowerCase()} again<//>
    </div></div>`}
  </div>`;
}

/** What becomes of sound and picture, which is not the same in every kind of mentoring. @param {{meeting: Meeting}} props */
function Privacy({ meeting }) {
  const id = meeting.pairing_id;
  const { data, refresh } = useLoad(() => api.get("/v1/pairings/{pairing_id}", { path: { pairing_id: id } }), [id]);
  useFresh(refresh, ["/v1/pairings/{pairing_id}"], { "pairing.changed": id });
  const way = !data ? "" : data.kind === "circle"
    ? " Sound and picture are encrypted from you to our server, which passes them on to the others and keeps nothing."
    : " Sound and picture are encrypted between you two.";
  return html`<p class="quiet">Nothing is recorded.${way}</p>`;
}

/** @param {{meeting: Meeting, devices: Devices, problem: unknown, onJoin: () => Promise<unknown>}} props */
export function CallCheck({ meeting, devices, problem, onJoin }) {
  const { zone } = useSession();
  const { audio, video } = devices;
  return html`<div class="check">
    <header>
      <a class="back" href=${`/meetings/${meeting.id}`}><${Icon} name="arrow-left" />Back to the meeting</a>
      <${Title} name=${`Ready to join ${withWhom(meeting)}?`}>Ready to join ${withWhom(meeting)}?<//>
      <p class="quiet"><${When} meeting=${meeting} zone=${zone} /></p>
    </header>
    <div class="check-picture">
      ${video.track
        ? html`<${Picture} track=${video.track} mirrored label="Your own picture" />`
        : html`<p class="stage-words">${devices.ready ? "Your camera is off. Others will see your name." : "Your browser asks whether this page may use your camera and microphone."}</p>`}
    </div>
    <div class="check-side">
      <${Pick} kind="audio" devices=${devices}>${audio.track && html`<${Level} track=${audio.track} />`}<//>
      <${Pick} kind="video" devices=${devices}>
        ${video.track && html`<button type="button" class="button" onClick=${() => devices.off("video")}><${Icon} name="video-off" /><span>Turn the camera off</span></button>`}
        ${!video.track && devices.ready && !video.trouble && html`<${Button} icon="video" onPress=${() => devices.again("video")}>Turn the camera on<//>`}
      <//>
      <${Network} />
      ${!!problem && html`<${Trouble} problem=${problem} />`}
      <button type="button" class="button primary wide" disabled=${!devices.ready} onClick=${onJoin}><${Icon} name="video" /><span>Join</span></button>
      <${Privacy} meeting=${meeting} />
    </div>
  </div>`;
}
