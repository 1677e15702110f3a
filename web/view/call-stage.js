import { html, useEffect, useRef, useState } from "./preact.js";
import { Avatar, firstName, From, Icon } from "./parts.js";
import { useInSight, useLook } from "./call-look.js";
import { insteadWords, isReached, isSpeaking, mutedWords, PAUSED, withThem } from "./call-words.js";
import { TileMenu } from "./call-tile-menu.js";
import { company } from "./mentoring.js";
import { Live, Picture } from "./picture.js";
import { useSession } from "./session.js";

/** The pictures of a call: one other large, several in a grid, and what somebody shares larger than all. */

/** @import { Meeting } from "../client/types.js" */
/** @typedef {import("../client/call.js").Call} Call */
/** @typedef {import("../client/protocol.js").Participant} Participant */

/** From so many others on my own picture stands beside theirs and not upon them. */
const CROWD = 3;

/** A ring and a sign; the word stands with the name. */
function Speaking() {
  return html`<span class="speaking"><span><${Icon} name="audio-lines" /></span></span>`;
}

/** @param {{call: Call, participant: Participant, meeting: Meeting}} props */
function Remote({ call, participant, meeting }) {
  const { membership } = useSession();
  const tile = useLook(call, participant.id, "camera");
  const stream = call.streamOf(participant.id);
  const instead = insteadWords(call, participant);
  const connecting = !isReached(call, participant);
  const speaking = isSpeaking(call, participant.id, participant);
  const person = company(meeting).find(({ id }) => id === participant.membership_id);
  return html`<figure class="remote" ref=${tile} data-participant=${participant.id}>
    ${stream && html`<${Live} stream=${stream} label=${`Picture of ${participant.name}`} hidden=${instead !== ""} />`}
    ${instead && html`<div class="no-picture">
      <${Avatar} id=${participant.membership_id} name=${participant.name} size="large" />
      <p>${instead}</p>
    </div>`}
    <figcaption class="plate">
      ${!participant.audio && html`<${Icon} name="mic-off" />`}
      <span><b>${participant.name}</b>${speaking && html`<span class="unseen">, speaking,</span>`} ${person ? html`<${From} organisation=${person.organisation} mine=${membership?.organisation} />` : participant.organisation}
        ${call.scores.isWeak(participant.id) && html`<small class="weak">Weak connection</small>`}
        ${mutedWords(participant) && html`<small>${mutedWords(participant)}</small>`}
        ${connecting && html`<small class="in-small">connecting …</small>`}
        ${instead === PAUSED && html`<small class="in-small">${PAUSED}</small>`}</span>
    </figcaption>
    ${speaking && html`<${Speaking} />`}
    <${TileMenu} call=${call} participant=${participant} />
  </figure>`;
}

/** @param {{call: Call, participant: Participant, stream: MediaStream}} props */
function Screen({ call, participant, stream }) {
  const tile = useLook(call, participant.id, "screen");
  const paused = call.isPaused(participant.id, "screen");
  return html`<figure class="remote screen" ref=${tile}>
    <${Live} stream=${stream} label=${`Screen of ${participant.name}`} hidden=${paused} />
    ${paused && html`<div class="no-picture"><p>${PAUSED}</p></div>`}
    <figcaption class="plate"><${Icon} name="screen-share" /><span>Screen of <b>${participant.name}</b></span></figcaption>
  </figure>`;
}

/** @param {{meeting: Meeting}} props */
function Alone({ meeting }) {
  const people = company(meeting);
  return html`<div class="remote alone-here">
    <div class="no-picture">
      <div class="avatars">${people.slice(0, 3).map((person) => html`<${Avatar} key=${person.id} id=${person.id} name=${person.name} size="large" />`)}</div>
      <p>${withThem(meeting)} ${people.length > 1 ? "are" : "is"} not here yet.</p>
      <p class="stage-quiet">You hear it when ${people.length > 1 ? "somebody" : firstName(people[0]?.name ?? "somebody")} comes.</p>
    </div>
  </div>`;
}

/** @param {{track: MediaStreamTrack | null, media: {audio: boolean, video: boolean}, speaking: boolean}} props */
function Self({ track, media, speaking }) {
  return html`<figure class="self">
    ${track && media.video ? html`<${Picture} track=${track} mirrored label="Your own picture" />` : html`<div class="no-picture"><${Icon} name="video-off" /></div>`}
    <figcaption class="plate">${!media.audio && html`<${Icon} name="mic-off" />`}<span>You${media.audio ? "" : ", muted"}${speaking && html`<span class="unseen">, speaking</span>`}</span></figcaption>
    ${speaking && html`<${Speaking} />`}
  </figure>`;
}

/** Pictures that do not fit are reached by the keyboard, too. */
function useScrolling() {
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const [scrolls, setScrolls] = useState(false);
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const look = () => setScrolls(element.scrollHeight > element.clientHeight + 1);
    const observer = new ResizeObserver(look);
    for (const each of [element, ...element.children]) observer.observe(each);
    return () => observer.disconnect();
  });
  return { box, scrolls };
}

/** How many stand beside each other, so that all are large: in a room that is wide, tall, narrow or low. @param {number} tiles */
function shapeOf(tiles) {
  const narrow = tiles > 2 ? 2 : 1;
  const columns = { wide: Math.ceil(Math.sqrt(tiles)), tall: tiles > 6 ? 3 : narrow, narrow, low: tiles > 3 ? Math.min(6, Math.ceil(tiles / 2)) : tiles };
  return Object.fromEntries(Object.entries(columns).flatMap(([room, count]) => [[`--${room}`, count], [`--${room}-rows`, Math.ceil(tiles / count)]]));
}

/** @param {{call: Call | null, meeting: Meeting, camera: MediaStreamTrack | null, media: {audio: boolean, video: boolean}}} props */
export function Stage({ call, meeting, camera, media }) {
  const others = call ? [...call.participants.values()] : [];
  const screens = others.flatMap((participant) => {
    const stream = call?.screenOf(participant.id);
    return stream ? [{ participant, stream }] : [];
  });
  const { box, scrolls } = useScrolling();
  const sharing = screens.length > 0;
  useInSight(box, sharing ? call?.speakers.find((id) => id !== call.participantId) ?? null : null);
  const selfBeside = sharing || others.length >= CROWD;
  const tiles = Math.max(1, others.length) + (selfBeside ? 1 : 0);
  return html`<div class="stage"><div class=${`pictures ${sharing ? "strip" : ""} ${selfBeside ? "with-self" : ""}`}>
    ${sharing && html`<div class="screens">${screens.map(({ participant, stream }) => html`<${Screen} key=${participant.id} call=${call} participant=${participant} stream=${stream} />`)}</div>`}
    <div class="people" ref=${box} role="group" aria-label="People" tabindex=${scrolls ? 0 : undefined} style=${shapeOf(tiles)}>
      ${others.length > 0 && call ? others.map((participant) => html`<${Remote} key=${participant.id} call=${call} participant=${participant} meeting=${meeting} />`) : html`<${Alone} meeting=${meeting} />`}
      <${Self} key="self" track=${camera} media=${media} speaking=${isSpeaking(call, call?.participantId, media)} />
    </div>
  </div></div>`;
}
