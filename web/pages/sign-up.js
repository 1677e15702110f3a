import { html, useState } from "../view/preact.js";
import { allZones, deviceZone } from "../client/time.js";
import { Choice, Field, Form } from "../view/form.js";
import { Button, Notice, Title } from "../view/parts.js";
import { api, useSession } from "../view/session.js";
import { keptInvitation } from "../view/invited.js";

/** @param {{email: string, mailbox: boolean}} props */
function Sent({ email, mailbox }) {
  const [again, setAgain] = useState(false);
  return html`<div class="door"><div>
    <${Title}>Look in your mailbox<//>
    <p>If the address is right, a link is on its way to <strong>${email}</strong>. Open it to confirm that the address is yours; then you can sign in.</p>
    <div class="buttons">
      <${Button} onPress=${async () => {
        await api.post("/v1/accounts/verification", { body: { email } });
        setAgain(true);
      }}>Send the link again<//>
      <a class="button quiet" href="/sign-in">Go to sign in</a>
    </div>
    ${again && html`<${Notice} kind="done" icon="check">Sent once more. It may take a minute to arrive.<//>`}
    ${mailbox && html`<p class="quiet">This is a development server: its letters are in the <a href="/mailbox">mailbox</a>.</p>`}
  </div></div>`;
}

export default function SignUp() {
  const { config } = useSession();
  const [sentTo, setSentTo] = useState("");
  const invitation = keptInvitation();
  if (sentTo) return html`<${Sent} email=${sentTo} mailbox=${Boolean(config?.mailbox)} />`;
  return html`<div class="door"><div>
    <p class="tagline">Someone who has been there is a call away.</p>
    <${Title}>Create your account<//>
    ${config && !config.open_registration && !invitation && html`<${Notice} icon="mail">
      Accounts here begin with an invitation from an organisation. Open the link in your invitation first.
    <//>`}
    <${Form} label="Create account" send="Create account" sending="Creating …" onSend=${async (/** @type {any} */ values) => {
      const { name, email, password, zone } = values;
      await api.post("/v1/accounts", { body: { name, email, password, zone, ...(invitation ? { invitation_token: invitation } : {}) } });
      setSentTo(email);
    }}>
      <${Field} name="name" label="Your name" autocomplete="name" maxLength="80" missing="Enter the name that others shall see."
        seen="Seen by people in your organisations and in their partner organisations." />
      <${Field} name="email" label="E-mail" type="email" autocomplete="username" missing="Enter your e-mail address."
        seen="Seen by nobody but you and the people who run your organisation." />
      <${Field} name="password" label="Password" type="password" autocomplete="new-password" minLength="10"
        hint="At least 10 characters. Three or four words are easy to remember and hard to guess." missing="Choose a password." />
      <${Choice} name="zone" label="Where your clock is" value=${deviceZone()} options=${allZones().map((zone) => [zone, zone.replaceAll("_", " ")])}
        hint="All times are shown to you in this zone." />
    <//>
    <p class="door-other">Already have one? <a href="/sign-in">Sign in</a></p>
  </div></div>`;
}
