import { html, useEffect, useRef, useState } from "./preact.js";
import { announce, useNow } from "./hooks.js";
import { Avatar, From, firstName, Icon, Title, Unread } from "./parts.js";
import { Chat } from "./chat.js";
import { useTalking } from "./live.js";
import { useSession } from "./session.js";
import { Live, Picture } from "./picture.js";
import { Shortcuts, useShortcuts } from "./call-shortcuts.js";
import { company, withWhom } from "./mentoring.js";

/** In the call: the other's picture large, your own small, and everything that matters also in words. */

/** @import { ConversationRead, Meeting } from "../client/types.js" */
/** @typedef {import("../client/call.js").Call} Call */
/** @typedef {import("../client/protocol.js").Participant} Participant */
/** @typedef {import("./call-devices.js").Devices} Devices */

const QUALITY = { good: "Connection: good", fair: "Connection: fair", poor: "Connection: poor", unknown: "Connected" };

/** @param {Call | null} call */
function connectionWords(call) {
  if (!call || call.state === "connecting") return call && call.participants.size > 0 ? `Connecting to ${firstName([...call.participants.values()][0].name)} …` : "Connecting …";
  if (call.state === "reconnecting") {
    const flowing = [...call.participants.keys()].some((id) => call.connectionWith(id) === "connected");
    return flowing ? "The service is away for a moment. You can go on talking." : "The connection is gone. Coming back …";
  }
  return call.participants.size === 0 ? "You are connected" : QUALITY[call.quality];
}

/** @param {{since: Date | null}} props */
function Elapsed({ since }) {
  const now = useNow(1_000);
  if (!since) return null;
  const seconds = Math.max(0, Math.floor((now.getTime() - since.getTime()) / 1000));
  const two = (/** @type {number} */ value) => String(value).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  return html`<span class="elapsed" role="timer" aria-label="Time in the call">${hours > 0 ? `${hours}:` : ""}${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}</span>`;
}

/** What one should know of somebody, or nothing when all is on. @param {Participant} participant */
function mutedWords({ audio, video, state }) {
  if (state === "reconnecting") return "coming back";
  if (!audio && !video) return "microphone and camera off";
  if (!audio) return "microphone off";
  return video ? "" : "camera off";
}

/** @param {Participant[]} others */
function hereWords(others) {
  if (others.length === 0) return "Here: only you.";
  const named = others.map((participant) => {
    const words = mutedWords(participant);
    return words ? `${participant.name} (${words})` : participant.name;
  });
  return `Here: you and ${named.join(", ")}.`;
}

/** @param {{call: Call, participant: Participant, meeting: Meeting}} props */
function Remote({ call, participant, meeting }) {
  const { membership } = useSession();
  const stream = call.streamOf(participant.id);
  const connected = call.connectionWith(participant.id) === "connected";
  const seen = participant.video && connected;
  const person = company(meeting).find(({ id }) => id === participant.membership_id);
  return html`<figure class="remote">
    ${stream && html`<${Live} stream=${stream} label=${`Picture of ${participant.name}`} hidden=${!seen} />`}
    ${!seen && html`<div class="no-picture">
      <${Avatar} id=${participant.membership_id} name=${participant.name} size="large" />
      <p>${connected ? `${firstName(participant.name)}'s camera is off` : `Connecting to ${firstName(participant.name)} …`}</p>
    </div>`}
    <figcaption class="plate">
      ${!participant.audio && html`<${Icon} name="mic-off" />`}
      <span><b>${participant.name}</b> ${person ? html`<${From} organisation=${person.organisation} mine=${membership?.organisation} />` : participant.organisation}
        ${mutedWords(participant) && html`<small>${mutedWords(participant)}</small>`}</span>
    </figcaption>
  </figure>`;
}

/** @param {{meeting: Meeting}} props */
function Alone({ meeting }) {
  const people = company(meeting);
  return html`<div class="remote alone-here">
    <div class="no-picture">
      <div class="avatars">${people.slice(0, 3).map((person) => html`<${Avatar} key=${person.id} id=${person.id} name=${person.name} size="large" />`)}</div>
      <p>${withWhom(meeting)} ${people.length > 1 ? "are" : "is"} not here yet.</p>
      <p class="stage-quiet">You hear it when ${people.length > 1 ? "somebody" : firstName(people[0]?.name ?? "somebody")} comes.</p>
    </div>
  </div>`;
}

