import { Problem } from "../client/problem.js";
import { useCallback, useEffect, useRef, useState } from "./preact.js";

/** Loading, doing and telling: the few hooks that every page uses. */

/**
 * Load something when the page opens and whenever `about` changes. What was loaded stays while it is loaded again.
 * @template T
 * @param {() => Promise<T>} load
 * @param {unknown[]} about
 */
export function useLoad(load, about) {
  const [state, setState] = useState(/** @type {{data: T | null, problem: unknown}} */ ({ data: null, problem: null }));
  const latest = useRef(0);
  const again = useCallback(async () => {
    const mine = (latest.current += 1);
    try {
      const data = await load();
      if (mine === latest.current) setState({ data, problem: null });
    } catch (problem) {
      if (mine === latest.current) setState((old) => ({ ...old, problem }));
    }
  }, about);
  useEffect(() => {
    setState((old) => (old.data === null && old.problem === null ? old : { data: null, problem: null }));
    void again();
    return () => {
      latest.current += 1;
    };
  }, [again]);
  // By itself and unasked: what cannot be read just now is no news, what is gone is gone. Says whether it is known now.
  const refresh = useCallback(async () => {
    const mine = (latest.current += 1);
    try {
      const data = await load();
      if (mine === latest.current) setState({ data, problem: null });
    } catch (problem) {
      const gone = problem instanceof Problem && [403, 404].includes(problem.status);
      if (mine === latest.current) setState((old) => (gone ? { data: null, problem } : old.data === null ? { ...old, problem } : old));
      return gone;
    }
    return true;
  }, about);
  const put = useCallback((/** @type {T} */ data) => setState({ data, problem: null }), []);
  return { ...state, reload: again, refresh, put };
}

/**
 * Do something once at a time, and keep what went wrong.
 * @template {any[]} A
 * @param {(...given: A) => Promise<unknown>} act
 */
export function useAction(act) {
  const [state, setState] = useState(/** @type {{busy: boolean, problem: unknown}} */ ({ busy: false, problem: null }));
  const running = useRef(false);
  const run = async (/** @type {A} */ ...given) => {
    if (running.current) return;
    running.current = true;
    setState({ busy: true, problem: null });
    try {
      await act(...given);
      setState({ busy: false, problem: null });
    } catch (problem) {
      setState({ busy: false, problem });
    } finally {
      running.current = false;
    }
  };
  return { ...state, run };
}

/** An idempotency key for each thing that is sent: the same while that is the same, so that "try again" does it once. */
export function useKeys() {
  const kept = useRef({ said: "", key: "" });
  return (/** @type {unknown} */ body) => {
    const said = JSON.stringify(body);
    if (said !== kept.current.said) kept.current = { said, key: crypto.randomUUID() };
    return kept.current.key;
  };
}

/** The time, kept fresh for words like "in 5 minutes". */
export function useNow(everyMs = 15_000) {
  const [now, setNow] = useState(new Date());
  useEffect(() => {
    const timer = setInterval(() => setNow(new Date()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}

const WIDE = "(min-width: 880px)";

/** Whether there is room for two things beside each other. */
export function useWide() {
  const [wide, setWide] = useState(() => matchMedia(WIDE).matches);
  useEffect(() => {
    const query = matchMedia(WIDE);
    const look = () => setWide(query.matches);
    query.addEventListener("change", look);
    return () => query.removeEventListener("change", look);
  }, []);
  return wide;
}

/** What was read aloud stays there for no longer than that takes. */
const ALOUD_MS = 10_000;

/**
 * Say something to people who use a screen reader, without interrupting them. Returns how to take it back.
 * @param {string} words
 */
export function announce(words) {
  const line = document.createElement("p");
  line.textContent = words;
  document.getElementById("announcements")?.append(line);
  const takeBack = () => line.remove();
  setTimeout(takeBack, ALOUD_MS);
  return takeBack;
}
