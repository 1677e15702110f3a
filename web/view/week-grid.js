import { DAYS, nameOfDay, settled, spanWords, stretch, timeOf } from "../client/hours.js";
import { announce } from "./hooks.js";
import { cellWords, here, lift, marked, press, preview, scaleOf } from "./marking.js";
import { html, useEffect, useRef, useState } from "./preact.js";

/** A week on which hours are drawn: with a pointer, with a finger that rests before it draws, or with keys. */

/** @import { Day, Span, Week } from "../client/hours.js" */
/** @import { At, Mark } from "./marking.js" */
/** @typedef {{day: Day, span: Span, edge: "start" | "end"}} Pull */

const STEP = 30;
/** A finger that moves sooner scrolls the page. */
const REST_MS = 250;
const SLACK_PX = 8;

/** The cell under a pointer, whatever lies over it. @param {PointerEvent} event @returns {At | null} */
function cellAt({ clientX, clientY }) {
  for (const each of document.elementsFromPoint(clientX, clientY)) {
    const { day, minute } = /** @type {HTMLElement} */ (each).dataset;
    if (day && minute) return { day: Number(day), minute: Number(minute) };
  }
  return null;
}

let takeBack = () => {};

/** Only the latest is worth hearing. @param {string} words */
function say(words) {
  if (!words) return;
  takeBack();
  takeBack = announce(words);
}

/** @param {{week: Week, onWeek: (week: Week) => void}} props */
function useDrawing({ week, onWeek }) {
  const [whole, setWhole] = useState(false);
  const [mark, setMark] = useState(/** @type {Mark} */ ({ at: { day: 0, minute: 540 }, from: null }));
  const [pulled, setPulled] = useState(/** @type {Week | null} */ (null));
  const pull = useRef(/** @type {Pull | null} */ (null));
  const [said, setSaid] = useState("");
  const scale = scaleOf(week, whole, STEP);
  const tell = (/** @type {string} */ words) => {
    say(words);
    if (words) setSaid(words);
  };
  /** @param {import("./marking.js").Step} step */
  const take = (step) => {
    setMark(step.mark);
    if (step.week !== week) onWeek(step.week);
    tell(step.said);
  };
  const pointer = {
    begin: (/** @type {At} */ at) => setMark({ at, from: at }),
    pull: (/** @type {Pull} */ given) => {
      pull.current = given;
    },
    move: (/** @type {At} */ at) => {
      if (!pull.current) return setMark((old) => ({ ...old, at }));
      const { day, span, edge } = pull.current;
      setPulled(stretch(week, day, span, edge, edge === "start" ? at.minute : at.minute + STEP, STEP));
    },
    end: () => {
      if (!pull.current) return take(lift(mark, week, scale));
      const { day } = pull.current;
      pull.current = null;
      setPulled(null);
      if (!pulled) return;
      onWeek(pulled);
      tell(`${nameOfDay(day)} ${settled(pulled[day]).map(spanWords).join(" and ")}`);
    },
    drop: () => {
      pull.current = null;
      setPulled(null);
      setMark((old) => ({ ...old, from: null }));
    },
  };
  const key = (/** @type {string} */ name) => {
    const step = press(name, mark, week, scale);
    if (step.handled) take(step);
    return step.handled;
  };
  return { scale, whole, setWhole, mark, setMark, key, pointer, said, shown: pulled ?? preview(mark, week, scale) };
}

/**
 * Follow a pointer over the grid.
 * @param {{current: HTMLElement | null}} grid
 * @param {ReturnType<typeof useDrawing>["pointer"]} doing
 */
function usePointer(grid, doing) {
  const latest = useRef(doing);
  latest.current = doing;
  const drawing = useRef(false);
  useEffect(() => {
    const element = grid.current;
    if (!element) return;
    let resting = 0;
    /** @type {{x: number, y: number}} */
    let down = { x: 0, y: 0 };
    const start = (/** @type {PointerEvent} */ event) => {
      if (event.button !== 0) return;
      const handle = /** @type {HTMLElement} */ (event.target).closest("[data-edge]");
      const at = cellAt(event);
      if (!at && !handle) return;
      down = { x: event.clientX, y: event.clientY };
      const go = () => {
        drawing.current = true;
        if (handle) latest.current.pull(JSON.parse(/** @type {HTMLElement} */ (handle).dataset.edge ?? "null"));
        else if (at) latest.current.begin(at);
      };
      if (event.pointerType === "touch" && !handle) resting = window.setTimeout(go, REST_MS);
      else {
        go();
        event.preventDefault();
        // What a press would have focused.
        /** @type {HTMLElement | null} */ (element.querySelector(`[data-day="${at?.day}"][data-minute="${at?.minute}"]`))?.focus({ preventScroll: true });
      }
    };
    const move = (/** @type {PointerEvent} */ event) => {
      if (!drawing.current) {
        if (Math.hypot(event.clientX - down.x, event.clientY - down.y) > SLACK_PX) clearTimeout(resting);
        return;
      }
      const at = cellAt(event);
      if (at) latest.current.move(at);
    };
    const stop = () => {
      clearTimeout(resting);
      if (drawing.current) latest.current.end();
      drawing.current = false;
    };
    const cancel = () => {
      clearTimeout(resting);
      if (drawing.current) latest.current.drop();
      drawing.current = false;
    };
    const hold = (/** @type {TouchEvent} */ event) => drawing.current && event.preventDefault();
    element.addEventListener("pointerdown", start);
    element.addEventListener("touchmove", hold, { passive: false });
    addEventListener("pointermove", move);
    addEventListener("pointerup", stop);
    addEventListener("pointercancel", cancel);
    return () => {
      clearTimeout(resting);
      element.removeEventListener("pointerdown", start);
      element.removeEventListener("touchmove", hold);
      removeEventListener("pointermove", move);
      removeEventListener("pointerup", stop);
      removeEventListener("pointercancel", cancel);
    };
  }, []);
  return drawing;
}

