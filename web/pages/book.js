import { html, useState } from "../view/preact.js";
import { useLoad } from "../view/hooks.js";
import { Field, Form, Picks } from "../view/form.js";
import { Back, Button, firstName, Icon, Loaded, Notice, Title } from "../view/parts.js";
import { api, useSession } from "../view/session.js";
import { useFresh } from "../view/live.js";
import { go } from "../view/router.js";
import { list, nameOf, others } from "../view/mentoring.js";
import { addDays, bothSides, clock, dayIn, instantsOf, lengthOf, offsetAt, placeOf, wallAt, weekdayAndDate, withOffset } from "../client/time.js";

/** @import { Meeting, Pairing } from "../client/types.js" */
/** @typedef {{name: string, zone: string}} Side */

const LENGTHS = [15, 30, 45, 60, 90];
const FIRST_HOUR = 7;
const LAST_HOUR = 21;

/** The people of a pairing by zone, for times in words. @param {Pairing} pairing @returns {Side[]} */
function sidesOf(pairing) {
  /** @type {Map<string, string[]>} */
  const zones = new Map();
  for (const { person } of others(pairing)) zones.set(person.zone, [...(zones.get(person.zone) ?? []), firstName(person.name)]);
  return [...zones].map(([zone, names]) => ({ zone, name: list(names) }));
}

/** Noon of a day: far from any change of the clocks. @param {string} day */
const noon = (day) => new Date(`${day}T12:00:00Z`);

/** Whether an hour lies in the night of a zone. @param {Date} instant @param {string} zone */
function isNight(instant, zone) {
  const { hour } = wallAt(instant, zone);
  return hour < FIRST_HOUR || hour >= LAST_HOUR + 1;
}

/**
 * Half hours of a day that have not passed, as wall times in the zone one books in.
 * @param {string} day @param {string} zone
 */
function slotsOf(day, zone) {
  const soon = Date.now() + 5 * 60_000;
  const times = Array.from({ length: (LAST_HOUR - FIRST_HOUR) * 2 + 1 }, (_, index) => {
    const minutes = FIRST_HOUR * 60 + index * 30;
    return `${String(Math.floor(minutes / 60)).padStart(2, "0")}:${minutes % 60 ? "30" : "00"}`;
  });
  return times.map((time) => ({ time, instant: instantsOf(day, time, zone).instants[0] })).filter(({ instant }) => instant.getTime() > soon);
}

/** @param {Date} start @param {number} minutes @param {Meeting[]} meetings */
function clash(start, minutes, meetings) {
  const end = start.getTime() + minutes * 60_000;
  return meetings.find((each) => each.status === "booked" && new Date(each.starts_at).getTime() < end && new Date(each.ends_at) > start);
}

/** `Tue 24 Nov` in three lines. @param {string} day @param {string} today */
function dayWords(day, today) {
  const [weekday, number, month] = weekdayAndDate(noon(day), "UTC").split(" ");
  return html`<small>${weekday}</small> <b>${number}</b> <small>${month}</small>${day === today && html`<span class="unseen">, today</span>`}`;
}

/** @param {{week: string, day: string, today: string, onWeek: (day: string) => void, onDay: (day: string) => void}} props */
function Week({ week, day, today, onWeek, onDay }) {
  const days = Array.from({ length: 7 }, (_, index) => addDays(week, index));
  return html`<div class="week">
    <div class="head">
      <p><b>${weekdayAndDate(noon(days[0]), "UTC").slice(4)}</b> to <b>${weekdayAndDate(noon(days[6]), "UTC").slice(4)}</b></p>
      <div>
        <button type="button" class="icon-button" aria-label="The week before" disabled=${week <= today} onClick=${() => onWeek(addDays(week, -7))}><${Icon} name="chevron-left" className="flips" /></button>
        <button type="button" class="icon-button" aria-label="The week after" onClick=${() => onWeek(addDays(week, 7))}><${Icon} name="chevron-right" className="flips" /></button>
      </div>
    </div>
    <div class="week-days" role="group" aria-label="Day">
      ${days.map((each) => html`<button key=${each} type="button" class="week-day" aria-pressed=${each === day} disabled=${each < today} onClick=${() => onDay(each)}>${dayWords(each, today)}</button>`)}
    </div>
  </div>`;
}

/** @param {{slots: {time: string, instant: Date}[], zone: string, sides: Side[], chosen: Date | null, minutes: number, meetings: Meeting[], onPick: (instant: Date) => void}} props */
function Slots({ slots, zone, sides, chosen, minutes, meetings, onPick }) {
  if (slots.length === 0) return html`<p class="quiet">No time is left on this day. Choose a later one.</p>`;
  return html`<div class="slots" role="group" aria-label="Time">
    ${slots.map(({ time, instant }) => {
      const night = sides.filter((side) => isNight(instant, side.zone));
      const taken = clash(instant, minutes, meetings);
      return html`<button key=${time} type="button" class=${night.length > 0 ? "slot night" : "slot"} aria-pressed=${chosen?.getTime() === instant.getTime()} disabled=${Boolean(taken)} onClick=${() => onPick(instant)}>
        <b>${clock(instant, zone)}</b>
        ${taken ? html`<small>You are busy</small>` : sides.filter((side) => offsetAt(instant, side.zone) !== offsetAt(instant, zone)).map((side) => html`<small key=${side.zone}>${clock(instant, side.zone)} ${placeOf(side.zone)}${night.includes(side) ? ", night" : ""}</small>`)}
      </button>`;
    })}
  </div>`;
}

