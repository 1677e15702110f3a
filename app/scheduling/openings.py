"""What people's diaries hold, loaded with one query per kind, and what slots make of it."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final, Literal, NamedTuple
from uuid import UUID

from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts import queries as accounts
from app.accounts.auth import Actor
from app.availability import queries as availability
from app.availability.hours import day_number, on_days, open_between
from app.availability.intervals import Span, intersection, subtraction, union
from app.availability.queries import Plan
from app.blocks import queries as blocks
from app.core import clock
from app.core.errors import Forbidden, invalid
from app.freebusy import queries as freebusy
from app.pairings import queries as pairings
from app.pairings.models import Kind, Pairing
from app.scheduling import queries, slots
from app.scheduling.queries import Held, Taken
from app.scheduling.schemas import SlotPerson, SlotRead, SlotsAsk, SlotsRead
from app.scheduling.slots import FOR_EVER, Diary, Suited, Terms

WINDOW: Final = timedelta(days=35)
LOOK_AHEAD: Final = (0, 35, 140, 365)
"""How many days after an empty window a next time is looked for, piece by piece."""
QUIET: Final = timedelta(hours=4)
"""As far as the quiet around one meeting and around its neighbour can reach."""
WEEK: Final = timedelta(days=8)
"""What is met in the rest of a week counts towards its limit."""
USUAL_MINUTES: Final = 45

Why = Literal["meeting", "hold", "absence", "holiday", "elsewhere", "outside_hours"]


class Obstacle(NamedTuple):
    """Why someone cannot meet for some of a span of time."""

    account_id: UUID
    start: datetime
    end: datetime
    why: Why


@dataclass(slots=True)
class Known:
    """What is known of one person's time."""

    plan: Plan
    holidays: set[int] = field(default_factory=set)
    absences: list[Span] = field(default_factory=list)
    bookings: list[Span] = field(default_factory=list)
    """With the quiet that each asks for; `taken` is without."""
    holds: list[Span] = field(default_factory=list)
    elsewhere: list[Span] = field(default_factory=list)
    taken: list[Span] = field(default_factory=list)
    meetings: list[int] = field(default_factory=list)
    paused: bool = False

    def diary(self) -> Diary:
        """As slots are calculated from it."""
        schedule = self.plan.schedule
        return Diary(
            hours=schedule.wall_hours(),
            terms=Terms(
                before=schedule.buffer_before_minutes * 60,
                after=schedule.buffer_after_minutes * 60,
                notice=schedule.minimum_notice_minutes * 60,
                horizon=schedule.horizon_days * 86_400,
                most_per_day=schedule.most_per_day,
                most_per_week=schedule.most_per_week,
            ),
            holidays=frozenset(self.holidays),
            absences=self.absences,
            busy=[*self.bookings, *self.holds, *self.elsewhere],
            meetings=self.meetings,
        )


async def known(
    db: AsyncSession,
    account_ids: Collection[UUID],
    start: datetime,
    end: datetime,
    *,
    pairing_id: UUID | None = None,
    holder: UUID | None = None,
    besides: UUID | None = None,
) -> dict[UUID, Known]:
    """What is known of these people's time between two instants.

    What `holder` holds, and the meeting `besides`, do not count.
    """
    plans = await availability.plans(db, account_ids, pairing_id)
    found = {account_id: Known(plan) for account_id, plan in plans.items()}
    schedules = [plan.schedule for plan in plans.values()]
    limited = any(row.most_per_day is not None or row.most_per_week is not None for row in schedules)
    margin = WEEK if limited else QUIET
    near = Range(start - margin, end + margin, bounds="[)")
    days = (start - timedelta(days=2)).date(), (end + timedelta(days=2)).date()
    for booking in await queries.bookings(db, account_ids, near):
        if booking.meeting_id != besides:
            _add_booking(found[booking.account_id], booking)
    for held in await queries.held(db, account_ids, near, besides=[holder] if holder else []):
        _add_hold(found[held.account_id], held)
    for away in await availability.away(db, account_ids, start - QUIET, end + QUIET):
        person = found[away.account_id]
        person.absences.append(_span(away.start, away.end))
        person.paused = person.paused or (away.end is None and away.start <= clock.now())
    for account_id, day in await availability.days_off(db, account_ids, *days):
        found[account_id].holidays.add(day_number(day))
    for busy in await freebusy.busy(db, account_ids, start - QUIET, end + QUIET):
        found[busy.account_id].elsewhere.append(_span(busy.start, busy.end))
    return found


def _add_booking(person: Known, booking: Taken) -> None:
    start, end = _span(booking.start, booking.end)
    person.bookings.append((start - booking.before * 60, end + booking.after * 60))
    person.taken.append((start, end))
    person.meetings.append(start)


def _add_hold(person: Known, held: Held) -> None:
    span = _span(held.start, held.end)
    person.holds.append(span)
    person.taken.append(span)


