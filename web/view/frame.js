import { html, useEffect, useRef, useState } from "./preact.js";
import { go } from "./router.js";
import { Avatar, Icon, Unread } from "./parts.js";
import { Reminded } from "./reminded.js";
import { actAs, signOut, useSession } from "./session.js";
import { events, unsent, useConversations, useStateWords } from "./live.js";
import { currentTheme, setTheme } from "./theme.js";

/** What stands around every page: the rail or the bar, the account menu, and the region that is read aloud. */

/** The last one stands in the rail only; the bar has room for five, and the last of those is oneself. */
const PLACES = [
  { href: "/", icon: "house", words: "Home" },
  { href: "/pairings", icon: "heart-handshake", words: "Pairings" },
  { href: "/calendar", icon: "calendar", words: "Calendar" },
  { href: "/messages", icon: "messages-square", words: "Messages" },
  { href: "/people", icon: "users", words: "People" },
  { href: "/organisation", icon: "building-2", words: "Organisation" },
];

/** The calendar is one step away on a phone, from the start page and the account menu. */
const BAR = [...PLACES.slice(0, -1).filter(({ href }) => href !== "/calendar"), { href: "/profile", icon: "user-round", words: "You" }];

/** @param {{path: string, places: typeof PLACES}} props */
function Places({ path, places }) {
  const unread = useConversations()?.unread ?? 0;
  const here = (/** @type {string} */ href) => (href === "/" ? path === "/" : path === href || path.startsWith(`${href}/`));
  return html`<ul class="places">
    ${places.map(({ href, icon, words }) => html`<li key=${href}>
      <a href=${href} aria-current=${here(href) ? "page" : undefined}><${Icon} name=${icon} /><span>${words}</span>${href === "/messages" && html`<${Unread} count=${unread} />`}</a>
    </li>`)}
  </ul>`;
}

const THEMES = /** @type {const} */ ([["system", "Like the device"], ["light", "Light"], ["dark", "Dark"]]);

function ThemeSwitch() {
  const [theme, choose] = useState(currentTheme());
  return html`<fieldset class="theme">
    <legend>Colours</legend>
    ${THEMES.map(([key, words]) => html`<label key=${key}>
      <input type="radio" name="theme" checked=${theme === key} onChange=${() => {
        setTheme(key);
        choose(key);
      }} />
      <span>${words}</span>
    </label>`)}
  </fieldset>`;
}

function AccountMenu() {
  const { me, membership, config } = useSession();
  const [open, setOpen] = useState(false);
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const opener = useRef(/** @type {HTMLElement | null} */ (null));

  useEffect(() => {
    if (!open) return;
    const outside = (/** @type {Event} */ event) => {
      if (!box.current?.contains(/** @type {Node} */ (event.target))) setOpen(false);
    };
    const escape = (/** @type {KeyboardEvent} */ event) => {
      if (event.key !== "Escape") return;
      setOpen(false);
      opener.current?.focus();
    };
    document.addEventListener("pointerdown", outside);
    document.addEventListener("focusin", outside);
    document.addEventListener("keydown", escape);
    return () => {
      document.removeEventListener("pointerdown", outside);
      document.removeEventListener("focusin", outside);
      document.removeEventListener("keydown", escape);
    };
  }, [open]);

  if (!me) return null;
  const leave = async () => {
    await signOut().catch(() => undefined);
    go("/sign-in");
  };
  return html`<div class="account" ref=${box}>
    <button type="button" class="account-opener" ref=${opener} aria-expanded=${open} aria-controls="account-menu" onClick=${() => setOpen(!open)}>
      <${Avatar} id=${me.account.id} name=${me.account.name} size="small" />
      <span class="account-name">${me.account.name}<small>${membership?.organisation.name ?? "No organisation yet"}</small></span>
      <span class="unseen">: account menu</span>
      <${Icon} name="chevrons-up-down" className="faint" />
    </button>
    <div id="account-menu" class="menu" hidden=${!open}>
      <p class="menu-email">${me.account.email}</p>
      ${me.memberships.length > 1 && html`<fieldset class="memberships">
        <legend>Act as a member of</legend>
        ${me.memberships.map((each) => html`<label key=${each.id}>
          <input type="radio" name="membership" checked=${each.id === membership?.id} onChange=${() => actAs(each.id)} />
          <span>${each.organisation.name}</span>
        </label>`)}
      </fieldset>`}
      <ul class="menu-links" onClick=${() => setOpen(false)}>
        <li><a href="/profile"><${Icon} name="user-round" />My profile</a></li>
        <li class="phone-only"><a href="/calendar"><${Icon} name="calendar" />Calendar</a></li>
        <li><a href="/availability"><${Icon} name="clock" />When I can meet</a></li>
        <li><a href="/settings"><${Icon} name="bell" />Calendars and reminders</a></li>
        <li><a href="/organisation"><${Icon} name="building-2" />My organisation</a></li>
        <li><a href="/blocks"><${Icon} name="shield" />People I have blocked</a></li>
        ${config?.mailbox && html`<li><a href="/mailbox"><${Icon} name="mail" />Mailbox (development)</a></li>`}
      </ul>
      <${ThemeSwitch} />
      <${SignOut} leave=${leave} />
    </div>
  </div>`;
}

