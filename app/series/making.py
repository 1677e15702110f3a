"""Making the meetings of a series, some way ahead."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import islice, takewhile
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock
from app.core.db import Database
from app.core.locks import lock
from app.pairings import queries as pairings
from app.pairings.models import Kind, Pairing, Part
from app.scheduling import service as scheduling
from app.scheduling.models import Meeting
from app.scheduling.openings import Obstacle, Span, obstacles
from app.series import news, queries
from app.series.models import Series, SeriesOccurrence, SeriesStatus
from app.series.recurrence import Occurrence, occurrence

log = structlog.get_logger()
AHEAD: Final = timedelta(weeks=26)
AT_ONCE: Final = 60
"""So many meetings are made in one transaction; of a daily series the worker makes the rest."""
NEARBY: Final = range(1, 7)
"""On which of the following days another time is looked for."""


def coming(series: Series, since: datetime) -> list[Occurrence]:
    """What takes place from an instant on: one transaction's worth, and as much as lies near its last one."""
    found = takewhile(
        lambda each: series.takes_place(each.recurrence_id), series.recurrence().occurrences(since)
    )
    return list(islice(found, AT_ONCE + len(NEARBY) + 1))


async def make(db: AsyncSession, series: Series, pairing: Pairing, by: UUID) -> None:
    """Book what comes next, up to half a year ahead; what cannot take place is skipped.

    Its pairing is locked, and every booking of its people waits until this transaction is over.
    """
    now = clock.now()
    since = now if series.made_until is None else max(now, series.made_until + timedelta(microseconds=1))
    found = [each for each in coming(series, since) if each.instant <= now + AHEAD]
    series.made_until = found[AT_ONCE - 1].instant if len(found) > AT_ONCE else now + AHEAD
    if not found:
        return
    await lock(db, "booking", *_accounts(pairing))
    blocked: list[tuple[Occurrence, str]] = []
    for each, why in await _in_the_way(db, series, pairing, found[:AT_ONCE]):
        if why is not None:
            blocked.append((each, why))
            continue
        meeting = _meeting(series, each)
        await scheduling.book_of_series(db, by, meeting, pairing, series.id)
        db.add(_made(series, each, meeting))
    await _find_others(db, series, pairing, by, blocked)


def _accounts(pairing: Pairing) -> set[UUID]:
    return {row.account_id for row in pairing.people().values()}


def _span(series: Series, each: Occurrence) -> Span:
    return each.instant, each.instant + timedelta(minutes=series.duration_minutes)


def _meeting(series: Series, each: Occurrence) -> Meeting:
    starts_at, ends_at = _span(series, each)
    return Meeting(
        pairing_id=series.pairing_id,
        proposed_by_id=series.proposed_by_id,
        starts_at=starts_at,
        ends_at=ends_at,
        zone=series.zone,
        title=series.title,
    )


def _made(
    series: Series, each: Occurrence, meeting: Meeting | None, skipped: str | None = None
) -> SeriesOccurrence:
    return SeriesOccurrence(
        series_id=series.id,
        recurrence_id=each.recurrence_id,
        starts_at=each.instant,
        meeting_id=meeting.id if meeting else None,
        skipped=skipped,
    )


async def _in_the_way(
    db: AsyncSession, series: Series, pairing: Pairing, found: Sequence[Occurrence]
) -> list[tuple[Occurrence, str | None]]:
    """Each occurrence with what stands in its way. Hours do not: both sides agreed to these."""
    spans = [_span(series, each) for each in found]
    known = _that_count(pairing, await obstacles(db, _accounts(pairing), spans))
    known = [each for each in known if each.why != "outside_hours"]
    answer: list[tuple[Occurrence, str | None]] = []
    busy_until: datetime | None = None
    for each, span in zip(found, spans, strict=True):
        why = next((one.why for one in known if _overlap(span, (one.start, one.end))), None)
        if why is None and busy_until is not None and span[0] < busy_until:
            why = "meeting"  # the one before, of this series
        if why is None:
            busy_until = span[1]
        answer.append((each, why))
    return answer


def _that_count(pairing: Pairing, found: Sequence[Obstacle]) -> list[Obstacle]:
    """Nobody is booked twice. A circle meets also when some of it are away, but not without its lead."""
    if pairing.kind != Kind.CIRCLE:
        return list(found)
    leads = {part.person.account_id for part in pairing.current() if part.role == Part.LEAD}
    return [each for each in found if each.why in ("meeting", "hold") or each.account_id in leads]


def _overlap(left: Span, right: Span) -> bool:
    return left[0] < right[1] and right[0] < left[1]


async def _find_others(
    db: AsyncSession,
    series: Series,
    pairing: Pairing,
    by: UUID,
    blocked: Sequence[tuple[Occurrence, str]],
) -> None:
    """Propose for each the same time on the wall on one of the next days, if everybody is free then."""
    if not blocked:
        return
    zone = ZoneInfo(series.zone)
    nearby = {
        each.instant: [occurrence(each.recurrence_id + timedelta(days=day), zone) for day in NEARBY]
        for each, _ in blocked
    }
    spans = [_span(series, one) for others in nearby.values() for one in others]
    known = _that_count(pairing, await obstacles(db, _accounts(pairing), spans))
    taken = [(each.start, each.end) for each in known]
    taken += [_span(series, each) for each in coming(series, blocked[0][0].instant)]
    for each, why in blocked:
        free = (
            one
            for one in nearby[each.instant]
            if not any(_overlap(_span(series, one), other) for other in taken)
        )
        other = next(free, None)
        meeting = None if other is None else _meeting(series, other)
        if meeting is not None:
            taken.append((meeting.starts_at, meeting.ends_at))
            await scheduling.propose_of_series(db, by, meeting)
        db.add(_made(series, each, meeting, why))


async def extend(database: Database) -> None:
    """Make what is due of every series, each by itself: what goes wrong with one keeps no other waiting."""
    async with database.transaction() as db:
        due = await queries.due(db, _due_before())
    for series_id in due:
        try:
            is_due = True
            while is_due:
                async with database.transaction() as db:
                    is_due = await _extend(db, series_id)
        except Exception:
            log.exception("series_not_extended", series_id=str(series_id))


def _due_before() -> datetime:
    return clock.now() + AHEAD - timedelta(days=1)


async def _extend(db: AsyncSession, series_id: UUID) -> bool:
    """One step; whether there is more to do. Under the lock it is asked again whether it is due."""
    series = await queries.locked(db, series_id)
    if series.status != SeriesStatus.ACTIVE or (series.made_until or clock.now()) >= _due_before():
        return False
    pairing = await pairings.one(db, series.pairing_id)
    if coming(series, clock.now()):
        await make(db, series, pairing, proposer(series, pairing))
    else:
        series.move("end")
    await news.tell(db, series)
    return series.status == SeriesStatus.ACTIVE


def proposer(series: Series, pairing: Pairing) -> UUID:
    """The account of whoever proposed it, also when they have left since."""
    return next(
        part.person.account_id for part in pairing.participants if part.membership_id == series.proposed_by_id
    )
