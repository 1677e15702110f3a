import { html, useEffect, useRef, useState } from "../view/preact.js";
import { announce, useLoad } from "../view/hooks.js";
import { Avatar, Button, Empty, From, Icon, Loaded, Title } from "../view/parts.js";
import { api, useSession } from "../view/session.js";
import { clock, placeOf, sharedHours } from "../client/time.js";
import { languageName } from "../view/languages.js";

/** @import { Person } from "../client/types.js" */
/** @typedef {{q: string, skill: string, language: string, mentors_only: boolean}} Filters */

/** @returns {Filters} */
function fromAddress() {
  const search = new URLSearchParams(location.search);
  return {
    q: search.get("q") ?? "", skill: search.get("skill") ?? "", language: search.get("language") ?? "",
    mentors_only: search.get("everybody") === null,
  };
}

/** @param {Filters} filters */
function toAddress({ q, skill, language, mentors_only }) {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries({ q, skill, language, everybody: mentors_only ? "" : "1" })) if (value) search.set(name, value);
  const text = search.toString();
  history.replaceState(null, "", text ? `/people?${text}` : "/people");
}

/** @param {Person} person */
export function roomWords(person) {
  if (person.capacity === 0) return "Not mentoring at the moment";
  if (person.places_left === 0) return "Has no free place at the moment";
  return `Can take ${person.places_left} more`;
}

/** @param {{person: Person, zone: string, onSkill: (skill: string) => void}} props */
function PersonCard({ person, zone, onSkill }) {
  const { membership } = useSession();
  const now = new Date();
  return html`<li class="card person-card">
    <div class="person-top">
      <${Avatar} id=${person.id} name=${person.name} />
      <div>
        <h2><a href=${`/people/${person.id}`}>${person.name}</a></h2>
        <p class="quiet"><${From} organisation=${person.organisation} mine=${membership?.organisation} /></p>
      </div>
    </div>
    ${person.headline && html`<p class="headline">${person.headline}</p>`}
    ${person.skills_offered.length > 0 && html`<ul class="chips" aria-label="Can help with">
      ${person.skills_offered.slice(0, 4).map((skill) => html`<li key=${skill}><button type="button" class="chip" onClick=${() => onSkill(skill)}><span class="unseen">Show people who can help with </span>${skill}</button></li>`)}
      ${person.skills_offered.length > 4 && html`<li class="chip-more">and ${person.skills_offered.length - 4} more</li>`}
    </ul>`}
    <dl class="facts">
      <div><dt><${Icon} name="clock" /><span class="unseen">Time</span></dt><dd>${clock(now, person.zone)} in ${placeOf(person.zone)}, ${sharedHours(now, zone, person.zone)} hours shared</dd></div>
      ${person.languages.length > 0 && html`<div><dt><${Icon} name="languages" /><span class="unseen">Languages</span></dt><dd>${person.languages.map(languageName).join(", ")}</dd></div>`}
      <div><dt><${Icon} name=${person.places_left > 0 ? "circle-check" : "circle-pause"} className=${person.places_left > 0 ? "good" : ""} /><span class="unseen">Places</span></dt><dd>${roomWords(person)}</dd></div>
    </dl>
  </li>`;
}

/** @param {{filters: Filters, put: (part: Partial<Filters>) => void}} props */
function Chosen({ filters, put }) {
  const chips = /** @type {[string, Partial<Filters>][]} */ ([
    filters.skill && [filters.skill, { skill: "" }],
    filters.language && [languageName(filters.language), { language: "" }],
    !filters.mentors_only && ["Everybody, not only mentors", { mentors_only: true }],
  ].filter(Boolean));
  if (chips.length === 0) return null;
  return html`<ul class="chips chosen" aria-label="Chosen filters">
    ${chips.map(([words, without]) => html`<li key=${words}><button type="button" class="chip on" onClick=${() => put(without)}>${words}<${Icon} name="x" /><span class="unseen">, remove</span></button></li>`)}
  </ul>`;
}

/** @param {Filters} filters @param {string} membershipId */
function useFound(filters, membershipId) {
  const found = useLoad(
    () => api.get("/v1/people", { query: { membership_id: membershipId, limit: 24, ...filters } }),
    [membershipId, filters.q, filters.skill, filters.language, filters.mentors_only],
  );
  const more = async () => {
    const page = await api.get("/v1/people", { query: { membership_id: membershipId, limit: 24, ...filters, cursor: found.data?.next_cursor ?? undefined } });
    found.put({ ...page, items: [...(found.data?.items ?? []), ...page.items] });
  };
  return { ...found, more };
}

/** @param {{membershipId: string}} props */
function Search({ membershipId }) {
  const { zone } = useSession();
  const [filters, setFilters] = useState(fromAddress());
  const [typed, setTyped] = useState(filters.q);
  const timer = useRef(/** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined));
  const found = useFound(filters, membershipId);
  const put = (/** @type {Partial<Filters>} */ part) => setFilters((old) => {
    const filters = { ...old, ...part };
    toAddress(filters);
    return filters;
  });
  useEffect(() => {
    if (found.data) announce(found.data.items.length === 1 ? "1 person found" : `${found.data.items.length}${found.data.next_cursor ? " or more" : ""} people found`);
  }, [found.data]);
  const type = (/** @type {any} */ event) => {
    const q = event.currentTarget.value;
    setTyped(q);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => put({ q }), 250);
  };
  return html`
    <form class="search" role="search" onSubmit=${(/** @type {Event} */ event) => {
      event.preventDefault();
      put({ q: typed });
    }}>
      <label for="people-search" class="unseen">Search people by name, skill or words of their profile</label>
      <${Icon} name="search" />
      <input id="people-search" type="search" value=${typed} onInput=${type} placeholder="Court reports, Spanish, Amara …" autocomplete="off" enterkeyhint="search" />
    </form>
    <div class="filters">
      <label class="switch"><input type="checkbox" checked=${filters.mentors_only} onChange=${(/** @type {any} */ event) => put({ mentors_only: event.currentTarget.checked })} /><span>Only people who mentor</span></label>
      <${Chosen} filters=${filters} put=${put} />
    </div>
    <${Loaded} of=${found} rows=${4}>${(/** @type {any} */ page) => page.items.length === 0
      ? html`<${Empty} title="Nobody fits this search" icon="search">
          <p>Try one word less, such as "reports" for "writing court reports". You see the people of your organisation and of its partners.</p>
          <button type="button" class="button" onClick=${() => {
            setTyped("");
            put({ q: "", skill: "", language: "", mentors_only: true });
          }}>Clear the search</button>
        <//>`
      : html`<ul class="cards">${page.items.map((/** @type {Person} */ person) => html`<${PersonCard} key=${person.id} person=${person} zone=${zone} onSkill=${(/** @type {string} */ skill) => put({ skill })} />`)}</ul>
          ${page.next_cursor && html`<div class="more"><${Button} onPress=${found.more}>Show more<//></div>`}`}
    <//>`;
}

export default function People() {
  const { membership } = useSession();
  return html`
    <${Title}>People<//>
    ${membership
      ? html`<p class="lead">Members of ${membership.organisation.name} and of its partners who let you see them.</p><${Search} membershipId=${membership.id} />`
      : html`<${Empty} title="Nobody to see yet" icon="users"><p>You see people once you belong to an organisation.</p><a class="button" href="/organisation">Create an organisation</a><//>`}`;
}
