import assert from "node:assert/strict";
import { test } from "node:test";
import { dayOfDate, freshRepeat, nthOfDate, repeatOf, ruleOf, ruleWords } from "../../web/client/rule.js";

test("a date knows its weekday and which of the month it is", () => {
  assert.equal(dayOfDate("2026-11-30"), "MO");
  assert.deepEqual(["2026-12-01", "2026-12-08", "2026-12-28", "2026-12-29"].map(nthOfDate), [1, 2, 4, -1]);
});

const CASES = [
  [{ ...freshRepeat("2026-12-01"), every: "week" }, "FREQ=WEEKLY;BYDAY=TU;COUNT=6", "Every week on Tuesday"],
  [{ ...freshRepeat("2026-12-01"), days: ["FR", "TU"] }, "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,FR;COUNT=6", "Every second week on Tuesday and Friday"],
  [{ ...freshRepeat("2026-12-08"), every: "month", count: null, until: "2027-06-30" }, "FREQ=MONTHLY;BYDAY=2TU;UNTIL=20270630", "On the second Tuesday of every month"],
  [{ ...freshRepeat("2026-12-29"), every: "month" }, "FREQ=MONTHLY;BYDAY=-1TU;COUNT=6", "On the last Tuesday of every month"],
];

for (const [repeat, rule, words] of CASES) {
  test(`${words}: chosen, written and read`, () => {
    assert.equal(ruleOf(repeat), rule);
    assert.equal(ruleWords(rule), words);
    assert.equal(ruleOf(repeatOf(rule)), rule);
  });
}

test("a rule that says more than can be chosen here is left as it is", () => {
  for (const rule of ["FREQ=DAILY;COUNT=3", "FREQ=MONTHLY;BYMONTHDAY=5;COUNT=2", "FREQ=WEEKLY;INTERVAL=3;BYDAY=TU;COUNT=2", "FREQ=WEEKLY;BYDAY=TU"]) {
    assert.equal(repeatOf(rule), null);
    assert.equal(ruleWords(rule), rule);
  }
});