def _span(start: datetime, end: datetime | None) -> Span:
    """In whole seconds, none of it lost."""
    return math.floor(start.timestamp()), FOR_EVER if end is None else math.ceil(end.timestamp())


def _instant(at: int) -> datetime:
    return datetime.fromtimestamp(at, UTC)


# Obstacles


async def obstacles(
    db: AsyncSession,
    account_ids: Collection[UUID],
    spans: Sequence[tuple[datetime, datetime]],
    *,
    pairing_id: UUID | None = None,
    besides: UUID | None = None,
) -> list[Obstacle]:
    """What keeps these people from meeting in these spans, in the order of time.

    Bookings count with the quiet that they and the new meeting ask for. `pairing_id` says whose chosen
    schedules hold; the meeting `besides` does not count.
    """
    if not spans or not account_ids:
        return []
    start, end = min(first for first, _ in spans), max(last for _, last in spans)
    people = await known(db, account_ids, start, end, pairing_id=pairing_id, besides=besides)
    wanted = [_span(*span) for span in spans]
    found = [
        Obstacle(account_id, _instant(first), _instant(last), why)
        for account_id, person in people.items()
        for why, first, last in _in_the_way(person, wanted)
    ]
    return sorted(found, key=lambda one: (one.start, one.end, one.why, one.account_id))


def _in_the_way(person: Known, wanted: Sequence[Span]) -> list[tuple[Why, int, int]]:
    schedule = person.plan.schedule
    before, after = schedule.buffer_before_minutes * 60, schedule.buffer_after_minutes * 60
    hours, start, end = (
        schedule.wall_hours(),
        min(first for first, _ in wanted),
        max(last for _, last in wanted),
    )
    stretched: list[tuple[Why, list[Span]]] = [
        ("meeting", person.bookings), ("hold", person.holds), ("elsewhere", person.elsewhere),
    ]  # fmt: skip
    kinds: list[tuple[Why, list[Span]]] = [
        (why, union((first - after, last + before) for first, last in spans)) for why, spans in stretched
    ]
    off = on_days(hours.zone, person.holidays - hours.overrides.keys(), start, end)
    open_hours = open_between(hours, start, end)
    kinds += [
        ("absence", union(person.absences)),
        ("holiday", off),
        ("outside_hours", subtraction(subtraction([(start, end)], open_hours), off)),
    ]
    return [
        (why, first, last)
        for why, spans in kinds
        for span in wanted
        for first, last in intersection(spans, [span])
    ]


async def suits(
    db: AsyncSession,
    pairing: Pairing,
    starts_at: datetime,
    ends_at: datetime,
    *,
    holder: UUID | None = None,
    besides: UUID | None = None,
) -> bool:
    """Whether this very time would be offered as a slot that suits everyone, whatever grid it is shown on."""
    account_ids = {row.account_id for row in pairing.people().values()}
    people = await known(
        db, account_ids, starts_at, ends_at, pairing_id=pairing.id, holder=holder, besides=besides
    )
    start, end = _span(starts_at, ends_at)
    now = math.floor(clock.now().timestamp())
    return all(slots.starts(person.diary(), end - start, start, start + 1, now) for person in people.values())


async def needs_no_yes(
    db: AsyncSession, pairing: Pairing, asking_account_id: UUID, starts_at: datetime, ends_at: datetime
) -> bool:
    """Whether everybody else lets others book this time without being asked, and it suits them."""
    others = {row.account_id for row in pairing.people().values()} - {asking_account_id}
    plans = await availability.plans(db, others, pairing.id)
    if not plans or any(plan.schedule.confirm for plan in plans.values()):
        return False
    return await suits(db, pairing, starts_at, ends_at, holder=asking_account_id)


# Slots


@dataclass(frozen=True, slots=True)
class Question:
    """Whose time is asked for, and how."""

    everyone: Collection[UUID]
    """Nobody of these is booked twice."""
    counted: Collection[UUID]
    """These are asked whether it suits them: those whom the viewer is shown."""
    least: int
    """How many it must suit."""
    actor: Actor
    pairing_id: UUID | None = None


async def of_pairing(db: AsyncSession, actor: Actor, pairing_id: UUID, ask: SlotsAsk) -> SlotsRead:
    """When the people of a mentorship can meet; in a circle, when at least half of them can."""
    pairing = await pairings.get(db, actor, pairing_id, lock=False)
    everyone = {row.account_id for row in pairing.people().values()}
    if actor.account_id not in everyone:
        raise Forbidden("not_a_participant", "Only its participants arrange meetings.")
    pairing.must_be_active()
    apart = await blocks.apart_from(db, actor.account_id)
    shown = [row for row in pairing.people().values() if row.account_id not in apart]
    counted = {row.account_id for row in shown}
    circle = pairing.kind == Kind.CIRCLE
    least = (len(counted) + 1) // 2 if circle else len(counted)
    question = Question(everyone, counted, least, actor, pairing.id)
    names = [(row.id, row.name, row.account_id) for row in shown]
    return await _answer(db, question, ask, names)


