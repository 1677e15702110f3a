import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { enter, hear, leave, person, sent } from "./calling.mjs";

/** @type {Awaited<ReturnType<typeof enter>>} */
let call;

const recording = (state, ...agreed) => hear({ type: "recording", state, agreed });
const among = async () => {
  call = await enter({ kind: "forwarded", participants: [person("ben", { name: "Ben Carter" }), person("amina", { name: "Amina Yusuf" })] });
};

afterEach(() => leave(call));

test("what the welcome says of the recording is known at once", async () => {
  await among();
  assert.deepEqual([call.recording.state, call.recording.mine, call.recording.asker], ["off", false, null]);
});

test("asking is a yes, and a no ends it", async () => {
  await among();
  call.recording.say(true);
  call.recording.say(false);
  assert.deepEqual(sent("record"), [{ type: "record", agree: true }, { type: "record", agree: false }]);
});

test("who asked, and who has not said yes, is known by name", async () => {
  await among();
  const seen = [];
  call.addEventListener("recording", ({ detail }) => seen.push(`${detail.before} ${detail.state}`));
  await recording("asked", "ben");
  assert.deepEqual([call.recording.asker, call.recording.mine, call.recording.undecided], ["Ben Carter", false, ["Amina Yusuf"]]);
  await recording("asked", "ben", "me");
  assert.deepEqual([call.recording.mine, call.recording.undecided], [true, ["Amina Yusuf"]]);
  await recording("on", "ben", "me", "amina");
  await recording("off");
  assert.deepEqual(seen, ["off asked", "asked on", "on off"]);
});
