import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { comeBack, enter, hear, leave, offered, person, sent, wait } from "./calling.mjs";

/** What one looks at in a forwarded call, who speaks, and what the network has no room for. */

/** @type {Awaited<ReturnType<typeof enter>>} */
let call;

const here = [person("ben"), person("amina")];
const forwarded = async (kind = "forwarded") => {
  call = await enter({ kind, participants: here });
};
const look = (...heights) => heights.forEach((height, index) => call.look(["ben", "amina"][index], "camera", height));
/** What was told of pictures since this socket was opened, message by message. */
const told = () => sent("view").map(({ tracks }) => tracks.map(({ participant_id, source, height }) => `${participant_id} ${source} ${height}`));
const lastTold = () => told().at(-1);
const state = (state, source = "camera") => hear({ type: "track_state", participant_id: "ben", source, state });
const speak = (...ids) => hear({ type: "speakers", participant_ids: ids });

afterEach(() => leave(call));

test("what is shown is told at once and all together, in whole pixels", async () => {
  await forwarded();
  look(359.6, 0.2);
  assert.deepEqual(told(), []);
  await wait(0);
  assert.deepEqual(told(), [["ben camera 360", "amina camera 1"]]);
  assert.deepEqual(sent("view")[0], { type: "view", tracks: [{ participant_id: "ben", source: "camera", height: 360 }, { participant_id: "amina", source: "camera", height: 1 }] });
});

test("at most one message in a quarter of a second, and the last of many sizes counts", async () => {
  await forwarded();
  look(100);
  await wait(0);
  for (let height = 150; height <= 400; height += 50) {
    look(height);
    await wait(40);
  }
  assert.deepEqual(told(), [["ben camera 100"]]);
  await wait(10);
  assert.deepEqual(told(), [["ben camera 100"], ["ben camera 400"]]);
  await wait(1_000);
  assert.equal(told().length, 2);
  look(800);
  await wait(0);
  assert.equal(told().length, 3);
});

test("a tenth more or less is not worth a message, but out of sight and back is; all go with what is", async () => {
  await forwarded();
  look(300, 300);
  await wait(250);
  look(330, 270);
  await wait(250);
  assert.equal(told().length, 1);
  look(331, 280);
  await wait(250);
  assert.deepEqual(lastTold(), ["ben camera 331", "amina camera 280"]);
  look(0);
  await wait(250);
  assert.deepEqual(lastTold(), ["ben camera 0", "amina camera 280"]);
  look(0);
  await wait(250);
  look(12);
  await wait(250);
  assert.deepEqual(lastTold(), ["ben camera 12", "amina camera 280"]);
  assert.equal(told().length, 4);
});

test("small steps add up", async () => {
  await forwarded();
  look(300);
  await wait(250);
  for (const height of [310, 320, 330, 340]) {
    look(height);
    await wait(250);
  }
  assert.deepEqual(told(), [["ben camera 300"], ["ben camera 340"]]);
});

test("a screen is looked at while it is shared, and those who left are not", async () => {
  await forwarded();
  call.look("ben", "screen", 700);
  await offered([["0", "ben", "screen"]]);
  call.look("ben", "screen", 700);
  look(100, 100);
  await wait(250);
  assert.deepEqual(lastTold(), ["ben screen 700", "ben camera 100", "amina camera 100"]);
  call.look("ben", "screen", 0);
  await wait(250);
  await offered([], { empty: [["0", "screen"]] });
  call.look("ben", "screen", 0);
  await hear({ type: "participant_left", participant_id: "amina", reason: "left" });
  look(100, 100);
  await wait(250);
  assert.equal(told().length, 2);
  // The server knows it as out of sight from before, so it is told whatever it is now.
  await offered([["1", "ben", "screen"]], { empty: [["0", "screen"]] });
  call.look("ben", "screen", 700);
  await wait(250);
  assert.deepEqual(lastTold(), ["ben camera 100", "ben screen 700"]);
});

test("after a resume everything is told once more, with what changed meanwhile", async () => {
  await forwarded();
  look(300, 300);
  await wait(250);
  const back = comeBack({ participants: here });
  look(0);
  await back;
  await wait(1_000);
  assert.deepEqual(told(), [["ben camera 0", "amina camera 300"]]);
});

test("in a new stay everything is told anew, of those who are still there", async () => {
  await forwarded();
  look(300, 300);
  await wait(250);
  await comeBack({ resumed: false, participants: [person("ben")] });
  await wait(250);
  assert.deepEqual(told(), [["ben camera 300"]]);
});

test("in a direct call nobody is told", async () => {
  await forwarded("direct");
  look(300, 300);
  await wait(250);
  await comeBack({ participants: here });
  await wait(250);
  assert.deepEqual(told(), []);
});

test("who speaks is known, the dominant one first, until they leave or all begins anew", async () => {
  await forwarded();
  const heard = [];
  call.addEventListener("speakers", ({ detail }) => heard.push(detail.speakers));
  await speak("ben", "me", "amina");
  assert.deepEqual(call.speakers, ["ben", "me", "amina"]);
  await speak("ben", "me", "amina");
  await hear({ type: "participant_left", participant_id: "ben", reason: "left" });
  assert.deepEqual(call.speakers, ["me", "amina"]);
  await comeBack({ participants: here });
  assert.deepEqual(call.speakers, ["me", "amina"]);
  await comeBack({ resumed: false, participants: here });
  assert.deepEqual(call.speakers, []);
  await speak("amina");
  await speak();
  assert.deepEqual(heard, [["ben", "me", "amina"], ["me", "amina"], [], ["amina"], []]);
});

test("a picture without room is paused until it is active; its sound and others' pictures are not", async () => {
  await forwarded();
  let changes = 0;
  await offered([["0", "ben", "microphone"], ["1", "ben", "camera"], ["2", "amina", "camera"]]);
  call.addEventListener("change", () => (changes += 1));
  await state("paused");
  assert.deepEqual([call.isPaused("ben", "camera"), call.isPaused("ben", "microphone"), call.isPaused("amina", "camera"), changes], [true, false, false, 1]);
  assert.equal(call.streamOf("ben").getTracks().length, 2);
  await state("active");
  assert.deepEqual([call.isPaused("ben", "camera"), changes], [false, 2]);
});

test("a paused picture stays so in later offers and after a resume, and begins anew in another section or connection", async () => {
  await forwarded();
  const paused = () => call.isPaused("ben", "camera");
  await offered([["0", "ben", "camera"]]);
  await state("paused");
  await offered([["0", "ben", "camera"], ["1", "amina", "camera"]]);
  await comeBack({ participants: here });
  assert.equal(paused(), true);
  await offered([["1", "amina", "camera"], ["2", "ben", "camera"]], { empty: [["0", "camera"]] });
  assert.equal(paused(), false);
  await state("paused");
  await offered([["1", "amina", "camera"]], { empty: [["0", "camera"], ["2", "camera"]] });
  assert.equal(paused(), false);
  await offered([["0", "ben", "camera"]], { empty: [["1", "camera"], ["2", "camera"]] });
  await state("paused");
  await offered([["0", "ben", "camera"]], { generation: 2 });
  assert.equal(paused(), false);
  await state("paused");
  await comeBack({ resumed: false, participants: [person("ben")] });
  assert.equal(paused(), false);
});
