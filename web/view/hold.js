import { Problem } from "../client/problem.js";
import { withOffset } from "../client/time.js";
import { useEffect, useRef, useState } from "./preact.js";
import { api } from "./session.js";

/** A time that is kept for whoever looks at it, for a few minutes: renewed quietly a few times, and said when it ends. */

/** @import { Hold } from "../client/types.js" */

const RENEW_BEFORE_MS = 60_000;
const RENEWALS = 2;

/** @param {string} pairingId */
export function useHold(pairingId) {
  const [hold, setHold] = useState(/** @type {Hold | null} */ (null));
  const [ranOut, setRanOut] = useState(false);
  const latest = useRef({ hold, asked: 0, renewed: 0 });
  latest.current.hold = hold;
  const ask = (/** @type {Date} */ start, /** @type {number} */ minutes) =>
    api.post("/v1/pairings/{pairing_id}/holds", { path: { pairing_id: pairingId }, body: { starts_at: withOffset(start, "UTC"), duration_minutes: minutes } });

  /** Keep a time; says whether it can be chosen. What is no free time cannot be kept, and may be proposed all the same. */
  const keep = async (/** @type {Date} */ start, /** @type {number} */ minutes) => {
    const mine = (latest.current.asked += 1);
    latest.current.renewed = 0;
    setRanOut(false);
    try {
      const kept = await ask(start, minutes);
      if (mine === latest.current.asked) setHold(kept);
      return true;
    } catch (problem) {
      if (mine === latest.current.asked) setHold(null);
      return !(problem instanceof Problem && problem.status === 409);
    }
  };
  /** No longer wanted; or, booked, used up by the service itself. */
  const release = (used = false) => {
    latest.current.asked += 1;
    const { hold: kept } = latest.current;
    setHold(null);
    setRanOut(false);
    if (kept && !used) void api.delete("/v1/holds/{hold_id}", { path: { hold_id: kept.id } }).catch(() => undefined);
    latest.current.hold = null;
  };

  useEffect(() => {
    if (!hold) return;
    const left = Date.parse(hold.expires_at) - Date.now();
    const minutes = (Date.parse(hold.ends_at) - Date.parse(hold.starts_at)) / 60_000;
    const again = setTimeout(() => {
      if (latest.current.renewed >= RENEWALS || document.visibilityState === "hidden") return;
      const mine = latest.current.asked;
      latest.current.renewed += 1;
      ask(new Date(hold.starts_at), minutes).then((kept) => mine === latest.current.asked && setHold(kept), () => undefined);
    }, Math.max(left - RENEW_BEFORE_MS, 1_000));
    const end = setTimeout(() => {
      setHold(null);
      setRanOut(true);
    }, Math.max(left, 0));
    return () => {
      clearTimeout(again);
      clearTimeout(end);
    };
  }, [hold]);
  useEffect(() => () => release(), []);
  return { hold, ranOut, keep, release };
}
