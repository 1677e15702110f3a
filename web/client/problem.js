/** What can go wrong between this client and the service, as errors that pages can show. */

/**
 * @typedef {object} FieldError
 * @property {string} pointer JSON pointer to the member of the body, such as `/email`
 * @property {string} detail what is wrong with it, for people
 */

/** The service answered with a problem document (RFC 9457): `code` is for programs, `detail` for people. */
export class Problem extends Error {
  /** @param {{status: number, code: string, title?: string, detail?: string, errors?: FieldError[], retryAfter?: number | null}} fields */
  constructor({ status, code, title = "", detail = "", errors = [], retryAfter = null }) {
    super(detail || title || code);
    this.name = "Problem";
    this.status = status;
    this.code = code;
    this.title = title;
    this.detail = detail || title;
    this.errors = errors;
    this.retryAfter = retryAfter;
  }

  /**
   * What is wrong with one member of the body that was sent.
   * @param {string} name
   * @returns {string | null}
   */
  about(name) {
    const found = this.errors.find(({ pointer }) => pointer.replace(/^#/, "").split("/")[1] === name);
    return found ? found.detail : null;
  }

  /**
   * @param {Response} response
   * @returns {Promise<Problem>}
   */
  static async from(response) {
    /** @type {any} */
    let body = null;
    try {
      body = await response.json();
    } catch {
      // A proxy in between may answer with its own page; the status still says enough.
    }
    const retryAfter = Number(response.headers.get("Retry-After")) || null;
    return new Problem({
      status: response.status,
      code: body?.code ?? `http_${response.status}`,
      title: body?.title ?? response.statusText,
      detail: body?.detail ?? "",
      errors: body?.errors ?? [],
      retryAfter,
    });
  }
}

/** The service could not be reached at all: nothing is known about what happened to the request. */
export class Unreachable extends Error {
  /** @param {unknown} [cause] */
  constructor(cause) {
    super("The service cannot be reached. Check your connection and try again.", { cause });
    this.name = "Unreachable";
  }
}
