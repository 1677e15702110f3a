import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { FakePeerConnection } from "./browser.mjs";
import { comeBack, enter, hear, leave, person, sent, wait } from "./calling.mjs";

const signal = (type, more = {}) => ({ type, from: "other", pc: "direct", generation: 1, sdp: `${type} of other`, ...more });
const pc = () => FakePeerConnection.all.at(-1);

/** @type {Awaited<ReturnType<typeof enter>>} */
let call;

beforeEach(async () => {
  call = await enter();
});

afterEach(() => leave(call));

test("a newcomer offers at once", () => {
  assert.deepEqual(sent("offer").map(({ to, generation }) => [to, generation]), [["other", 1]]);
});

test("an offer that was lost with the socket is said again, as it stands then", async () => {
  pc().found("a path");
  await comeBack();
  assert.deepEqual(sent("offer"), []);
  await wait(1_000);
  const [again] = sent("offer");
  assert.equal(again.generation, 1);
  assert.match(again.sdp, /a path/);
});

test("an offer whose answer is among what was missed is not said again", async () => {
  pc().connectionState = "connected";
  await comeBack();
  await hear(signal("answer"));
  await wait(1_000);
  assert.deepEqual(sent("offer"), []);
  assert.equal(pc().signalingState, "stable");
});

test("an offer whose answer was lost with the socket of the other is said again", async () => {
  await hear({ type: "participant_connection", participant_id: "other", state: "reconnecting" });
  await wait(1_000);
  assert.equal(sent("offer").length, 1);
  await hear({ type: "participant_connection", participant_id: "other", state: "online" });
  await wait(1_000);
  assert.equal(sent("offer").length, 2);
});

test("a repeated offer is answered again, and a second answer is dropped", async () => {
  const trouble = [];
  call.addEventListener("trouble", (event) => trouble.push(event));
  await hear(signal("answer"));
  await hear(signal("answer"));
  assert.deepEqual([pc().signalingState, trouble], ["stable", []]);
  for (const answers of [1, 2]) {
    await hear(signal("offer"));
    assert.equal(sent("answer").length, answers);
  }
});

test("paths that were lost before the connection stood are looked for anew", async () => {
  await hear(signal("answer"));
  pc().connectionState = "connecting";
  await comeBack();
  await wait(1_000);
  assert.equal(pc().restarts, 1);
});

test("a resume leaves the connection as it was", async () => {
  await hear(signal("answer"));
  pc().connectionState = "connected";
  await comeBack();
  await wait(1_000);
  assert.equal(FakePeerConnection.all.length, 1);
  assert.equal(pc().restarts, 0);
});

test("whoever came while the socket was away offers, being the newcomer", async () => {
  const late = person("late", { polite: true });
  await comeBack({ participants: [person("other"), late] });
  await hear({ type: "participant_joined", participant: late });
  await hear(signal("offer", { from: "late" }));
  await wait(1_500);
  assert.deepEqual(sent("answer").map(({ to }) => to), ["late"]);
  assert.deepEqual(sent("offer").filter(({ to }) => to === "late"), []);
});

test("a newcomer who does not offer is offered to after a while", async () => {
  await hear({ type: "participant_joined", participant: person("late", { polite: true }) });
  await wait(1_499);
  assert.deepEqual(sent("offer").filter(({ to }) => to === "late"), []);
  await wait(1);
  assert.deepEqual(sent("offer").filter(({ to }) => to === "late").map(({ generation }) => generation), [1]);
});

test("a welcome that resumes nothing begins everything anew", async () => {
  await hear(signal("offer", { generation: 2 }));
  const before = pc();
  const people = [person("other", { polite: false }), person("third")];
  await comeBack({ resumed: false, participant_id: "me again", participants: people });
  assert.equal(before.signalingState, "closed");
  assert.equal(call.participantId, "me again");
  assert.deepEqual(sent("offer").map(({ to, generation }) => [to, generation]), [["other", 1], ["third", 1]]);
});

test("candidates of a first offer that was ignored are dropped", async () => {
  await hear(signal("offer"));
  await hear({ type: "candidate", from: "other", pc: "direct", generation: 1, candidate: null });
  assert.equal(pc().signalingState, "have-local-offer");
  assert.equal(pc().paths, 0);
});

test("an offer of a newer generation is taken, also by the impolite side", async () => {
  await hear(signal("offer", { generation: 2 }));
  assert.equal(FakePeerConnection.all.length, 2);
  assert.deepEqual(sent("answer").map(({ generation }) => generation), [2]);
});

test("a direct call has one entry of figures for each of the others; a screen can be shared once the server carries it", async () => {
  assert.deepEqual((await call.stats()).map(({ pc, participantId, generation }) => [pc, participantId, generation]), [["direct", "other", 1]]);
  assert.deepEqual([call.canShare, call.screenOf("other")], [true, null]);
});

test("a signal of a connection with the server is none of a direct call", async () => {
  await hear(signal("offer", { from: null, pc: "subscribe", tracks: [] }));
  assert.equal(FakePeerConnection.all.length, 1);
  assert.deepEqual(sent("answer"), []);
});

test("a path that fails again and again is given up for a new connection of the next generation", async () => {
  await hear(signal("answer"));
  for (let failures = 0; failures < 4; failures += 1) {
    pc().becomes("failed");
    await wait(0);
  }
  assert.deepEqual(FakePeerConnection.all.map(({ restarts }) => restarts), [3, 0]);
  assert.deepEqual(sent("offer").map(({ generation }) => generation), [1, 2]);
});
