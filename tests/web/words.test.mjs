import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { find, match } from "../../web/view/router.js";
import { qualityOf, totalsOf } from "../../web/client/quality.js";
import { trouble } from "../../web/client/devices.js";

test("paths are matched with their parameters", () => {
  assert.deepEqual(match("/pairings/:id/book", "/pairings/a%20b/book"), { id: "a b" });
  assert.deepEqual(match("/people", "/people/"), {});
  assert.equal(match("/people/:id", "/people"), null);
  assert.equal(find([{ pattern: "/a", load: async () => ({ default: () => null }) }], "/b"), null);
});

test("loss and distance become one word", () => {
  const base = totalsOf([]);
  const after = (received, lost, roundTrip) => qualityOf({ ...base, packetsReceived: received, packetsLost: lost, roundTrip }, base);
  assert.equal(after(100, 0, 0.05), "good");
  assert.equal(after(100, 4, 0.05), "fair");
  assert.equal(after(100, 0, 0.3), "fair");
  assert.equal(after(80, 20, 0.05), "poor");
  assert.equal(after(0, 0, null), "unknown");
  assert.equal(qualityOf(base), "unknown");
});

test("counters that begin anew are not taken for loss or silence", () => {
  const at = (packetsReceived, packetsLost) => ({ ...totalsOf([]), packetsReceived, packetsLost });
  assert.equal(qualityOf(at(100, 0), at(5000, 90)), "good");
  assert.equal(qualityOf(at(80, 20), at(5000, 0)), "poor");
});

test("every way in which a device fails has words that say what to do", () => {
  for (const name of ["NotAllowedError", "NotFoundError", "NotReadableError", "OverconstrainedError", "Odd"]) {
    assert.match(trouble(new DOMException("", name), "video").words, /camera.*(try again|choose|carry on)/i);
  }
});

/** Relative luminance (WCAG 2.2). */
function luminance(hex) {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const value = parseInt(hex.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one, other) {
  const [light, dark] = [luminance(one), luminance(other)].sort((first, second) => second - first);
  return (light + 0.05) / (dark + 0.05);
}

const css = readFileSync(new URL("../../web/style/tokens.css", import.meta.url), "utf8");
const tokens = new Map([...css.matchAll(/--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)/g)].map(([, name, ...pair]) => [name, pair]));
const GROUNDS = ["paper", "surface"];
const TEXT = [
  ...GROUNDS.flatMap((ground) => ["ink", "ink-quiet", "action", "action-strong", "needs", "done", "stops"].map((ink) => [ink, ground])),
  ["ink", "sunken"], ["ink-quiet", "sunken"], ["action-ink", "action"], ["action-ink", "action-strong"], ["action", "action-tint"], ["ink", "action-tint"],
  ["ink-quiet", "action-tint"], ["needs", "needs-tint"], ["ink", "needs-tint"], ["ink-quiet", "needs-tint"], ["done", "done-tint"], ["stops", "stops-tint"], ["ink", "stops-tint"],
];
const SHAPES = GROUNDS.flatMap((ground) => ["control-line", "focus", "stops-line", "action"].map((line) => [line, ground]));

for (const [pairs, least] of [[TEXT, 4.5], [SHAPES, 3]]) {
  for (const [ink, ground] of pairs) {
    test(`${ink} on ${ground} has a contrast of at least ${least} in both schemes`, () => {
      for (const scheme of [0, 1]) assert.ok(contrast(tokens.get(ink)[scheme], tokens.get(ground)[scheme]) >= least);
    });
  }
}
