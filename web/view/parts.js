import { Problem, Unreachable } from "../client/problem.js";
import { html, useEffect, useRef } from "./preact.js";
import { useAction } from "./hooks.js";
import { moves } from "./router.js";

/** The small things that pages are made of. */

/** @typedef {import("./preact.js").ComponentChildren} Children */
/** @typedef {{id: string, name: string, slug?: string}} OrganisationLike */

const ICONS = "/web/node_modules/lucide-static/icons";

/** A picture beside words; alone it says nothing. @param {{name: string, className?: string}} props */
export function Icon({ name, className = "" }) {
  return html`<span class=${`icon ${className}`} aria-hidden="true" style=${{ "--icon": `url("${ICONS}/${name}.svg")` }}></span>`;
}

/**
 * The heading of a page: names the document, and takes the focus when one comes from another page.
 * @param {{children: Children, name?: string, className?: string}} props `name` when the heading is more than text
 */
export function Title({ children, name, className = "" }) {
  const heading = useRef(/** @type {HTMLHeadingElement | null} */ (null));
  const words = name ?? [children].flat().join("");
  useEffect(() => {
    document.title = `${words} · Mentorspan`;
  }, [words]);
  useEffect(() => {
    const active = document.activeElement;
    if (moves > 0 && (!active || active === document.body || !document.contains(active) || active.closest(".rail, .bar, .menu"))) {
      heading.current?.focus({ preventScroll: true });
    }
  }, []);
  return html`<h1 ref=${heading} tabindex="-1" class=${className}>${children}</h1>`;
}

/** A hue that belongs to an id. @param {string} id */
function hueOf(id) {
  let sum = 0;
  for (const letter of id) sum = (sum * 31 + letter.charCodeAt(0)) % 3600;
  return sum / 10;
}

/** @param {{id: string, name: string, size?: "small" | "large"}} props */
export function Avatar({ id, name, size }) {
  const words = name.trim().split(/\s+/);
  const initials = (words[0]?.[0] ?? "") + (words.length > 1 ? words[words.length - 1][0] : "");
  return html`<span class=${`avatar ${size ?? ""}`} aria-hidden="true" style=${{ "--hue": hueOf(id) }}>${initials.toUpperCase()}</span>`;
}

/**
 * A person's organisation, marked when it is not mine.
 * @param {{organisation: OrganisationLike, mine?: OrganisationLike | null}} props
 */
export function From({ organisation, mine }) {
  const elsewhere = mine && mine.id !== organisation.id;
  return html`<span class=${elsewhere ? "from elsewhere" : "from"}>
    ${organisation.name}${elsewhere && html` <${Icon} name="diamond" /><span class="unseen">, another organisation</span>`}
  </span>`;
}

/** @param {string} name */
export function firstName(name) {
  return name.trim().split(/\s+/)[0] ?? name;
}

/**
 * A button that does one thing at a time and says when it is busy.
 * @param {{onPress: () => Promise<unknown> | unknown, children: Children, kind?: "primary" | "danger" | "quiet" | "", icon?: string,
 *   busyWords?: string, disabled?: boolean, label?: string, onProblem?: (problem: unknown) => void}} props
 */
export function Button({ onPress, children, kind = "", icon, busyWords, disabled = false, label, onProblem }) {
  const { run, busy, problem } = useAction(async () => onPress());
  useEffect(() => {
    if (problem) onProblem?.(problem);
  }, [problem]);
  return html`
    <button type="button" class=${`button ${kind}`} aria-disabled=${busy || undefined} aria-label=${label} disabled=${disabled} onClick=${() => run()}>
      ${icon && html`<${Icon} name=${icon} />`}<span>${busy && busyWords ? busyWords : children}</span>
    </button>
    ${!!problem && !onProblem && html`<${Trouble} problem=${problem} />`}
  `;
}

/** @param {unknown} problem @returns {string} */
export function wordsOf(problem) {
  if (problem instanceof Unreachable) return problem.message;
  if (problem instanceof Problem) {
    if (problem.status >= 500) return "The service could not do this just now. Nothing was changed. Try again in a moment.";
    return problem.detail;
  }
  return "Something on this page did not work. What you typed is kept. Try again, or load the page again.";
}

