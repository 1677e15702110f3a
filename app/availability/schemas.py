"""What travels about hours, absences and holidays."""

from collections.abc import Sequence
from datetime import date, datetime
from itertools import pairwise
from typing import Annotated, Literal, TypeVar
from uuid import UUID

from pydantic import AfterValidator, Field, StrictBool, StrictInt

from app.availability.models import WEEKDAYS, Schedule
from app.core.schemas import Body, Instant, Line, Name, Read, Zone

Weekday = Literal["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
Start = Annotated[str, Field(max_length=5, pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", examples=["09:00"])]
End = Annotated[
    str,
    Field(
        max_length=5,
        pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$",
        examples=["12:30"],
        description="After the start; 24:00 is midnight. What goes past midnight takes two rows.",
    ),
]


def _minutes(clock: str) -> int:
    return int(clock[:2]) * 60 + int(clock[3:])


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _recent(day: date) -> date:
    if not 2000 <= day.year <= 2200:
        raise ValueError("lies too far away")
    return day


Day = Annotated[date, AfterValidator(_recent), Field(examples=["2026-12-24"])]


class OpenHours(Body):
    """Between two times on the wall of the schedule's zone."""

    start: Start
    end: End

    @property
    def span(self) -> tuple[int, int]:
        """In minutes past midnight."""
        return _minutes(self.start), _minutes(self.end)


class WeekdayHours(OpenHours):
    weekday: Weekday


Some = TypeVar("Some", bound=OpenHours)


def _apart(hours: Sequence[OpenHours]) -> None:
    """Each ends after it starts, and before the next one of its day."""
    spans = sorted(one.span for one in hours)
    for start, end in spans:
        if start >= end:
            raise ValueError(
                f"{_clock(start)} to {_clock(end)} ends before it starts; past midnight needs two rows"
            )
    for (_, end), (start, _) in pairwise(spans):
        if start < end:
            raise ValueError(f"two rows share the time from {_clock(start)} to {_clock(end)}; join them")


def _day(hours: list[OpenHours]) -> list[OpenHours]:
    _apart(hours)
    return hours


def _week(hours: list[WeekdayHours]) -> list[WeekdayHours]:
    for weekday in WEEKDAYS:
        _apart([one for one in hours if one.weekday == weekday])
    return hours


class Override(Body):
    """Hours for one date, instead of its weekday's and also on a holiday."""

    date: Day
    hours: Annotated[list[OpenHours], Field(max_length=24), AfterValidator(_day)] = Field(
        description="None of them: a day off."
    )


def _once(overrides: list[Override]) -> list[Override]:
    days = [one.date for one in overrides]
    for day in days:
        if days.count(day) > 1:
            raise ValueError(f"{day} stands here more than once; put its hours together")
    return overrides


def _sorted(values: list[int]) -> list[int]:
    return sorted(set(values))


Few = Annotated[StrictInt, Field(ge=1, le=100)]
Quiet = Annotated[StrictInt, Field(ge=0, le=120)]


class ScheduleWrite(Body):
    name: Name
    zone: Zone = Field(description="The zone whose wall clocks the hours are read from.")
    is_default: StrictBool = Field(
        default=False, description="Holds wherever no other is chosen. My first one is, whatever this says."
    )
    hours: Annotated[list[WeekdayHours], Field(max_length=168), AfterValidator(_week)]
    overrides: Annotated[list[Override], Field(max_length=400), AfterValidator(_once)] = Field(
        default_factory=list
    )
    buffer_before_minutes: Quiet = Field(default=0, examples=[0])
    buffer_after_minutes: Quiet = Field(
        default=0, examples=[15], description="Quiet after a meeting; it stacks with what the next one asks."
    )
    minimum_notice_minutes: Annotated[StrictInt, Field(ge=0, le=43_200)] = Field(
        default=0, examples=[720], description="How long before it starts a meeting is arranged, at least."
    )
    horizon_days: Annotated[StrictInt, Field(ge=1, le=730)] = Field(
        default=365, examples=[60], description="How many days ahead at most."
    )
    most_per_day: Few | None = Field(default=None, examples=[3])
    most_per_week: Few | None = Field(
        default=None, examples=[8], description="In an ISO week, from Monday, in this zone."
    )
    lengths: Annotated[
        list[Annotated[StrictInt, Field(ge=5, le=480)]],
        Field(min_length=1, max_length=12, examples=[[30, 45, 60]]),
        AfterValidator(_sorted),
    ] = Field(
        default_factory=lambda: [15, 30, 45, 60, 90], description="How long meetings may be, in minutes."
    )
    step_minutes: Literal[5, 10, 15, 20, 30, 60] = Field(
        default=15, description="At which times slots are shown; a booking need not keep to it."
    )
    confirm: StrictBool = Field(default=True, description="Others' bookings wait for my yes.")


class ScheduleReplace(ScheduleWrite):
    version: Annotated[StrictInt, Field(ge=1, le=2**31 - 1)] = Field(description="The one that was read.")


class ScheduleRead(ScheduleWrite):
    id: UUID
    version: int
    pairing_ids: list[UUID] = Field(description="The mentorships that I chose it for.")
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, schedule: Schedule, pairing_ids: Sequence[UUID]) -> "ScheduleRead":
        """As its owner sees it."""
        plain = {name: getattr(schedule, name) for name in cls.model_fields if hasattr(schedule, name)}
        hours = [
            WeekdayHours(weekday=WEEKDAYS[day], start=_clock(start), end=_clock(end))
            for day, start, end in schedule.hours
        ]
        overrides = [
            Override(date=date.fromisoformat(day), hours=[_open(*span) for span in spans])
            for day, spans in sorted(schedule.overrides.items())
        ]
        return cls(**plain | {"hours": hours, "overrides": overrides, "pairing_ids": list(pairing_ids)})


def _open(start: int, end: int) -> OpenHours:
    return OpenHours(start=_clock(start), end=_clock(end))


class ScheduleChoice(Body):
    schedule_id: UUID | None = Field(description="One of mine; null is my default.")


class PairingScheduleRead(Read):
    pairing_id: UUID
    schedule_id: UUID | None


class AbsenceCreate(Body):
    starts_at: Instant
    ends_at: Instant | None = Field(default=None, description="Null is a pause until further notice.")
    note: Annotated[Line, Field(max_length=200)] = Field(default="", description="For my eyes only.")


class AbsenceRead(Read):
    id: UUID
    starts_at: datetime
    ends_at: datetime | None
    note: str
    created_at: datetime


class HolidayRow(Body):
    date: Day
    name: Annotated[Name, Field(examples=["Boxing Day"])]


def _no_day_twice(rows: list[HolidayRow]) -> list[HolidayRow]:
    if len({row.date for row in rows}) != len(rows):
        raise ValueError("a date stands here more than once; give each one name")
    return sorted(rows, key=lambda row: row.date)


class Holidays(Body):
    items: Annotated[list[HolidayRow], Field(max_length=400), AfterValidator(_no_day_twice)]
