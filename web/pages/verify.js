import { Problem } from "../client/problem.js";
import { html, useState } from "../view/preact.js";
import { Field, Form } from "../view/form.js";
import { Notice, Title, wordsOf } from "../view/parts.js";
import { go } from "../view/router.js";
import { api, signIn } from "../view/session.js";
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

/** @param {{token: string, onTrouble: (words: string) => void}} props */
function Confirm({ token, onTrouble }) {
  return html`<${Title}>Confirm your address<//>
    <p>Sign in with the password that you chose. That shows that this account is yours, not only the mailbox.</p>
    <${Form} label="Confirm and sign in" send="Confirm and sign in" sending="Confirming …" onSend=${async (/** @type {any} */ { email, password }) => {
      try {
        await api.post("/v1/accounts/verify", { body: { token, password } });
      } catch (problem) {
        if (problem instanceof Problem && problem.code === "link_not_usable") return onTrouble(wordsOf(problem));
        throw problem;
      }
      await signIn(email, password);
      go("/", { replace: true });
    }}>
      <${Field} name="email" label="E-mail" type="email" autocomplete="username" missing="Enter your e-mail address." />
      <${Field} name="password" label="Password" type="password" autocomplete="current-password" missing="Enter your password." />
    <//>`;
}

export default function Verify() {
  const [token] = useState(takeToken);
  const [trouble, setTrouble] = useState(token ? "" : "The address of this page is not complete. Open the link from your e-mail again.");
  return html`<div class="door"><div>
    ${token && !trouble ? html`<${Confirm} token=${token} onTrouble=${setTrouble} />` : html`<${Failed} words=${trouble} />`}
  </div></div>`;
}
