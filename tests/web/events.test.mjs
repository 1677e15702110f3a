import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { installBrowser } from "./browser.mjs";
import { Clock, Refused, seeded, Service } from "./service.mjs";

const browser = installBrowser();
const { Events } = await import("../../web/client/events.js");
const { jittered } = await import("../../web/client/line.js");

/** @type {Service} */
let service;
let clock;
let events;
let told;
let resets;
let states;

const MINE = "mine";
const down = new TypeError("network");

/** Make a client, and note what it tells. */
function listen(random = () => 0.5) {
  events = new Events({ api: { post: (path, given) => (service.answers ?? service.api.post)(path, given) }, random });
  [told, resets, states] = [[], [], []];
  events.on("*", ({ stream, seq }) => told.push(`${stream} ${seq}`));
  events.onReset(({ stream }) => resets.push(stream));
  events.onState((state) => states.push(state));
}

async function goLive() {
  void events.start();
  await clock.settle();
  service.welcome();
  await clock.settle();
}

const syncs = () => service.asked.length;
const send = (event) => service.socket.hear(event);

beforeEach(() => {
  browser.reset();
  clock = new Clock();
  service = new Service(browser);
  service.begin(MINE);
  listen();
});

afterEach(() => {
  events.stop();
  clock.restore();
});

test("it says hello with its ticket, catches up, and is live", async () => {
  await goLive();
  assert.deepEqual(service.socket.sent[0], { type: "hello", version: 1, ticket: "t1", state: "online" });
  assert.deepEqual(states, ["connecting", "catching up", "live"]);
  assert.deepEqual(resets, [MINE]);
  assert.equal(syncs(), 2);
});

test("events are told in order, each once", async () => {
  await goLive();
  const [one, two] = [service.happen(MINE), service.happen(MINE)];
  for (const event of [one, one, two, one, two]) send(event);
  assert.deepEqual(told, ["mine 1", "mine 2"]);
});

test("by kind, by stream, and until one stops", async () => {
  await goLive();
  const heard = [];
  events.on("pairing.changed", () => heard.push("kind"));
  events.on("meeting.changed", () => heard.push("other kind"));
  const stop = events.on(MINE, () => heard.push("stream"));
  send(service.happen(MINE));
  stop();
  send(service.happen(MINE));
  assert.deepEqual(heard, ["kind", "stream", "kind"]);
});

test("a hearer that fails does not keep the others from hearing", async (context) => {
  await goLive();
  const thrown = [];
  context.mock.method(globalThis, "setTimeout", (work) => thrown.push(work));
  const failing = () => {
    throw new Error("mine alone");
  };
  const heard = [];
  events.on(MINE, failing);
  events.on(MINE, () => heard.push(1));
  send(service.happen(MINE));
  assert.deepEqual(heard, [1]);
  assert.throws(thrown[0], /mine alone/);
});

test("a hidden event moves the cursor and is told to nobody", async () => {
  await goLive();
  send(service.happen(MINE, "hidden", {}));
  send(service.happen(MINE));
  assert.deepEqual(told, ["mine 2"]);
});

test("one that overtook another waits for it, and nobody is asked", async () => {
  await goLive();
  const before = syncs();
  const [one, two] = [service.happen(MINE), service.happen(MINE)];
  send(two);
  assert.deepEqual(told, []);
  await clock.wait(250);
  send(one);
  assert.deepEqual(told, ["mine 1", "mine 2"]);
  await clock.wait(1000);
  assert.equal(syncs(), before);
});

test("one that never comes is asked for after 300 ms", async () => {
  await goLive();
  const before = syncs();
  service.happen(MINE);
  send(service.happen(MINE));
  await clock.wait(250);
  assert.equal(syncs(), before);
  await clock.wait(100);
  assert.equal(syncs(), before + 1);
  assert.deepEqual(told, ["mine 1", "mine 2"]);
});

test("what comes while it catches up is told after what it missed, once", async () => {
  await goLive();
  service.socket.lose(1006);
  service.happen(MINE);
  await clock.wait(600);
  const held = Promise.withResolvers ? Promise.withResolvers() : withResolvers();
  service.trouble.push(held.promise);
  service.welcome();
  await clock.settle();
  assert.equal(events.state, "catching up");
  send(service.happen(MINE));
  assert.deepEqual(told, []);
  held.resolve();
  await clock.settle();
  assert.deepEqual(told, ["mine 1", "mine 2"]);
  assert.equal(events.state, "live");
});

function withResolvers() {
  let resolve;
  const promise = new Promise((done) => (resolve = done));
  return { promise, resolve };
}

test("more than fits into one answer is asked for until there is no more", async () => {
  await goLive();
  service.most = 3;
  for (let count = 0; count < 10; count += 1) service.happen(MINE);
  await events.sync();
  assert.deepEqual(told, Array.from({ length: 10 }, (_, index) => `mine ${index + 1}`));
});

