import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { installBrowser } from "./browser.mjs";
import { Clock, Refused, Service } from "./service.mjs";

const browser = installBrowser();
const { Conversations } = await import("../../web/client/conversations.js");
const { Events } = await import("../../web/client/events.js");
const { History } = await import("../../web/client/history.js");
const { Outbox } = await import("../../web/client/outbox.js");

const PEOPLE = [{ id: "me", name: "Priya", is_me: true, left: false }, { id: "amara", name: "Amara", is_me: false, left: false }];
let service;
let clock;
let parts;
let marks;
let failing;
let readUpTo;
let people;

/** The parts of REST that conversations read, from the streams of the service. */
function rest() {
  const all = () => {
    const byId = new Map();
    for (const { kind, data } of service.streams.get("c").log) if (kind.startsWith("message.")) byId.set(data.id, data);
    return [...byId.values()];
  };
  const about = () => {
    const log = service.streams.get("c");
    const messages = all();
    const unread = messages.filter(({ seq, author_id: author, deleted }) => seq > readUpTo && author !== "me" && !deleted);
    return {
      id: "c", kind: "pairing", pairing_id: "p", meeting_id: null, title: null, people, may: ["write"], created_at: "2026-11-01T00:00:00Z",
      epoch: log.epoch, head: log.log.length, last_message: messages.at(-1) ?? null, read_up_to: readUpTo, unread: unread.length,
      unread_mentions: unread.filter(({ mentions }) => mentions.includes("me")).length,
    };
  };
  const seen = () => {
    if (failing) throw failing;
    if (!service.streams.has("c")) throw new Refused(404, "not_found");
  };
  return {
    ...service.api,
    all: async () => (service.streams.has("c") ? [about()] : []),
    get: async (path, { query = {} } = {}) => {
      seen();
      if (!path.endsWith("/messages")) return path.includes("{") ? about() : { items: [about()] };
      const { before = Infinity, after = 0, limit } = query;
      const inside = all().filter(({ seq }) => seq < before && seq > after);
      const items = query.after === undefined ? inside.slice(-limit) : inside.slice(0, limit);
      const edge = (at) => items.at(at)?.seq ?? 0;
      return structuredClone({ items, more_before: all().some(({ seq }) => seq < edge(0)), more_after: all().some(({ seq }) => seq > edge(-1)) });
    },
    post: async (path, given) => {
      if (!path.endsWith("/read")) return service.api.post(path, given);
      seen();
      marks.push(given.body.seq);
      readUpTo = Math.max(readUpTo, given.body.seq);
      const { read_up_to, unread, unread_mentions } = about();
      return { read_up_to, unread, unread_mentions };
    },
    patch: async (_path, { path, body }) => {
      const message = { ...all().find(({ id }) => id === path.message_id), ...body, edited_at: "2026-11-02T00:00:00Z" };
      service.happen("c", "message.edited", message);
      return message;
    },
    delete: async () => undefined,
  };
}

/** Somebody writes; the event is heard unless it is kept back. */
function amara(text, { heard = true, ...more } = {}) {
  const seq = service.streams.get("c").log.length + 1;
  const event = service.happen("c", "message.posted", {
    id: `m${seq}`, conversation_id: "c", seq, author_id: "amara", client_id: `c${seq}`, text, mentions: [],
    posted_at: "2026-11-01T00:00:00Z", edited_at: null, deleted: false, ...more,
  });
  if (heard) service.socket?.hear(event);
  return event;
}

const texts = (history) => history.messages.map(({ text }) => text);
const numbers = (from, to) => Array.from({ length: to - from + 1 }, (_, index) => String(from + index));

async function open() {
  const api = rest();
  const events = new Events({ api, random: () => 0.5 });
  const outbox = new Outbox({ api, account: "me", random: () => 0.5 });
  const conversations = new Conversations({ api, events });
  parts = { api, events, outbox, conversations, id: "c" };
  void events.start();
  await clock.settle();
  service.welcome();
  await conversations.load();
  await clock.settle();
}

async function look() {
  const history = new History(parts);
  await history.load();
  return history;
}