async def of_mine(db: AsyncSession, actor: Actor, ask: SlotsAsk) -> SlotsRead:
    """When I can meet, whoever it would be with."""
    me = await accounts.by_id(db, actor.account_id)
    question = Question([me.id], [me.id], 1, actor)
    return await _answer(db, question, ask, [(None, me.name, me.id)])


async def _answer(
    db: AsyncSession, question: Question, ask: SlotsAsk, names: Sequence[tuple[UUID | None, str, UUID]]
) -> SlotsRead:
    now = clock.now()
    start, end = _window(ask, now)
    people = await _load(db, question, start, end)
    plans = {account_id: person.plan for account_id, person in people.items()}
    minutes, step = _length(plans, question, ask.duration_minutes), _step(plans, question)
    zone = ask.zone or (await accounts.by_id(db, question.actor.account_id)).zone
    suited = _suited(people, question, minutes * 60, start, end, now)
    offered = list(slots.on_the_grid(suited, zone, step * 60))
    following = offered[0][0] if offered else None
    if following is None and not any(people[one].paused for one in question.counted):
        following = await _next(db, question, (minutes * 60, zone, step * 60), end, now)
    if ask.order == "best":
        offered.sort(key=lambda one: -one[1])
    many, length = len(question.counted), timedelta(minutes=minutes)
    return SlotsRead(
        zone=zone,
        duration_minutes=minutes,
        step_minutes=step,
        slots=[
            SlotRead(starts_at=(at := _instant(second)), ends_at=at + length, available=available, of=many)
            for second, available in offered
        ],
        next_available=None if following is None else _instant(following),
        people=[
            SlotPerson(
                membership_id=membership_id,
                name=name,
                zone=plans[account_id].schedule.zone,
                assumed=plans[account_id].assumed,
                paused=people[account_id].paused,
                confirm=plans[account_id].schedule.confirm,
                is_me=account_id == question.actor.account_id,
            )
            for membership_id, name, account_id in names
        ],
    )


def _window(ask: SlotsAsk, now: datetime) -> tuple[datetime, datetime]:
    """Between which instants; what has passed of it is left out."""
    start = ask.start or now
    end = ask.end or start + timedelta(days=7)
    if end <= start:
        raise invalid("/query/to", "Give an end after `from`.", "ends_before_it_starts")
    if end - start > WINDOW:
        raise invalid("/query/to", "Ask for at most 35 days at once.", "window_too_long")
    return max(start, now), max(end, now)


async def _load(db: AsyncSession, question: Question, start: datetime, end: datetime) -> dict[UUID, Known]:
    return await known(
        db,
        question.everyone,
        start,
        end + timedelta(hours=8),
        pairing_id=question.pairing_id,
        holder=question.actor.account_id,
    )


def _suited(
    people: Mapping[UUID, Known],
    question: Question,
    length: int,
    start: datetime,
    end: datetime,
    now: datetime,
) -> list[Suited]:
    first, last, today = math.ceil(start.timestamp()), math.ceil(end.timestamp()), math.floor(now.timestamp())
    each = [
        slots.starts(people[account_id].diary(), length, first, last, today)
        for account_id in question.counted
    ]
    found = slots.for_many(each, question.least)
    if question.least == len(question.everyone):
        return found
    # Those whom it does not suit are booked with the others: what they have booked must not be touched.
    taken = [span for person in people.values() for span in person.taken]
    return slots.only_within(found, slots.not_touching(taken, length, first, last))


async def _next(
    db: AsyncSession, question: Question, grid: tuple[int, str, int], end: datetime, now: datetime
) -> int | None:
    """The first time after an empty window, as far as anybody looks ahead."""
    length, zone, step = grid
    for first, last in pairwise(LOOK_AHEAD):
        since, until = end + timedelta(days=first), end + timedelta(days=last)
        people = await _load(db, question, since, until)
        suited = _suited(people, question, length, since, until, now)
        for at, _ in slots.on_the_grid(suited, zone, step):
            return at
    return None


def _step(plans: Mapping[UUID, Plan], question: Question) -> int:
    """The coarsest of those that somebody chose."""
    own = [plans[one].schedule.step_minutes for one in question.counted if not plans[one].assumed]
    return max(own, default=15)


def _length(plans: Mapping[UUID, Plan], question: Question, asked: int | None) -> int:
    """How long: one of the lengths that all offer who chose some, or any of theirs when they share none."""
    own = [set(plans[one].schedule.lengths) for one in question.counted if not plans[one].assumed]
    offered = own or [set(plans[one].schedule.lengths) for one in question.counted]
    lengths = sorted(set.intersection(*offered) or set.union(*offered))
    if asked is None:
        return USUAL_MINUTES if USUAL_MINUTES in lengths else lengths[0]
    if asked not in lengths:
        told = ", ".join(map(str, lengths))
        raise invalid(
            "/query/duration_minutes", f"Meetings here last one of: {told} minutes.", "length_not_offered"
        )
    return asked
