import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { installBrowser } from "./browser.mjs";

const browser = installBrowser();
const { CallSocket, backoff } = await import("../../web/client/socket.js");

const welcome = (more = {}) => ({
  type: "welcome", seq: 0, version: 1, call_id: "c", participant_id: "me", resume_token: "r1", resumed: false,
  topology: "direct", heartbeat_seconds: 5, grace_seconds: 15, participants: [], ...more,
});
/** @type {CallSocket} */
let socket;
let grants;
let ended;

const settle = async () => {
  for (let round = 0; round < 5; round += 1) await Promise.resolve();
};
const wait = async (ms) => {
  mock.timers.tick(ms);
  await settle();
};
const latest = () => browser.sockets.at(-1);

beforeEach(async () => {
  mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  browser.reset();
  [grants, ended] = [[], null];
  socket = new CallSocket({
    grant: async (renew) => {
      grants.push(renew);
      return { ticket: `t${grants.length}`, socket_url: "ws://x/calls/c" };
    },
    media: () => ({ audio: true, video: false }),
    heard: () => undefined,
    opened: () => undefined,
    over: (reason, code) => (ended = [reason, code]),
  });
  await socket.open();
  latest().open();
});

afterEach(() => {
  socket.leave();
  mock.timers.reset();
});

test("the first frame is a hello with the ticket", () => {
  assert.deepEqual(latest().sent, [{ type: "hello", version: 1, ticket: "t1", media: { audio: true, video: false } }]);
});

test("a lost socket resumes at once, from the last number it heard", async () => {
  latest().hear(welcome());
  latest().hear({ type: "participant_left", seq: 1, participant_id: "x", reason: "left" });
  latest().lose(1006);
  await wait(0);
  latest().open();
  assert.deepEqual(latest().sent[0].resume, { token: "r1", last_seq: 1 });
  assert.equal(browser.sockets.length, 2);
});

test("what was said meanwhile is sent after a resume, and dropped in a new stay", async () => {
  for (const resumed of [true, false]) {
    latest().hear(welcome());
    latest().lose(1006);
    socket.say({ type: "media", audio: false, video: false });
    await wait(0);
    latest().open();
    latest().hear(welcome({ resumed }));
    assert.equal(latest().sent.some(({ type }) => type === "media"), resumed);
  }
});

for (const code of [4400, 4410, 4411]) {
  test(`close code ${code} needs a new ticket`, async () => {
    latest().hear(welcome());
    latest().lose(code);
    await wait(2_000);
    latest().open();
    assert.deepEqual(grants, [false, true]);
    assert.equal(latest().sent[0].ticket, "t2");
  });
}

for (const code of [4501, 4502, 4503, 4504, 4505, 4506, 4509]) {
  test(`close code ${code} stays away`, async () => {
    latest().hear(welcome());
    latest().lose(code, "because");
    await wait(60_000);
    assert.deepEqual(ended, ["because", code]);
    assert.equal(browser.sockets.length, 1);
  });
}

test("the reason of the end is the one that was told", () => {
  latest().hear(welcome());
  latest().hear({ type: "ended", seq: 1, reason: "replaced" });
  latest().lose(4504, "");
  assert.deepEqual(ended, ["replaced", 4504]);
});

test("a silent socket is dropped and resumed", async () => {
  latest().hear(welcome());
  const now = performance.now();
  const clock = mock.method(performance, "now", () => now + 16_000);
  await wait(5_000);
  await wait(0);
  clock.mock.restore();
  assert.equal(browser.sockets.length, 2);
});

test("waiting grows and is spread", () => {
  assert.equal(backoff(0), 0);
  assert.deepEqual([1, 2, 3, 4, 9].map((tried) => backoff(tried, () => 1)), [500, 1000, 2000, 4000, 4000]);
  assert.equal(backoff(1, () => 0), 250);
});