/** What is written and not sent would be lost: that is said before. @param {{leave: () => Promise<unknown>}} props */
function SignOut({ leave }) {
  const [asking, setAsking] = useState(0);
  if (asking === 0) {
    return html`<button type="button" class="button wide" onClick=${() => (unsent() > 0 ? setAsking(unsent()) : leave())}><${Icon} name="log-out" /><span>Sign out</span></button>`;
  }
  return html`<div class="leaving" role="alert">
    <p>${asking === 1 ? "A message of yours is" : `${asking} messages of yours are`} not sent yet. Signing out discards ${asking === 1 ? "it" : "them"}.</p>
    <button type="button" class="button danger wide" onClick=${leave}>Discard and sign out</button>
    <button type="button" class="button wide" onClick=${() => setAsking(0)}>Stay</button>
  </div>`;
}

/** Says in a thin line that the network is gone. It takes no room, so nothing moves; a conversation says it itself. @param {{signedIn: boolean}} props */
function Connection({ signedIn }) {
  const [online, setOnline] = useState(navigator.onLine);
  const { words, replaced } = useStateWords();
  useEffect(() => {
    const look = () => setOnline(navigator.onLine);
    addEventListener("online", look);
    addEventListener("offline", look);
    return () => {
      removeEventListener("online", look);
      removeEventListener("offline", look);
    };
  }, []);
  const said = signedIn ? words : online ? "" : "You are offline. What you see may be old; nothing you type is lost.";
  return html`<div class="connection"><p role="status">${said}</p>
    ${signedIn && replaced && words && html`<button type="button" onClick=${() => events.start()}>Use this window</button>`}
  </div>`;
}

export function Brand() {
  return html`<a class="brand" href="/"><img src="/web/style/mark.svg" alt="" width="32" height="32" /><span>Mentorspan</span></a>`;
}

/** @param {{path: string, bare?: boolean, children: unknown}} props */
export function Frame({ path, bare = false, children }) {
  const { status, membership } = useSession();
  const signedIn = status === "in";
  const skip = (/** @type {Event} */ event) => {
    event.preventDefault();
    document.getElementById("content")?.focus();
  };
  if (bare) return html`<main id="content" tabindex="-1" class="bare">${children}</main>`;
  return html`
    <a class="skip" href="#content" onClick=${skip}>Skip to the content</a>
    <div class=${signedIn ? "frame" : "frame alone"}>
      <header class="rail">
        <${Brand} />
        ${signedIn && html`
          <p class="rail-organisation">${membership?.organisation.name ?? "No organisation yet"}</p>
          <nav class="rail-places" aria-label="Places"><${Places} path=${path} places=${PLACES} /></nav>
          <${AccountMenu} />`}
      </header>
      ${!path.startsWith("/messages/") && html`<${Connection} signedIn=${signedIn} />`}
      <main id="content" tabindex="-1"><div class="column">${children}</div></main>
      ${signedIn && html`<${Reminded} />`}
      ${signedIn && html`<nav class="bar" aria-label="Places"><${Places} path=${path} places=${BAR} /></nav>`}
    </div>`;
}
