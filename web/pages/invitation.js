import { html, useState } from "../view/preact.js";
import { Button, Title } from "../view/parts.js";
import { go } from "../view/router.js";
import { actAs, api, refreshMe, signOut, useSession } from "../view/session.js";
import { dropInvitation, keepInvitation, keptInvitation, takeToken } from "../view/invited.js";

export default function Invitation() {
  const { status, me, config } = useSession();
  const [token] = useState(() => {
    const fresh = takeToken();
    if (fresh) keepInvitation(fresh);
    return fresh ?? keptInvitation();
  });
  if (!token) {
    return html`<div class="door"><div>
      <${Title}>No invitation here<//>
      <p>The address of this page is not complete. Open the link from your invitation again.</p>
      <a class="button" href="/">Go to the start</a>
    </div></div>`;
  }
  if (status !== "in") {
    return html`<div class="door"><div>
      <${Title}>You are invited<//>
      <p>An organisation would like you to join it on Mentorspan. Create an account with the e-mail address that the invitation came to, or sign in if you have one.</p>
      <div class="buttons">
        <a class="button primary" href="/sign-up">Create account</a>
        <a class="button" href="/sign-in?next=/invitation">Sign in</a>
      </div>
      ${config?.mailbox && html`<p class="quiet">This is a development server: its letters are in the <a href="/mailbox">mailbox</a>.</p>`}
    </div></div>`;
  }
  return html`<div class="door"><div>
    <${Title}>You are invited<//>
    <p>Join as <strong>${me?.account.name}</strong> (${me?.account.email})? Your profile starts empty; you decide what others read there.</p>
    <div class="buttons">
      <${Button} kind="primary" onPress=${async () => {
        const membership = await api.post("/v1/invitations/accept", { body: { token } });
        dropInvitation();
        await refreshMe();
        actAs(membership.id);
        go("/profile?new=1");
      }}>Join<//>
      <${Button} onPress=${async () => {
        await signOut();
        go("/sign-in?next=/invitation");
      }}>Use another account<//>
      <${Button} kind="quiet" onPress=${() => {
        dropInvitation();
        go("/");
      }}>Not now<//>
    </div>
  </div></div>`;
}