test("an answer that says there is more and brings nothing is not asked for without end", async () => {
  await goLive();
  service.most = 0;
  service.happen(MINE);
  const before = syncs();
  await events.sync();
  assert.equal(syncs(), before + 1);
});

test("a stream that was reset is read afresh, and goes on from its head", async () => {
  await goLive();
  resets.length = 0;
  service.begin(MINE, { epoch: "e2" });
  service.happen(MINE);
  const next = service.happen(MINE);
  send(next);
  await clock.settle();
  assert.deepEqual([resets, told], [[MINE], []]);
  send(service.happen(MINE));
  assert.deepEqual(told, ["mine 3"]);
});

test("a straggler of the earlier numbering changes nothing", async () => {
  await goLive();
  const old = service.happen(MINE);
  service.begin(MINE, { epoch: "e2" });
  await events.sync();
  resets.length = 0;
  send(old);
  await clock.wait(2000);
  send(service.happen(MINE));
  assert.deepEqual([resets, told], [[], ["mine 1"]]);
  const before = syncs();
  await clock.wait(20_000);
  assert.equal(syncs(), before);
});

test("forgotten events are a reset", async () => {
  await goLive();
  resets.length = 0;
  for (let count = 0; count < 4; count += 1) service.happen(MINE);
  service.streams.get(MINE).floor = 2;
  await events.sync();
  assert.deepEqual([resets, told], [[MINE], []]);
});

test("an event of a stream that is new makes it ask, and what follows is told", async () => {
  await goLive();
  service.begin("new");
  resets.length = 0;
  send(service.happen("new"));
  await clock.settle();
  assert.deepEqual(resets, ["new"]);
  send(service.happen("new"));
  assert.deepEqual(told, ["new 2"]);
});

test("a stream whose place is known from REST needs no reset", async () => {
  await goLive();
  resets.length = 0;
  service.begin("new");
  service.happen("new");
  events.know("new", "e1", 1);
  send(service.happen("new"));
  await events.sync();
  assert.deepEqual([resets, told], [[], ["new 2"]]);
});

test("a stream that is not ours any more is said to be gone", async () => {
  await goLive();
  const gone = [];
  events.onGone((stream) => gone.push(stream));
  service.streams.delete(MINE);
  await events.sync();
  assert.deepEqual(gone, [MINE]);
  await events.sync();
  assert.deepEqual(gone, [MINE]);
});

test("one sync at a time, and once more when it was asked for meanwhile", async () => {
  await goLive();
  const before = service.posts.length;
  const { promise, resolve } = withResolvers();
  service.trouble.push(promise);
  for (let count = 0; count < 5; count += 1) void events.sync();
  await clock.settle();
  assert.equal(service.posts.length, before + 1);
  resolve();
  await clock.settle();
  assert.equal(service.posts.length, before + 2);
});

test("`sync` from the server is followed within a second, not at once", async () => {
  await goLive();
  const before = syncs();
  send({ type: "sync" });
  await clock.wait(400);
  assert.equal(syncs(), before);
  await clock.wait(200);
  assert.equal(syncs(), before + 1);
});

test("it asks once a minute anyway, and every 10 s while the node does not see everything", async () => {
  await goLive();
  const before = syncs();
  await clock.wait(60_000);
  assert.equal(syncs(), before + 1);
  send({ type: "live", live: false });
  assert.equal(events.state, "late");
  await clock.wait(31_000);
  assert.equal(syncs(), before + 1 + 4, "one as the node said so, three as time passed");
  send({ type: "live", live: true });
  assert.equal(events.state, "live");
});

test("a lost socket resumes without a ticket, and catches up after the welcome", async () => {
  await goLive();
  service.socket.lose(1006);
  assert.equal(events.state, "connecting");
  service.happen(MINE);
  await clock.wait(600);
  service.welcome();
  await clock.settle();
  assert.deepEqual(service.socket.sent[0], { type: "hello", version: 1, resume: { token: "r1" }, state: "online" });
  assert.equal(service.tickets, 1);
  assert.deepEqual(told, ["mine 1"]);
});

test("a refused resume takes a ticket; so does a resume that found nobody", async () => {
  await goLive();
  for (const code of [4410, 1006]) {
    service.socket.lose(1006);
    await clock.wait(6_000);
    service.socket.open();
    assert.ok(service.socket.sent[0].resume);
    service.socket.lose(code);
    await clock.wait(6_000);
    service.welcome();
    await clock.settle();
    assert.match(service.socket.sent[0].ticket, /^t/);
    assert.equal(events.state, "live");
  }
});

for (const code of [4400, 4411]) {
  test(`close code ${code} comes back with a new ticket`, async () => {
    await goLive();
    service.socket.lose(code);
    await clock.wait(1_000);
    service.socket.open();
    assert.equal(service.socket.sent[0].ticket, "t2");
  });
}

