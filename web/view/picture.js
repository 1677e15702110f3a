import { html, useEffect, useRef, useState } from "./preact.js";

/** Moving pictures on the page. */

/** My own picture, as in a mirror and without sound. @param {{track: MediaStreamTrack, mirrored?: boolean, label: string}} props */
export function Picture({ track, mirrored = false, label }) {
  const video = useRef(/** @type {HTMLVideoElement | null} */ (null));
  useEffect(() => {
    if (video.current) video.current.srcObject = new MediaStream([track]);
  }, [track]);
  return html`<video ref=${video} class=${mirrored ? "mirrored" : ""} autoplay playsinline muted aria-label=${label}></video>`;
}

/**
 * Somebody's sound and picture. Browsers may want a press of a button before they let us hear.
 * @param {{stream: MediaStream, label: string, hidden?: boolean}} props
 */
export function Live({ stream, label, hidden = false }) {
  const video = useRef(/** @type {HTMLVideoElement | null} */ (null));
  const [silenced, setSilenced] = useState(false);
  const play = () => video.current?.play().then(() => setSilenced(false), (error) => error.name === "NotAllowedError" && setSilenced(true));
  useEffect(() => {
    if (!video.current || video.current.srcObject === stream) return;
    video.current.srcObject = stream;
    void play();
  });
  return html`
    <video ref=${video} class=${hidden ? "away" : ""} autoplay playsinline aria-label=${label}></video>
    ${silenced && html`<button type="button" class="button primary unsilence" onClick=${play}>Turn the sound on</button>`}`;
}
