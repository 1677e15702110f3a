"""What can be done about series of meetings."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Final, NamedTuple, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.auth import Actor
from app.audit import service as audit
from app.core import clock
from app.core.db import emit
from app.core.errors import Conflict, Forbidden, invalid
from app.pairings import queries as pairings
from app.pairings.events import PairingEnded
from app.pairings.models import Kind, Pairing, Part
from app.scheduling import service as scheduling
from app.series import making, news, queries
from app.series.events import SeriesAccepted, SeriesCancelled, SeriesDeclined, SeriesProposed
from app.series.models import Series, SeriesOccurrence, SeriesStatus
from app.series.recurrence import Occurrence, Recurrence, occurrence, wall_time
from app.series.rules import Refused, parse
from app.series.schemas import (
    PreviewItem,
    RecurrencePreview,
    SeriesCancel,
    SeriesChange,
    SeriesPropose,
    SeriesRead,
    SeriesVerb,
    verbs,
)

T = TypeVar("T")
GRACE: Final = timedelta(minutes=1)
HORIZON: Final = timedelta(days=730)
"""As far ahead as a single meeting."""
SHOWN: Final = 10


def preview(rule: str, dtstart: str, zone: str, exdates: Sequence[str], limit: int) -> RecurrencePreview:
    """The first times of a rule."""
    recurrence = Recurrence(
        rule=_read(parse, rule, "/query/rule"),
        dtstart=_read(wall_time, dtstart, "/query/dtstart"),
        zone=ZoneInfo(zone),
        exdates=_walls(exdates, "/query/exdate"),
    )
    items = [PreviewItem.of(found) for found in islice(recurrence.occurrences(), limit)]
    return RecurrencePreview(items=items, ends=recurrence.rule.ends or len(items) < limit)


def _read(read: Callable[[str], T], text: str, pointer: str) -> T:
    try:
        return read(text)
    except Refused as problem:
        raise invalid(pointer, str(problem), "rule_refused" if "rule" in pointer else "invalid") from None


def _walls(texts: Sequence[str], pointer: str) -> tuple[datetime, ...]:
    return tuple(_read(wall_time, each, pointer) for each in texts)


async def present(db: AsyncSession, actor: Actor, rows: Sequence[Series]) -> list[SeriesRead]:
    """The series as the actor sees them."""
    now = clock.now()
    found = await pairings.by_ids(db, {row.pairing_id for row in rows})
    active = {row.id for row in rows if row.status == SeriesStatus.ACTIVE}
    made: dict[UUID, list[SeriesOccurrence]] = {}
    for each in await queries.occurrences(db, active, now):
        made.setdefault(each.series_id, []).append(each)

    def upcoming(row: Series) -> Sequence[SeriesOccurrence | Occurrence]:
        if row.status == SeriesStatus.PROPOSED:
            return making.coming(row, now)[:SHOWN]
        return [each for each in made.get(row.id, []) if row.takes_place(each.recurrence_id)][:SHOWN]

    return [SeriesRead.of(row, found[row.pairing_id], upcoming(row), actor.account_id) for row in rows]


async def read(db: AsyncSession, actor: Actor, series_id: UUID) -> SeriesRead:
    """One series as the actor sees it."""
    return (await present(db, actor, [await queries.get(db, actor, series_id, lock=False)]))[0]


async def propose(db: AsyncSession, actor: Actor, pairing_id: UUID, body: SeriesPropose) -> SeriesRead:
    """Propose to an active pairing to meet by a rule; a circle's lead books at once."""
    pairing = await pairings.get(db, actor, pairing_id)
    mine = [part for part in pairing.current() if part.person.account_id == actor.account_id]
    if not mine:
        raise Forbidden("not_a_participant", "Only its participants arrange meetings.")
    pairing.must_be_active()
    series = Series(
        pairing_id=pairing.id,
        proposed_by_id=mine[0].membership_id,
        dtstart=_read(wall_time, body.dtstart, "/dtstart"),
        zone=body.zone,
        rule=str(_read(parse, body.rule, "/rule")),
        duration_minutes=body.duration_minutes,
        title=body.title or None,
        exdates=list(_walls(body.exdates, "/exdates")),
        rdates=list(_walls(body.rdates, "/rdates")),
    )
    _must_make_sense(series)
    await _add(db, actor, series, pairing)
    return await read(db, actor, series.id)


def _must_make_sense(series: Series) -> None:
    """It begins, and if it ends it does so soon enough; the answer says which of these is not so."""
    recurrence, now = series.recurrence(), clock.now()
    first = next(recurrence.occurrences(), None)
    if any(each < series.dtstart for each in series.rdates):
        raise invalid("/rdates", "Give times that lie after `dtstart`.", "before_the_beginning")
    if first is None:
        until = recurrence.rule.until
        if until and until.at < series.dtstart:
            raise invalid("/rule", "UNTIL lies before `dtstart`. Give a later end.", "ends_before_it_begins")
        raise invalid("/rule", "No day fits this rule. Change it, or when it begins.", "never_takes_place")
    if occurrence(series.dtstart, recurrence.zone).instant < now - GRACE:
        raise invalid("/dtstart", "Give a time that lies ahead.", "in_the_past")
    if first.instant > now + HORIZON:
        raise invalid("/dtstart", "Give a time within the next two years.", "too_far_ahead")
    if recurrence.rule.ends and next(recurrence.occurrences(now + HORIZON), None):
        detail = "Let it end within two years, or leave the end out: it then goes on until it is cancelled."
        raise invalid("/rule", detail, "too_long")