/**
 * What went wrong, what was kept, what to do.
 * @param {{problem: unknown, retry?: () => void, shown?: string[]}} props `shown`: fields that say their error themselves
 */
export function Trouble({ problem, retry, shown = [] }) {
  const rest = problem instanceof Problem ? problem.errors.filter(({ pointer }) => !shown.includes(pointer.replace(/^#/, "").split("/")[1])) : [];
  return html`<div class="notice trouble" role="alert">
    <${Icon} name="circle-alert" />
    <div>
      <p>${wordsOf(problem)}</p>
      ${rest.length > 0 && html`<ul>${rest.map((each) => html`<li key=${each.pointer}>${each.detail}</li>`)}</ul>`}
      ${retry && html`<button type="button" class="button" onClick=${retry}>Try again</button>`}
    </div>
  </div>`;
}

/** @param {{children: Children, kind?: "needs" | "done" | "", icon?: string}} props */
export function Notice({ children, kind = "", icon = "info" }) {
  return html`<div class=${`notice ${kind}`} role="status"><${Icon} name=${icon} /><div>${children}</div></div>`;
}

/**
 * Nothing here yet: what it would be, and how to get the first.
 * @param {{title: string, children: Children, icon?: string}} props
 */
export function Empty({ title, children, icon = "sprout" }) {
  return html`<div class="empty"><${Icon} name=${icon} /><h2>${title}</h2>${children}</div>`;
}

/** Keeps the place of what is being loaded. @param {{rows?: number, title?: boolean}} props */
export function Skeleton({ rows = 3, title = false }) {
  return html`<div class="skeleton" aria-busy="true">
    <p class="unseen" role="status">Loading</p>
    ${title && html`<div class="bone heading"></div>`}
    ${Array.from({ length: rows }, (_, index) => html`<div class="bone row" key=${index}></div>`)}
  </div>`;
}

/**
 * What is loaded, the wait for it, or why it did not come.
 * @param {{of: {data: any, problem: unknown, reload: () => void}, rows?: number, title?: boolean, children: (data: any) => unknown}} props
 */
export function Loaded({ of, rows = 3, title = false, children }) {
  if (of.data !== null) return html`${!!of.problem && html`<${Trouble} problem=${of.problem} retry=${of.reload} />`}${children(of.data)}`;
  if (of.problem) return html`${title && html`<${Title}>This page did not open<//>`}<${Trouble} problem=${of.problem} retry=${of.reload} />`;
  return html`<${Skeleton} rows=${rows} title=${title} />`;
}

/** @param {{words: string[], label: string}} props */
export function Chips({ words, label }) {
  if (words.length === 0) return null;
  return html`<ul class="chips" aria-label=${label}>${words.map((word) => html`<li key=${word}>${word}</li>`)}</ul>`;
}

/** @param {{href: string, children: Children}} props */
export function Back({ href, children }) {
  return html`<a class="back" href=${href}><${Icon} name="arrow-left" />${children}</a>`;
}

const STATUS = /** @type {Record<string, [string, string]>} */ ({
  proposed: ["Waiting for an answer", "waiting"],
  active: ["Active", "done"],
  booked: ["Booked", "done"],
  accepted: ["Active", "done"],
  declined: ["Declined", "over"],
  withdrawn: ["Withdrawn", "over"],
  cancelled: ["Cancelled", "over"],
  ended: ["Ended", "over"],
  open: ["Open", "waiting"],
  resolved: ["Resolved", "done"],
});

/** @param {{of: string, words?: string}} props */
export function Status({ of, words }) {
  const [usual, kind] = STATUS[of] ?? [of, "over"];
  return html`<span class=${`status ${kind}`}>${words ?? usual}</span>`;
}

/** How many messages are unread, if any. @param {{count: number}} props */
export function Unread({ count }) {
  if (count === 0) return null;
  return html`<span class="badge">${count > 99 ? "99+" : count}<span class="unseen"> unread ${count === 1 ? "message" : "messages"}</span></span>`;
}
