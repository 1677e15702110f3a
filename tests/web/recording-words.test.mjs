import assert from "node:assert/strict";
import { test } from "node:test";
import { aboutFile, aboutRecording, lasting, savedAs, sizeOf, whenRecorded, whoseFile } from "../../web/view/recording-words.js";

const TAKE = { started_at: "2026-11-24T18:00:00Z", duration_ms: 1_380_000, ended: "stopped", cut: false, expires_at: "2027-02-22T18:00:00Z" };
const FILE = { name: "1f-camera-1.webm", person: "Amara Okafor", is_me: false, sources: ["camera", "microphone"], duration_ms: 1_380_000, offset_ms: 0, bytes: 104_857_600 };

test("lengths and sizes are words", () => {
  assert.deepEqual([300, 1_000, 40_400, 60_000, 5_400_000].map(lasting), ["1 second", "1 second", "40 seconds", "1 minute", "1 hour 30 minutes"]);
  assert.deepEqual([10, 1_400_000, 2_340_000_000].map(sizeOf), ["under 1 MB", "1 MB", "2.3 GB"]);
});

test("a recording says when it was, how it ended and until when it is kept", () => {
  assert.match(whenRecorded(TAKE, "Europe/London"), /^Tue 24 Nov.*, 18:00 to 18:23$/);
  assert.match(whenRecorded({ ...TAKE, duration_ms: 5_000 }, "Europe/London"), /, 18:00$/);
  assert.match(aboutRecording(TAKE, "UTC"), /^23 minutes\. It is deleted by itself on Mon 22 Feb.*\.$/);
  const broken = aboutRecording({ ...TAKE, ended: "interrupted", cut: true }, "UTC");
  assert.match(broken, /the server stopped\. Its last seconds are missing\./);
  assert.doesNotMatch(aboutRecording({ ...TAKE, ended: "something new" }, "UTC"), /undefined|something/);
});

test("a file says whose it is and what is in it", () => {
  assert.equal(whoseFile(FILE), "Amara Okafor");
  assert.equal(whoseFile({ ...FILE, is_me: true }), "You");
  assert.equal(aboutFile(FILE), "Camera and microphone, 23 minutes, 105 MB");
  assert.equal(aboutFile({ ...FILE, sources: ["screen", "screen_audio"], offset_ms: 300_000 }), "Shared screen and sound of the screen, from 5 minutes in, 23 minutes, 105 MB");
  assert.equal(aboutFile({ ...FILE, sources: [] }), "23 minutes, 105 MB");
});

test("a file that is kept has a name that any disk takes", () => {
  const name = savedAs(TAKE, { ...FILE, person: "../Zoë: <O'Brien>" }, "UTC");
  assert.doesNotMatch(name, /[/\\:<>"'|?*]/);
  assert.match(name, /Zoë.*\.webm$/u);
  assert.match(savedAs(TAKE, { ...FILE, sources: ["screen"], name: "x.mkv" }, "UTC"), /screen.*\.mkv$/);
});
