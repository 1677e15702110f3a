import { byDay, weekWindow } from "../client/slots.js";
import { addDays, clock, dayIn, deviceZone, lengthOf, placeOf, weekdayAndDate } from "../client/time.js";
import { PickNumber, PickOne } from "./draft-fields.js";
import { useHold } from "./hold.js";
import { announce, useLoad } from "./hooks.js";
import { useFresh } from "./live.js";
import { list, others } from "./mentoring.js";
import { firstName, Icon, Notice, Skeleton, Trouble } from "./parts.js";
import { html, useEffect, useRef, useState } from "./preact.js";
import { api, useSession } from "./session.js";
import { BestSlots, DaySlots, Exact, WeekStrip } from "./slot-days.js";

/** Picking a time that suits everybody: the free times of a week, kept for whoever picks one. */

/** @import { Pairing, SlotPage } from "../client/types.js" */
/** @import { Side } from "../client/time.js" */

const LENGTHS = [15, 30, 45, 60, 90];
export const MOST = 3;

/** The people of a pairing by zone, for times in words. @param {Pairing} pairing @returns {Side[]} */
export function sidesOfPairing(pairing) {
  /** @type {Map<string, string[]>} */
  const zones = new Map();
  for (const { person } of others(pairing)) zones.set(person.zone, [...(zones.get(person.zone) ?? []), firstName(person.name)]);
  return [...zones].map(([zone, names]) => ({ zone, name: list(names) }));
}

/** @param {Pairing} pairing @param {{minutes?: number}} [begin] how long it shall be, if that is known */
export function usePicking(pairing, begin = {}) {
  const session = useSession();
  const [zone, setZone] = useState(session.zone);
  const [asked, setAsked] = useState(begin.minutes);
  const today = dayIn(new Date(), zone);
  const [week, setWeek] = useState(today);
  const [day, setDay] = useState(/** @type {string | null} */ (null));
  const [chosen, setChosen] = useState(/** @type {Date[]} */ ([]));
  const [several, setSeveral] = useState(false);
  const [lost, setLost] = useState(/** @type {Date | null} */ (null));
  const hold = useHold(pairing.id);
  const slots = useLoad(() => api.get("/v1/pairings/{pairing_id}/slots", {
    path: { pairing_id: pairing.id }, query: { ...weekWindow(week, zone, new Date()), duration_minutes: asked, zone },
  }), [pairing.id, week, zone, asked]);
  // What is usual, the service knows; it stays while other weeks are looked up.
  const usual = useRef(45);
  usual.current = slots.data?.duration_minutes ?? usual.current;
  const minutes = asked ?? usual.current;
  useFresh(slots.refresh, ["/v1/pairings/{pairing_id}/slots"]);
  const found = slots.data ? byDay(slots.data.slots, zone) : null;
  const shownDay = day ?? [...(found?.keys() ?? [])][0] ?? week;
  const isSlot = (/** @type {Date} */ start) => Boolean(slots.data?.slots.some((each) => Date.parse(each.starts_at) === start.getTime()));

  const pick = async (/** @type {Date} */ start) => {
    setLost(null);
    const had = chosen.some((each) => each.getTime() === start.getTime());
    if (several) return setChosen(had ? chosen.filter((each) => each.getTime() !== start.getTime()) : [...chosen, start].slice(-MOST).sort((one, other) => one.getTime() - other.getTime()));
    setChosen([start]);
    if (!isSlot(start)) return hold.release();
    if (await hold.keep(start, minutes)) return;
    setChosen([]);
    setLost(start);
    announce("Somebody else is choosing this time just now.");
    void slots.refresh();
  };
  const change = (/** @type {number} */ next) => {
    setAsked(next);
    hold.release();
    setChosen([]);
  };
  const letThemChoose = (/** @type {boolean} */ on) => {
    setSeveral(on);
    hold.release();
    if (!on) setChosen(chosen.slice(0, 1));
  };
  const showWeek = (/** @type {string} */ first, /** @type {string | null} */ at = null) => {
    setWeek(first);
    setDay(at);
  };
  return { pairing, session, zone, setZone, minutes, change, today, week, showWeek, day: shownDay, setDay, chosen, several, letThemChoose, lost, hold, slots, pick, isSlot };
}

/** @typedef {ReturnType<typeof usePicking>} Picking */

/** How long a picked time is kept for me. @param {{picking: Picking}} props */
export function KeptUntil({ picking: { hold, session } }) {
  if (hold.hold) return html`<p class="quiet kept"><${Icon} name="lock" /> Kept for you until ${clock(new Date(hold.hold.expires_at), session.zone)}.</p>`;
  if (hold.ranOut) return html`<p class="quiet">It is no longer kept for you: somebody else may book it. Pick it again to keep it.</p>`;
  return null;
}

