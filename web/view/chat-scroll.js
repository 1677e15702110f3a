import { useEffect, useLayoutEffect, useRef, useState } from "./preact.js";

/**
 * Where one stands in a conversation: at the end it follows what comes; elsewhere nothing moves, whatever is added
 * before or after. Says what was seen, and loads more before one gets to the edge.
 */

/** @typedef {import("../client/history.js").History} History */

const AT_END_PX = 48;
const LOAD_PX = 240;
/** Seen is what was on the screen for a moment, by half or by this much. */
const SEEN_PX = 80;
const SEEN_AFTER_MS = 300;

/** @param {Element} box the element that scrolls, and in it what carries `data-key` */
const rowsOf = (box) => /** @type {HTMLElement[]} */ ([...box.querySelectorAll("[data-key]")]);

/** How much is below what one sees. @param {HTMLElement} box */
const below = (box) => box.scrollHeight - box.scrollTop - box.clientHeight;

/**
 * @param {History} history
 * @param {string} newest changes when something is added at the end
 */
export function useScroll(history, newest) {
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const atEnd = useRef(true);
  const placed = useRef(false);
  /** What stood at the top of the view, and where. */
  const anchor = useRef({ key: "", top: 0, scrolled: 0 });
  const [away, setAway] = useState(false);
  const [seen, setSeen] = useState(0);

  const remember = () => {
    const element = box.current;
    if (!element) return;
    const edge = element.getBoundingClientRect().top;
    const first = rowsOf(element).find((row) => row.getBoundingClientRect().bottom > edge);
    anchor.current = { key: first?.dataset.key ?? "", top: (first?.getBoundingClientRect().top ?? edge) - edge, scrolled: element.scrollTop };
  };
  const toEnd = () => {
    atEnd.current = true;
    void history.latest().catch(() => undefined);
    if (box.current) box.current.scrollTop = box.current.scrollHeight;
    setAway(false);
  };

  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    // The person scrolled, and the browser has not said so yet.
    const moved = element.scrollTop - anchor.current.scrolled;
    if (moved < -1 && below(element) >= AT_END_PX) atEnd.current = false;
    if (!placed.current) {
      placed.current = true;
      const divider = /** @type {HTMLElement | null} */ (element.querySelector(".chat-unread"));
      element.scrollTop = divider ? divider.offsetTop - element.offsetTop - LOAD_PX / 4 : element.scrollHeight;
      atEnd.current = !history.moreAfter && below(element) < AT_END_PX;
    } else if (atEnd.current && !history.moreAfter) {
      element.scrollTop = element.scrollHeight;
    } else {
      const row = rowsOf(element).find(({ dataset }) => dataset.key === anchor.current.key);
      if (row) element.scrollTop += row.getBoundingClientRect().top - element.getBoundingClientRect().top - anchor.current.top + moved;
    }
    remember();
  });

  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const look = () => {
      const left = below(element);
      atEnd.current = left < AT_END_PX && !history.moreAfter;
      setAway(!atEnd.current);
      remember();
      if (element.scrollTop < LOAD_PX && history.moreBefore) history.older().catch(() => undefined);
      if (left < LOAD_PX && history.moreAfter) history.newer().catch(() => undefined);
    };
    // A keyboard that opens, or a message that grows, takes room: whoever was at the end stays there.
    const resized = new ResizeObserver(() => {
      if (atEnd.current) element.scrollTop = element.scrollHeight;
    });
    element.addEventListener("scroll", look, { passive: true });
    resized.observe(element);
    if (element.firstElementChild) resized.observe(element.firstElementChild);
    return () => {
      element.removeEventListener("scroll", look);
      resized.disconnect();
    };
  }, [history]);

  useEffect(() => {
    const element = box.current;
    if (!element) return;
    /** @type {Map<Element, number>} */
    const inView = new Map();
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    const tell = () => {
      const here = document.visibilityState === "visible" && inView.size > 0;
      history.look(here);
      if (!here) return;
      const last = Math.max(...inView.values());
      setSeen((before) => Math.max(before, last));
      void history.seen(last);
    };
    const soon = () => {
      clearTimeout(timer);
      timer = setTimeout(tell, SEEN_AFTER_MS);
    };
    const observer = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting: inside, intersectionRatio: part, intersectionRect: rect } of entries) {
        const seq = Number(/** @type {HTMLElement} */ (target).dataset.seq);
        if (inside && (part >= 0.5 || rect.height > SEEN_PX)) inView.set(target, seq);
        else inView.delete(target);
      }
      soon();
    }, { threshold: [0, 0.25, 0.5, 1] });
    for (const row of rowsOf(element)) if (row.dataset.seq) observer.observe(row);
    document.addEventListener("visibilitychange", soon);
    return () => {
      clearTimeout(timer);
      observer.disconnect();
      document.removeEventListener("visibilitychange", soon);
    };
  }, [history, newest, history.messages.length]);

  useEffect(() => () => history.look(false), [history]);
  const { about } = history;
  const others = history.messages.filter(({ seq, author_id: author, deleted }) =>
    seq > Math.max(seen, about?.read_up_to ?? 0) && !deleted && !about?.people.some(({ id, is_me: me }) => me && id === author));
  return { box, away, below: away ? Math.max(others.length, history.moreAfter ? about?.unread ?? 0 : 0) : 0, toEnd };
}
