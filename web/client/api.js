import { Problem, Unreachable } from "./problem.js";
import { TokenKeeper } from "./tokens.js";

/**
 * The REST service, typed from `openapi.yaml`: `await api.get("/v1/pairings/{pairing_id}", { path: { pairing_id } })`.
 *
 * Paths, parameters, bodies and answers are checked by the type checker; problem documents become `Problem`
 * errors; POSTs that create carry an idempotency key and are tried again when the network fails.
 */

/** @import { Answer, MethodOf, Options, PathOf } from "./types.js" */
/** @typedef {{path?: Record<string, unknown>, query?: Record<string, unknown>, body?: unknown, key?: string, match?: number, signal?: AbortSignal}} Loose */

/** Waits between tries of a request that did not reach the service, in milliseconds. */
const RETRY_AFTER_MS = [300, 1200];

const REFRESH_MS = 30_000;

/** @param {number} ms */
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Put parameters into a path template and add the query.
 * @param {string} template
 * @param {Record<string, unknown>} path
 * @param {Record<string, unknown>} query
 */
export function address(template, path = {}, query = {}) {
  const filled = template.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(String(path[name])));
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined && one !== null && one !== "") search.append(name, String(one));
    }
  }
  const text = search.toString();
  return text ? `${filled}?${text}` : filled;
}

/** Creating something: sent again with the same key it still happens once. A test compares this with openapi.yaml. */
export const KEYED = new Set([
  "/v1/organisations",
  "/v1/organisations/{organisation_id}/invitations",
  "/v1/organisations/{organisation_id}/partnerships",
  "/v1/pairings",
  "/v1/organisations/{organisation_id}/circles",
  "/v1/pairings/{pairing_id}/goals",
  "/v1/pairings/{pairing_id}/meetings",
  "/v1/pairings/{pairing_id}/holds",
  "/v1/meetings/{meeting_id}/reschedule",
  "/v1/pairings/{pairing_id}/series",
  "/v1/schedules",
  "/v1/absences",
  "/v1/imported-calendars",
  "/v1/reports",
]);

export class Api {
  constructor() {
    this.tokens = new TokenKeeper((attempt) =>
      // keepalive: a rotated cookie must arrive even if the page is left in the middle of it.
      fetch("/v1/sessions/refresh", {
        method: "POST",
        headers: { "Content-Type": "application/json", "Idempotency-Key": attempt },
        body: "{}",
        keepalive: true,
        // A network that is gone says nothing, and all tabs wait for this answer.
        signal: AbortSignal.timeout(REFRESH_MS),
      }),
    );
  }

  /**
   * @template {PathOf<"get">} P
   * @param {P} path
   * @param {Options<P, "get">} [options]
   * @returns {Promise<Answer<P, "get">>}
   */
  get(path, options) {
    return this.#send("GET", path, options);
  }

  /**
   * Creates or does something. The same `key` never does it twice, however often it is sent.
   * @template {PathOf<"post">} P
   * @param {P} path
   * @param {Options<P, "post">} [options]
   * @returns {Promise<Answer<P, "post">>}
   */
  post(path, options) {
    return this.#send("POST", path, options);
  }

  /**
   * @template {PathOf<"put">} P
   * @param {P} path
   * @param {Options<P, "put">} [options]
   * @returns {Promise<Answer<P, "put">>}
   */
  put(path, options) {
    return this.#send("PUT", path, options);
  }

  /**
   * @template {PathOf<"patch">} P
   * @param {P} path
   * @param {Options<P, "patch">} [options]
   * @returns {Promise<Answer<P, "patch">>}
   */
  patch(path, options) {
    return this.#send("PATCH", path, options);
  }

  /**
   * @template {PathOf<"delete">} P
   * @param {P} path
   * @param {Options<P, "delete">} [options]
   * @returns {Promise<Answer<P, "delete">>}
   */
  delete(path, options) {
    return this.#send("DELETE", path, options);
  }

  /**
   * A file, whole.
   * @template {PathOf<"get">} P
   * @param {P} path
   * @param {Options<P, "get">} [options]
   * @returns {Promise<Blob>}
   */
  async file(path, options) {
    return (await this.#answered("GET", path, options)).blob();
  }

  /**
   * Every item of a list, page by page.
   * @template {PathOf<"get">} P
   * @param {P} path
   * @param {Options<P, "get">} [options]
   * @returns {Promise<any[]>}
   */
  async all(path, options) {
    const items = [];
    let cursor = undefined;
    do {
      const given = /** @type {Loose} */ (options ?? {});
      const page = /** @type {any} */ (await this.#send("GET", path, { ...given, query: { ...given.query, cursor } }));
      items.push(...page.items);
      cursor = page.next_cursor ?? undefined;
    } while (cursor);
    return items;
  }

  /**
   * @param {string} email
   * @param {string} password
   */
  async signIn(email, password) {
    const session = await this.post("/v1/sessions", { body: { email, password, refresh: "cookie" } });
    this.tokens.adopt(session);
    return session;
  }

  async signOut() {
    try {
      await this.delete("/v1/sessions/current");
    } finally {
      this.tokens.forget();
    }
  }

  /**
   * @param {MethodOf} method
   * @param {string} template
   * @param {unknown} [given]
   * @returns {Promise<any>}
   */
  async #send(method, template, given) {
    const response = await this.#answered(method, template, given);
    return response.status === 204 ? undefined : response.json();
  }

  /**
   * @param {MethodOf} method
   * @param {string} template
   * @param {unknown} [given]
   */
  async #answered(method, template, given) {
    const { path, query, body, key, match, signal } = /** @type {Loose} */ (given ?? {});
    const url = address(template, path, query);
    /** @type {Record<string, string>} */
    const headers = { Accept: "application/json" };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    if (match !== undefined) headers["If-Match"] = `"${match}"`;
    if (method === "POST") headers["Idempotency-Key"] = key ?? crypto.randomUUID();
    const request = { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body) };
    const repeatable = method === "GET" || (method === "POST" && KEYED.has(template));
    const response = await this.#authorised(url, request, repeatable);
    if (!response.ok) throw await Problem.from(response);
    return response;
  }

  /**
   * @param {string} url
   * @param {RequestInit & {headers: Record<string, string>}} request
   * @param {boolean} repeatable
   */
  async #authorised(url, request, repeatable) {
    const token = await this.tokens.current();
    if (token) request.headers.Authorization = `Bearer ${token}`;
    const response = await this.#reach(url, request, repeatable);
    if (response.status !== 401 || !token) return response;
    const renewed = await this.tokens.current({ rejected: token });
    if (!renewed || renewed === token) return response;
    request.headers.Authorization = `Bearer ${renewed}`;
    return this.#reach(url, request, repeatable);
  }

  /**
   * Send; and when nothing came back, send again what does no harm: reading, and creating under a key.
   * @param {string} url
   * @param {RequestInit} request
   * @param {boolean} repeatable
   */
  async #reach(url, request, repeatable) {
    for (let tried = 0; ; tried += 1) {
      try {
        return await fetch(url, request);
      } catch (error) {
        if (request.signal?.aborted) throw error;
        if (!repeatable || tried >= RETRY_AFTER_MS.length) throw new Unreachable(error);
        await pause(RETRY_AFTER_MS[tried]);
      }
    }
  }
}