/** What is known of the people whose times these are. @param {{page: SlotPage}} props */
function About({ page }) {
  const me = page.people.find(({ is_me }) => is_me);
  const rest = page.people.filter(({ is_me }) => !is_me);
  const paused = rest.filter((each) => each.paused).map(({ name }) => firstName(name));
  const assumed = rest.filter((each) => each.assumed && !each.paused).map(({ name }) => firstName(name));
  return html`
    ${me?.paused && html`<${Notice} kind="needs">You are away just now, so none of your times are offered. <a href="/availability">Say that you are back</a><//>`}
    ${paused.length > 0 && html`<${Notice}>${list(paused)} ${paused.length === 1 ? "takes" : "take"} a break from meetings at the moment. You can still propose another time.<//>`}
    ${(assumed.length > 0 || me?.assumed) && html`<p class="quiet">
      ${assumed.length > 0 && `${list(assumed)} ${assumed.length === 1 ? "has" : "have"} not said when they can; we assume weekdays from 09:00 to 17:00 where they are. `}
      ${me?.assumed && html`${assumed.length > 0 ? "The same goes for you." : "You have not said when you can; we assume weekdays from 09:00 to 17:00."} <a href="/availability">Say when you can</a>`}
    </p>`}`;
}

/** @param {{picking: Picking, page: SlotPage}} props */
function NothingHere({ picking: { zone, session, showWeek }, page }) {
  const next = page.next_available ? new Date(page.next_available) : null;
  return html`<section class="empty-week">
    <p><b>No time suits everybody this week.</b></p>
    ${next
      ? html`<button type="button" class="button primary" onClick=${() => {
          const day = dayIn(next, zone);
          showWeek(day, day);
        }}>Next available: ${weekdayAndDate(next, session.zone)}, ${clock(next, session.zone)}</button>`
      : html`<p class="quiet">And none later, as far as times are offered: your hours and theirs do not meet. <a href="/availability">Change when you can</a>, choose a shorter meeting, or propose another time below; it needs their yes.</p>`}
  </section>`;
}

/** @param {{picking: Picking}} props */
export function Picker({ picking }) {
  const { pairing, session, zone, setZone, minutes, change, today, week, showWeek, day, setDay, chosen, lost, slots, pick } = picking;
  const page = slots.data;
  const sides = sidesOfPairing(pairing);
  const zones = [...new Set([session.zone, deviceZone(), ...sides.map((side) => side.zone)])];
  // Sides of everybody else seen from the zone one looks from; my own too when that is not mine.
  const seen = zone === session.zone ? sides : [{ name: "you", zone: session.zone }, ...sides.filter((side) => side.zone !== zone)];
  const choosing = { zone, sides: seen, chosen, onPick: pick };
  const circle = pairing.kind === "circle";
  // Whoever leaves a day by the week finds the first day with times in the next one.
  useEffect(() => setDay(null), [zone]);
  return html`<div class="stack">
    <div class="booking-how">
      <${PickNumber} label="How long" value=${minutes} options=${LENGTHS.map((length) => [length, lengthOf(length)])} other=${lengthOf} onPick=${change} />
      ${zones.length > 1 && html`<${PickOne} label="Times shown in" value=${zone} options=${zones.map((each) => [each, `${placeOf(each)}${each === session.zone ? " (yours)" : ""}`])} onPick=${setZone} />`}
    </div>
    ${page && html`<${About} page=${page} />`}
    <${WeekStrip} slots=${page?.slots ?? null} zone=${zone} week=${week} day=${day} today=${today} onDay=${setDay} onWeek=${(/** @type {string} */ first) => showWeek(first)} />
    ${lost && html`<${Notice} kind="needs">Somebody else is choosing ${clock(lost, zone)} just now. Pick another time, or look again in five minutes.<//>`}
    <div class="slot-room">
      ${slots.problem ? html`<${Trouble} problem=${slots.problem} retry=${slots.reload} />`
        : !page ? html`<${Skeleton} rows=${2} />`
        : page.slots.length === 0 ? html`<${NothingHere} picking=${picking} page=${page} />`
        : html`${circle && html`<${BestSlots} slots=${page.slots} ...${choosing} />`}
          <h2 class=${circle ? "" : "unseen"}>Times on ${weekdayAndDate(new Date(`${day}T12:00:00Z`), "UTC", { long: true })}</h2>
          <${DaySlots} slots=${page.slots} day=${day} ...${choosing} />`}
    </div>
    <${Exact} key=${day} open=${page?.next_available === null} day=${day < today ? addDays(today, 1) : day} zone=${zone} onPick=${pick} />
  </div>`;
}
