import assert from "node:assert/strict";
import { test } from "node:test";
import { addMonths, dayByKey, mondayOf, onDays, weeksOfMonth } from "../../web/client/months.js";
import { best, byDay, shortTime, weekWindow, yoursIsTheirs } from "../../web/client/slots.js";

test("weeks begin on Monday", () => {
  assert.equal(mondayOf("2026-11-29"), "2026-11-23");
  assert.equal(mondayOf("2026-11-30"), "2026-11-30");
});

test("a month later is a month later, or the last day there is", () => {
  assert.equal(addMonths("2026-01-31", 1), "2026-02-28");
  assert.equal(addMonths("2028-01-31", 1), "2028-02-29");
  assert.equal(addMonths("2026-01-15", -1), "2025-12-15");
  assert.equal(addMonths("2026-12-01", 1), "2027-01-01");
});

test("a month is whole weeks around it", () => {
  const weeks = weeksOfMonth("2026-11-30");
  assert.equal(weeks.length, 6);
  assert.deepEqual([weeks[0][0], weeks.at(-1).at(-1)], ["2026-10-26", "2026-12-06"]);
  assert.equal(weeksOfMonth("2027-02-10").length, 4);
});

test("keys lead from day to day", () => {
  assert.equal(dayByKey("2026-11-30", "ArrowRight"), "2026-12-01");
  assert.equal(dayByKey("2026-12-02", "Home"), "2026-11-30");
  assert.equal(dayByKey("2026-12-02", "End"), "2026-12-06");
  assert.equal(dayByKey("2026-12-31", "PageDown"), "2027-01-31");
  assert.equal(dayByKey("2026-12-02", "x"), null);
});

test("an instant is on the day of the zone one looks from", () => {
  const items = [{ starts_at: "2026-11-30T14:30:00Z" }, { starts_at: "2026-11-30T01:00:00Z" }];
  assert.deepEqual([...onDays(items, "Australia/Brisbane").keys()], ["2026-11-30", "2026-12-01"]);
  assert.deepEqual([...byDay(items, "UTC").keys()], ["2026-11-30"]);
});

test("a week is asked for from its midnight in the zone, and never from before now", () => {
  const now = new Date("2026-11-30T03:00:00Z");
  assert.deepEqual(weekWindow("2026-12-07", "Australia/Brisbane", now), { from: "2026-12-07T00:00:00+10:00", to: "2026-12-14T00:00:00+10:00" });
  assert.equal(weekWindow("2026-11-30", "Australia/Brisbane", now).from, "2026-11-30T13:00:00+10:00");
});

test("your time and theirs, with the day where it is another", () => {
  const at = new Date("2026-11-24T23:00:00Z");
  assert.match(yoursIsTheirs(at, "Australia/Brisbane", [{ name: "Amara", zone: "America/Toronto" }]), /^Your 09:00 is Tue 24 Nov( 2026)?, 18:00 for Amara\.$/);
  assert.equal(yoursIsTheirs(at, "Europe/London", [{ name: "Helen", zone: "Europe/London" }]), "It is the same time for everyone.");
  assert.equal(shortTime(at, "Australia/Brisbane", "America/Toronto"), "Tue 18:00");
  assert.equal(shortTime(at, "Europe/London", "Europe/Warsaw"), "Wed 00:00");
});

test("the best times are those when most can come, the earlier first", () => {
  const slot = (starts_at, available) => ({ starts_at, ends_at: starts_at, available, of: 5 });
  assert.deepEqual(best([slot("b", 3), slot("a", 3), slot("c", 5)], 2).map(({ starts_at }) => starts_at), ["c", "a"]);
});
