import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { FakePeerConnection, FakeTrack } from "./browser.mjs";
import { browser, comeBack, enter, hear, leave, offered, person, sent, settle, wait } from "./calling.mjs";

/** @type {Awaited<ReturnType<typeof enter>>} */
let call;

const tracks = () => ({ audio: new FakeTrack("audio"), video: new FakeTrack("video") });
const [direct, publish, subscribe] = [0, 1, 2].map((place) => () => FakePeerConnection.all[place]);
const promoted = () => hear({ type: "promoted", topology: "forwarded" });
const shown = () => call.streamOf("other");
/** A direct call in which the picture of the other is there. */
const connected = async (more = {}) => {
  call = await enter({ kind: "direct", tracks: tracks(), participants: [person("other", more)] });
  direct().becomes("connected");
  await settle();
};
/** What comes through the server is connected, and so many frames of it are decoded. */
const decoded = async (frames) => {
  for (const { receiver } of subscribe().getTransceivers()) receiver.stats = new Map([["a", { type: "inbound-rtp", framesDecoded: frames, packetsReceived: frames }]]);
  subscribe().becomes("connected");
  await wait(100);
};

afterEach(() => leave(call));

test("what came directly is shown until the same comes through the server", async () => {
  await connected();
  const before = shown();
  const seen = [];
  call.addEventListener("left", () => seen.push("left"));
  await promoted();
  assert.equal(call.topology, "forwarded");
  assert.deepEqual(sent("offer").at(-1).tracks.map(({ source }) => source), ["microphone", "camera"]);
  await offered([["0", "other", "microphone"], ["1", "other", "camera"]]);
  await decoded(0);
  assert.equal(shown(), before, "nothing is to be seen there yet");
  assert.equal(call.state, "connected");
  await decoded(5);
  assert.notEqual(shown(), before);
  assert.deepEqual(shown().getTracks().map(({ kind }) => kind), ["audio", "video"]);
  await wait(2_900);
  assert.notEqual(direct().signalingState, "closed", "the other may not have moved yet");
  await wait(200);
  assert.equal(direct().signalingState, "closed");
  assert.deepEqual([seen, call.participants.size, publish().signalingState], [[], 1, "have-local-offer"]);
});

test("what never comes through the server is not waited for without end", async () => {
  await connected();
  await promoted();
  await offered([["1", "other", "camera"]]);
  for (let waited = 0; waited < 11_000; waited += 100) await wait(100);
  await wait(3_000);
  assert.equal(direct().signalingState, "closed");
});

test("whoever sends nothing is not waited for", async () => {
  await connected({ audio: false, video: false });
  await promoted();
  await wait(3_000);
  assert.equal(direct().signalingState, "closed");
});

test("the direct connection agrees nothing any more once the call is promoted", async () => {
  await connected();
  await promoted();
  const before = sent("offer").length;
  direct().onnegotiationneeded();
  direct().onicecandidate({ candidate: null });
  await settle();
  assert.deepEqual([sent("offer").length, sent("candidate").length], [before, 0]);
});

test("a promotion is heard once, and one that was missed is heard after coming back", async () => {
  await connected();
  await comeBack({ resumed: true, topology: "forwarded" });
  assert.equal(call.topology, "direct", "it comes next");
  await promoted();
  await promoted();
  assert.equal(FakePeerConnection.all.length, 2);
  assert.equal(sent("offer").filter(({ pc }) => pc === "publish").length, 1);
});

test("the server is asked when the direct path is not found, fails, or when a screen is to be shared", async () => {
  call = await enter({ kind: "direct", tracks: tracks() });
  await wait(9_900);
  assert.deepEqual(sent("forward"), []);
  await wait(200);
  assert.equal(sent("forward").length, 1);
  direct().becomes("failed");
  assert.equal(sent("forward").length, 2);
});

test("nobody asks for the sake of somebody who is away, or for a path that was found", async () => {
  await connected();
  await wait(20_000);
  await hear({ type: "participant_connection", participant_id: "other", state: "reconnecting" });
  direct().becomes("failed");
  assert.deepEqual(sent("forward"), []);
});

test("a screen that is shared in a direct call is sent once the server carries it", async () => {
  await connected();
  const screen = new MediaStream([new FakeTrack("video")]);
  await call.setScreen(screen);
  assert.equal(sent("forward").length, 1);
  await promoted();
  assert.deepEqual(sent("offer").at(-1).tracks.map(({ source }) => source), ["microphone", "camera", "screen"]);
});

test("on another network new paths are looked for at once, on every connection that the call has now", async () => {
  await connected();
  browser.happens("online");
  assert.equal(direct().restarts, 1);
  await promoted();
  await offered([["1", "other", "camera"]]);
  await decoded(5);
  browser.happens("online");
  assert.deepEqual([direct().restarts, publish().restarts, sent("restart").length], [1, 1, 1]);
});

test("whoever does not look at the page is moved by the sound, as no picture is sent to them", async () => {
  await connected();
  const before = shown();
  await promoted();
  await offered([["0", "other", "microphone"], ["1", "other", "camera"]]);
  const heard = () => {
    for (const { receiver } of subscribe().getTransceivers()) receiver.stats = new Map([["a", { type: "inbound-rtp", framesDecoded: 0, packetsReceived: 9 }]]);
    subscribe().becomes("connected");
    return wait(100);
  };
  await heard();
  assert.equal(shown(), before, "they look, so they wait for a picture");
  Object.assign(globalThis, { document: { visibilityState: "hidden" } });
  try {
    await wait(100);
  } finally {
    Object.assign(globalThis, { document: undefined });
  }
  assert.notEqual(shown(), before);
});

test("a direct connection that is gone shows nothing any more", async () => {
  await connected();
  const before = shown();
  await promoted();
  await offered([["1", "other", "camera"]]);
  direct().becomes("failed");
  assert.notEqual(shown(), before);
});