test("4503 is the end of the sign-in", async () => {
  await goLive();
  service.socket.lose(4503, "removed");
  const posts = service.posts.length;
  await clock.wait(120_000);
  assert.equal(events.state, "signed out");
  assert.equal(service.posts.length, posts);
  assert.equal(browser.sockets.length, 1);
});

test("a sign-in that ended is also learnt by asking", async () => {
  await goLive();
  service.trouble.push(new Refused(401, "session_ended"));
  await events.sync();
  assert.equal(events.state, "signed out");
});

test("4504 is said, the socket stays away, and asking goes on until a person wants it back", async () => {
  await goLive();
  service.socket.lose(4504, "replaced");
  assert.equal(events.state, "replaced");
  service.happen(MINE);
  await clock.wait(30_000);
  assert.deepEqual([told, browser.sockets.length], [["mine 1"], 1]);
  events.wake();
  await clock.wait(1000);
  assert.equal(browser.sockets.length, 1);
  await goLive();
  assert.equal(events.state, "live");
});

for (const code of [4501, 4506, 4507, 4508, 4509]) {
  test(`after ${code} the socket stays away, events come late, and a person who looks tries again`, async () => {
    await goLive();
    service.socket.lose(code);
    service.happen(MINE);
    await clock.wait(25_000);
    assert.deepEqual([events.state, told, browser.sockets.length], ["late", ["mine 1"], 1]);
    events.wake();
    await clock.settle();
    service.welcome();
    await clock.settle();
    assert.equal(events.state, "live");
  });
}

test("without an events server, asking goes on every 10 s and is called late", async () => {
  const { post } = service.api;
  const noNode = async () => {
    throw new Refused(503, "no_events_server");
  };
  service.answers = (path, given) => (path.endsWith("ticket") ? noNode() : post(path, given));
  await events.start();
  service.happen(MINE);
  await clock.wait(11_000);
  assert.equal(events.state, "late");
  assert.deepEqual(told, ["mine 1"]);
});

test("when nothing answers it is offline, and `online` tries at once", async () => {
  await goLive();
  service.trouble.push(...Array.from({ length: 200 }, () => down));
  service.socket.lose(1006);
  await clock.wait(40_000);
  assert.equal(events.state, "offline");
  service.trouble.length = 0;
  browser.happens("online");
  await clock.settle();
  service.welcome();
  await clock.settle();
  assert.equal(events.state, "live");
});

test("a socket that stands while nothing else is answered is offline, too", async () => {
  await goLive();
  service.trouble.push(down, down, down, down);
  browser.happens("offline");
  await clock.settle();
  assert.equal(events.state, "live");
  await clock.wait(600);
  assert.equal(events.state, "offline");
  await clock.wait(10_000);
  assert.equal(events.state, "live");
});

test("waiting doubles up to half a minute, spread over the whole time", () => {
  assert.deepEqual([0, 1, 2, 4, 5, 30].map((tried) => jittered(tried, () => 1)), [1000, 2000, 4000, 16_000, 30_000, 30_000]);
  assert.equal(jittered(5, () => 0), 0);
});

test("tries come later and later, and are counted anew after a minute that was stable", async () => {
  await goLive();
  const gaps = async () => {
    const found = [];
    for (let count = 0; count < 3; count += 1) {
      const before = browser.sockets.length;
      service.socket.lose(1006);
      let waited = 0;
      for (; browser.sockets.length === before; waited += 50) await clock.wait(50);
      found.push(waited);
    }
    return found;
  };
  const first = await gaps();
  assert.ok(first[0] < first[1] && first[1] < first[2], String(first));
  service.welcome();
  await clock.wait(30_000);
  const [again] = await gaps();
  assert.ok(again > first[2], `${again} after a short stay`);
  service.welcome();
  for (let beat = 0; beat < 4; beat += 1) {
    await clock.wait(20_000);
    send({ type: "pong" });
  }
  assert.deepEqual((await gaps())[0], first[0]);
});

test("it pings every heartbeat, and a socket that says nothing for two and a half is dropped", async () => {
  await goLive();
  await clock.wait(25_000);
  assert.equal(service.socket.sent.filter(({ type }) => type === "ping").length, 1);
  send({ type: "pong" });
  await clock.wait(60_000);
  assert.equal(browser.sockets.length, 1);
  await clock.wait(16_000);
  assert.equal(browser.sockets.length, 2);
  assert.equal(browser.sockets[0].readyState, 3);
});

test("stopping leaves nothing behind", async () => {
  await goLive();
  events.stop();
  assert.equal(service.socket.readyState, 3);
  const posts = service.posts.length;
  await clock.wait(120_000);
  assert.equal(service.posts.length, posts);
  listen();
  await goLive();
  assert.equal(events.state, "live");
});

