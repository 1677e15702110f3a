import assert from "node:assert/strict";
import { test } from "node:test";
import { conversationName, conversationWhen } from "../../web/view/mentoring.js";

const PEOPLE = [{ id: "me", name: "Priya Raman", is_me: true, left: false }, { id: "amara", name: "Amara Okafor", is_me: false, left: false }];
const YEAR = new Date().getFullYear();

test("two meetings of one pairing are told apart by when they start, in my zone", () => {
  const meeting = { kind: "meeting", title: null, people: PEOPLE };
  assert.equal(conversationName(meeting), "Meeting with Amara Okafor");
  assert.match(conversationWhen({ ...meeting, starts_at: `${YEAR}-11-24T23:30:00Z` }, "Pacific/Auckland"), /^\w{3} 25 Nov, 12:30$/);
  assert.match(conversationWhen({ ...meeting, starts_at: `${YEAR}-11-24T23:30:00Z` }, "America/Toronto"), /^\w{3} 24 Nov, 18:30$/);
});

test("a conversation without a start, or of a service that does not give it, has only its name", () => {
  assert.equal(conversationWhen({ kind: "pairing", starts_at: null }, "UTC"), "");
  assert.equal(conversationWhen({ kind: "meeting" }, "UTC"), "");
});