async def _add(db: AsyncSession, actor: Actor, series: Series, pairing: Pairing) -> None:
    """Propose it, or book it where it is for the actor alone to decide."""
    db.add(series)
    await db.flush()
    audit.record(db, actor.account_id, "series.proposed", series.id)
    mine = [part for part in pairing.current() if part.person.account_id == actor.account_id]
    if pairing.kind == Kind.CIRCLE and any(part.role == Part.LEAD for part in mine):
        await _start(db, actor, series, pairing)
    else:
        await news.tell(db, series)
        emit(db, SeriesProposed(series_id=series.id, by_account_id=actor.account_id))


async def _start(db: AsyncSession, actor: Actor, series: Series, pairing: Pairing) -> None:
    """Book its first meetings, in the place of those of the series that it continues."""
    if not making.coming(series, clock.now()):
        raise Conflict("series_over", "All of its times have passed. Propose new ones.")
    series.move("accept")
    if series.continues_id is not None and series.continues_from is not None:
        before = await queries.locked(db, series.continues_id)
        if before.status != SeriesStatus.ACTIVE:
            detail = f"The series that this was to change is {before.status}. Propose a new one."
            raise Conflict(f"series_{before.status}", detail)
        await _stop(db, actor, before, series.continues_from, verb="end")
    audit.record(db, actor.account_id, "series.accepted", series.id)
    await making.make(db, series, pairing, actor.account_id)
    await news.tell(db, series)
    emit(db, SeriesAccepted(series_id=series.id, by_account_id=actor.account_id))


async def _stop(
    db: AsyncSession, actor: Actor, series: Series, at: datetime, *, verb: str, whole: bool = False
) -> None:
    """Let it end before an occurrence, or (`whole`) also those before that were moved. What began stays."""
    series.stops_before = min(at, series.stops_before or at)
    if making.coming(series, clock.now()):
        series.version += 1
    else:
        series.move(verb)
    ids = await queries.meetings_from(db, series.id, series.dtstart if whole else at)
    await scheduling.cancel_of_series(db, actor.account_id, ids, series.id)
    await _withdraw_changes(db, series)
    await news.tell(db, series)


async def _withdraw_changes(db: AsyncSession, series: Series) -> None:
    """What was proposed for a series that is another one now makes no sense any more."""
    for pending in await queries.proposed_to_continue(db, series.id):
        pending.move("cancel")
        await news.tell(db, pending)


async def _decidable(
    db: AsyncSession, actor: Actor, series_id: UUID, verb: SeriesVerb, *states: SeriesStatus
) -> tuple[Series, Pairing]:
    """The series and its pairing: 409 outside `states`, 403 when `verb` is for someone else."""
    series = await queries.get(db, actor, series_id)
    pairing = await pairings.one(db, series.pairing_id)
    pairing.must_be_active()
    if series.status not in states:
        raise Conflict(f"series_{series.status}", f"This series is {series.status}.")
    if verb not in verbs(series, pairing, actor.account_id):
        raise Forbidden("not_yours_to_decide", "This is for someone else in this mentorship to do.")
    return series, pairing


async def accept(db: AsyncSession, actor: Actor, series_id: UUID) -> SeriesRead:
    """Say yes: its meetings are booked, and those that cannot be at their time are proposed for another."""
    series, pairing = await _decidable(db, actor, series_id, "accept", SeriesStatus.PROPOSED)
    await _start(db, actor, series, pairing)
    return await read(db, actor, series.id)


async def decline(db: AsyncSession, actor: Actor, series_id: UUID) -> SeriesRead:
    """Say no; what a change was proposed for stays as it was."""
    series, _ = await _decidable(db, actor, series_id, "decline", SeriesStatus.PROPOSED)
    series.move("decline")
    audit.record(db, actor.account_id, "series.declined", series.id)
    await news.tell(db, series)
    emit(db, SeriesDeclined(series_id=series.id, by_account_id=actor.account_id))
    return await read(db, actor, series.id)


async def cancel(db: AsyncSession, actor: Actor, series_id: UUID, body: SeriesCancel) -> SeriesRead:
    """Cancel all that has not begun, or an occurrence and what follows; or take a proposal back."""
    states = (SeriesStatus.PROPOSED, SeriesStatus.ACTIVE)
    series, _ = await _decidable(db, actor, series_id, "cancel", *states)
    series.reason = body.reason or None
    if series.status == SeriesStatus.PROPOSED:
        series.move("cancel")
        await news.tell(db, series)
    else:
        at = _from(series, body.from_)
        stop = at.recurrence_id if at else series.dtstart
        await _stop(db, actor, series, stop, verb="cancel", whole=body.from_ is None)
    audit.record(db, actor.account_id, "series.cancelled", series.id)
    emit(db, SeriesCancelled(series_id=series.id, by_account_id=actor.account_id))
    return await read(db, actor, series.id)


