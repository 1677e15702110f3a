import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { FakeTrack } from "./browser.mjs";
import { comeBack, enter, hear, leave, person, sent } from "./calling.mjs";

/** @type {Awaited<ReturnType<typeof enter>>} */
let call;

const inside = async () => {
  const tracks = { audio: new FakeTrack("audio"), video: new FakeTrack("video") };
  call = await enter({ kind: "forwarded", tracks, participants: [person("ben"), person("amina")] });
};
const muted = (source) => hear({ type: "muted", source, by: "amina" });

afterEach(() => leave(call));

test("whoever is muted turns it off, says so, knows who it was, and may turn it on again", async () => {
  await inside();
  const heard = [];
  call.addEventListener("muted", ({ detail }) => heard.push(detail));
  await muted("microphone");
  assert.deepEqual(sent("media").at(-1), { type: "media", audio: false, video: true });
  assert.deepEqual([call.muting.by("microphone"), heard], ["amina", [{ source: "microphone", name: "amina" }]]);
  call.setMicrophone(true);
  assert.deepEqual(sent("media").at(-1), { type: "media", audio: true, video: true });
  call.setMicrophone(false);
  assert.equal(call.muting.by("microphone"), null, "this time it was me");
});

test("a camera and a screen that are silenced are let go of", async () => {
  await inside();
  await muted("camera");
  assert.equal(call.tracks.video, null);
  await call.setScreen(new MediaStream([new FakeTrack("video")]));
  await muted("screen");
  assert.deepEqual([call.screen, call.muting.by("screen"), call.muting.by("camera")], [null, "amina", "amina"]);
});

test("only whoever may is offered to mute others", async () => {
  await inside();
  assert.equal(call.muting.may, false);
  call.muting.allowed(/** @type {any} */ ({ permissions: ["publish", "subscribe", "moderate"] }));
  assert.equal(call.muting.may, true);
  call.muting.mute("ben", "screen", "screen_audio");
  assert.deepEqual(sent("mute").map(({ participant_id, source }) => [participant_id, source]), [["ben", "screen"], ["ben", "screen_audio"]]);
});

test("scores are kept until they change, until somebody leaves, and until a new stay", async () => {
  await inside();
  const score = (participant_id, score) => ({ participant_id, score });
  await hear({ type: "quality", scores: [score("ben", 2), score("me", 5)], own: null });
  await hear({ type: "quality", scores: [], own: { loss_up: 0.5 } });
  await hear({ type: "quality", scores: [score("me", 4)], own: null });
  assert.deepEqual([call.scores.of("ben"), call.scores.of("me"), call.scores.of("amina")], [2, 4, null]);
  assert.deepEqual([call.scores.isWeak("ben"), call.scores.isWeak("me"), call.scores.isWeak("amina"), call.scores.isWeak(null)], [true, false, false, false]);
  assert.deepEqual(call.scores.own, { loss_up: 0.5 });
  await hear({ type: "participant_left", participant_id: "ben", reason: "left" });
  assert.equal(call.scores.of("ben"), null);
  await comeBack({ resumed: false });
  assert.deepEqual([call.scores.of("me"), call.scores.own], [null, null]);
});