/** Any time, to the minute. @param {{day: string, zone: string, onPick: (instant: Date) => void}} props */
function Exact({ day, zone, onPick }) {
  const [said, setSaid] = useState("");
  return html`<details class="earlier"><summary>Another time</summary>
    <${Form} quiet className="inline" label="Another time" send="Use this time" onSend=${async (/** @type {any} */ { date, time }) => {
      const { kind, instants } = instantsOf(date, time, zone);
      setSaid(kind === "gap" ? "The clocks go forward over this time: it does not exist that day. The time right after is chosen."
        : kind === "overlap" ? "The clocks go back: this time happens twice that day. The first one is chosen." : "");
      onPick(instants[0]);
    }}>
      <${Field} name="date" label="Date" type="date" value=${day} missing="Choose a date." />
      <${Field} name="time" label="Time" type="time" value="12:00" missing="Choose a time." />
    <//>
    ${said && html`<${Notice}>${said}<//>`}
  </details>`;
}

/** @param {{pairing: Pairing, meetings: Meeting[]}} props */
function Booking({ pairing, meetings }) {
  const session = useSession();
  const sides = sidesOf(pairing);
  const [zone, setZone] = useState(session.zone);
  const today = dayIn(new Date(), zone);
  const [week, setWeek] = useState(today);
  const [day, setDay] = useState(slotsOf(today, zone).length > 0 ? today : addDays(today, 1));
  const [chosen, setChosen] = useState(/** @type {Date | null} */ (null));
  const [minutes, setMinutes] = useState(45);
  const [key] = useState(() => crypto.randomUUID());
  const names = list(others(pairing).map(({ person }) => firstName(person.name)));
  const zones = [...new Set([session.zone, Intl.DateTimeFormat().resolvedOptions().timeZone, ...sides.map((side) => side.zone)])];
  // Sides of everybody else seen from the zone one books in; my own too when that is not mine.
  const seen = zone === session.zone ? sides : [{ name: "you", zone: session.zone }, ...sides.filter((side) => side.zone !== zone)];
  const propose = async () => {
    if (!chosen) return;
    const meeting = await api.post("/v1/pairings/{pairing_id}/meetings", {
      path: { pairing_id: pairing.id }, key: `${key}:${chosen.getTime()}:${minutes}`,
      body: { starts_at: withOffset(chosen, zone), duration_minutes: minutes, zone },
    });
    go(`/meetings/${meeting.id}`);
  };
  return html`
    <div class="booking">
      <div class="stack">
        <div class="booking-how">
          <${Picks} legend="How long" name="length" value=${String(minutes)} onPick=${(/** @type {string} */ value) => setMinutes(Number(value))} options=${LENGTHS.map((length) => [String(length), lengthOf(length)])} />
          ${zones.length > 1 && html`<div class="field"><label for="book-zone">Times shown in</label>
            <select id="book-zone" onChange=${(/** @type {any} */ event) => setZone(event.currentTarget.value)}>
              ${zones.map((each) => html`<option key=${each} value=${each} selected=${each === zone}>${placeOf(each)}${each === session.zone ? " (yours)" : ""}</option>`)}
            </select></div>`}
        </div>
        <${Week} week=${week} day=${day} today=${today} onDay=${setDay} onWeek=${(/** @type {string} */ first) => {
          setWeek(first);
          setDay(first < today ? today : first);
        }} />
        <h2 class="unseen">Times on ${weekdayAndDate(noon(day), "UTC", { long: true })}</h2>
        <${Slots} slots=${slotsOf(day, zone)} zone=${zone} sides=${seen} chosen=${chosen} minutes=${minutes} meetings=${meetings} onPick=${setChosen} />
        <${Exact} key=${day} day=${day} zone=${zone} onPick=${setChosen} />
      </div>
      <aside class="card confirm" aria-live="polite">
        <h2>${chosen ? `Meet ${names}` : "Pick a day and a time"}</h2>
        ${chosen
          ? html`<p class="confirm-when">${bothSides(chosen, session.zone, sides)}</p>
              <p class="quiet">${lengthOf(minutes)}, by video here on Mentorspan. ${names} ${sides.length === 1 ? "gets" : "get"} a letter and can accept or propose another time.</p>
              <${Button} kind="primary" busyWords="Proposing …" onPress=${propose}>Propose this time<//>`
          : html`<p class="quiet">Both sides see their own time. Hours in the night of the other side are marked.</p>`}
      </aside>
    </div>`;
}

/** @param {{id: string}} props */
export default function Book({ id }) {
  const loaded = useLoad(async () => {
    const [pairing, meetings] = await Promise.all([
      api.get("/v1/pairings/{pairing_id}", { path: { pairing_id: id } }),
      api.all("/v1/meetings", { query: { from: new Date().toISOString() } }),
    ]);
    return { pairing, meetings };
  }, [id]);
  useFresh(loaded.refresh, ["/v1/pairings/{pairing_id}", "/v1/meetings"]);
  return html`
    <${Back} href=${`/pairings/${id}`}>Back to the pairing<//>
    <${Loaded} of=${loaded} title>${(/** @type {{pairing: Pairing, meetings: Meeting[]}} */ { pairing, meetings }) => html`
      <${Title}>Pick a time with ${nameOf(pairing)}<//>
      <${Booking} pairing=${pairing} meetings=${meetings} />`}
    <//>`;
}
