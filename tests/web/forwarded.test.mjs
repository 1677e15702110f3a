import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { FakePeerConnection, FakeTrack } from "./browser.mjs";
import { comeBack, enter, hear, leave, offered, person, sent, settle, wait } from "./calling.mjs";

/** @type {Awaited<ReturnType<typeof enter>>} */
let call;

const sound = () => new FakeTrack("audio");
const picture = () => new FakeTrack("video");
/** Enter with others who send, as somebody who sends these. */
const forwarded = async (tracks = { audio: sound(), video: picture() }, participants = [person("ben"), person("amina")]) => {
  call = await enter({ kind: "forwarded", tracks, participants });
};
const answered = (generation = 1) => hear({ type: "answer", from: null, pc: "publish", generation, sdp: "answer of server" });
const [publish, subscribe] = [() => connection("publish"), () => connection("subscribe")];
const connection = (which) => FakePeerConnection.all.findLast(({ localDescription }) => localDescription?.type === (which === "publish" ? "offer" : "answer"));
const kinds = (stream) => stream?.getTracks().map(({ kind }) => kind) ?? null;
const offers = () => sent("offer").map(({ pc, to, generation, tracks }) => [pc, to, generation, tracks.map(({ mid, source }) => `${mid} ${source}`)]);

afterEach(() => leave(call));

test("after the welcome one offers to the server what one sends, and says what it is", async () => {
  await forwarded();
  assert.deepEqual(offers(), [["publish", null, 1, ["0 microphone", "1 camera"]]]);
  assert.deepEqual(publish().getTransceivers().map(({ direction }) => direction), ["sendonly", "sendonly"]);
});

test("the camera is sent in three sizes, the largest last, and as VP8 rather than anything else", async () => {
  await forwarded();
  const [microphone, camera] = publish().getTransceivers();
  assert.equal(microphone.sendEncodings, undefined);
  assert.deepEqual(camera.sendEncodings.map(({ rid, scaleResolutionDownBy }) => [rid, scaleResolutionDownBy]), [["q", 4], ["h", 2], ["f", undefined]]);
  assert.deepEqual(camera.codecs, ["video/VP8", "video/H264", "video/rtx", "video/AV1"]);
});

test("whoever sends nothing offers nothing, until there is something", async () => {
  await forwarded({});
  assert.equal(FakePeerConnection.all.length, 0);
  await call.setTrack("video", picture());
  await settle();
  assert.deepEqual(offers(), [["publish", null, 1, ["0 camera"]]]);
});

test("a camera that was never there is agreed anew; one that is off keeps its place", async () => {
  await forwarded({ audio: sound() });
  await answered();
  await call.setTrack("video", picture());
  await settle();
  assert.deepEqual(offers().at(-1), ["publish", null, 1, ["0 microphone", "1 camera"]]);
  await answered();
  await call.setTrack("video", null);
  await settle();
  assert.equal(sent("offer").length, 2);
  assert.deepEqual(sent("media").at(-1), { type: "media", audio: true, video: false });
  await call.setTrack("video", picture());
  await settle();
  assert.equal(sent("offer").length, 2);
});

test("a screen is a source of its own, gone when it is not shared any more, and takes its place again", async () => {
  await forwarded();
  await answered();
  const screen = picture();
  await call.setScreen(new MediaStream([screen, sound()]));
  await settle();
  assert.equal(screen.contentHint, "detail");
  assert.deepEqual(offers().at(-1)[3], ["0 microphone", "1 camera", "2 screen", "3 screen_audio"]);
  await answered();
  // As the button of the browser does it.
  screen.dispatchEvent(new Event("ended"));
  await settle();
  assert.equal(call.screen, null);
  assert.deepEqual(offers().at(-1)[3], ["0 microphone", "1 camera"]);
  await answered();
  await call.setScreen(new MediaStream([picture()]));
  await settle();
  assert.deepEqual(offers().at(-1)[3], ["0 microphone", "1 camera", "2 screen"]);
  assert.equal(publish().getTransceivers().length, 4);
});

