"""Two people with a booked meeting, what their calendars were sent, and how they answer."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import icalendar
import pytest

from app.calendars import addresses, service
from app.calendars.service import Taken
from app.core import clock
from app.core.db import emit
from app.scheduling import queries as scheduling
from app.scheduling.events import MeetingMoved
from app.settings import get_settings
from tests.app.letters import reply
from tests.world import Person, World, meeting

ADDRESS = "calendar@mail.example.org"
SETTINGS = {"calendar_address": ADDRESS, "mail_from": "Mentorspan <no-reply@mail.example.org>"}


@pytest.fixture
def with_a_calendar_address(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SETTINGS.items():
        monkeypatch.setattr(get_settings(), name, value)


class Met:
    """A mentee and a mentor of two organisations with a booked meeting, and their mails so far."""

    def __init__(self, world: World, mentee: Person, mentor: Person, booked: Any) -> None:
        self.world, self.mentee, self.mentor, self.booked = world, mentee, mentor, booked

    async def mails(self, person: Person) -> list[Any]:
        return await invitations(self.world, person)

    async def newest(self, person: Person) -> Any:
        """The event of the newest invitation that someone got."""
        return event((await self.mails(person))[-1])

    def address(self, person: Person) -> str:
        subject = UUID(self.booked["id"])
        token = addresses.token(self.world.door.keys.refresh, subject, person.account_id)
        return addresses.reply_address(ADDRESS, token)

    async def answer(self, person: Person, status: str = "ACCEPTED", **how: Any) -> Taken:
        """A mail that this person's calendar sends, spoilt as asked."""
        to = how.pop("to", self.address(person))
        uid = how.pop("uid", f"{self.booked['id']}@localhost")
        return await self.send(reply(uid, how.pop("attendee", person.email), to, status, **how))

    async def send(self, raw: bytes) -> Taken:
        async with self.world.database.transaction() as db:
            return await service.take_in(db, raw, self.world.door.keys)

    async def said(self, person: Person) -> list[tuple[bool, str, bool]]:
        """Whether it was mine, what was said, whether it is outdated."""
        found = await person.ok("GET", f"/v1/meetings/{self.booked['id']}/replies")
        return [(row["is_me"], row["status"], row["outdated"]) for row in found["items"]]

    async def happens(self, change: dict[str, Any], happened: Any) -> None:
        """What another room does to the meeting."""
        async with self.world.database.transaction() as db:
            row = await scheduling.one(db, UUID(self.booked["id"]))
            for name, value in change.items():
                setattr(row, name, value)
            emit(db, happened)


async def invitations(world: World, person: Person) -> list[Any]:
    """The mails with a calendar object that someone got, oldest first."""
    return [each for each in await world.mails(person.email) if each["calendar"]]


def event(letter: Any) -> Any:
    (found,) = icalendar.Calendar.from_ical(letter["calendar"]["text"]).walk("VEVENT")
    return found


@pytest.fixture
async def met(world: World, with_a_calendar_address: None) -> Met:
    del with_a_calendar_address
    mentee, mentor = await world.two()
    pairing = await world.pair(mentee, mentor)
    await world.run("DELETE FROM procrastinate_jobs")
    asked = await mentee.ok(
        "POST", f"/v1/pairings/{pairing['id']}/meetings", meeting(clock.now() + timedelta(days=2))
    )
    assert [each["calendar"] for each in await world.mails()] == [None], "only what is booked is invited"
    await world.run("DELETE FROM procrastinate_jobs")
    return Met(world, mentee, mentor, await mentor.ok("POST", f"/v1/meetings/{asked['id']}/accept"))


def moved(met: Met, by: Person | None = None) -> MeetingMoved:
    return MeetingMoved(
        meeting_id=UUID(met.booked["id"]),
        by_account_id=by and by.account_id,
        starts_at=datetime.fromisoformat(met.booked["starts_at"]),
        ends_at=datetime.fromisoformat(met.booked["ends_at"]),
    )
