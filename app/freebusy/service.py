"""What can be done about calendars that are kept elsewhere."""

import json
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.auth import Actor, Doorkeeper
from app.audit import service as audit
from app.core import clock
from app.core.crypto import Sealing
from app.core.errors import Conflict, invalid
from app.core.limits import CALENDAR_VISITS_PER_PERSON
from app.core.locks import lock
from app.freebusy import news, queries
from app.freebusy.addresses import BadAddress, understood
from app.freebusy.models import ImportedCalendar
from app.freebusy.schemas import ImportedCalendarAdd, Kind

MOST_CALENDARS: Final = 20


class Access(NamedTuple):
    """How a calendar is reached: the secret part of it."""

    url: str
    username: str | None
    password: str | None


async def add(
    db: AsyncSession, actor: Actor, door: Doorkeeper, body: ImportedCalendarAdd
) -> ImportedCalendar:
    """Let a calendar count from now on; a worker reads it at once."""
    if body.password is not None and body.username is None:
        raise invalid("/username", "Give the user name that belongs to the password.")
    try:
        address = understood(
            body.url, door.settings.calendar_hosts_allowed, with_password=body.username is not None
        )
    except BadAddress as bad:
        raise invalid("/url", str(bad)) from None
    await lock(db, "imported_calendar", actor.account_id)
    if await queries.count(db, actor.account_id) >= MOST_CALENDARS:
        raise Conflict("too_many_calendars", f"You have {MOST_CALENDARS} calendars. Remove one first.")
    await door.limits.spend(CALENDAR_VISITS_PER_PERSON, "calendar", str(actor.account_id))
    made = ImportedCalendar(
        account_id=actor.account_id, name=body.name, kind=Kind(body.kind).value, host=address.host
    )
    access = Access(address.url, body.username, body.password or "" if body.username is not None else None)
    made.access = door.keys.sealing.seal(json.dumps(access), _place("access", made.id))
    db.add(made)
    await db.flush()
    audit.record(db, actor.account_id, "imported_calendar.added", made.id)
    news.calendar_changed(db, made)
    return made


async def remove(db: AsyncSession, actor: Actor, calendar_id: UUID) -> None:
    """Forget a calendar, its address, and the times it takes."""
    calendar = await queries.one(db, actor, calendar_id)
    audit.record(db, actor.account_id, "imported_calendar.removed", calendar.id)
    news.calendar_changed(db, calendar)
    await db.delete(calendar)


async def refresh(db: AsyncSession, actor: Actor, door: Doorkeeper, calendar_id: UUID) -> ImportedCalendar:
    """Have it read now and not only when its time comes; one that is being read is not read twice."""
    calendar = await queries.one(db, actor, calendar_id)
    await door.limits.spend(CALENDAR_VISITS_PER_PERSON, "calendar", str(actor.account_id))
    if calendar.next_try_at > clock.now():
        calendar.next_try_at = clock.now()
        news.calendar_changed(db, calendar)
    return calendar


def opened(calendar: ImportedCalendar, sealing: Sealing) -> Access:
    """How to reach it. Raises `Unreadable`."""
    return Access(*json.loads(sealing.open(calendar.access, _place("access", calendar.id))))


def remembered(calendar: ImportedCalendar, sealing: Sealing) -> dict[str, str]:
    """What was kept of the last visit. Raises `Unreadable`."""
    if calendar.memory is None:
        return {}
    found: dict[str, str] = json.loads(sealing.open(calendar.memory, _place("memory", calendar.id)))
    return found


def _place(column: str, calendar_id: UUID) -> str:
    return f"imported_calendar.{column} {calendar_id}"


class Outcome(NamedTuple):
    """How a visit went."""

    next_try_at: datetime
    problem: tuple[str, str] | None = None
    """Code and words."""
    failed: bool = False
    memory: dict[str, str] | None = None
    """To be kept instead of what was; None: what was kept still holds."""
    times: "Times | None" = None
    """None: as before."""


class Times(NamedTuple):
    """What a calendar takes, as worked out in a zone."""

    spans: list[tuple[datetime, datetime]]
    skipped: int
    zone: str


async def settle(db: AsyncSession, taken: ImportedCalendar, outcome: Outcome, sealing: Sealing) -> None:
    """Write down how a visit went, unless the calendar is gone or somebody else has it by now."""
    calendar = await queries.still_taken(db, taken.id, taken.taken_until)
    if calendar is None:
        return
    now = clock.now()
    calendar.taken_until, calendar.next_try_at = None, outcome.next_try_at
    calendar.failures = calendar.failures + 1 if outcome.failed else 0
    calendar.problem_code, calendar.problem = outcome.problem or (None, None)
    if not outcome.failed:
        calendar.fetched_at = now
    if outcome.memory is not None:
        calendar.memory = sealing.seal(json.dumps(outcome.memory), _place("memory", calendar.id))
    if outcome.times is not None:
        calendar.expanded_at, calendar.expanded_zone = now, outcome.times.zone
        calendar.busy_times, calendar.skipped = len(outcome.times.spans), outcome.times.skipped
        await queries.replace_times(db, calendar, outcome.times.spans)
    news.calendar_changed(db, calendar)
