import { html, useEffect, useRef, useState } from "../view/preact.js";
import { Call } from "../client/call.js";
import { announce, useLoad } from "../view/hooks.js";
import { Button, Loaded, Title, Trouble } from "../view/parts.js";
import { api, useSession } from "../view/session.js";
import { useDevices } from "../view/call-devices.js";
import { useConversationOf, useFresh } from "../view/live.js";
import { CallCheck } from "../view/call-check.js";
import { CallRoom } from "../view/call-room.js";
import { isOpen, When, withWhom } from "../view/mentoring.js";

/** @import { Meeting } from "../client/types.js" */

const ENDED = /** @type {Record<string, string>} */ ({
  left: "You left the call.",
  replaced: "You have joined this call in another window, so it ended here.",
  removed: "You are no longer part of this call.",
  call_ended: "The call is over.",
  call_full: "This call is full: everybody it has room for is in it already.",
  unreachable: "The connection was lost and did not come back.",
  no_ticket: "You could not get back into the call.",
});

/** After these the room does not open again, or not to this window. */
const FOR_GOOD = ["call_full", "call_ended", "removed"];

/** @param {import("../client/protocol.js").Participant} participant */
const named = ({ name }) => name;

const LEFT = /** @type {Record<string, string>} */ ({
  left: "left", connection_lost: "lost the connection", replaced: "joins from another window", removed: "was removed", call_ended: "left", server_stopped: "lost the connection",
});

/** Say what happens in the call to people who do not see it. @param {Call} call */
function speak(call) {
  const on = (/** @type {string} */ type, /** @type {(detail: any) => string} */ words) =>
    call.addEventListener(type, (event) => announce(words(/** @type {CustomEvent} */ (event).detail)));
  on("joined", ({ participant }) => `${named(participant)} is here`);
  on("left", ({ participant, reason }) => `${named(participant)} ${LEFT[reason] ?? "left"}`);
  on("screen", ({ participant, on: shares }) => `${named(participant)} ${shares ? "shares their screen" : "does not share their screen any more"}`);
  on("media", ({ participant }) => `${named(participant)}: microphone ${participant.audio ? "on" : "off"}, camera ${participant.video ? "on" : "off"}`);
}

/** One call at a time, drawn again whenever it changes. @param {string} meetingId */
function useCall(meetingId) {
  const [, draw] = useState(0);
  const current = useRef(/** @type {Call | null} */ (null));
  useEffect(() => {
    const goodbye = () => current.current?.leave();
    addEventListener("pagehide", goodbye);
    return () => {
      removeEventListener("pagehide", goodbye);
      goodbye();
    };
  }, []);
  const join = async (/** @type {{audio: MediaStreamTrack | null, video: MediaStreamTrack | null}} */ tracks) => {
    const call = new Call({ ticket: () => api.post("/v1/meetings/{meeting_id}/ticket", { path: { meeting_id: meetingId } }), ...tracks });
    current.current = call;
    // A door for debugging and for tests: `await mentorspanCall.stats()`.
    Object.assign(window, { mentorspanCall: call });
    call.addEventListener("change", () => draw((count) => count + 1));
    speak(call);
    await call.join();
  };
  return { call: current.current, join };
}

/** @param {{meeting: Meeting, why: string, onAgain: () => Promise<unknown>}} props */
function Over({ meeting, why, onAgain }) {
  const { zone } = useSession();
  const back = !FOR_GOOD.includes(why) && isOpen(meeting, new Date());
  return html`<div class="door call-over"><div>
    <${Title} name=${`Call with ${withWhom(meeting)} ended`}>${ENDED[why] ?? "The call ended."}<//>
    <p class="quiet">Meeting with ${withWhom(meeting)}: <${When} meeting=${meeting} zone=${zone} /></p>
    <div class="buttons">
      <a class="button primary" href=${`/pairings/${meeting.pairing_id}`}>Back to the pairing</a>
      ${back && html`<${Button} onPress=${onAgain}>Join again<//>`}
      <a class="button quiet" href=${`/pairings/${meeting.pairing_id}/book`}>Pick the next time</a>
    </div>
  </div></div>`;
}

/** @param {{meeting: Meeting}} props */
function Live({ meeting }) {
  const devices = useDevices();
  const conversation = useConversationOf({ meeting: meeting.id });
  const { call, join } = useCall(meeting.id);
  const [problem, setProblem] = useState(/** @type {unknown} */ (null));
  const [checking, setChecking] = useState(true);
  const state = checking ? "checking" : call?.state ?? "connecting";

  useEffect(() => {
    if (state === "ended") devices.stop();
  }, [state]);

  const enter = async () => {
    setProblem(null);
    setChecking(false);
    try {
      await join({ audio: devices.audio.track, video: devices.video.track });
    } catch (error) {
      setProblem(error);
      setChecking(true);
    }
  };
  const again = async () => {
    setChecking(true);
    await devices.start();
  };
  return html`<div class="call" data-state=${state}>
    ${state === "checking" ? html`<${CallCheck} meeting=${meeting} devices=${devices} problem=${problem} onJoin=${enter} />`
      : state === "ended" ? html`<${Over} meeting=${meeting} why=${call?.endedBecause ?? ""} onAgain=${again} />`
      : html`<${CallRoom} meeting=${meeting} call=${call} devices=${devices} conversation=${conversation} />`}
  </div>`;
}

/** @param {{id: string}} props */
export default function CallPage({ id }) {
  const { zone } = useSession();
  const meeting = useLoad(() => api.get("/v1/meetings/{meeting_id}", { path: { meeting_id: id } }), [id]);
  const open = Boolean(meeting.data && isOpen(meeting.data, new Date()));
  // A call that goes on is ended by its own socket, with a reason; here only the door is watched.
  useFresh(() => (open ? undefined : meeting.refresh()), ["/v1/meetings/{meeting_id}"], { "meeting.changed": id, "pairing.changed": meeting.data?.pairing_id });
  if (meeting.problem && !meeting.data) {
    return html`<div class="door"><div><${Title}>The call did not open<//><${Trouble} problem=${meeting.problem} retry=${meeting.reload} /><a class="button" href="/">Go to the start</a></div></div>`;
  }
  return html`<${Loaded} of=${meeting} title>${(/** @type {Meeting} */ data) => isOpen(data, new Date())
    ? html`<${Live} meeting=${data} />`
    : html`<div class="door"><div>
        <${Title}>The room is not open<//>
        <p>${data.status === "booked" ? html`Your meeting with ${withWhom(data)}: <${When} meeting=${data} zone=${zone} />. The room opens 15 minutes before and closes an hour after it.` : "This meeting is not booked."}</p>
        <div class="buttons"><${Button} kind="primary" onPress=${meeting.reload}>Look again<//><a class="button" href=${`/meetings/${data.id}`}>Open the meeting</a></div>
      </div></div>`}
  <//>`;
}