const unread = () => parts.conversations.get("c")?.unread;

beforeEach(() => {
  browser.reset();
  clock = new Clock();
  service = new Service(browser);
  service.begin("me-stream");
  service.begin("c", { kind: "conversation" });
  [marks, failing, readUpTo, people] = [[], null, 0, PEOPLE];
});

afterEach(() => {
  parts.events.stop();
  parts.outbox.stop();
  parts.conversations.stop();
  clock.restore();
});

test("what others write is counted once, however it is heard", async () => {
  amara("before");
  await open();
  assert.equal(unread(), 1);
  const event = amara("now");
  service.socket.hear(event);
  await parts.conversations.refresh("c");
  assert.equal(unread(), 2);
  amara("missed", { heard: false });
  await parts.events.sync();
  assert.equal(unread(), 3);
  assert.equal(parts.conversations.unread, 3);
});

test("one's own messages, from any device, are not unread", async () => {
  await open();
  amara("from my other device", { author_id: "me" });
  assert.equal(unread(), 0);
});

test("what names me is counted apart", async () => {
  await open();
  amara("@Priya", { mentions: ["me"] });
  assert.equal(parts.conversations.get("c").unread_mentions, 1);
});

test("reading moves the mark, tells the service once, and only when there is something", async () => {
  await open();
  amara("one");
  amara("two");
  const { conversations } = parts;
  await Promise.all([conversations.read("c", 2), conversations.read("c", 2), conversations.read("c", 1)]);
  await conversations.read("c", 2);
  assert.deepEqual([marks, unread()], [[2], 0]);
});

test("an answer that was under way does not undo what was heard since", async () => {
  await open();
  const slow = parts.api.get;
  let answer;
  parts.api.get = async (...given) => {
    const read = await slow(...given);
    await new Promise((resolve) => (answer = resolve));
    return read;
  };
  const reading = parts.conversations.refresh("c");
  await clock.settle();
  amara("meanwhile");
  parts.api.get = slow;
  answer();
  await reading;
  await clock.settle();
  assert.equal(unread(), 1);
});

test("a deleted message is not unread any more", async () => {
  await open();
  const { data } = amara("oh");
  service.socket.hear(service.happen("c", "message.deleted", { ...data, text: "", deleted: true }));
  await clock.settle();
  assert.equal(unread(), 0);
});

test("a conversation that is closed to us vanishes, by event or by sync", async () => {
  for (const how of ["event", "sync"]) {
    if (!service.streams.has("c")) service.begin("c", { kind: "conversation" });
    await open();
    const history = await look();
    service.streams.delete("c");
    if (how === "event") service.socket.hear(service.happen("me-stream", "conversation.changed", { id: "c" }));
    else await parts.events.sync();
    await clock.settle();
    assert.deepEqual([parts.conversations.get("c"), history.about], [null, null]);
    history.close();
    if (how === "event") parts.events.stop();
  }
});

test("a new conversation is found by its event", async () => {
  const { log } = service.streams.get("c");
  service.streams.delete("c");
  await open();
  service.streams.set("c", { kind: "conversation", epoch: "e1", floor: 0, log });
  service.socket.hear(service.happen("me-stream", "conversation.changed", { id: "c" }));
  await clock.settle();
  assert.equal(parts.conversations.of({ pairing: "p" })?.id, "c");
  amara("first");
  assert.equal(unread(), 1);
});

test("the newest page first, then earlier ones, without a gap or a double", async () => {
  for (const text of numbers(1, 120)) amara(text, { heard: false });
  readUpTo = 120;
  await open();
  const history = await look();
  assert.deepEqual(texts(history), numbers(71, 120));
  await Promise.all([history.older(), history.older()]);
  amara("121");
  await history.older();
  assert.deepEqual(texts(history), numbers(1, 121));
  assert.equal(history.moreBefore, false);
});

