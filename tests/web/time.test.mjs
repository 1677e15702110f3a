import assert from "node:assert/strict";
import { test } from "node:test";
import * as time from "../../web/client/time.js";

const at = (text) => new Date(text);

test("both sides of an instant are told, with weekday and place", () => {
  const words = time.bothSides(at("2026-11-24T14:00:00Z"), "Europe/Berlin", [{ name: "Amara", zone: "America/Toronto" }]);
  assert.match(words, /^Tue 24 Nov( \d{4})?, 15:00 your time, 09:00 for Amara \(Toronto\)$/);
});

test("another day on the other side is said", () => {
  const words = time.theirSide(at("2026-11-24T20:00:00Z"), "Europe/London", { name: "Mei", zone: "Asia/Tokyo" });
  assert.match(words, /^Wed 25 Nov( \d{4})?, 05:00 for Mei \(Tokyo\)$/);
});

test("the same offset is one time", () => {
  const words = time.bothSides(at("2026-01-10T10:00:00Z"), "Europe/London", [{ name: "Ama", zone: "Africa/Accra" }]);
  assert.match(words, /10:00, the same time for Ama$/);
});

test("a wall time in a gap moves forward by the gap", () => {
  const { kind, instants } = time.instantsOf("2026-03-29", "01:30", "Europe/London");
  assert.equal(kind, "gap");
  assert.equal(time.clock(instants[0], "Europe/London"), "02:30");
});

test("a wall time that happens twice gives both instants", () => {
  const { kind, instants } = time.instantsOf("2026-10-25", "01:30", "Europe/London");
  assert.equal(kind, "overlap");
  assert.deepEqual(instants.map((each) => each.toISOString()), ["2026-10-25T00:30:00.000Z", "2026-10-25T01:30:00.000Z"]);
});

test("ordinary wall times come back as they went, in every kind of zone", () => {
  for (const zone of ["UTC", "Asia/Kathmandu", "America/St_Johns", "Pacific/Kiritimati", "Australia/Lord_Howe", "America/Toronto"]) {
    for (const day of ["2026-01-15", "2026-07-15", "2026-04-05"]) {
      const { kind, instants } = time.instantsOf(day, "18:45", zone);
      assert.equal(kind, "exact", `${zone} ${day}`);
      assert.equal(time.clock(instants[0], zone), "18:45");
      assert.equal(time.dayIn(instants[0], zone), day);
    }
  }
});

test("an instant is sent with the offset of its zone", () => {
  assert.equal(time.withOffset(at("2026-11-24T18:00:00.250Z"), "America/St_Johns"), "2026-11-24T14:30:00-03:30");
  assert.equal(time.withOffset(at("2026-07-01T18:00:00Z"), "Europe/London"), "2026-07-01T19:00:00+01:00");
});

test("relative words stand for near and far", () => {
  const now = at("2026-11-24T18:00:00Z");
  assert.equal(time.relative(at("2026-11-24T18:05:00Z"), now), "in 5 minutes");
  assert.equal(time.relative(at("2026-11-24T15:00:00Z"), now), "3 hours ago");
  assert.equal(time.relative(now, now), "now");
});

test("lengths, places and shared hours", () => {
  assert.equal(time.lengthOf(90), "1 hour 30 minutes");
  assert.equal(time.lengthOf(60), "1 hour");
  assert.equal(time.placeOf("America/Argentina/Buenos_Aires"), "Buenos Aires");
  assert.equal(time.sharedHours(at("2026-01-10T00:00:00Z"), "Europe/London", "Asia/Tokyo"), 6);
  assert.equal(time.addDays("2026-12-31", 1), "2027-01-01");
  assert.equal(time.isZone("Mars/Olympus"), false);
});
