/** Languages are kept as tags such as `en` or as plain words; both are shown as words. */

const names = new Intl.DisplayNames("en-GB", { type: "language", fallback: "code" });

/** @param {string} tag */
export function languageName(tag) {
  try {
    return names.of(tag) ?? tag;
  } catch {
    return tag;
  }
}
