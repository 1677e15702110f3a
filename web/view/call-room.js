import { html, useEffect, useRef, useState } from "./preact.js";
import { announce, useNow } from "./hooks.js";
import { Icon, Title, Unread } from "./parts.js";
import { Chat } from "./chat.js";
import { useTalking } from "./live.js";
import { ShareToggle, Toggle, useControls, useScreen } from "./call-controls.js";
import { RecordingBar, RecordToggle, useRecording } from "./call-recording.js";
import { Shortcuts, useShortcuts } from "./call-shortcuts.js";
import { Stage } from "./call-stage.js";
import { connectionWords, hereWords, withThem } from "./call-words.js";

/** In the call: the others' pictures large, your own small, and everything that matters also in words. */

/** @import { ConversationRead, Meeting } from "../client/types.js" */
/** @typedef {import("../client/call.js").Call} Call */
/** @typedef {import("./call-devices.js").Devices} Devices */

/** @param {{since: Date | null}} props */
function Elapsed({ since }) {
  const now = useNow(1_000);
  if (!since) return null;
  const seconds = Math.max(0, Math.floor((now.getTime() - since.getTime()) / 1000));
  const two = (/** @type {number} */ value) => String(value).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  return html`<span class="elapsed" role="timer" aria-label="Time in the call">${hours > 0 ? `${hours}:` : ""}${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}</span>`;
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
  const screen = useScreen(call);
  const recording = useRecording(call);
  const help = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const others = call ? [...call.participants.values()] : [];
  const beside = useBeside();
  const title = meeting.title || `Call with ${withThem(meeting)}`;
  useWakefulness();
  useTalking(call !== null);
  useShortcuts({ microphone, camera, share: screen.possible ? screen.share : undefined, chat: beside.toggle, leave: () => call?.leave(), help: () => help.current?.showModal() });
  useEffect(() => {
    if (call?.state === "reconnecting") announce("The connection is gone. Coming back.");
  }, [call?.state]);
  return html`<div class=${conversation && beside.open ? "room with-chat" : "room"}>
    <header class="room-top">
      <${Title} name=${`Call with ${withThem(meeting)}`}>${title}<//>
      <p class=${`room-state ${call?.state ?? ""} ${call?.scores.isWeak(call.participantId) ? "poor" : call?.quality ?? ""}`}><span class="lamp" aria-hidden="true"></span><span role="status">${connectionWords(call)}</span></p>
      <${Elapsed} since=${call?.joinedAt ?? null} />
      <${RecordingBar} call=${call} />
    </header>
    <${Stage} call=${call} meeting=${meeting} camera=${devices.video.track} media=${media} />
    <p class="who-here">${hereWords(others)}${screen.sharing && " You share your screen."}${screen.trouble && html` <span role="alert">${screen.trouble}</span>`}</p>
    <div class="controls" role="toolbar" aria-label="Call">
      <${Toggle} on=${media.audio} thing="Microphone" icon="mic" keys="Alt+M" onPress=${microphone} by=${call?.muting.by("microphone") ?? null} />
      <${Toggle} on=${media.video} thing="Camera" icon="video" keys="Alt+V" onPress=${camera} by=${call?.muting.by("camera") ?? null} />
      ${screen.possible && html`<${ShareToggle} of=${screen} />`}
      <${RecordToggle} of=${recording} />
      ${conversation && html`<${ChatToggle} conversation=${conversation} beside=${beside} />`}
      <button type="button" class="control keyboard-help" onClick=${() => help.current?.showModal()}><${Icon} name="keyboard" /><span><span class="unseen">Keyboard </span>Shortcuts</span></button>
      <button type="button" class="control leave" aria-keyshortcuts="Alt+L" onClick=${() => call?.leave()}><${Icon} name="phone-off" /><span>Leave</span></button>
    </div>
    ${conversation && html`<${Beside} conversation=${conversation} beside=${beside} />`}
    <${Shortcuts} dialog=${help} canShare=${screen.possible} />
  </div>`;
}
