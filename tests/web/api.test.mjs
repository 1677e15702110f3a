import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { beforeEach, test } from "node:test";
import { installBrowser } from "./browser.mjs";

const browser = installBrowser();
const { Api, KEYED, address } = await import("../../web/client/api.js");
const { Problem, Unreachable } = await import("../../web/client/problem.js");

const SESSION = { access_token: "one", expires_in: 600, account: { id: "a" } };
const json = (body, status = 200) => new Response(JSON.stringify(body), { status });

beforeEach(() => browser.reset());

test("parameters are put into the path and the query", () => {
  assert.equal(address("/v1/things/{thing_id}", { thing_id: "a/b" }, { q: "x y", none: null, empty: "", tag: ["a", "b"] }), "/v1/things/a%2Fb?q=x+y&tag=a&tag=b");
});

test("a problem document becomes an error that knows its fields", async () => {
  browser.answers.push(json({ code: "invalid", detail: "Look again.", errors: [{ pointer: "/email", detail: "Is no address." }] }, 422));
  const error = await new Api().get("/v1/config").catch((thrown) => thrown);
  assert.ok(error instanceof Problem);
  assert.equal(error.code, "invalid");
  assert.equal(error.about("email"), "Is no address.");
});

test("a POST that did not arrive is sent again with the same key", async () => {
  browser.answers.push(new TypeError("network"), json({ id: "x" }, 201));
  assert.deepEqual(await new Api().post("/v1/organisations", { body: { name: "N" } }), { id: "x" });
  const keys = browser.requests.map(({ options }) => options.headers["Idempotency-Key"]);
  assert.equal(keys.length, 2);
  assert.equal(keys[0], keys[1]);
});

test("a service that cannot be reached is said so", async () => {
  browser.answers.push(...Array.from({ length: 3 }, () => new TypeError("network")));
  await assert.rejects(new Api().get("/v1/config"), Unreachable);
});

test("an expired token is renewed once and the request sent again", async () => {
  const api = new Api();
  api.tokens.adopt(SESSION);
  browser.answers.push(json({ code: "not_signed_in" }, 401), json({ ...SESSION, access_token: "two" }), json({ ok: true }));
  assert.deepEqual(await api.get("/v1/me"), { ok: true });
  assert.deepEqual(browser.requests.map(({ url, options }) => [url, options.headers.Authorization]), [
    ["/v1/me", "Bearer one"], ["/v1/sessions/refresh", undefined], ["/v1/me", "Bearer two"],
  ]);
});

test("requests at the same time share one renewal", async () => {
  localStorage.setItem("mentorspan.signed-in", "1");
  const api = new Api();
  browser.answers.push(json(SESSION), json({ n: 1 }), json({ n: 2 }));
  await Promise.all([api.get("/v1/me"), api.get("/v1/blocks")]);
  assert.equal(browser.requests.filter(({ url }) => url.endsWith("/refresh")).length, 1);
});

test("a refused renewal signs out and says so", async () => {
  localStorage.setItem("mentorspan.signed-in", "1");
  const api = new Api();
  let told = 0;
  api.tokens.addEventListener("signed-out", () => (told += 1));
  browser.answers.push(json({ code: "not_signed_in" }, 401));
  assert.equal(await api.tokens.current(), null);
  assert.equal(told, 1);
  assert.equal(localStorage.getItem("mentorspan.signed-in"), null);
});

test("a tab that waited takes over the token of the other", async () => {
  localStorage.setItem("mentorspan.signed-in", "1");
  const [first, second] = [new Api(), new Api()];
  browser.answers.push(json(SESSION));
  const tokens = await Promise.all([first.tokens.current(), second.tokens.current()]);
  assert.deepEqual(tokens, ["one", "one"]);
  assert.equal(browser.requests.length, 1);
});

test("nobody signed in asks nothing", async () => {
  assert.equal(await new Api().tokens.current(), null);
  assert.equal(browser.requests.length, 0);
});

test("what is sent again under a key is exactly what the service says creates", () => {
  const lines = readFileSync(new URL("../../openapi.yaml", import.meta.url), "utf8").split("\n");
  const found = new Set();
  let path = "";
  for (const line of lines) {
    if (/^ {2}\/\S+:$/.test(line)) path = line.trim().slice(0, -1);
    if (line.includes("name: Idempotency-Key") && path !== "/v1/sessions/refresh") found.add(path);
  }
  assert.deepEqual([...KEYED].sort(), [...found].sort());
});

test("a verb that may have arrived is not sent again: its second answer would tell of a failure", async () => {
  browser.answers.push(new TypeError("network"), json({}));
  await assert.rejects(new Api().post("/v1/pairings/{pairing_id}/accept", { path: { pairing_id: "p" } }), Unreachable);
  assert.equal(browser.requests.length, 1);
});

test("a renewal whose answer was lost is repeated under its name, the next one under another", async () => {
  localStorage.setItem("mentorspan.signed-in", "1");
  const api = new Api();
  browser.answers.push(new TypeError("network"));
  await assert.rejects(api.tokens.current(), Unreachable);
  browser.answers.push(json({ ...SESSION, expires_in: 0 }), json(SESSION));
  await api.tokens.current();
  await api.tokens.current();
  const names = browser.requests.map(({ options }) => options.headers["Idempotency-Key"]);
  assert.equal(names[0], names[1]);
  assert.notEqual(names[1], names[2]);
});