/** The hours as bars over the cells. @param {{week: Week, scale: import("./marking.js").Scale}} props */
function Bars({ week, scale: { first, last } }) {
  const share = (/** @type {number} */ minutes) => `${(minutes / (last - first)) * 100}%`;
  return html`<div class="grid-bars" aria-hidden="true">${DAYS.map((day) => html`<div key=${day}>
    ${settled(week[day]).map((span) => {
      const [start, end] = [Math.max(span[0], first), Math.min(span[1], last)];
      return html`<div key=${span[0]} class="grid-bar" style=${{ insetBlockStart: share(start - first), blockSize: share(end - start) }}>
        <span>${timeOf(span[0])}<i> to ${timeOf(span[1])}</i></span>
        <b class="edge start" data-edge=${JSON.stringify({ day, span, edge: "start" })}></b>
        <b class="edge end" data-edge=${JSON.stringify({ day, span, edge: "end" })}></b>
      </div>`;
    })}
  </div>`)}</div>`;
}

/** @param {{week: Week, onWeek: (week: Week) => void}} props */
export function WeekGrid({ week, onWeek }) {
  const drawing = useDrawing({ week, onWeek });
  const { scale, mark, shown, setMark, key, pointer, said, whole, setWhole } = drawing;
  const grid = useRef(/** @type {HTMLElement | null} */ (null));
  const byPointer = usePointer(grid, pointer);
  const times = Array.from({ length: (scale.last - scale.first) / STEP }, (_, index) => scale.first + index * STEP);
  const at = { day: mark.at.day, minute: Math.min(Math.max(mark.at.minute, scale.first), scale.last - STEP) };
  const inMark = mark.from ? marked(mark.from, mark.at, scale) : null;
  const moved = useRef(false);
  useEffect(() => {
    if (!moved.current) return;
    moved.current = false;
    /** @type {HTMLElement | null} */ (grid.current?.querySelector("[tabindex='0']") ?? null)?.focus();
  });
  const down = (/** @type {KeyboardEvent} */ event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const mirrored = getComputedStyle(/** @type {Element} */ (event.currentTarget)).direction === "rtl";
    const swapped = mirrored ? { ArrowLeft: "ArrowRight", ArrowRight: "ArrowLeft" }[event.key] : undefined;
    if (!key(swapped ?? event.key)) return;
    event.preventDefault();
    moved.current = true;
  };
  // Whoever goes elsewhere has dropped what they marked.
  const left = (/** @type {FocusEvent} */ event) => {
    const inside = grid.current?.contains(/** @type {Node | null} */ (event.relatedTarget));
    if (mark.from && !inside && !byPointer.current) setMark({ at: mark.at, from: null });
  };
  const found = mark.from ? null : here({ at, from: null }, week, scale);
  return html`<div class="week-grid">
    <p class="hint" id="grid-how">Drag to add hours, and pull an edge to change them; a finger rests a moment before it draws. By keyboard: arrows move, Enter begins and sets, Delete removes, Escape drops.</p>
    <div class="grid-frame" ref=${grid}>
      <div role="grid" aria-label="Hours of the week" aria-describedby="grid-how" aria-multiselectable="true" onKeyDown=${down} onFocusOut=${left}>
        <div role="row" class="grid-row grid-head"><span role="columnheader"><span class="unseen">Time</span></span>
          ${DAYS.map((day) => html`<span key=${day} role="columnheader"><abbr title=${nameOfDay(day)}>${nameOfDay(day).slice(0, 3)}</abbr></span>`)}</div>
        ${times.map((minute) => html`<div key=${minute} role="row" class=${minute % 60 === 0 ? "grid-row hour" : "grid-row"}>
          <span role="rowheader">${minute % 60 === 0 ? timeOf(minute) : html`<span class="unseen">${timeOf(minute)}</span>`}</span>
          ${DAYS.map((day, index) => {
            const marking = inMark?.days.includes(day) && inMark.span[0] <= minute && minute < inMark.span[1];
            return html`<span key=${day} role="gridcell" class=${marking ? "cell marking" : "cell"} data-day=${index} data-minute=${minute}
              aria-label=${cellWords(week, { day: index, minute }, scale)} aria-selected=${marking ? "true" : "false"} tabindex=${at.day === index && at.minute === minute ? 0 : -1}
              onFocus=${() => (at.day !== index || at.minute !== minute) && !byPointer.current && setMark({ at: { day: index, minute }, from: mark.from })}></span>`;
          })}
        </div>`)}
      </div>
      <${Bars} week=${shown} scale=${scale} />
    </div>
    <div class="grid-foot">
      <p class="quiet grid-said">${found?.words ?? said}</p>
      ${found && html`<button type="button" class="button quiet" onClick=${() => key("Delete")}>Remove<span class="unseen"> ${found.words}</span></button>`}
      <button type="button" class="button quiet" aria-pressed=${whole} onClick=${() => setWhole(!whole)}>${whole ? "Hide the night" : "Show the night"}</button>
    </div>
  </div>`;
}
