import { useEffect, useRef } from "./preact.js";

/** What of a call one looks at: how large each picture is on the screen, and whether who speaks is in sight. */

/** @typedef {import("../client/call.js").Call} Call */

/**
 * Tell the call how large this picture is shown: returns what to put on its tile.
 * @param {Call} call
 * @param {string} id
 * @param {"camera" | "screen"} source
 */
export function useLook(call, id, source) {
  const tile = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => (tile.current ? watch(tile.current, (height) => call.look(id, source, height)) : undefined), [call, id, source]);
  return tile;
}

/**
 * Tell how high an element is in the screen's own pixels, 0 while nobody can see it. Returns how to end that.
 * @param {HTMLElement} element
 * @param {(height: number) => void} tell
 */
export function watch(element, tell) {
  /** Known once the browser has laid the page out, which it does not do for one that is hidden. @type {number | undefined} */
  let height;
  /** @type {boolean | undefined} */
  let inSight;
  const look = () => {
    if (document.visibilityState === "hidden") tell(0);
    else if (height !== undefined && inSight !== undefined) tell(inSight ? height * devicePixelRatio : 0);
  };
  const size = new ResizeObserver((entries) => {
    height = entries.at(-1)?.contentRect.height;
    look();
  });
  const sight = new IntersectionObserver((entries) => {
    inSight = entries.at(-1)?.isIntersecting;
    look();
  });
  size.observe(element);
  sight.observe(element);
  document.addEventListener("visibilitychange", look);
  look();
  return () => {
    size.disconnect();
    sight.disconnect();
    document.removeEventListener("visibilitychange", look);
    tell(0);
  };
}

const STILL = "(prefers-reduced-motion: reduce)";

/** @param {HTMLElement | null} strip */
const tilesOf = (strip) => /** @type {HTMLElement[]} */ ([...(strip?.children ?? [])]);

/**
 * Where people stand in a strip, the one who speaks glides into sight: never at once, and not under the hands of
 * somebody who looks at others there.
 * @param {{current: HTMLElement | null}} box the strip
 * @param {string | null} id of whom to show, if anybody
 */
export function useInSight(box, id) {
  useEffect(() => {
    const strip = box.current;
    const tile = id === null ? undefined : tilesOf(strip).find((each) => each.dataset.participant === id);
    if (!strip || !tile || matchMedia(STILL).matches || strip.matches(":hover, :focus-within")) return;
    const top = placeFor(strip, tile.getBoundingClientRect().top - strip.getBoundingClientRect().top + strip.scrollTop, tile.offsetHeight);
    if (top !== null) strip.scrollTo({ top, behavior: "smooth" });
  }, [id]);
}

/**
 * How far to scroll so that what lies here is in sight, or null when it is.
 * @param {{scrollTop: number, clientHeight: number}} box
 * @param {number} top from the beginning of what scrolls
 * @param {number} height
 */
export function placeFor({ scrollTop, clientHeight }, top, height) {
  if (top < scrollTop) return top;
  return top + height > scrollTop + clientHeight ? Math.min(top, top + height - clientHeight) : null;
}
