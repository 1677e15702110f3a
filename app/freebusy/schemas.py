"""What travels about calendars that are kept elsewhere. Addresses and passwords come in and never go out."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from app.core.schemas import Body, Line, Name, Read


class Kind(StrEnum):
    """How it is read: as one file, or by CalDAV."""

    ICS = "ics"
    CALDAV = "caldav"


class ImportedCalendarAdd(Body):
    name: Name
    kind: Kind
    url: Annotated[
        Line,
        Field(
            min_length=8,
            max_length=2000,
            description="`https://`, `http://` or `webcal://`. For CalDAV the calendar itself, or where the "
            "server says who I am: then all my calendars count.",
            examples=["https://calendar.example.org/private/3f0c.ics"],
        ),
    ]
    username: Annotated[Line, Field(min_length=1, max_length=200)] | None = None
    password: Annotated[Line, Field(min_length=1, max_length=500)] | None = None


class ImportedCalendarRead(Read):
    id: UUID
    name: str
    kind: Kind
    host: str = Field(description="All that is shown of its address.")
    created_at: datetime
    fetched_at: datetime | None = Field(
        description="When its server last gave an answer that could be read; null: it never did."
    )
    next_try_at: datetime = Field(description="When it is read again; it may take a minute more.")
    busy_times: int = Field(description="How many times it takes from me, from now to a year ahead.")
    skipped: int = Field(description="How many of its events could not be read.")
    problem_code: str | None = Field(
        description="For programs; null: it could be read. The times that were read before still count."
    )
    problem: str | None = Field(description="For people: what is wrong, and what to do.")
