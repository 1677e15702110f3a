import { html, useEffect, useState } from "../view/preact.js";
import { Field, Form } from "../view/form.js";
import { Notice, Skeleton, Title, wordsOf } from "../view/parts.js";
import { api, useSession } from "../view/session.js";
import { takeToken } from "../view/invited.js";

/** @param {{words: string}} props */
function Failed({ words }) {
  const [sent, setSent] = useState(false);
  return html`<${Title}>This link did not work<//>
    <p>${words}</p>
    <p>Links work once and for a limited time. Get a new one:</p>
    <${Form} label="Send a new link" send="Send a new link" onSend=${async (/** @type {any} */ { email }) => {
      await api.post("/v1/accounts/verification", { body: { email } });
      setSent(true);
    }}>
      <${Field} name="email" label="E-mail" type="email" autocomplete="username" missing="Enter the e-mail address of your account." />
    <//>
    ${sent && html`<${Notice} kind="done" icon="check">If an account waits for this address, a new link is on its way.<//>`}`;
}

export default function Verify() {
  const { status } = useSession();
  const [result, setResult] = useState(/** @type {"waiting" | "done" | string} */ ("waiting"));
  useEffect(() => {
    const token = takeToken();
    if (!token) return setResult("The address of this page is not complete. Open the link from your e-mail again.");
    api.post("/v1/accounts/verify", { body: { token } }).then(
      () => setResult("done"),
      (problem) => setResult(wordsOf(problem)),
    );
  }, []);
  if (result === "waiting") return html`<div class="door"><div><${Skeleton} title rows=${1} /></div></div>`;
  return html`<div class="door"><div>
    ${result === "done"
      ? html`<${Title}>Your e-mail address is confirmed<//>
          <p>Your account is ready.</p>
          <div class="buttons"><a class="button primary" href=${status === "in" ? "/" : "/sign-in"}>${status === "in" ? "Go on" : "Sign in"}</a></div>`
      : html`<${Failed} words=${result} />`}
  </div></div>`;
}