test("with much unread one begins where one stopped, and gets to the end; what comes meanwhile waits there", async () => {
  for (const text of numbers(1, 150)) amara(text, { heard: false });
  readUpTo = 30;
  await open();
  const history = await look();
  assert.equal(history.unreadAfter, 30);
  assert.deepEqual(texts(history), numbers(16, 80));
  amara("151");
  assert.equal(texts(history).at(-1), "80");
  await history.newer();
  await history.newer();
  amara("152");
  assert.deepEqual(texts(history), numbers(16, 152));
  assert.equal(history.moreAfter, false);
});

test("the newest at once, when one does not want to read through", async () => {
  for (const text of numbers(1, 150)) amara(text, { heard: false });
  await open();
  const history = await look();
  assert.ok(history.moreAfter);
  await history.latest();
  assert.deepEqual(texts(history), numbers(101, 150));
  amara("151");
  assert.equal(texts(history).at(-1), "151");
});

/** Answers with messages are made, and stay under way until let go. */
function hold() {
  const get = parts.api.get;
  let go;
  const gone = new Promise((resolve) => (go = resolve));
  parts.api.get = async (path, given) => {
    const answer = await get(path, given);
    if (path.endsWith("/messages")) await gone;
    return answer;
  };
  return async () => {
    parts.api.get = get;
    go();
    await clock.settle();
  };
}

for (const [ask, before, shown] of [
  ["load", 3, numbers(1, 3)],
  ["newer", 80, numbers(1, 80)],
  ["latest", 80, numbers(31, 80)],
]) {
  test(`what is heard while an answer is under way counts on top of it: ${ask}`, async () => {
    for (const text of numbers(1, before)) amara(text, { heard: false });
    const { data } = service.streams.get("c").log.at(-1);
    await open();
    const history = new History(parts);
    if (ask !== "load") await history.load();
    const go = hold();
    const answered = history[ask]();
    await clock.settle();
    amara("heard");
    service.socket.hear(service.happen("c", "message.edited", { ...data, text: "edited", edited_at: "2026-11-02T00:00:00Z" }));
    await go();
    await answered;
    assert.deepEqual(texts(history), [...shown.slice(0, -1), "edited", "heard"]);
  });
}

test("edited and deleted messages change where they stand, and a late edit does not bring one back", async () => {
  await open();
  const history = await look();
  const { data } = amara("one");
  amara("two");
  service.socket.hear(service.happen("c", "message.edited", { ...data, text: "ONE", edited_at: "2026-11-02T00:00:00Z" }));
  assert.deepEqual(texts(history), ["ONE", "two"]);
  service.socket.hear(service.happen("c", "message.deleted", { ...data, text: "", deleted: true }));
  service.socket.hear(service.happen("c", "message.edited", { ...data, text: "ONCE MORE", edited_at: "2026-11-03T00:00:00Z" }));
  assert.deepEqual(history.messages.map(({ deleted }) => deleted), [true, false]);
  assert.equal(history.messages[0].text, "");
});

test("what one writes stands there at once, and once when it has arrived, whichever way that is heard", async () => {
  await open();
  const history = await look();
  for (const way of ["answer first", "event first", "answer lost"]) {
    if (way !== "answer first") service.trouble.push({ lostAnswer: new TypeError("network") });
    history.write(way, []);
    assert.deepEqual(history.waiting.map(({ text }) => text), [way]);
    await clock.settle();
    if (way !== "answer lost") service.socket.hear(service.streams.get("c").log.at(-1));
    await clock.wait(2_000);
    if (way === "answer first") service.socket.hear(service.streams.get("c").log.at(-1));
    assert.deepEqual(history.waiting, []);
    assert.equal(texts(history).filter((text) => text === way).length, 1);
  }
  assert.equal(service.messages.size, 3);
});

test("a change of one's own is seen at once", async () => {
  await open();
  const history = await look();
  history.write("teh", []);
  await clock.settle();
  await history.edit(history.messages[0], "the", []);
  assert.deepEqual(texts(history), ["the"]);
});

test("what comes while nobody looks is marked as new", async () => {
  await open();
  const history = await look();
  history.look(true);
  amara("seen");
  assert.equal(history.unreadAfter, null);
  await history.seen(1);
  history.look(false);
  amara("unseen");
  amara("unseen, too");
  assert.equal(history.unreadAfter, 1);
  history.write("an answer", []);
  assert.equal(history.unreadAfter, null);
});

