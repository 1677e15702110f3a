import assert from "node:assert/strict";
import { test } from "node:test";
import { worst } from "../../web/client/quality.js";
import { connectionWords, hereWords, insteadWords, isReached, isSpeaking, withThem } from "../../web/view/call-words.js";

const NAMES = ["Amina Yusuf", "Ben Carter", "Dele Adeyemi", "Eve Okafor", "Farid Haddad"];
const somebody = (name, more = {}) => ({ id: name, name, audio: true, video: true, state: "online", ...more });
const callWith = (people, more = {}) => ({
  state: "connecting", topology: "forwarded", quality: "good", flowing: false,
  participants: new Map(people.map((each) => [each.id, each])), connectionWith: () => "new", streamOf: () => null, scores: { isWeak: () => false }, ...more,
});
const people = (count) => NAMES.slice(0, count).map((name) => somebody(name));

test("those who are waited for are named, while they are few", () => {
  assert.equal(connectionWords(null), "Connecting …");
  assert.equal(connectionWords(callWith(people(1))), "Connecting to Amina …");
  assert.equal(connectionWords(callWith(people(3))), "Connecting to Amina, Ben and Dele …");
  assert.equal(connectionWords(callWith(people(5))), "Connecting to 5 people …");
  assert.equal(connectionWords(callWith([somebody("Ben", { audio: false, video: false })])), "Connecting …");
});

test("my own weak connection is said where the connection is spoken of", () => {
  const connected = { state: "connected" };
  assert.equal(connectionWords(callWith(people(2), connected)), "Connection: good");
  assert.equal(connectionWords(callWith(people(2), { ...connected, scores: { isWeak: () => true } })), "Your connection is weak");
});

test("a lost socket is told from a lost connection", () => {
  assert.match(connectionWords(callWith(people(2), { state: "reconnecting", flowing: true })), /go on talking/);
  assert.match(connectionWords(callWith(people(2), { state: "reconnecting" })), /Coming back/);
});

test("somebody who sends is reached when their sound or picture is there", () => {
  const [amina] = people(1);
  const connected = { connectionWith: () => "connected" };
  assert.equal(isReached(callWith([amina], connected), amina), false);
  assert.equal(isReached(callWith([amina], { ...connected, streamOf: () => ({}) }), amina), true);
  assert.equal(isReached(callWith([amina], { ...connected, topology: "direct" }), amina), true);
});

test("in the place of a picture stands why it is not there", () => {
  const [amina] = people(1);
  const call = (more) => callWith([amina], { connectionWith: () => "connected", streamOf: () => ({}), isPaused: () => false, ...more });
  const paused = { isPaused: (id, source) => id === amina.id && source === "camera" };
  assert.equal(insteadWords(call(), amina), "");
  assert.equal(insteadWords(call(paused), amina), "Picture paused: your connection is slow");
  assert.equal(insteadWords(call(paused), { ...amina, video: false }), "Amina's camera is off");
  assert.equal(insteadWords(call({ ...paused, streamOf: () => null }), amina), "Connecting to Amina …");
});

test("who speaks does so with their microphone on", () => {
  const call = callWith([], { speakers: ["ben"] });
  assert.equal(isSpeaking(call, "ben", { audio: true }), true);
  assert.equal(isSpeaking(call, "ben", { audio: false }), false);
  assert.equal(isSpeaking(call, "amina", { audio: true }), false);
  assert.equal(isSpeaking(null, null, { audio: true }), false);
});

test("who is here is said name by name, and in numbers for many", () => {
  assert.equal(hereWords([]), "Here: only you.");
  assert.equal(hereWords([somebody("Ben Carter", { video: false })]), "Here: you and Ben Carter (camera off).");
  assert.equal(hereWords(people(2)), "Here: you, Amina Yusuf and Ben Carter.");
  const many = [...people(4), somebody("x", { audio: false }), somebody("y", { state: "reconnecting" })];
  assert.equal(hereWords(many), "Here: you and 6 others; 1 microphone is off; 1 person is coming back.");
});

test("a heading names a few and counts the rest", () => {
  const meeting = (count) => ({ people: [{ name: "Me", is_me: true }, ...people(count)] });
  assert.equal(withThem(meeting(3)), "Amina, Ben and Dele");
  assert.equal(withThem(meeting(5)), "Amina, Ben and 3 others");
});

test("a call is as good as the worst of its connections that says something", () => {
  assert.equal(worst(["good", "poor", "unknown"]), "poor");
  assert.equal(worst(["unknown", "good"]), "good");
  assert.equal(worst([]), "unknown");
});
