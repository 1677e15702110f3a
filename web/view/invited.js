/** An invitation waits here while its owner signs in or creates an account. Kept for this tab only. */

const KEY = "mentorspan.invitation";

export function keptInvitation() {
  return sessionStorage.getItem(KEY);
}

/** @param {string} token */
export function keepInvitation(token) {
  sessionStorage.setItem(KEY, token);
}

export function dropInvitation() {
  sessionStorage.removeItem(KEY);
}

/** Take the token out of the address, so that it stays neither in the history nor in a screenshot. */
export function takeToken() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token) history.replaceState(null, "", location.pathname + location.search);
  return token;
}
