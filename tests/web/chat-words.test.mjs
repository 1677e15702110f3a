import assert from "node:assert/strict";
import { test } from "node:test";
import { layOut, mentionedIn, nameBegun, piecesOf, writingWords } from "../../web/view/chat-words.js";

const people = [
  { id: "me", name: "Priya Raman", is_me: true, left: false },
  { id: "a", name: "Amara Okafor", is_me: false, left: false },
  { id: "b", name: "Amara", is_me: false, left: false },
  { id: "c", name: "Sam Reed", is_me: false, left: true },
];

test("links are found, without what ends the sentence", () => {
  const links = (text) => piecesOf(text, []).filter(({ kind }) => kind === "link").map(({ text: link }) => link);
  assert.deepEqual(links("see https://example.org/a?b=1#c, or (http://example.org/x_(y))."), ["https://example.org/a?b=1#c", "http://example.org/x_(y)"]);
  assert.deepEqual(links("HTTPS://EXAMPLE.ORG! \"https://example.org/q\""), ["HTTPS://EXAMPLE.ORG", "https://example.org/q"]);
});

test("nothing else is a link", () => {
  for (const text of ["javascript:alert(1)", "data:text/html,x", "ftp://example.org", "https://", "http:// x", "//example.org", "example.org", "<img src=x onerror=alert(1)>"]) {
    assert.deepEqual(piecesOf(text, []).filter(({ kind }) => kind !== "text"), [], text);
  }
});

test("pieces put together are the text", () => {
  for (const text of ["", "a", "x https://example.org/ y @Amara Okafor z", "@Amara@Amara Okafor", "https://a.b/@Amara", "𝒳 @Amara, 🙂 https://a.b/🙂 ."]) {
    assert.equal(piecesOf(text, ["Amara", "Amara Okafor"]).map((piece) => piece.text).join(""), text);
  }
});

test("the longest name counts, and a name inside a link does not", () => {
  const names = (text) => piecesOf(text, ["Amara", "Amara Okafor"]).filter(({ kind }) => kind === "mention").map((piece) => piece.text);
  assert.deepEqual(names("@Amara Okafor and @Amara"), ["@Amara Okafor", "@Amara"]);
  assert.deepEqual(names("https://a.b/@Amara"), []);
});

test("those are mentioned whose names stand there, once, and neither me nor who has left", () => {
  assert.deepEqual(mentionedIn("@Amara Okafor, @Amara Okafor", people), ["a"]);
  assert.deepEqual(mentionedIn("@Amara Okafor and @Amara", people), ["a", "b"]);
  assert.deepEqual(mentionedIn("@Priya Raman @Sam Reed Amara", people), []);
});

test("a name is begun after an at sign that begins a word", () => {
  assert.deepEqual(nameBegun("hello @Am", 9), { from: 6, word: "Am" });
  assert.deepEqual(nameBegun("@", 1), { from: 0, word: "" });
  assert.deepEqual(nameBegun("(@Amara O", 9), { from: 1, word: "Amara O" });
  for (const text of ["me@example", "hello", "@a b c", "@a\nb c d"]) assert.equal(nameBegun(text, text.length), null, text);
});

const message = (seq, author, at, more = {}) => ({ id: `m${seq}`, seq, author_id: author, client_id: `k${seq}`, text: String(seq), mentions: [], posted_at: at, edited_at: null, deleted: false, ...more });
/** What stands there, what one author said in one go as one line. */
function shape(given) {
  const blocks = layOut({ letters: [], me: "me", zone: "Australia/Brisbane", now: new Date("2026-11-22T03:00:00Z"), unreadAfter: null, ...given });
  const lines = [];
  for (const block of blocks) {
    if (block.kind === "day") lines.push(block.words);
    else if (block.kind === "unread") lines.push("new");
    else if (block.first) lines.push(`${block.row.author}: ${block.key}`);
    else lines[lines.length - 1] += ` ${block.key}`;
  }
  return lines;
}

test("days are those of the reader, and one author's messages stand together", () => {
  const messages = [
    message(1, "a", "2026-11-20T13:59:00Z"), message(2, "a", "2026-11-20T14:01:00Z"), message(3, "a", "2026-11-20T14:02:00Z"),
    message(4, "me", "2026-11-20T14:03:00Z"), message(5, "a", "2026-11-22T01:00:00Z"), message(6, "a", "2026-11-22T01:06:00Z"),
  ];
  assert.deepEqual(shape({ messages }), [
    "Fri 20 Nov", "a: k1", "Yesterday, Sat 21 Nov", "a: k2 k3", "me: k4", "Today, Sun 22 Nov", "a: k5", "a: k6",
  ]);
});

test("the line of what is new stands before the first of others", () => {
  const at = "2026-11-22T01:00:00Z";
  const messages = [message(1, "a", at), message(2, "me", at), message(3, "a", at), message(4, "a", at)];
  assert.deepEqual(shape({ messages, unreadAfter: 1 }), ["Today, Sun 22 Nov", "a: k1", "me: k2", "new", "a: k3 k4"]);
  assert.deepEqual(shape({ messages, unreadAfter: 4 }), ["Today, Sun 22 Nov", "a: k1", "me: k2", "a: k3 k4"]);
});

test("what is on its way stands at the end, and once when it has arrived", () => {
  const at = "2026-11-22T01:00:00Z";
  const letters = [{ client_id: "k9", written_at: Date.parse(at) + 1000 }, { client_id: "k1", written_at: Date.parse(at) }];
  assert.deepEqual(shape({ messages: [message(1, "me", at)], letters }), ["Today, Sun 22 Nov", "me: k1 k9"]);
});

test("who writes, in words", () => {
  assert.deepEqual([[], ["Amara"], ["Amara", "Sam"], ["Amara", "Sam", "Jo"]].map(writingWords),
    ["", "Amara is writing …", "Amara and Sam are writing …", "Several people are writing …"]);
});
