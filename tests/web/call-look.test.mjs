import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { placeFor, watch } from "../../web/view/call-look.js";

/** A page that lays out and hides what it is told to. */
class Observer {
  static all = [];
  observed = null;

  constructor(hear) {
    this.hear = hear;
    Observer.all.push(this);
  }

  observe(element) {
    this.observed = element;
  }

  disconnect() {
    this.observed = null;
  }
}
class Sizes extends Observer {}
class Sights extends Observer {}

const page = Object.assign(new EventTarget(), { visibilityState: "visible" });
Object.assign(globalThis, { document: page, ResizeObserver: Sizes, IntersectionObserver: Sights, devicePixelRatio: 2 });

const find = (kind) => Observer.all.find((each) => each instanceof kind && each.observed);
const laidOut = (height) => find(Sizes).hear([{ contentRect: { height } }]);
const inSight = (isIntersecting) => find(Sights).hear([{ isIntersecting: !isIntersecting }, { isIntersecting }]);
const turned = (visibilityState) => {
  page.visibilityState = visibilityState;
  page.dispatchEvent(new Event("visibilitychange"));
};
let heights = [];
let stop;
const watched = () => (stop = watch({}, (height) => heights.push(height)));

beforeEach(() => {
  stop?.();
  Observer.all = [];
  heights = [];
  page.visibilityState = "visible";
});

test("nothing is told before both size and sight are known, then the screen's own pixels", () => {
  watched();
  laidOut(180);
  assert.deepEqual(heights, []);
  inSight(true);
  laidOut(200);
  assert.deepEqual(heights, [360, 400]);
});

test("what is scrolled away, or on a page behind another, is not shown; back again it is", () => {
  watched();
  laidOut(100);
  inSight(true);
  inSight(false);
  inSight(true);
  turned("hidden");
  inSight(true);
  turned("visible");
  laidOut(0);
  assert.deepEqual(heights, [200, 0, 200, 0, 0, 200, 0]);
});

test("a page that is hidden from the start tells so, as no browser lays it out", () => {
  page.visibilityState = "hidden";
  watched();
  assert.deepEqual(heights, [0]);
});

test("a tile that goes is not shown any more, and watched no more", () => {
  watched();
  laidOut(100);
  inSight(true);
  stop();
  turned("hidden");
  assert.deepEqual([heights, find(Sizes), find(Sights)], [[200, 0], undefined, undefined]);
});

test("one scrolls no further than is needed to see somebody, and not at all when one does", () => {
  const box = { scrollTop: 100, clientHeight: 300 };
  assert.equal(placeFor(box, 100, 120), null);
  assert.equal(placeFor(box, 280, 120), null);
  assert.equal(placeFor(box, 40, 120), 40);
  assert.equal(placeFor(box, 390, 120), 210);
  assert.equal(placeFor(box, 500, 400), 500);
});
