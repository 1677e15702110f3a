import { html } from "../view/preact.js";
import { Field, Form } from "../view/form.js";
import { Button, Title } from "../view/parts.js";
import { go } from "../view/router.js";
import { signIn, useSession } from "../view/session.js";

/** @import { DemoSignIn } from "../client/types.js" */

/** Only paths of our own are followed after signing in. */
export function nextPath() {
  const next = new URLSearchParams(location.search).get("next") ?? "/";
  return next.startsWith("/") && !next.startsWith("//") && !next.includes("\\") ? next : "/";
}

/** @param {{people: DemoSignIn[]}} props */
function Demo({ people }) {
  return html`<section class="demo" aria-labelledby="demo-title">
    <h2 id="demo-title">Look around as somebody else</h2>
    <p class="quiet">This is a demonstration: all of these people are made up.</p>
    <ul class="demo-people">
      ${people.map((person) => html`<li key=${person.email}>
        <div><strong>${person.name}</strong><p class="quiet">${person.what}</p></div>
        <${Button} label=${`Try as ${person.name}`} onPress=${async () => {
          await signIn(person.email, person.password);
          go(nextPath());
        }}>Try<//>
      </li>`)}
    </ul>
  </section>`;
}

export default function SignIn() {
  const { config } = useSession();
  const demo = config?.demo ?? [];
  return html`<div class=${demo.length > 0 ? "door with-demo" : "door"}>
    <div>
      <p class="tagline">Someone who has been there is a call away.</p>
      <${Title}>Sign in<//>
      <${Form} label="Sign in" send="Sign in" sending="Signing in …" onSend=${async (/** @type {any} */ values) => {
        await signIn(values.email, values.password);
        go(nextPath());
      }}>
        <${Field} name="email" label="E-mail" type="email" autocomplete="username" missing="Enter the e-mail address of your account." />
        <${Field} name="password" label="Password" type="password" autocomplete="current-password" missing="Enter your password." />
      <//>
      <p class="door-other">${config?.open_registration
        ? html`New here? <a href="/sign-up">Create an account</a>`
        : "You need an invitation from an organisation to create an account. It comes by e-mail."}</p>
    </div>
    ${demo.length > 0 && html`<${Demo} people=${demo} />`}
  </div>`;
}
