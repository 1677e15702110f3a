import { html, useEffect, useRef } from "./preact.js";

/** Keys of the call page. They need Alt, so that speech input and typing never set them off by accident. */

/** @typedef {{microphone: () => void, camera: () => void, share?: () => void, chat: () => void, leave: () => void, help: () => void}} Actions */

/** @param {Actions} actions */
export function useShortcuts(actions) {
  const latest = useRef(actions);
  latest.current = actions;
  useEffect(() => {
    const press = (/** @type {KeyboardEvent} */ event) => {
      if (event.repeat || event.ctrlKey || event.metaKey) return;
      const keys = /** @type {Record<string, keyof Actions>} */ ({ KeyM: "microphone", KeyV: "camera", KeyS: "share", KeyC: "chat", KeyL: "leave" });
      const writing = /** @type {Element | null} */ (event.target)?.matches?.("textarea, input, select");
      const name = event.altKey ? keys[event.code] : event.key === "?" && !writing ? "help" : undefined;
      const action = name && latest.current[name];
      if (!action) return;
      event.preventDefault();
      action();
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, []);
}

const KEYS = [
  ["Alt + M", "Microphone on or off"],
  ["Alt + V", "Camera on or off"],
  ["Alt + S", "Share your screen, or stop"],
  ["Alt + C", "Messages beside the call"],
  ["Alt + L", "Leave the call"],
  ["?", "Show this list"],
];

/** @param {{dialog: {current: HTMLDialogElement | null}, canShare: boolean}} props */
export function Shortcuts({ dialog, canShare }) {
  const keys = KEYS.filter(([keys]) => canShare || keys !== "Alt + S");
  return html`<dialog ref=${dialog} class="dialog" aria-labelledby="shortcuts">
    <h2 id="shortcuts">Keyboard shortcuts</h2>
    <dl class="keys">${keys.map(([keys, words]) => html`<div key=${keys}><dt><kbd>${keys}</kbd></dt><dd>${words}</dd></div>`)}</dl>
    <button type="button" class="button" onClick=${() => dialog.current?.close()}>Close</button>
  </dialog>`;
}
