import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { installBrowser } from "./browser.mjs";
import { Clock, Refused, seeded, Service } from "./service.mjs";

const browser = installBrowser();
const { clearDevice, Outbox } = await import("../../web/client/outbox.js");

const down = new TypeError("network");
const LOST = { lostAnswer: down };
/** @type {Service} */
let service;
let clock;
let outbox;
let sent;

function open(account = "me") {
  const made = new Outbox({ api: service.api, account, random: () => 0.5 });
  made.addEventListener("sent", ({ detail }) => sent.push(detail.text));
  return made;
}

/** What stands in a conversation, in its order. */
const said = (conversation = "c") => service.streams.get(conversation).log.map(({ data }) => data.text);
const waiting = (of = outbox) => of.letters().map(({ text }) => text);

beforeEach(() => {
  browser.reset();
  clock = new Clock();
  service = new Service(browser);
  service.begin("c", { kind: "conversation" });
  service.begin("d", { kind: "conversation" });
  sent = [];
  outbox = open();
});

afterEach(() => {
  outbox.stop();
  clock.restore();
});

test("what is written is sent in order, and then no longer kept", async () => {
  for (const text of ["one", "two", "three"]) outbox.write("c", text);
  assert.deepEqual(waiting(), ["one", "two", "three"]);
  await clock.settle();
  assert.deepEqual([said(), sent, waiting()], [["one", "two", "three"], ["one", "two", "three"], []]);
  assert.equal(localStorage.length, 0);
});

test("an answer that got lost is asked for again, and the message is said once", async () => {
  service.trouble.push(LOST, LOST);
  outbox.write("c", "once");
  await clock.wait(10_000);
  assert.equal(service.posts.length, 3);
  assert.deepEqual([said(), sent], [["once"], ["once"]]);
});

test("a page that was closed in the middle loses nothing, and says nothing twice", async () => {
  service.trouble.push(LOST);
  outbox.write("c", "first");
  outbox.write("c", "second");
  await clock.settle();
  outbox.stop();
  outbox = open();
  await clock.settle();
  assert.deepEqual(said(), ["first", "second"]);
});

test("later and later while nothing answers, and at once when the network is back", async () => {
  service.trouble.push(...Array.from({ length: 100 }, () => down));
  outbox.write("c", "hello");
  await clock.wait(60_000);
  const tries = service.posts.length;
  assert.ok(tries > 4 && tries < 12, `${tries} tries in a minute`);
  service.trouble.length = 0;
  browser.happens("online");
  await clock.settle();
  assert.deepEqual(said(), ["hello"]);
});

for (const status of [400, 403, 404, 409, 413, 422]) {
  test(`${status} is final: it is kept with what the service said, and the next one is sent`, async () => {
    service.trouble.push(new Refused(status, "no_way"));
    const letter = outbox.write("c", "no");
    outbox.write("c", "yes");
    await clock.wait(60_000);
    assert.deepEqual([said(), waiting()], [["yes"], ["no"]]);
    assert.deepEqual(outbox.letters()[0].refused, { status, code: "no_way", detail: "" });
    outbox.drop(letter.client_id);
    assert.deepEqual(waiting(), []);
  });
}

for (const status of [408, 425, 429, 500, 502, 503]) {
  test(`${status} passes: it is sent again`, async () => {
    service.trouble.push(new Refused(status, "busy"));
    outbox.write("c", "still");
    await clock.wait(2_000);
    assert.deepEqual(said(), ["still"]);
  });
}

test("it waits for as long as the service asks it to", async () => {
  service.trouble.push(new Refused(429, "slow_down", 20));
  outbox.write("c", "patient");
  await clock.wait(19_000);
  assert.equal(service.posts.length, 1);
  await clock.wait(3_000);
  assert.deepEqual(said(), ["patient"]);
});

test("signed out, it waits for somebody to sign in", async () => {
  service.trouble.push(new Refused(401, "session_ended"));
  outbox.write("c", "later");
  await clock.wait(120_000);
  assert.equal(service.posts.length, 1);
  outbox.stop();
  outbox = open();
  await clock.settle();
  assert.deepEqual(said(), ["later"]);
});

test("two tabs of one account take turns", async () => {
  const other = open();
  service.trouble.push(LOST);
  outbox.write("c", "from one");
  other.write("c", "from the other");
  await clock.wait(10_000);
  assert.deepEqual(said(), ["from one", "from the other"]);
  assert.equal(service.messages.size, 2);
  other.stop();
});

test("what was heard to have arrived is not sent again", async () => {
  service.trouble.push(LOST);
  const letter = outbox.write("c", "heard");
  await clock.settle();
  outbox.drop(letter.client_id);
  await clock.wait(30_000);
  assert.equal(service.posts.length, 1);
});

test("another account sees and sends nothing of it, and signing out leaves nothing behind", async () => {
  service.trouble.push(...Array.from({ length: 9 }, () => down));
  outbox.write("c", "mine");
  outbox.keepDraft("c", "half a sen");
  const stranger = open("somebody else");
  assert.deepEqual([waiting(stranger), stranger.draft("c")], [[], ""]);
  clearDevice("me");
  assert.deepEqual([waiting(), outbox.draft("c")], [["mine"], "half a sen"]);
  outbox.clear();
  stranger.stop();
  assert.equal(localStorage.length, 0);
  await clock.wait(60_000);
  assert.deepEqual(said(), []);
});

test("a device that stores nothing still sends", async (context) => {
  context.mock.method(localStorage, "setItem", () => {
    throw new DOMException("full", "QuotaExceededError");
  });
  service.trouble.push(down);
  outbox.write("c", "from memory");
  assert.deepEqual(waiting(), ["from memory"]);
  await clock.wait(2_000);
  assert.deepEqual([said(), waiting()], [["from memory"], []]);
});

test("whatever happens to requests and pages, each is said once and in order", async () => {
  for (let seed = 1; seed <= 4; seed += 1) {
    const random = seeded(seed * 104_729);
    service.begin("c", { kind: "conversation" });
    service.messages.clear();
    const written = [];
    for (let step = 0; step < 40; step += 1) {
      if (random() < 0.5) service.trouble.push(random() < 0.5 ? LOST : down);
      written.push(outbox.write("c", `${seed}.${step}`).text);
      if (random() < 0.2) {
        outbox.stop();
        outbox = open();
      }
      await clock.wait(Math.floor(random() * 500));
    }
    service.trouble.length = 0;
    await clock.wait(90_000);
    assert.deepEqual(said(), written, `seed ${seed}`);
  }
});