test("what somebody said of whom one is kept apart vanishes with them, and comes back with them", async () => {
  await open();
  const history = await look();
  amara("hello");
  history.write("hi", []);
  await clock.settle();
  const changed = async () => {
    service.socket.hear(service.happen("me-stream", "conversation.changed", { id: "c" }));
    await clock.settle();
  };
  const get = parts.api.get;
  parts.api.get = async (path, given) => {
    const found = await get(path, given);
    return path.endsWith("/messages") ? { ...found, items: found.items.filter(({ author_id: author }) => people.some(({ id }) => id === author)) } : found;
  };
  people = PEOPLE.slice(0, 1);
  await changed();
  assert.deepEqual(texts(history), ["hi"]);
  people = PEOPLE;
  await changed();
  assert.deepEqual(texts(history), ["hello", "hi"]);
});

test("a stream that begins anew is read again; one that stands where it was read is not", async () => {
  amara("old");
  await open();
  const history = await look();
  await parts.events.sync();
  service.begin("c", { kind: "conversation", epoch: "e2" });
  amara("new", { heard: false });
  await parts.events.sync();
  await clock.settle();
  assert.deepEqual(texts(history), ["new"]);
});

test("what could not be loaded is loaded when one is back", async () => {
  amara("there");
  await open();
  failing = new TypeError("network");
  const history = await look();
  assert.equal(history.problem, failing);
  failing = null;
  service.socket.lose(1006);
  await clock.wait(1_000);
  service.welcome();
  await clock.settle();
  assert.deepEqual([history.problem, texts(history)], [null, ["there"]]);
});

const NAMED = [PEOPLE[0], { ...PEOPLE[1], name: "Amara O." }];
const pairingChanges = (id = "p") => service.socket.hear(service.happen("me-stream", "pairing.changed", { id }));
const hisName = () => parts.conversations.get("c").people[1].name;

/** Count what is read by REST, and by which path. */
function counted() {
  const paths = [];
  for (const verb of ["get", "all"]) {
    const plain = parts.api[verb];
    parts.api[verb] = (path, given) => {
      paths.push(path);
      return plain(path, given);
    };
  }
  return paths;
}

test("with a pairing its conversations are read again, once for a burst", async () => {
  await open();
  const paths = counted();
  people = NAMED;
  for (let each = 0; each < 5; each += 1) pairingChanges();
  pairingChanges("another");
  await clock.wait(500);
  assert.deepEqual([paths, hisName()], [["/v1/conversations/{conversation_id}"], "Amara O."]);
});

test("what could not be read again then is read a little later", async () => {
  await open();
  people = NAMED;
  failing = new TypeError("network");
  pairingChanges();
  await clock.wait(500);
  assert.equal(hisName(), "Amara");
  failing = null;
  await clock.wait(12_000);
  assert.equal(hisName(), "Amara O.");
});

test("an earlier reading that answers later undoes nothing", async () => {
  await open();
  const { all } = parts.api;
  let answer;
  parts.api.all = async (...given) => {
    const read = structuredClone(await all(...given));
    await new Promise((resolve) => (answer = resolve));
    return read;
  };
  const loading = parts.conversations.load();
  await clock.settle();
  people = NAMED;
  await parts.conversations.refresh("c");
  answer();
  await loading;
  assert.equal(hisName(), "Amara O.");
});

test("a membership that is new while all are being read makes them be read once more", async () => {
  await open();
  const paths = counted();
  const { all } = parts.api;
  let answer;
  parts.api.all = async (...given) => {
    const read = await all(...given);
    await new Promise((resolve) => (answer = resolve));
    return read;
  };
  const loading = parts.conversations.load();
  await clock.settle();
  parts.api.all = all;
  service.begin("another");
  await parts.events.sync();
  answer();
  await loading;
  await clock.wait(500);
  assert.equal(paths.filter((path) => path === "/v1/conversations").length, 2);
});
