import { kindsFor } from "../client/followed.js";
import { Gather } from "../client/gather.js";
import { deviceZone, isZone } from "../client/time.js";
import { arrive, events, hear, leave, showPresence } from "./live.js";
import { useEffect, useState } from "./preact.js";
import { api } from "./service.js";

/** Who is signed in, and as which of their memberships they act. */

/** @import { Config, Me, Membership } from "../client/types.js" */
/** @typedef {{status: "loading" | "out" | "in" | "unreachable", me: Me | null, config: Config | null}} State */

export { api };

const CHOSEN = "mentorspan.membership";
const changes = new EventTarget();
/** @type {State} */
let state = { status: "loading", me: null, config: null };

/** @param {Partial<State>} part */
function change(part) {
  state = { ...state, ...part };
  changes.dispatchEvent(new Event("change"));
}

/** Find out at the start who is here. */
export async function begin() {
  try {
    const config = await api.get("/v1/config");
    change({ config });
    const token = await api.tokens.current();
    if (token) await refreshMe();
    else change({ status: "out", me: null });
  } catch {
    change({ status: "unreachable" });
  }
}

/** Counts readings of who I am: an earlier one that answers later says nothing, nor does any once I have gone. */
let asked = 0;
let answered = 0;

/** Read again who I am and where I belong. */
export async function refreshMe() {
  const mine = (asked += 1);
  const [me] = await Promise.all([api.get("/v1/me"), hear()]);
  if (mine < answered) return;
  answered = mine;
  arrive(me.account.id);
  showPresence(me.account.show_presence);
  change({ status: "in", me });
}

/**
 * @param {string} email
 * @param {string} password
 */
export async function signIn(email, password) {
  await api.signIn(email, password);
  await refreshMe();
}

function forgetMe() {
  answered = asked += 1;
  change({ status: "out", me: null });
}

export async function signOut() {
  leave({ forGood: true });
  try {
    await api.signOut();
  } finally {
    forgetMe();
  }
}

api.tokens.addEventListener("signed-out", () => {
  leave();
  forgetMe();
});
// Another tab signed in as somebody else: nothing on this page is theirs.
api.tokens.addEventListener("account-changed", () => location.reload());

const again = new Gather(() => (state.status === "in" ? refreshMe() : undefined));
for (const kind of kindsFor(["/v1/me"])) events.on(kind, () => again.soon());
events.onReset(({ kind }) => kind !== "conversation" && again.soon());
// The service ended the sign-in. Asking shows it everywhere; should it have been a mistake, we go on.
events.onState((now) => {
  if (now === "signed out" && state.status === "in") setTimeout(() => void refreshMe().catch(() => undefined), 1_000);
});

/** @param {string} id */
export function actAs(id) {
  localStorage.setItem(CHOSEN, id);
  change({});
}

/** The membership that acts now. @returns {Membership | null} */
function acting() {
  const memberships = state.me?.memberships ?? [];
  return memberships.find(({ id }) => id === localStorage.getItem(CHOSEN)) ?? memberships[0] ?? null;
}

/** The zone that "your time" means. */
function myZone() {
  const zone = acting()?.zone ?? state.me?.account.zone;
  return zone && isZone(zone) ? zone : deviceZone();
}

/** The signed-in state; the component is drawn again when it changes. */
export function useSession() {
  const [, draw] = useState(0);
  useEffect(() => {
    const again = () => draw((count) => count + 1);
    changes.addEventListener("change", again);
    return () => changes.removeEventListener("change", again);
  }, []);
  const membership = acting();
  const roles = /** @type {string[]} */ (membership?.roles ?? []);
  return {
    ...state,
    membership,
    zone: myZone(),
    coordinates: roles.includes("coordinator") || roles.includes("administrator"),
    administers: roles.includes("administrator"),
  };
}
