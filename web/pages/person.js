import { html, useState } from "../view/preact.js";
import { useLoad } from "../view/hooks.js";
import { Area, Form, Picks } from "../view/form.js";
import { Avatar, Back, Chips, firstName, From, Loaded, Notice, Title } from "../view/parts.js";
import { Safety } from "../view/safety.js";
import { api, useSession } from "../view/session.js";
import { useFresh } from "../view/live.js";
import { go } from "../view/router.js";
import { clock, offsetAt, placeOf, sharedHours } from "../client/time.js";
import { languageName } from "../view/languages.js";
import { roomWords } from "./people.js";

/** @import { Pairing, Person } from "../client/types.js" */
/** @typedef {{key: string, kind: "one_to_one" | "peers" | "reciprocal", role: "mentee" | "mentor" | "peer", words: string, ask: string}} Way */

/** The ways in which one can ask somebody. @param {Person} person @returns {Way[]} */
function waysTo(person) {
  const name = firstName(person.name);
  const mentor = /** @type {Way} */ ({ key: "mentor", kind: "one_to_one", role: "mentee", words: `${name} mentors me`, ask: `Ask ${name} to be your mentor` });
  const rest = /** @type {Way[]} */ ([
    { key: "mentee", kind: "one_to_one", role: "mentor", words: `I mentor ${name}`, ask: `Offer to be ${name}'s mentor` },
    { key: "reciprocal", kind: "reciprocal", role: "peer", words: "We mentor each other", ask: `Ask ${name} to mentor each other` },
    { key: "peers", kind: "peers", role: "peer", words: "We learn as peers", ask: `Ask ${name} to learn together` },
  ]);
  return person.places_left > 0 ? [mentor, ...rest] : rest;
}

/** @param {{person: Person, membershipId: string}} props */
function Ask({ person, membershipId }) {
  const ways = waysTo(person);
  const [key, pick] = useState(ways[0].key);
  const way = ways.find((each) => each.key === key) ?? ways[0];
  const name = firstName(person.name);
  return html`<section class="card ask" aria-labelledby="ask">
    <h2 id="ask">${way.ask}</h2>
    ${person.places_left === 0 && html`<p class="quiet">${name} has no free place for a mentee at the moment. You can still ask for something else.</p>`}
    <${Form} label=${way.ask} send=${way.ask} sending="Asking …" onSend=${async (/** @type {any} */ { note }) => {
      const pairing = await api.post("/v1/pairings", {
        body: { membership_id: membershipId, counterpart_id: person.id, kind: way.kind, role: way.role, note: note.trim() },
      });
      go(`/pairings/${pairing.id}`);
    }}>
      <${Picks} legend="How" name="way" value=${key} onPick=${pick} options=${ways.map((each) => [each.key, each.words])} />
      <${Area} name="note" label="Your note" rows=${5} maxLength="2000" missing=${`Write a line to ${name}: why them, and what you hope for.`}
        hint=${`What you would like to get better at, and why ${name}. Two or three sentences are plenty.`} seen=${`Seen by ${name} only.`} />
    <//>
    <p class="quiet">Most people answer within a week. You can take the question back until then.</p>
  </section>`;
}

/** @param {{pairing: Pairing, name: string}} props */
function Already({ pairing, name }) {
  const words = pairing.status === "active" ? `You and ${name} are working together.`
    : pairing.may.includes("accept") ? `${name} has asked you and waits for your answer.` : `You have asked ${name} and wait for an answer.`;
  return html`<section class="card ask"><h2>${words}</h2><a class="button primary" href=${`/pairings/${pairing.id}`}>Open the pairing</a></section>`;
}

/** @param {{person: Person}} props */
function About({ person }) {
  const { zone } = useSession();
  const now = new Date();
  const apart = (offsetAt(now, person.zone) - offsetAt(now, zone)) / 60;
  const distance = apart === 0 ? "the same time as yours" : `${Math.abs(apart)} ${Math.abs(apart) === 1 ? "hour" : "hours"} ${apart > 0 ? "ahead of" : "behind"} you`;
  return html`<div class="about">
    ${person.bio ? html`<p class="bio">${person.bio}</p>` : html`<p class="quiet">${firstName(person.name)} has not written about themselves yet.</p>`}
    <dl class="details">
      ${person.skills_offered.length > 0 && html`<div><dt>Can help with</dt><dd><${Chips} words=${person.skills_offered} label="Can help with" /></dd></div>`}
      ${person.skills_wanted.length > 0 && html`<div><dt>Wants to learn</dt><dd><${Chips} words=${person.skills_wanted} label="Wants to learn" /></dd></div>`}
      ${person.languages.length > 0 && html`<div><dt>Speaks</dt><dd>${person.languages.map(languageName).join(", ")}</dd></div>`}
      <div><dt>Time</dt><dd>${clock(now, person.zone)} in ${placeOf(person.zone)} now, ${distance}; ${sharedHours(now, zone, person.zone)} hours of the day suit you both</dd></div>
      <div><dt>Mentoring</dt><dd>${roomWords(person)}</dd></div>
    </dl>
  </div>`;
}

/** What one can do together, or does already. @param {{person: Person, pairings: Pairing[], membershipId?: string}} props */
function Together({ person, pairings, membershipId }) {
  const [writing, setWriting] = useState(false);
  const together = pairings.find((pairing) => pairing.kind !== "circle" && (pairing.status === "active" || pairing.status === "proposed")
    && pairing.participants.some((each) => !each.is_me && each.person.id === person.id));
  // They may have asked while I was writing the same to them: what is written stays.
  return html`
    ${together && html`<${Already} pairing=${together} name=${firstName(person.name)} />`}
    ${(!together || writing) && membershipId && html`<div onInput=${() => setWriting(true)}><${Ask} person=${person} membershipId=${membershipId} /></div>`}`;
}

/** @param {{id: string}} props */
export default function PersonPage({ id }) {
  const { membership, me } = useSession();
  const loaded = useLoad(async () => {
    const [person, pairings] = await Promise.all([api.get("/v1/people/{membership_id}", { path: { membership_id: id } }), api.all("/v1/pairings")]);
    return { person, pairings };
  }, [id]);
  // Of others' profiles nobody is told; and whom one blocks here stays, so that one can undo it.
  const look = async () => loaded.data && loaded.put({ ...loaded.data, pairings: await api.all("/v1/pairings") });
  useFresh(look, ["/v1/pairings"]);
  return html`
    <${Back} href="/people">People<//>
    <${Loaded} of=${loaded} title>${(/** @type {{person: Person, pairings: Pairing[]}} */ { person, pairings }) => {
      const isMe = me?.memberships.some((each) => each.id === person.id);
      return html`
        <header class="person-head">
          <${Avatar} id=${person.id} name=${person.name} size="large" />
          <div>
            <${Title}>${person.name}<//>
            ${person.headline && html`<p class="lead">${person.headline}</p>`}
            <p class="quiet"><${From} organisation=${person.organisation} mine=${membership?.organisation} /></p>
          </div>
        </header>
        <div class="two">
          <div class="stack">
            <${About} person=${person} />
          </div>
          <aside class="stack">
            ${isMe ? html`<${Notice} icon="eye">This is how others see you. <a href="/profile">Change it</a><//>`
              : html`<${Together} person=${person} pairings=${pairings} membershipId=${membership?.id} />`}
            ${!isMe && html`<${Safety} membershipId=${person.id} name=${person.name} />`}
          </aside>
        </div>`;
    }}<//>`;
}