/** @param {{call: Call | null, devices: Devices}} props */
function useControls({ call, devices }) {
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

/** @param {{on: boolean, thing: string, icon: string, keys: string, onPress: () => void}} props */
function Toggle({ on, thing, icon, keys, onPress }) {
  return html`<button type="button" class=${on ? "control" : "control off"} onClick=${onPress} aria-keyshortcuts=${keys}>
    <${Icon} name=${on ? icon : `${icon}-off`} />
    <span>${thing} ${on ? "on" : "off"}<span class="unseen">, turn ${on ? "off" : "on"}</span></span>
  </button>`;
}

/** Keep the screen of a phone awake while we talk. */
function useWakefulness() {
  useEffect(() => {
    /** @type {WakeLockSentinel | null} */
    let lock = null;
    let over = false;
    const wake = () => {
      if (document.visibilityState !== "visible") return;
      navigator.wakeLock?.request("screen").then((held) => {
        lock = held;
        if (over) void held.release();
      }, () => undefined);
    };
    wake();
    document.addEventListener("visibilitychange", wake);
    return () => {
      over = true;
      document.removeEventListener("visibilitychange", wake);
      lock?.release().catch(() => undefined);
    };
  }, []);
}

/** The messages beside the call: opened and closed without touching it. */
function useBeside() {
  const [open, setOpen] = useState(false);
  const opener = useRef(/** @type {HTMLElement | null} */ (null));
  const toggle = () => {
    if (open) opener.current?.focus();
    setOpen(!open);
  };
  return { open, opener, toggle };
}

/** @param {{conversation: ConversationRead, beside: ReturnType<typeof useBeside>}} props */
function ChatToggle({ conversation, beside }) {
  return html`<button type="button" class="control" ref=${beside.opener} aria-expanded=${beside.open} aria-controls="room-chat" aria-keyshortcuts="Alt+C" onClick=${beside.toggle}>
    <${Icon} name="message-square" /><span>Chat</span>${!beside.open && html`<${Unread} count=${conversation.unread} />`}
  </button>`;
}

/** @param {{conversation: ConversationRead, beside: ReturnType<typeof useBeside>}} props */
function Beside({ conversation, beside }) {
  const close = (/** @type {KeyboardEvent} */ event) => event.key === "Escape" && beside.toggle();
  return html`<div id="room-chat" class="room-chat" hidden=${!beside.open} onKeyDown=${close}>
    ${beside.open && html`<${Chat} id=${conversation.id} alone focus>
      <h2>Messages</h2><button type="button" class="icon-button" aria-label="Close the messages" onClick=${beside.toggle}><${Icon} name="x" /></button>
    <//>`}
  </div>`;
}

/** @param {{meeting: Meeting, call: Call | null, devices: Devices, conversation: ConversationRead | null | undefined}} props */
export function CallRoom({ meeting, call, devices, conversation }) {
  const { media, microphone, camera } = useControls({ call, devices });
  const help = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const others = call ? [...call.participants.values()] : [];
  const beside = useBeside();
  useWakefulness();
  useTalking(call !== null);
  useShortcuts({ microphone, camera, chat: beside.toggle, leave: () => call?.leave(), help: () => help.current?.showModal() });
  const words = connectionWords(call);
  useEffect(() => {
    if (call?.state === "reconnecting") announce("The connection is gone. Coming back.");
  }, [call?.state]);
  return html`<div class=${conversation && beside.open ? "room with-chat" : "room"}>
    <header class="room-top">
      <${Title} name=${`Call with ${withWhom(meeting)}`}>${meeting.title || `Call with ${withWhom(meeting)}`}<//>
      <p class=${`room-state ${call?.state ?? ""} ${call?.quality ?? ""}`}><span class="lamp" aria-hidden="true"></span><span role="status">${words}</span></p>
      <${Elapsed} since=${call?.joinedAt ?? null} />
    </header>
    <div class="stage">
      ${others.length > 0 && call ? others.map((participant) => html`<${Remote} key=${participant.id} call=${call} participant=${participant} meeting=${meeting} />`) : html`<${Alone} meeting=${meeting} />`}
      <figure class="self">
        ${devices.video.track && media.video ? html`<${Picture} track=${devices.video.track} mirrored label="Your own picture" />` : html`<div class="no-picture"><${Icon} name="video-off" /></div>`}
        <figcaption class="plate">${!media.audio && html`<${Icon} name="mic-off" />`}<span>You${media.audio ? "" : ", muted"}</span></figcaption>
      </figure>
    </div>
    <p class="who-here">${hereWords(others)}</p>
    <div class="controls" role="toolbar" aria-label="Call">
      <${Toggle} on=${media.audio} thing="Microphone" icon="mic" keys="Alt+M" onPress=${microphone} />
      <${Toggle} on=${media.video} thing="Camera" icon="video" keys="Alt+V" onPress=${camera} />
      ${conversation && html`<${ChatToggle} conversation=${conversation} beside=${beside} />`}
      <button type="button" class="control keyboard-help" onClick=${() => help.current?.showModal()}><${Icon} name="keyboard" /><span><span class="unseen">Keyboard </span>Shortcuts</span></button>
      <button type="button" class="control leave" aria-keyshortcuts="Alt+L" onClick=${() => call?.leave()}><${Icon} name="phone-off" /><span>Leave</span></button>
    </div>
    ${conversation && html`<${Beside} conversation=${conversation} beside=${beside} />`}
    <${Shortcuts} dialog=${help} />
  </div>`;
}
