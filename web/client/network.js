/** Whether this device has come to another network: browsers notice only seconds later that the paths of the last one are dead. */

/** Not everywhere, and its event also tells of mere speed. @typedef {EventTarget & {type?: string}} NetworkInformation */

/**
 * @param {() => void} react
 * @returns {() => void} to be told no more
 */
export function whenElsewhere(react) {
  const connection = /** @type {{connection?: NetworkInformation}} */ (globalThis.navigator).connection;
  let type = connection?.type;
  const changed = () => {
    if (connection?.type === type) return;
    type = connection?.type;
    if (type !== "none") react();
  };
  addEventListener("online", react);
  connection?.addEventListener("change", changed);
  return () => {
    removeEventListener("online", react);
    connection?.removeEventListener("change", changed);
  };
}