test("an offer that is said again names what it sends itself, not what is sent since", async () => {
  await forwarded({ audio: sound() });
  await call.setTrack("video", picture());
  await comeBack();
  await wait(1_000);
  assert.deepEqual(offers(), [["publish", null, 1, ["0 microphone"]]]);
  await answered();
  assert.deepEqual(offers().at(-1)[3], ["0 microphone", "1 camera"]);
});

test("what the server offers is answered, and each track is somebody's", async () => {
  await forwarded();
  await offered([["0", "ben", "microphone"], ["1", "ben", "camera"], ["2", "amina", "microphone"], ["3", "amina", "screen"]]);
  assert.deepEqual(sent("answer").map(({ to, pc, generation }) => [to, pc, generation]), [[null, "subscribe", 1]]);
  assert.deepEqual([kinds(call.streamOf("ben")), kinds(call.screenOf("ben"))], [["audio", "video"], null]);
  assert.deepEqual([kinds(call.streamOf("amina")), kinds(call.screenOf("amina"))], [["audio"], ["video"]]);
  assert.equal(call.streamOf("ben").getVideoTracks()[0], subscribe().getTransceivers()[1].receiver.track);
});

test("a section that is not named any more carries nothing, and somebody else's later; what stays is untouched", async () => {
  const screens = [];
  await forwarded();
  call.addEventListener("screen", ({ detail }) => screens.push([detail.participant.id, detail.on]));
  await offered([["0", "ben", "microphone"], ["1", "ben", "camera"], ["2", "amina", "screen"]]);
  const stream = call.streamOf("ben");
  const [heard, seen] = stream.getTracks();
  await offered([["0", "ben", "microphone"]], { empty: [["1", "camera"], ["2", "screen"]] });
  assert.equal(call.streamOf("ben"), stream);
  assert.deepEqual([stream.getTracks(), call.screenOf("amina")], [[heard], null]);
  await offered([["0", "ben", "microphone"], ["1", "amina", "camera"]], { empty: [["2", "screen"]] });
  assert.deepEqual(call.streamOf("amina").getTracks(), [seen]);
  assert.deepEqual(screens, [["amina", true], ["amina", false]]);
  await hear({ type: "participant_left", participant_id: "amina", reason: "left" });
  assert.equal(call.streamOf("amina"), null);
});

test("the call is connected when both connections are, and when nobody sends anything", async () => {
  await forwarded({ audio: sound() });
  await answered();
  publish().becomes("connected");
  assert.deepEqual([call.state, call.connectionWith("ben")], ["connecting", "new"]);
  await offered([["0", "ben", "microphone"]]);
  subscribe().becomes("connected");
  assert.deepEqual([call.state, call.connectionWith("ben"), call.connectionWith("amina"), call.flowing], ["connected", "connected", "connected", true]);
  publish().becomes("failed");
  assert.deepEqual([call.state, call.flowing], ["reconnecting", false]);
  leave(call);
  await forwarded({}, [person("silent", { audio: false, video: false })]);
  assert.equal(call.state, "connected");
});

test("publish restarts by itself, and begins the next generation after too many", async () => {
  await forwarded();
  await answered();
  for (let failures = 0; failures < 4; failures += 1) {
    publish().becomes("failed");
    await wait(0);
  }
  assert.deepEqual(FakePeerConnection.all.map(({ restarts, signalingState }) => [restarts, signalingState]), [[3, "closed"], [0, "have-local-offer"]]);
  assert.deepEqual(offers().at(-1), ["publish", null, 2, ["0 microphone", "1 camera"]]);
  await answered(1);
  assert.equal(publish().signalingState, "have-local-offer");
  await answered(2);
  assert.equal(publish().signalingState, "stable");
});