test("stopping and starting while an answer is under way begins anew", async () => {
  await goLive();
  const { promise, resolve } = withResolvers();
  service.trouble.push(promise);
  void events.sync();
  await clock.settle();
  events.stop();
  resets.length = 0;
  await goLive();
  assert.equal(events.state, "live");
  resolve();
  await clock.settle();
  assert.deepEqual(resets, [MINE]);
});

test("who writes is said every 3 s, taken back after a pause, and forgotten by those who hear", async () => {
  await goLive();
  const typed = () => service.socket.sent.filter(({ type }) => type === "typing").map(({ typing }) => typing);
  for (let letter = 0; letter < 8; letter += 1) {
    events.company.write("c");
    await clock.wait(500);
  }
  assert.deepEqual(typed(), [true, true]);
  await clock.wait(5_000);
  assert.deepEqual(typed(), [true, true, false]);
  send({ type: "typing", stream: "c", membership_id: "amara", typing: true });
  assert.deepEqual(events.company.writersIn("c"), ["amara"]);
  await clock.wait(8_000);
  assert.deepEqual(events.company.writersIn("c"), []);
});

test("whoever's message came does not write any more", async () => {
  await goLive();
  service.begin("c", { kind: "conversation" });
  events.know("c", "e1", 0);
  send({ type: "typing", stream: "c", membership_id: "amara", typing: true });
  send(service.happen("c", "message.posted", { author_id: "amara" }));
  assert.deepEqual(events.company.writersIn("c"), []);
});

test("presence is asked for again after each welcome, and not known without a socket", async () => {
  await goLive();
  const stop = events.company.watch("c");
  send({ type: "presence", membership_id: "amara", state: "away" });
  assert.equal(events.company.presenceOf("amara"), "away");
  service.socket.lose(1006);
  assert.equal(events.company.presenceOf("amara"), "offline");
  events.company.setState("away");
  await clock.wait(600);
  service.welcome();
  assert.deepEqual(service.socket.sent.filter(({ type }) => type === "watch"), [{ type: "watch", streams: ["c"] }]);
  assert.equal(service.socket.sent[0].state, "away");
  stop();
  assert.deepEqual(service.socket.sent.at(-1), { type: "watch", streams: [] });
});

/** Messages overtake, double and vanish, sockets die, answers get lost. Returns what was told and what happened. */
async function storm(seed) {
  const random = seeded(seed);
  const streams = ["a", "b", "c"];
  for (const stream of streams) service.begin(stream);
  listen(seeded(seed + 1));
  void events.start();
  await clock.settle();
  service.welcome();
  await clock.settle();
  const late = [];
  for (let step = 0; step < 100; step += 1) {
    const event = service.happen(streams[Math.floor(random() * 3)]);
    const fate = random();
    if (fate < 0.55) send(event);
    else if (fate < 0.75) late.push(event);
    else if (fate < 0.85) for (const each of [event, event]) send(each);
    if (late.length > 0 && random() < 0.3) send(late.splice(Math.floor(random() * late.length), 1)[0]);
    if (random() < 0.06) service.trouble.push(random() < 0.5 ? down : { lostAnswer: down });
    if (random() < 0.05) service.socket.lose(random() < 0.5 ? 1006 : 4410);
    if (service.socket.readyState === 0 && random() < 0.7) service.welcome();
    await clock.wait(Math.floor(random() * 400));
  }
  service.trouble.length = 0;
  if (service.socket.readyState === 0) service.welcome();
  await clock.wait(40_000);
  if (service.socket.readyState === 0) service.welcome();
  await clock.wait(80_000);
  const of = (stream) => told.filter((line) => line.startsWith(`${stream} `));
  const happened = (stream) => service.streams.get(stream).log.map(({ seq }) => `${stream} ${seq}`);
  return { told: streams.flatMap(of), happened: streams.flatMap(happened) };
}

for (let seed = 1; seed <= 8; seed += 1) {
  test(`nothing is lost, doubled or swapped in storm ${seed}`, async () => {
    const { told: heard, happened } = await storm(seed * 7919);
    assert.deepEqual(heard, happened);
  });
}

test("the control: a storm in which nobody can catch up loses something", async () => {
  const { post } = service.api;
  // The first answer tells where the streams stand, all later ones that nothing is new.
  service.answers = async (path, given) => (path === "/v1/sync" && syncs() > 0 ? { streams: [], gone: [] } : post(path, given));
  const { told: heard, happened } = await storm(7919);
  assert.notDeepEqual(heard, happened);
});

test("belonging to more or less is looked into at once", async () => {
  await goLive();
  service.begin("new");
  send(service.happen(MINE, "memberships.changed", { id: "new" }));
  await clock.settle();
  assert.deepEqual(resets, [MINE, "new"]);
});
