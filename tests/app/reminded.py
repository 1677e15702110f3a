"""What tests of reminders share: a pair that meets, time that passes, and what was told."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import time_machine
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import Range

from app.core.db import emit
from app.notifications import sending
from app.notifications.models import Reminder, ReminderPreferences
from app.scheduling.events import MeetingMoved
from app.scheduling.models import Booking, Meeting
from tests.world import Person, World

TUESDAY: Final = datetime(2027, 2, 2, 12, 0, tzinfo=UTC)
"""Noon in London, in winter; the meetings of these tests are on Thursday."""
THURSDAY: Final = TUESDAY + timedelta(days=2, hours=6)
WISHES: Final[dict[str, Any]] = {
    "channels": ["mail", "page"],
    "lead_minutes": [1440, 60, 10],
    "quiet_hours": {"start": "22:00", "end": "07:00"},
    "agenda": False,
    "nudges": True,
}


@dataclass
class Pair:
    """A mentee, a mentor, and what they have together."""

    world: World
    mentee: Person
    mentor: Person
    id: str

    @classmethod
    async def of(cls, world: World, **wishes: Any) -> "Pair":
        mentee, mentor = await world.two()
        said = {**WISHES, **wishes}
        del said["quiet_hours"]  # as they are by themselves
        await world.save(
            *(ReminderPreferences(account_id=person.account_id, **said) for person in (mentee, mentor))
        )
        return cls(world, mentee, mentor, (await world.pair(mentee, mentor))["id"])

    async def meet(self, at: datetime = THURSDAY) -> str:
        """Book a meeting; returns its id."""
        for person in (self.mentee, self.mentor):
            self.world.renew(person)
        booked: str = (await self.world.meet(self.mentee, self.mentor, self.id, at))["id"]
        return booked


@contextmanager
def at(moment: datetime, *people: Person, world: World | None = None) -> Iterator[None]:
    """It is that time; these people have fresh tokens."""
    with time_machine.travel(moment, tick=False):
        for person in people:
            assert world is not None
            world.renew(person)
        yield


async def told(world: World, moment: datetime, to: Person | None = None) -> list[dict[str, Any]]:
    """The mails of reminders that are told at that time, by a worker's one step."""
    before = {mail["message_id"] for mail in await world.mails()}
    with time_machine.travel(moment, tick=False):
        await sending.send_due(world.database)
    mails = [
        mail
        for mail in await world.mails(None if to is None else to.email)
        if mail["message_id"] not in before
    ]
    assert all(mail["message_id"].startswith("<reminder.") for mail in mails)
    return mails


async def reminders(world: World) -> list[Reminder]:
    """All rows, in the order in which they are due."""
    return await world.rows(select(Reminder).order_by(Reminder.due_at, Reminder.account_id))


async def why(world: World) -> list[str | None]:
    """Why each was dropped; None for those that were not."""
    return sorted({row.dropped_why for row in await reminders(world)}, key=str)


async def move(world: World, meeting_id: str, to: datetime) -> None:
    """Move a meeting as scheduling does."""
    async with world.database.transaction() as db:
        meeting = await db.get_one(Meeting, UUID(meeting_id), with_for_update=True)
        before = meeting.starts_at, meeting.ends_at
        meeting.starts_at, meeting.ends_at = to, to + (meeting.ends_at - meeting.starts_at)
        during = Range(meeting.starts_at, meeting.ends_at, bounds="[)")
        for row in await db.scalars(select(Booking).where(Booking.meeting_id == meeting.id)):
            row.during = during
        emit(
            db,
            MeetingMoved(meeting_id=meeting.id, by_account_id=None, starts_at=before[0], ends_at=before[1]),
        )
