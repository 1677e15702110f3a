import { html } from "../view/preact.js";
import { Title } from "../view/parts.js";

export default function NotFound() {
  return html`
    <${Title}>There is nothing at this address<//>
    <p>The link may be old or cut short, or what it leads to is not visible to you.</p>
    <a class="button" href="/">Go to the start</a>`;
}
