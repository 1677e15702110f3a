/**
 * The page changes by itself, and whoever is at something in it stays there: what moves to another place of a list
 * keeps the focus, and a field that somebody writes in stays where it stands on the screen.
 */

const WRITTEN = "input:not([type=checkbox], [type=radio]), textarea";

/** What has the focus, and where on the screen it stood. @type {HTMLElement | null} */
let at = null;
let top = 0;

function remember() {
  if (at) top = at.getBoundingClientRect().top;
}

/** @param {HTMLElement} element */
function moved(element) {
  const away = element.getBoundingClientRect().top - top;
  // Conversations keep their own place.
  if (Math.abs(away) > 1 && element.matches(WRITTEN) && !element.closest(".chat-scroll")) scrollBy(0, away);
  remember();
}

/** @param {MutationRecord[]} records */
function look(records) {
  if (!at?.isConnected) {
    at = null;
    return;
  }
  const was = at;
  const carried = () => records.some(({ removedNodes }) => [...removedNodes].some((each) => each.contains(was)));
  // A browser takes the focus from what is moved, as if it had been removed.
  if (document.activeElement === document.body && carried()) was.focus({ preventScroll: true });
  else if (document.activeElement === was) moved(was);
}

/** @param {HTMLElement} root */
export function holdSteady(root) {
  document.addEventListener("focusin", ({ target }) => {
    at = /** @type {HTMLElement} */ (target);
    remember();
  });
  // Whoever turned away by themselves is not called back; what was moved has its focus again by then.
  document.addEventListener("focusout", () => setTimeout(() => {
    if (document.activeElement === document.body) at = null;
  }));
  document.addEventListener("scroll", remember, { capture: true, passive: true });
  addEventListener("resize", remember);
  // What grows while one writes in it may have moved by that.
  document.addEventListener("input", () => requestAnimationFrame(remember), { capture: true });
  new MutationObserver(look).observe(root, { childList: true, characterData: true, subtree: true });
}