test("a restart of subscribe is asked for, and the next generation after too many", async () => {
  await forwarded({});
  await offered([["0", "ben", "camera"]]);
  subscribe().becomes("disconnected");
  await wait(3_000);
  assert.deepEqual(sent("restart"), [{ type: "restart", pc: "subscribe", generation: 1 }]);
  for (let failures = 0; failures < 3; failures += 1) {
    subscribe().becomes("failed");
    await wait(0);
  }
  assert.deepEqual(sent("restart").map(({ generation }) => generation), [1, 1, 1, 2]);
  const stream = call.streamOf("ben");
  const [old] = stream.getTracks();
  await offered([["0", "ben", "camera"]], { generation: 2 });
  assert.deepEqual(FakePeerConnection.all.map(({ signalingState }) => signalingState), ["closed", "stable"]);
  assert.equal(sent("answer").at(-1).generation, 2);
  assert.equal(call.streamOf("ben"), stream);
  assert.equal(stream.getTracks().includes(old), false);
  await offered([], { generation: 1 });
  assert.equal(sent("answer").length, 2);
  assert.deepEqual(kinds(call.streamOf("ben")), ["video"]);
});

test("after a resume each side says its unanswered offer again, and the other answers again", async () => {
  await forwarded();
  await offered([["0", "ben", "camera"]]);
  subscribe().becomes("connected");
  const stream = call.streamOf("ben");
  await comeBack();
  await offered([["0", "ben", "camera"]]);
  await wait(1_000);
  assert.deepEqual(offers(), [["publish", null, 1, ["0 microphone", "1 camera"]]]);
  assert.equal(sent("answer").length, 1);
  assert.deepEqual([call.streamOf("ben"), FakePeerConnection.all.length, sent("restart")], [stream, 2, []]);
});

test("after a resume paths that did not come to stand are looked for anew", async () => {
  await forwarded();
  await answered();
  await offered([["0", "ben", "camera"]]);
  await comeBack();
  await wait(1_000);
  assert.equal(publish().restarts, 1);
  assert.deepEqual(sent("restart").map(({ generation }) => generation), [1]);
});

test("a welcome that resumes nothing begins both connections anew, and shares the screen again", async () => {
  await forwarded();
  await call.setScreen(new MediaStream([picture()]));
  await answered();
  await offered([["0", "ben", "camera"]]);
  const before = [...FakePeerConnection.all];
  await comeBack({ resumed: false, participants: [person("ben")] });
  assert.deepEqual(before.map(({ signalingState }) => signalingState), ["closed", "closed"]);
  assert.deepEqual(offers(), [["publish", null, 1, ["0 microphone", "1 camera", "2 screen"]]]);
  assert.equal(call.streamOf("ben"), null);
  await offered([["0", "ben", "camera"]]);
  assert.deepEqual(kinds(call.streamOf("ben")), ["video"]);
});

test("figures are told for each connection, and for each participant", async () => {
  await forwarded();
  await offered([["0", "ben", "microphone"], ["1", "ben", "camera"], ["2", "amina", "camera"]]);
  assert.deepEqual((await call.stats()).map(({ pc, participantId }) => [pc, participantId]), [["publish", "server"], ["subscribe", "server"]]);
  const inbound = (more) => new Map([["x", { type: "inbound-rtp", ...more }]]);
  const [microphone, camera, other] = subscribe().getReceivers();
  microphone.stats = inbound({ totalAudioEnergy: 0.5, packetsReceived: 50 });
  camera.stats = inbound({ framesDecoded: 30, frameWidth: 640, frameHeight: 480, packetsReceived: 100 });
  other.stats = inbound({ framesDecoded: 7, frameWidth: 320, packetsReceived: 9 });
  assert.deepEqual(await call.statsOf("ben"), { framesDecoded: 30, frameWidth: 640, frameHeight: 480, totalAudioEnergy: 0.5, packetsReceived: 150 });
  assert.deepEqual(await call.statsOf("nobody"), { framesDecoded: 0, frameWidth: 0, frameHeight: 0, totalAudioEnergy: 0, packetsReceived: 0 });
});

test("the server's addresses stand in its descriptions: it is told no candidates, and says none", async () => {
  await forwarded();
  publish().onicecandidate({ candidate: { candidate: "candidate:1", toJSON: () => ({ candidate: "candidate:1" }) } });
  await hear({ type: "candidate", from: null, pc: "publish", generation: 1, candidate: null });
  assert.deepEqual([sent("candidate"), publish().paths], [[], 0]);
});
