import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { afterEach, beforeEach, test } from "node:test";
import { FOLLOWED, kindsFor } from "../../web/client/followed.js";
import { Gather } from "../../web/client/gather.js";
import { Clock } from "./service.mjs";

let clock;

beforeEach(() => {
  clock = new Clock();
});

afterEach(() => clock.restore());

/** Work that is done when it is told to. */
function slow() {
  const ends = [];
  const gather = new Gather(() => new Promise((resolve) => ends.push(resolve)));
  return { gather, ends };
}

test("a burst is one doing", async () => {
  let done = 0;
  const gather = new Gather(() => (done += 1));
  for (let each = 0; each < 10; each += 1) {
    gather.soon();
    await clock.wait(50);
  }
  assert.equal(done, 0);
  await clock.wait(200);
  assert.equal(done, 1);
  gather.soon();
  await clock.wait(200);
  assert.equal(done, 2);
});

test("reasons that never cease do not put it off", async () => {
  let done = 0;
  const gather = new Gather(() => (done += 1));
  for (let each = 0; each < 60; each += 1) {
    gather.soon();
    await clock.wait(50);
  }
  assert.ok(done >= 2 && done <= 7, `${done} in the time of 60 reasons`);
});

test("a reason that comes while it is done is answered after it, once", async () => {
  const { gather, ends } = slow();
  gather.soon();
  await clock.wait(200);
  for (let each = 0; each < 3; each += 1) gather.soon();
  await clock.wait(2_000);
  assert.equal(ends.length, 1, "not at the same time");
  ends[0]();
  await clock.wait(200);
  assert.equal(ends.length, 2);
  ends[1]();
  await clock.wait(20_000);
  assert.equal(ends.length, 2);
});

test("what failed is tried again, by itself and at the next reason; what is stopped is not", async () => {
  const answers = [false, new Error("away"), true, false];
  let done = 0;
  const gather = new Gather(() => {
    const answer = answers[done];
    done += 1;
    if (answer instanceof Error) throw answer;
    return answer;
  });
  gather.soon();
  await clock.wait(200);
  await clock.wait(5_000);
  assert.equal(done, 1);
  gather.soon();
  await clock.wait(200);
  assert.equal(done, 2);
  await clock.wait(12_000);
  assert.equal(done, 3);
  await clock.wait(60_000);
  assert.equal(done, 3);
  gather.soon();
  await clock.wait(200);
  gather.stop();
  gather.soon();
  await clock.wait(60_000);
  assert.equal(done, 4);
});

test("what a path needs is heard once, and a new membership always", () => {
  assert.deepEqual(kindsFor([]), ["memberships.changed"]);
  assert.deepEqual(kindsFor(["/v1/pairings/{pairing_id}", "/v1/meetings"]), ["memberships.changed", "pairing.changed", "membership.changed", "meeting.changed"]);
});

/** Read when somebody opens them, and why nothing follows them. */
const OPENED = {
  "/v1/config": "the same until the server starts anew",
  "/v1/mailbox": "in development only",
  "/v1/people": "a search",
  "/v1/people/{membership_id}": "opened from a search",
  "/v1/recurrences/preview": "what a rule says, which never changes",
};

const LIVE = "web/view/session.js";
const files = ["pages", "view"].flatMap((folder) => readdirSync(new URL(`../../web/${folder}`, import.meta.url))
  .filter((name) => name.endsWith(".js")).map((name) => `web/${folder}/${name}`));

for (const file of files) {
  const text = readFileSync(new URL(`../../${file}`, import.meta.url), "utf8");
  const reads = [...text.matchAll(/api\.(?:get|all)\("([^"]+)"/g)].map(([, path]) => path).filter((path) => !(path in OPENED));
  if (reads.length === 0) continue;
  test(`${file} follows what it reads`, () => {
    const follows = [...text.matchAll(/(?:useFresh\(.*?|kindsFor\()(\[[^\]]*\])/g)].flatMap(([, paths]) => JSON.parse(paths));
    const loads = /useLoad\(/.test(text) || file === LIVE;
    for (const path of loads ? reads : []) {
      assert.ok(path in FOLLOWED, `${path} stands in followed.js`);
      assert.ok(follows.includes(path), `${path} is followed`);
    }
  });
}