def _from(series: Series, text: str | None) -> Occurrence | None:
    """The occurrence that is named, or the next one; None when nothing is to come."""
    now = clock.now()
    if text is None:
        return next(iter(making.coming(series, now)), None)
    named = _read(wall_time, text, "/from")
    at = occurrence(named, ZoneInfo(series.zone)).instant
    if at <= now:
        raise Conflict(
            "occurrence_begun", "That one has begun or is over. Give a later one, or none for all."
        )
    found = next(iter(making.coming(series, at)), None)
    if found is None or found.recurrence_id != named:
        raise invalid("/from", "Give the recurrence_id of an occurrence of this series.", "no_occurrence")
    return found


class _Rest(NamedTuple):
    """What of a series lies at and after an occurrence, as a series of its own."""

    rule: str
    dtstart: datetime
    exdates: list[datetime]
    rdates: list[datetime]


def _rest(series: Series, at: Occurrence) -> _Rest:
    plain = Recurrence(parse(series.rule), series.dtstart, ZoneInfo(series.zone))
    first = next(plain.occurrences(at.instant), None)
    if first is None:
        raise invalid("/from", "Only added times are left of this series; change each by itself.")
    rule = plain.rule
    if rule.count is not None:
        left = sum(each.recurrence_id >= first.recurrence_id for each in plain.occurrences())
        rule = rule.counting(left)
    return _Rest(
        str(rule),
        first.recurrence_id,
        [each for each in series.exdates if each >= first.recurrence_id],
        [each for each in series.rdates if each >= at.recurrence_id],
    )


async def change(db: AsyncSession, actor: Actor, series_id: UUID, body: SeriesChange) -> SeriesRead:
    """Propose another rule, time or length for an occurrence and what follows; a title changes at once.

    Another rule or time is a series of its own that continues this one. Until the other side accepts it all
    stays as it is.
    """
    series, pairing = await _decidable(db, actor, series_id, "change", SeriesStatus.ACTIVE)
    if body.version is not None and body.version != series.version:
        detail = "Someone changed this series since you opened it. Read it again and repeat your change."
        raise Conflict("series_changed", detail)
    at = _from(series, body.from_)
    if at is None:
        raise Conflict("series_over", "Nothing of this series is to come. Propose a new one.")
    if not (body.dtstart or body.zone or body.rule or body.duration_minutes):
        await _retitle(db, series, at, body)
        return await read(db, actor, series.id)
    changed = _changed(series, at, body)
    mine = [part for part in pairing.current() if part.person.account_id == actor.account_id]
    changed.proposed_by_id = mine[0].membership_id
    _must_make_sense(changed)
    await _withdraw_changes(db, series)
    await _add(db, actor, changed, pairing)
    return await read(db, actor, changed.id)


def _changed(series: Series, at: Occurrence, body: SeriesChange) -> Series:
    """The series that takes the place of this one from there on."""
    rest = _rest(series, at)
    keeps_times = body.rule is None and body.dtstart is None
    return Series(
        pairing_id=series.pairing_id,
        proposed_by_id=series.proposed_by_id,
        continues_id=series.id,
        continues_from=at.recurrence_id,
        dtstart=_read(wall_time, body.dtstart, "/dtstart") if body.dtstart else rest.dtstart,
        zone=body.zone or series.zone,
        rule=str(_read(parse, body.rule, "/rule")) if body.rule else rest.rule,
        duration_minutes=body.duration_minutes or series.duration_minutes,
        title=(body.title or None) if "title" in body.model_fields_set else series.title,
        exdates=rest.exdates if keeps_times else [],
        rdates=rest.rdates if keeps_times else [],
    )


async def _retitle(db: AsyncSession, series: Series, at: Occurrence, body: SeriesChange) -> None:
    if "title" not in body.model_fields_set:
        raise invalid("/title", "Say what changes: title, rule, dtstart, zone or duration_minutes.")
    series.title = body.title or None
    series.version += 1
    ids = await queries.meetings_from(db, series.id, at.recurrence_id)
    await scheduling.retitle_of_series(db, ids, series.title)
    await news.tell(db, series)


async def pairing_ended(db: AsyncSession, event: PairingEnded) -> None:
    """An ended pairing makes no meetings any more; those that were booked are cancelled with it."""
    for series in await queries.open_of_pairing(db, event.pairing_id):
        was_active = series.status == SeriesStatus.ACTIVE
        series.move("end" if was_active else "cancel")
        ids = await queries.meetings_from(db, series.id, series.dtstart)
        await scheduling.cancel_of_series(db, None, ids, series.id)
        await news.tell(db, series)
        if was_active:
            emit(db, SeriesCancelled(series_id=series.id, by_account_id=None))
