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
  const asked = useRef(/** @type {ReturnType<typeof choices>[number] | null} */ (null));
  useEffect(() => {
    if (found.length === 0) dialog.current?.close();
    // It is said when it is so: the server may refuse, or they are gone by then.
    if (asked.current && !found.some(({ words }) => words === asked.current?.words)) {
      announce(asked.current.done);
      asked.current = null;
    }
  });
  if (!call.muting.may) return null;
  const title = `mute-${participant.id}`;
  const choose = (/** @type {typeof found[number]} */ choice) => {
    asked.current = choice;
    call.muting.mute(participant.id, ...choice.sources);
    dialog.current?.close();
  };
  return html`<div class="tile-menu">
    <button type="button" class="icon-button" hidden=${found.length === 0} aria-haspopup="dialog" aria-label=${`Mute ${participant.name} …`} onClick=${() => dialog.current?.showModal()}><${Icon} name="ellipsis" /></button>
    <dialog ref=${dialog} class="dialog" aria-labelledby=${title}>
      <h2 id=${title}>${participant.name}</h2>
      <p>They are told that it was you, and can switch it on again.</p>
      <div class="tile-choices">
        ${found.map((choice) => html`<button key=${choice.words} type="button" class="button" onClick=${() => choose(choice)}>${choice.words}</button>`)}
        <button type="button" class="button quiet" onClick=${() => dialog.current?.close()}>Cancel</button>
      </div>
    </dialog>
  </div>`;
}
