"""What travels about recurrence rules and series."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StrictInt

from app.core.schemas import Body, Line, Note, Read, Zone
from app.pairings.models import Kind, Pairing, Part
from app.pairings.models import Status as PairingStatus
from app.series.models import Series, SeriesOccurrence, SeriesStatus
from app.series.recurrence import Occurrence
from app.series.rules import MAX_TEXT

SeriesVerb = Literal["accept", "decline", "change", "cancel"]

Wall = Annotated[str, Field(max_length=19, examples=["2027-01-12T18:00:00"])]
"""A time on the wall, without an offset; `series.service` reads it."""
RuleText = Annotated[str, Field(max_length=MAX_TEXT, examples=["FREQ=WEEKLY;INTERVAL=2;BYDAY=TU"])]
Minutes = Annotated[StrictInt, Field(ge=5, le=480, examples=[45])]
Title = Annotated[Line, Field(max_length=120, examples=["Every other Tuesday"])]
Dates = Annotated[list[Wall], Field(max_length=50, examples=[[]])]


class PreviewItem(Read):
    local: str = Field(description="What the clock on the wall shows then.", examples=["1997-09-02T09:00:00"])
    instant: datetime
    shifted: bool = Field(
        description="The clocks leave out the time of the rule on that day, so it comes later on the clock."
    )

    @classmethod
    def of(cls, found: Occurrence) -> "PreviewItem":
        return cls(local=found.local.isoformat(), instant=found.instant, shifted=found.shifted)


class RecurrencePreview(Read):
    items: list[PreviewItem] = Field(description="The first times, in order.")
    ends: bool = Field(description="Whether this rule comes to an end, or goes on for ever.")


class SeriesPropose(Body):
    dtstart: Wall = Field(description="From when on, in local time; it takes place then if the rule says so.")
    zone: Zone
    rule: RuleText = Field(description="As in `/v1/recurrences/preview`; its end lies within two years.")
    duration_minutes: Minutes
    title: Title | None = None
    exdates: Dates = Field(default=[], description="Local times that are left out.")
    rdates: Dates = Field(default=[], description="Local times that are added.")


class SeriesChange(Body):
    """What is not given stays as it is. Another time or rule waits for the other side, like a new one."""

    from_: Wall | None = Field(
        default=None,
        alias="from",
        description="The `recurrence_id` from which on; null: all that have not begun.",
    )
    dtstart: Wall | None = Field(
        default=None, description="When the first of the changed ones is, in local time."
    )
    zone: Zone | None = None
    rule: RuleText | None = None
    duration_minutes: Minutes | None = None
    title: Title | None = None
    version: Annotated[StrictInt, Field(ge=1, le=2**31 - 1)] | None = Field(
        default=None, description="The version that was read: refused when somebody changed it meanwhile."
    )


class SeriesCancel(Body):
    from_: Wall | None = Field(
        default=None,
        alias="from",
        description="The `recurrence_id` from which on; null: all that have not begun.",
    )
    reason: Annotated[Note, Field(examples=["I am changing jobs."])] | None = None


class OccurrenceRead(Read):
    recurrence_id: str = Field(
        description="Its name: the local time that the rule says.", examples=["2027-01-12T18:00:00"]
    )
    starts_at: datetime = Field(description="When the rule says; the meeting may have been moved.")
    meeting_id: UUID | None = Field(
        description="Its meeting; of a skipped one another time that is proposed, if there is one. Null also "
        "where it is not made yet: meetings are made half a year ahead."
    )
    skipped: str | None = Field(
        description="Why it does not take place at its time: `meeting`, `hold`, `absence`, `holiday` or "
        "`elsewhere`.",
        examples=[None],
    )

    @classmethod
    def of(cls, row: SeriesOccurrence | Occurrence) -> "OccurrenceRead":
        name = row.recurrence_id.isoformat()
        if isinstance(row, Occurrence):
            return cls(recurrence_id=name, starts_at=row.instant, meeting_id=None, skipped=None)
        return cls(
            recurrence_id=name, starts_at=row.starts_at, meeting_id=row.meeting_id, skipped=row.skipped
        )


class SeriesRead(Read):
    id: UUID
    pairing_id: UUID
    status: SeriesStatus
    proposed_by: UUID = Field(description="The membership that proposed it.")
    dtstart: str = Field(examples=["2027-01-12T18:00:00"])
    zone: str
    rule: str = Field(examples=["FREQ=WEEKLY;INTERVAL=2;BYDAY=TU"])
    duration_minutes: int
    title: str | None = Field(examples=["Every other Tuesday"])
    exdates: list[str] = Field(examples=[[]])
    rdates: list[str] = Field(examples=[[]])
    stops_before: str | None = Field(
        description="The first `recurrence_id` that takes place no more.", examples=[None]
    )
    continues_id: UUID | None = Field(
        description="The series whose place it takes from `continues_from` on, once it is accepted."
    )
    continues_from: str | None = Field(examples=[None])
    reason: str | None = Field(description="Why it was cancelled.", examples=["I am changing jobs."])
    version: int
    next: list[OccurrenceRead] = Field(description="The next ones, at most ten.")
    may: list[SeriesVerb] = Field(description="What I can do with it now.")

    @classmethod
    def of(
        cls,
        series: Series,
        pairing: Pairing,
        upcoming: Sequence[SeriesOccurrence | Occurrence],
        me: UUID,
    ) -> "SeriesRead":
        """The series as the account `me` sees it."""
        return cls(
            id=series.id,
            pairing_id=series.pairing_id,
            status=SeriesStatus(series.status),
            proposed_by=series.proposed_by_id,
            dtstart=series.dtstart.isoformat(),
            zone=series.zone,
            rule=series.rule,
            duration_minutes=series.duration_minutes,
            title=series.title,
            exdates=[each.isoformat() for each in series.exdates],
            rdates=[each.isoformat() for each in series.rdates],
            stops_before=series.stops_before.isoformat() if series.stops_before else None,
            continues_id=series.continues_id,
            continues_from=series.continues_from.isoformat() if series.continues_from else None,
            reason=series.reason,
            version=series.version,
            next=[OccurrenceRead.of(each) for each in upcoming],
            may=verbs(series, pairing, me),
        )


def verbs(series: Series, pairing: Pairing, me: UUID) -> list[SeriesVerb]:
    """What the account `me` can do with the series now. A circle's series is for its lead to decide on."""
    mine = [part for part in pairing.current() if part.person.account_id == me]
    if not mine or pairing.status != PairingStatus.ACTIVE:
        return []
    proposed = series.proposed_by_id in {part.membership_id for part in mine}
    leads = pairing.kind != Kind.CIRCLE or any(part.role == Part.LEAD for part in mine)
    if series.status == SeriesStatus.PROPOSED:
        return ["cancel"] if proposed else ["accept", "decline"] if leads else []
    if series.status == SeriesStatus.ACTIVE and (leads or proposed):
        return ["change", "cancel"]
    return []
