import { Conversations } from "../client/conversations.js";
import { Events } from "../client/events.js";
import { kindsFor } from "../client/followed.js";
import { Gather } from "../client/gather.js";
import { clearDevice, Outbox } from "../client/outbox.js";
import { useEffect, useRef, useState } from "./preact.js";
import { api } from "./service.js";

/** What goes on while somebody is signed in: events come in, messages go out, and others see who is here. */

/** @typedef {import("../client/events.js").EventsState} EventsState */

/** The first page waits this long for what happened so far: what it reads afterwards needs no second reading. */
const HEAD_START_MS = 800;
/** Pages look again by themselves now and then, whatever the events say. */
const SLOWLY_MS = 120_000;
/** Whoever has not touched anything for this long, or looks at another tab, is away. */
const IDLE_MS = 300_000;
const HIDDEN_MS = 60_000;
/** A loss that is over before anybody notices is not worth words. */
const WORDS_AFTER_MS = 1_500;

export const events = new Events({ api });
const changes = new EventTarget();
/** @type {Outbox | null} */
let outbox = null;
/** @type {Conversations | null} */
let conversations = null;
let lastTouch = 0;
/** Whether the person wants to be seen. */
let visible = true;
/** Calls on this page: who talks need not touch anything. */
let talking = 0;

/** Begin to hear; resolves when the streams are known, or after a moment. */
export async function hear() {
  await Promise.race([events.start(), new Promise((resolve) => setTimeout(resolve, HEAD_START_MS))]);
}

/** Somebody is here. @param {string} account */
export function arrive(account) {
  if (outbox?.account === account) return;
  if (outbox) leave();
  void events.start();
  clearDevice(account);
  outbox = new Outbox({ api, account });
  conversations = new Conversations({ api, events });
  changes.dispatchEvent(new Event("change"));
  // After what the page itself needs.
  setTimeout(loadAll, 200);
}

/** Nobody is here any more. @param {{forGood?: boolean}} [how] signed out by their own wish: nothing stays on the device */
export function leave({ forGood = false } = {}) {
  events.stop();
  conversations?.stop();
  if (forGood) outbox?.clear();
  else outbox?.stop();
  conversations = outbox = null;
  changes.dispatchEvent(new Event("change"));
}

function loadAll() {
  if (conversations && !conversations.loaded) conversations.load().catch(() => undefined);
}

events.onState((state) => {
  if (state !== "live" && state !== "late") return;
  void outbox?.kick();
  loadAll();
});

/** How many messages would be lost by signing out. */
export function unsent() {
  return outbox?.letters().length ?? 0;
}

/** Everything that conversations need, or null while nobody is signed in. */
export function belongings() {
  return outbox && conversations ? { api, events, outbox, conversations } : null;
}

/** Tell others whether somebody sits here. */
function look() {
  const hidden = document.visibilityState === "hidden";
  const still = performance.now() - lastTouch;
  const away = talking === 0 && still > (hidden ? HIDDEN_MS : IDLE_MS);
  events.company.setState(!visible ? "hidden" : away ? "away" : "online");
}

/** Whether others shall see when this person is here. @param {boolean} wanted */
export function showPresence(wanted) {
  if (wanted === visible) return;
  visible = wanted;
  look();
  // The ticket says it, too: the one in use says that nobody is to be shown.
  if (wanted) events.line.renew();
}

for (const type of ["pointerdown", "pointermove", "keydown", "scroll", "touchstart"]) {
  addEventListener(type, () => {
    lastTouch = performance.now();
    if (events.company.state === "away") look();
  }, { capture: true, passive: true });
}
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") {
    lastTouch = performance.now();
    events.wake();
    void outbox?.kick();
  }
  look();
});
setInterval(look, 15_000);

/** Whoever is in a call is here. @param {boolean} on */
export function useTalking(on) {
  useEffect(() => {
    if (!on) return;
    talking += 1;
    look();
    return () => {
      talking -= 1;
      lastTouch = performance.now();
    };
  }, [on]);
}

/** @param {EventTarget | null | undefined} target @param {string} [type] */
export function useChanges(target, type = "change") {
  const [, draw] = useState(0);
  useEffect(() => {
    if (!target) return;
    const again = () => draw((count) => count + 1);
    target.addEventListener(type, again);
    // Something may have changed between the drawing and now.
    again();
    return () => target.removeEventListener(type, again);
  }, [target, type]);
}

/** All conversations; the component is drawn again when one changes. */
export function useConversations() {
  useChanges(changes);
  useChanges(conversations);
  return conversations;
}

/**
 * The conversation of a pairing or a meeting; null when there is none, undefined while that is not known.
 * @param {{pairing: string} | {meeting: string}} of
 */
export function useConversationOf(of) {
  const all = useConversations();
  const [looked, setLooked] = useState("");
  const found = all?.of(of) ?? null;
  const state = useEventsState();
  const key = JSON.stringify(of);
  useEffect(() => {
    all?.find(of).then(() => setLooked(key), () => undefined);
  }, [all, key, state === "live"]);
  return found ?? (looked === key ? null : undefined);
}

/** How events reach us at this moment. */
export function useEventsState() {
  const [state, setState] = useState(events.state);
  useEffect(() => {
    setState(events.state);
    return events.onState(setState);
  }, []);
  return state;
}

const WORDS = /** @type {Partial<Record<EventsState, string>>} */ ({
  connecting: "Connecting …",
  "catching up": "Connecting …",
  offline: "You are offline. What you write is sent when you are back.",
  late: "Messages may arrive late.",
  replaced: "Mentorspan is open in many windows. Here, messages arrive late.",
});

/** The state in words, once it has lasted; nothing while all is well. */
export function useStateWords() {
  const state = useEventsState();
  const now = WORDS[state] ?? "";
  const [words, setWords] = useState("");
  useEffect(() => {
    if (!now) return setWords("");
    const timer = setTimeout(() => setWords(now), words ? 0 : WORDS_AFTER_MS);
    return () => clearTimeout(timer);
  }, [now]);
  return { words, replaced: state === "replaced" };
}

/**
 * Look again when something was heard that may change what was read, when everything must be read afresh, and slowly anyway.
 * @param {() => unknown} again returns or promises `false` when it could not
 * @param {import("../client/followed.js").Followed[]} paths what it reads
 * @param {Record<string, string | undefined>} [only] by kind of event: the id that it must be about
 */
export function useFresh(again, paths, only = {}) {
  const latest = useRef({ again, only });
  latest.current = { again, only };
  const kinds = kindsFor(paths);
  useEffect(() => {
    const gather = new Gather(() => latest.current.again());
    const stops = kinds.map((kind) => events.on(kind, ({ data }) => {
      const about = latest.current.only[kind];
      if (!about || about === data.id) gather.soon();
    }));
    stops.push(events.onReset(({ kind }) => kind !== "conversation" && gather.soon()));
    const slowly = setInterval(() => document.visibilityState === "visible" && gather.soon(), SLOWLY_MS);
    return () => {
      for (const stop of stops) stop();
      gather.stop();
      clearInterval(slowly);
    };
  }, [kinds.join()]);
}
