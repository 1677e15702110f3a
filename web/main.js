import { html, render, useEffect, useState } from "./view/preact.js";
import { Frame } from "./view/frame.js";
import { Skeleton, Trouble } from "./view/parts.js";
import { find, followLinks, go, usePath } from "./view/router.js";
import { begin, useSession } from "./view/session.js";
import { holdSteady } from "./view/steady.js";
import { Unreachable } from "./client/problem.js";

/** The pages and their paths. `open` ones need no sign-in; `bare` ones bring their own frame. */

/** @type {import("./view/router.js").Route[]} */
const ROUTES = [
  { pattern: "/", load: () => import("./pages/home.js") },
  { pattern: "/sign-in", load: () => import("./pages/sign-in.js"), open: true },
  { pattern: "/sign-up", load: () => import("./pages/sign-up.js"), open: true },
  { pattern: "/verify", load: () => import("./pages/verify.js"), open: true },
  { pattern: "/invitation", load: () => import("./pages/invitation.js"), open: true },
  { pattern: "/mailbox", load: () => import("./pages/mailbox.js"), open: true },
  { pattern: "/people", load: () => import("./pages/people.js") },
  { pattern: "/people/:id", load: () => import("./pages/person.js") },
  { pattern: "/pairings", load: () => import("./pages/pairings.js") },
  { pattern: "/pairings/:id", load: () => import("./pages/pairing.js") },
  { pattern: "/pairings/:id/book", load: () => import("./pages/book.js") },
  { pattern: "/pairings/:id/series", load: () => import("./pages/series-new.js") },
  { pattern: "/series/:id", load: () => import("./pages/series.js") },
  { pattern: "/calendar", load: () => import("./pages/calendar.js") },
  { pattern: "/availability", load: () => import("./pages/availability.js") },
  { pattern: "/settings", load: () => import("./pages/settings.js") },
  { pattern: "/meetings/:id", load: () => import("./pages/meeting.js") },
  { pattern: "/meetings/:id/move", load: () => import("./pages/move.js") },
  { pattern: "/meetings/:id/call", load: () => import("./pages/call.js"), bare: true },
  { pattern: "/messages", load: () => import("./pages/messages.js") },
  { pattern: "/messages/:id", load: () => import("./pages/conversation.js") },
  { pattern: "/organisation", load: () => import("./pages/organisation.js") },
  { pattern: "/profile", load: () => import("./pages/profile.js") },
  { pattern: "/blocks", load: () => import("./pages/blocks.js") },
];
/** @type {import("./view/router.js").Route} */
const NOT_FOUND = { pattern: "", load: () => import("./pages/not-found.js"), open: true };

/** @param {string} path */
function usePage(path) {
  const { route, params } = find(ROUTES, path) ?? { route: NOT_FOUND, params: {} };
  const [loaded, setLoaded] = useState(/** @type {{path: string, Page: Function} | null} */ (null));
  const [problem, setProblem] = useState(/** @type {unknown} */ (null));
  useEffect(() => {
    let current = true;
    setProblem(null);
    route.load().then(
      (module) => current && setLoaded({ path, Page: module.default }),
      (error) => current && setProblem(new Unreachable(error)),
    );
    return () => {
      current = false;
    };
  }, [path]);
  return { route, params, Page: loaded?.path === path ? loaded.Page : null, problem };
}

function App() {
  const path = usePath();
  const { status, membership } = useSession();
  const { route, params, Page, problem } = usePage(path);
  const mustSignIn = status === "out" && !route.open;

  useEffect(() => {
    if (mustSignIn) go(`/sign-in?next=${encodeURIComponent(path + location.search)}`, { replace: true });
  }, [mustSignIn, path]);

  let content;
  if (status === "unreachable") content = html`<${Trouble} problem=${new Unreachable()} retry=${begin} />`;
  else if (problem) content = html`<${Trouble} problem=${problem} retry=${() => location.reload()} />`;
  else if (status === "loading" || mustSignIn || !Page) content = html`<${Skeleton} title />`;
  // The key makes a page start afresh when it shows something else or somebody else acts.
  else content = html`<${Page} key=${path + membership?.id} ...${params} />`;
  return html`
    <${Frame} path=${path} bare=${route.bare}>${content}<//>
    <div id="announcements" class="unseen" aria-live="polite" role="log"></div>`;
}

followLinks();
void begin();
const root = document.getElementById("app");
if (root) {
  holdSteady(root);
  render(html`<${App} />`, root);
}
