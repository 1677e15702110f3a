import { html, useEffect, useRef } from "./preact.js";
import { announce } from "./hooks.js";
import { firstName, Icon } from "./parts.js";

/** What whoever leads the call can do about somebody in it. */

/** @import { Source } from "../client/protocol.js" */
/** @typedef {import("../client/call.js").Call} Call */
/** @typedef {import("../client/protocol.js").Participant} Participant */

/** @param {Call} call @param {Participant} participant @returns {{sources: Source[], words: string, done: string}[]} */
function choices(call, { id, name, audio, video }) {
  const first = firstName(name);
  return [
    ...(audio ? [{ sources: /** @type {Source[]} */ (["microphone"]), words: `Mute ${first}`, done: `${name} is muted` }] : []),
    ...(video ? [{ sources: /** @type {Source[]} */ (["camera"]), words: "Turn the camera off", done: `${name}'s camera is off` }] : []),
    ...(call.screenOf(id) ? [{ sources: /** @type {Source[]} */ (["screen", "screen_audio"]), words: "Stop the screen", done: `${name} does not share their screen any more` }] : []),
  ];
}

/** @param {{call: Call, participant: Participant}} props */
export function TileMenu({ call, participant }) {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const found = choices(call, participant);
  useEffect(() => {
    if (found.length === 0) dialog.current?.close();
  }, [found.length]);
  if (!call.muting.may) return null;
  const title = `mute-${participant.id}`;
  const choose = (/** @type {Source[]} */ sources, /** @type {string} */ done) => {
    call.muting.mute(participant.id, ...sources);
    dialog.current?.close();
    announce(done);
  };
  return html`<div class="tile-menu">
    <button type="button" class="icon-button" hidden=${found.length === 0} aria-haspopup="dialog" aria-label=${`Mute ${participant.name} …`} onClick=${() => dialog.current?.showModal()}><${Icon} name="ellipsis" /></button>
    <dialog ref=${dialog} class="dialog" aria-labelledby=${title}>
      <h2 id=${title}>${participant.name}</h2>
      <p>They are told that it was you, and can switch it on again.</p>
      <div class="tile-choices">
        ${found.map(({ sources, words, done }) => html`<button key=${words} type="button" class="button" onClick=${() => choose(sources, done)}>${words}</button>`)}
        <button type="button" class="button quiet" onClick=${() => dialog.current?.close()}>Cancel</button>
      </div>
    </dialog>
  </div>`;
}
