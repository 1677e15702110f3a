import assert from "node:assert/strict";
import { test } from "node:test";
import { add, copyDay, DAYS, emptyWeek, hoursOf, nextSpan, settled, spanAt, stretch, take, weekOf, weekWords } from "../../web/client/hours.js";
import { cellWords, end, marked, press, scaleOf } from "../../web/view/marking.js";

const SCALE = { first: 420, last: 1200, step: 30 };
const at = (day, minute) => ({ day, minute });
/** Press keys one after the other. */
function keys(list, week = emptyWeek(), mark = { at: at(0, 540), from: null }) {
  let step = { mark, week, said: "", handled: true };
  for (const key of list) step = press(key, step.mark, step.week, SCALE);
  return step;
}

test("what overlaps or touches is one, what is wrong is none", () => {
  assert.deepEqual(settled([[600, 720], [540, 600], [700, 710], [900, 900], [1000, 990]]), [[540, 720]]);
  assert.deepEqual(add([[540, 600]], [630, 660]), [[540, 600], [630, 660]]);
});

test("taking away leaves what is on both sides", () => {
  assert.deepEqual(take([[540, 1020]], [720, 780]), [[540, 720], [780, 1020]]);
  assert.deepEqual(take([[540, 1020]], [0, 1440]), []);
});

/** Adding and taking against a day of minutes, one by one. */
test("adding and taking agree with minutes counted one by one", () => {
  let seed = 7;
  const random = (most) => (seed = (seed * 1103515245 + 12345) % 2 ** 31) % most;
  for (let round = 0; round < 400; round += 1) {
    let spans = [];
    const minutes = new Set();
    for (let each = 0; each < 8; each += 1) {
      const start = random(1430);
      const span = [start, Math.min(1440, start + 1 + random(300))];
      const on = random(3) > 0;
      spans = on ? add(spans, span) : take(spans, span);
      for (let minute = span[0]; minute < span[1]; minute += 1) on ? minutes.add(minute) : minutes.delete(minute);
    }
    for (let minute = 0; minute < 1440; minute += 1) assert.equal(spanAt(spans, minute) !== null, minutes.has(minute));
    spans.forEach(([start], index) => assert.ok(index === 0 || spans[index - 1][1] < start));
  }
});

test("hours of the service become a week and come back, midnight too", () => {
  const hours = [{ weekday: "MO", start: "09:00", end: "12:30" }, { weekday: "SU", start: "20:00", end: "24:00" }];
  assert.deepEqual(hoursOf(weekOf(hours)), hours);
});

test("an edge that is pulled past the other stops before it", () => {
  const week = { ...emptyWeek(), MO: [[540, 720]] };
  assert.deepEqual(stretch(week, "MO", [540, 720], "end", 480, 30).MO, [[540, 570]]);
  assert.deepEqual(stretch(week, "MO", [540, 720], "start", 480, 30).MO, [[480, 720]]);
});

test("a day is copied to others, and new hours begin after the last", () => {
  const week = copyDay({ ...emptyWeek(), MO: [[540, 720]] }, "MO", ["TU", "FR"]);
  assert.deepEqual([week.TU, week.WE, week.FR], [[[540, 720]], [], [[540, 720]]]);
  assert.deepEqual(nextSpan(week.MO), [780, 960]);
  assert.deepEqual(nextSpan([[0, 1440]]), [1380, 1440]);
});

test("a week is said in few words", () => {
  const week = weekOf(DAYS.slice(0, 5).map((weekday) => ({ weekday, start: "09:00", end: "17:00" })));
  assert.deepEqual(weekWords(week), ["Monday to Friday 09:00 to 17:00"]);
});

test("keys mark, extend and set; what is marked backwards is the same", () => {
  const { week, said } = keys(["Enter", "ArrowDown", "ArrowDown", "ArrowRight", "Enter"]);
  assert.deepEqual([week.MO, week.TU, week.WE], [[[540, 630]], [[540, 630]], []]);
  assert.equal(said, "Set: Monday to Tuesday 09:00 to 10:30");
  assert.deepEqual(keys(["ArrowRight", "ArrowDown", "ArrowDown", " ", "ArrowUp", "ArrowUp", "ArrowLeft", " "]).week, week);
});

test("a pointer from cell to cell sets what keys set", () => {
  const mark = { from: at(1, 600), at: at(3, 690) };
  const byKeys = keys(["ArrowRight", "ArrowDown", "ArrowDown", "Enter", "ArrowRight", "ArrowRight", "ArrowDown", "ArrowDown", "ArrowDown", "Enter"]);
  assert.deepEqual(end(mark, emptyWeek(), SCALE, true).week, byKeys.week);
  assert.deepEqual(marked(mark.from, mark.at, SCALE).days, ["TU", "WE", "TH"]);
});

test("Escape drops, Delete removes the hours one is in, or what is marked", () => {
  const week = { ...emptyWeek(), MO: [[540, 720]] };
  assert.deepEqual(keys(["Enter", "ArrowDown", "Escape"], week).week, week);
  assert.deepEqual(keys(["Delete"], week).week.MO, []);
  assert.deepEqual(keys(["Enter", "ArrowDown", "Delete"], week).week.MO, [[600, 720]]);
  assert.equal(keys(["ArrowRight", "Delete"], week).said, "There are no hours here.");
  assert.equal(press("x", { at: at(0, 540), from: null }, week, SCALE).handled, false);
  assert.equal(press("Escape", { at: at(0, 540), from: null }, week, SCALE).handled, false);
});

test("nobody leaves the grid by arrows", () => {
  const step = keys(["ArrowLeft", "PageUp", "PageUp", "ArrowUp"]);
  assert.deepEqual(step.mark.at, at(0, 420));
  assert.deepEqual(keys(["End", ...Array(9).fill("ArrowRight"), "ArrowDown"]).mark.at, at(6, 1170));
});

test("a cell says when it is and whether it is in one's hours", () => {
  const week = { ...emptyWeek(), MO: [[555, 720]] };
  assert.equal(cellWords(week, at(0, 540), SCALE), "Monday 09:00 to 09:30, in your hours of 09:15 to 12:00");
  assert.equal(cellWords(week, at(1, 540), SCALE), "Tuesday 09:00 to 09:30, not in your hours");
});

test("all hours that somebody has are shown", () => {
  assert.deepEqual(scaleOf(emptyWeek(), false, 30), SCALE);
  assert.deepEqual(scaleOf({ ...emptyWeek(), SU: [[330, 360], [1300, 1440]] }, false, 30), { first: 300, last: 1440, step: 30 });
  assert.deepEqual(scaleOf(emptyWeek(), true, 30), { first: 0, last: 1440, step: 30 });
});
