"""The slots that are offered: to a pair, to a circle, to oneself."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts import queries as accounts
from app.accounts.auth import Actor
from app.availability.queries import Plan
from app.blocks import queries as blocks
from app.core import clock
from app.core.errors import Forbidden, invalid
from app.pairings import queries as pairings
from app.pairings.models import Kind
from app.scheduling import openings, slots
from app.scheduling.known import Known, known
from app.scheduling.slot_schemas import SlotPerson, SlotRead, SlotsAsk, SlotsRead
from app.scheduling.slots import Suited

WINDOW: Final = timedelta(days=35)
LOOK_AHEAD: Final = (0, 35, 140)
"""How many days after an empty window a next time is looked for, piece by piece."""
USUAL_MINUTES: Final = 45


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
    pairing, people = await pairings.party(db, actor, pairing_id)
    everyone = {row.account_id for row in people}
    if actor.account_id not in everyone:
        raise Forbidden("not_a_participant", "Only its participants arrange meetings.")
    pairing.must_be_active()
    apart = await blocks.apart_from(db, actor.account_id)
    shown = [row for row in people if row.account_id not in apart]
    counted = {row.account_id for row in shown}
    circle = pairing.kind == Kind.CIRCLE
    least = (len(counted) + 1) // 2 if circle else len(counted)
    question = Question(everyone, counted, least, actor, pairing.id)
    names = [(row.membership_id, row.name, row.account_id) for row in shown]
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
            SlotRead(
                starts_at=(at := openings.instant(second)), ends_at=at + length, available=available, of=many
            )
            for second, available in offered
        ],
        next_available=None if following is None else openings.instant(following),
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
