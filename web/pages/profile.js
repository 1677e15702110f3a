import { html, useState } from "../view/preact.js";
import { allZones } from "../client/time.js";
import { announce } from "../view/hooks.js";
import { Area, Choice, Field, Form, Picks } from "../view/form.js";
import { Empty, Notice, Title } from "../view/parts.js";
import { api, refreshMe, useSession } from "../view/session.js";

/** @import { Membership } from "../client/types.js" */

/** Words typed with commas between them, as a list. @param {string} text */
export function words(text) {
  return [...new Set(text.split(/[,;\n]/).map((word) => word.trim()).filter(Boolean))];
}

const zoneChoices = () => allZones().map((zone) => [zone, zone.replaceAll("_", " ")]);

/** @param {{membership: Membership}} props */
function MembershipForm({ membership }) {
  const organisation = membership.organisation.name;
  const [picked, setVisibility] = useState(/** @type {string | null} */ (null));
  const visibility = picked ?? membership.visibility;
  const [saved, setSaved] = useState(false);
  const readers = visibility === "partners" ? `Seen by members of ${organisation} and of its partners.` : `Seen by members of ${organisation} only.`;
  const save = async (/** @type {any} */ values) => {
    setSaved(false);
    await api.patch("/v1/memberships/{membership_id}", {
      path: { membership_id: membership.id },
      body: {
        name: values.name.trim(), headline: values.headline.trim(), bio: values.bio.trim(), zone: values.zone, capacity: Number(values.capacity),
        skills_offered: words(values.skills_offered), skills_wanted: words(values.skills_wanted), languages: words(values.languages),
        visibility: /** @type {Membership["visibility"]} */ (visibility),
      },
    });
    await refreshMe();
    setSaved(true);
    announce("Your profile is saved");
  };
  return html`<${Form} label="My profile" send="Save my profile" sending="Saving …" onSend=${save}
    beside=${html`<a class="button quiet" href=${`/people/${membership.id}`}>See it as others do</a>`}>
    ${saved && html`<${Notice} kind="done" icon="check">Your profile is saved.<//>`}
    <${Picks} legend="Who sees this profile" name="visibility" value=${visibility} onPick=${setVisibility} options=${[
      ["organisation", `Only ${organisation}`, "Partners do not find you."],
      ["partners", `${organisation} and its partners`, "People of partner organisations find you and can ask you."],
    ]} />
    <${Field} name="name" label="Name" value=${membership.name} autocomplete="name" maxLength="80" missing="Enter the name that others shall see." seen=${readers} />
    <${Field} name="headline" label="In one line" optional value=${membership.headline} maxLength="120" hint="For example: Children's social worker, 12 years in child protection" seen=${readers} />
    <${Area} name="bio" label="About you" optional value=${membership.bio} rows=${5} maxLength="4000" seen=${readers} />
    <div class="pair">
      <${Area} name="skills_offered" label="I can help with" optional value=${membership.skills_offered.join(", ")} rows=${3} hint="With commas between them" seen=${readers} />
      <${Area} name="skills_wanted" label="I want to learn" optional value=${membership.skills_wanted.join(", ")} rows=${3} hint="With commas between them" seen=${readers} />
    </div>
    <div class="pair">
      <${Field} name="languages" label="Languages" optional value=${membership.languages.join(", ")} hint="As short codes with commas: en, es, ar" seen=${readers} />
      <${Choice} name="zone" label="Where your clock is" value=${membership.zone} options=${zoneChoices()} seen=${readers} />
    </div>
    <${Field} name="capacity" label="How many people can you mentor at once?" type="number" min="0" max="20" value=${String(membership.capacity)}
      hint="0 means that you are not asked to mentor at the moment." seen=${`${readers} They read how many places are left.`} missing="Enter a number; 0 if you do not mentor." />
  <//>`;
}

function AccountForm() {
  const { me } = useSession();
  const [saved, setSaved] = useState(false);
  return html`<section aria-labelledby="account-title">
    <h2 id="account-title">Your account</h2>
    ${saved && html`<${Notice} kind="done" icon="check">Saved.<//>`}
    <${Form} quiet label="Your account" send="Save my account" sending="Saving …" onSend=${async (/** @type {any} */ { account_name: name, account_zone: zone, show_presence: shown }) => {
      setSaved(false);
      await api.patch("/v1/me", { body: { name: name.trim(), zone, show_presence: shown === "on" } });
      await refreshMe();
      setSaved(true);
    }}>
      <div class="pair">
        <${Field} name="account_name" label="Your name" value=${me?.account.name} autocomplete="name" maxLength="80" missing="Enter your name."
          seen="Given to organisations that you join; each profile has its own." />
        <${Choice} name="account_zone" label="Where your clock is" value=${me?.account.zone} options=${zoneChoices()} seen="Seen by nobody but you." />
      </div>
      <div class="field">
        <label class="switch"><input type="checkbox" name="show_presence" defaultChecked=${me?.account.show_presence} aria-describedby="presence-seen" /><span>Show when I am here</span></label>
        <p class="seen" id="presence-seen">People with whom you share a conversation see whether you are here or away. Nobody sees when you were here last.</p>
      </div>
    <//>
  </section>`;
}

export default function Profile() {
  const { membership } = useSession();
  const fresh = new URLSearchParams(location.search).has("new");
  return html`
    <${Title}>My profile<//>
    ${fresh && membership && html`<${Notice} kind="done" icon="check">Welcome to ${membership.organisation.name}. A few lines here help others to find you; you can change them at any time.<//>`}
    <div class="stack narrow">
      ${membership
        ? html`<section aria-labelledby="membership-title"><h2 id="membership-title">As a member of ${membership.organisation.name}</h2><${MembershipForm} key=${membership.id} membership=${membership} /></section>`
        : html`<${Empty} title="No profile yet" icon="user-round"><p>Your profile belongs to your place in an organisation. You have one as soon as you are a member.</p><//>`}
      <${AccountForm} />
      <section aria-labelledby="time-title"><h2 id="time-title">Your time</h2>
        <p class="bits"><a class="button" href="/availability">When you can meet</a><a class="button" href="/settings">Calendars and reminders</a></p></section>
    </div>`;
}
