import { useEffect, useState } from "./preact.js";

/** Real paths with the history API: ordinary links work, and so do the back button and a reload. */

/** @typedef {Record<string, string>} Params */
/** @typedef {{pattern: string, load: () => Promise<{default: Function}>, open?: boolean, bare?: boolean}} Route */

/** Counts moves between pages, so that headings know when to take the focus. */
export let moves = 0;
const moved = new EventTarget();

/**
 * @param {string} pattern `/pairings/:id`
 * @param {string} path
 * @returns {Params | null}
 */
export function match(pattern, path) {
  const names = pattern.split("/");
  const parts = path.replace(/(.)\/$/, "$1").split("/");
  if (names.length !== parts.length) return null;
  /** @type {Params} */
  const params = {};
  for (const [index, name] of names.entries()) {
    if (name.startsWith(":")) params[name.slice(1)] = decodeURIComponent(parts[index]);
    else if (name !== parts[index]) return null;
  }
  return params;
}

/**
 * @param {Route[]} routes
 * @param {string} path
 */
export function find(routes, path) {
  for (const route of routes) {
    const params = match(route.pattern, path);
    if (params) return { route, params };
  }
  return null;
}

/**
 * @param {string} to
 * @param {{replace?: boolean}} [options]
 */
export function go(to, { replace = false } = {}) {
  history[replace ? "replaceState" : "pushState"](null, "", to);
  moves += 1;
  scrollTo(0, 0);
  moved.dispatchEvent(new Event("move"));
}

/** The path we are at; the component is drawn again when it changes. */
export function usePath() {
  const [path, setPath] = useState(location.pathname);
  useEffect(() => {
    const look = () => setPath(location.pathname);
    const back = () => {
      moves += 1;
      look();
    };
    moved.addEventListener("move", look);
    addEventListener("popstate", back);
    return () => {
      moved.removeEventListener("move", look);
      removeEventListener("popstate", back);
    };
  }, []);
  return path;
}

/** Let ordinary links to pages of ours be followed without loading everything again. */
export function followLinks() {
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const target = /** @type {Element} */ (event.target);
    const link = /** @type {HTMLAnchorElement | null} */ (target.closest("a[href]"));
    if (!link || link.target || link.hasAttribute("download") || link.origin !== location.origin) return;
    if (link.pathname.startsWith("/v1/") || link.pathname.startsWith("/web/")) return;
    if (link.hash && link.pathname === location.pathname) return;
    event.preventDefault();
    go(link.pathname + link.search + link.hash);
  });
}
