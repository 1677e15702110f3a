import { Problem } from "../client/problem.js";
import { html, useEffect, useState } from "./preact.js";
import { announce, useLoad } from "./hooks.js";
import { useFresh } from "./live.js";
import { Button, Notice, Trouble } from "./parts.js";
import { aboutFile, aboutRecording, savedAs, sourcesOf, whenRecorded, whoseFile } from "./recording-words.js";
import { api } from "./session.js";

/** What was recorded of a meeting's call: to play, to keep, to delete for everybody. */

/** @import { Meeting, Recording, RecordingFile } from "../client/types.js" */

const LIST = "/v1/meetings/{meeting_id}/recordings";

/** The file as the browser keeps it, at an address that lasts until it is given back. @param {Recording} recording @param {RecordingFile} file */
async function addressOf(recording, file) {
  const path = { recording_id: recording.id, name: file.name };
  const found = await api.file("/v1/recordings/{recording_id}/files/{name}", { path });
  return URL.createObjectURL(new Blob([found], { type: file.media_type }));
}

/** @param {{file: RecordingFile, address: string}} props */
function Player({ file, address }) {
  const [unknown, setUnknown] = useState(false);
  const label = `Recording of ${file.is_me ? "you" : file.person}`;
  const shown = { src: address, controls: true, autoplay: true, "aria-label": label, onError: () => setUnknown(true) };
  if (unknown) return html`<${Notice}>This browser cannot play this file. Download it and open it with a video player.<//>`;
  return file.media_type.startsWith("audio/") ? html`<audio ...${shown}></audio>` : html`<video playsinline ...${shown}></video>`;
}

/** @param {{recording: Recording, file: RecordingFile, zone: string}} props */
function File({ recording, file, zone }) {
  const [address, setAddress] = useState("");
  useEffect(() => () => URL.revokeObjectURL(address), [address]);
  const whose = whoseFile(file);
  const about = `${file.is_me ? "your" : `${file.person}'s`} recording: ${sourcesOf(file)}`;
  const save = async () => {
    const link = document.createElement("a");
    link.href = await addressOf(recording, file);
    link.download = savedAs(recording, file, zone);
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  };
  return html`<li>
    <div><strong>${whose}</strong><p class="quiet">${aboutFile(file)}</p></div>
    ${address && html`<${Player} file=${file} address=${address} />`}
    <div class="buttons">
      ${address
        ? html`<button key="close" type="button" class="button" aria-label=${`Close ${about}`} onClick=${() => setAddress("")}>Close</button>`
        : html`<${Button} key="play" icon="play" busyWords="Loading …" label=${`Play ${about}`} onPress=${async () => setAddress(await addressOf(recording, file))}>Play<//>`}
      <${Button} icon="download" busyWords="Loading …" label=${`Download ${about}`} onPress=${save}>Download<//>
    </div>
  </li>`;
}

/** The service says best what is left when a deletion went wrong. @param {{problem: unknown}} props */
function Refused({ problem }) {
  if (!(problem instanceof Problem) || !problem.code.startsWith("recording")) return html`<${Trouble} problem=${problem} />`;
  return html`<div class="notice trouble" role="alert"><p>${problem.detail}</p></div>`;
}

/** @param {{recording: Recording, when: string, onGone: () => unknown}} props */
function Delete({ recording, when, onGone }) {
  const [asking, setAsking] = useState(false);
  const [problem, setProblem] = useState(/** @type {unknown} */ (null));
  const act = async () => {
    setProblem(null);
    try {
      await api.delete("/v1/recordings/{recording_id}", { path: { recording_id: recording.id } });
    } catch (error) {
      // Somebody else was faster, or the answer to the first try was lost.
      if (!(error instanceof Problem && error.status === 404)) throw error;
    }
    announce("The recording is deleted.");
    document.querySelector("h1")?.focus();
    await onGone();
  };
  if (!asking) return html`<div><button type="button" class="button danger" aria-label=${`Delete this recording of ${when}`} onClick=${() => setAsking(true)}>Delete this recording</button></div>`;
  return html`<div class="card ending" role="group" aria-label="Delete this recording">
    <p><strong>Delete this recording for everybody who is in it?</strong> There is no way back. Copies that somebody downloaded stay with them.</p>
    ${!!problem && html`<${Refused} problem=${problem} />`}
    <div class="buttons">
      <${Button} kind="danger" busyWords="Deleting …" onPress=${act} onProblem=${setProblem}>Delete for everybody<//>
      <button type="button" class="button quiet" onClick=${() => setAsking(false)}>Keep it</button>
    </div>
  </div>`;
}

/** Nothing, where nothing was recorded. @param {{meeting: Meeting, zone: string}} props */
export function Recordings({ meeting, zone }) {
  const path = { meeting_id: meeting.id };
  const takes = useLoad(async () => (await api.get(LIST, { path })).items, [meeting.id]);
  useFresh(takes.refresh, [LIST], { "call.changed": meeting.id, "pairing.changed": meeting.pairing_id });
  if (!takes.data || takes.data.length === 0) return null;
  return html`<section aria-labelledby="recordings">
    <h2 id="recordings">Recordings</h2>
    <p class="quiet">Only the people in a recording can see it. Each of them can delete it for everybody.</p>
    ${takes.data.map((/** @type {Recording} */ take) => {
      const when = whenRecorded(take, zone);
      return html`<article class="card recording" key=${take.id}>
        <div><h3>${when}</h3><p class="quiet">${aboutRecording(take, zone)}</p></div>
        <ul class="recording-files">${take.files.map((file) => html`<${File} key=${file.name} recording=${take} file=${file} zone=${zone} />`)}</ul>
        <${Delete} recording=${take} when=${when} onGone=${takes.refresh} />
      </article>`;
    })}
  </section>`;
}
