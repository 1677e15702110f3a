"""Invitations by mail through their life, what calendars answer, and who may not answer for whom."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import icalendar
import pytest
import time_machine
from ical.calendar_stream import IcsCalendarStream
from sqlalchemy import select

from app.calendars import addresses, service
from app.calendars.models import MeetingInvitation, MeetingReply
from app.calendars.service import Taken
from app.core import clock, mail
from app.core.db import emit
from app.scheduling import queries as scheduling
from app.scheduling.events import MeetingMoved, MeetingRetitled
from app.settings import get_settings
from tests.app.house import House
from tests.app.letters import letter, object_of, reply
from tests.app.test_notifications import Keeper, keeper, until, working
from tests.logs import capture
from tests.world import ALL_ROLES, Person, World, meeting

__all__ = ["keeper"]
pytestmark = pytest.mark.database
ADDRESS = "calendar@mail.example.org"
SETTINGS = {"calendar_address": ADDRESS, "mail_from": "Mentorspan <no-reply@mail.example.org>"}


@pytest.fixture(autouse=True)
def _with_a_calendar_address(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SETTINGS.items():
        monkeypatch.setattr(get_settings(), name, value)


class Met:
    """A mentee and a mentor of two organisations with a booked meeting, and their mails so far."""

    def __init__(self, world: World, mentee: Person, mentor: Person, booked: Any) -> None:
        self.world, self.mentee, self.mentor, self.booked = world, mentee, mentor, booked

    async def mails(self, person: Person) -> list[Any]:
        return [each for each in await self.world.mails(person.email) if each["calendar"]]

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


def event(letter: Any) -> Any:
    (found,) = icalendar.Calendar.from_ical(letter["calendar"]["text"]).walk("VEVENT")
    return found


@pytest.fixture
async def met(world: World) -> Met:
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


# What is sent


async def test_each_gets_one_mail_with_one_invitation(met: Met) -> None:
    sent = await met.world.mails()
    assert sorted(each["to"] for each in sent) == sorted([met.mentee.email, met.mentor.email])
    for person, other in ((met.mentee, met.mentor), (met.mentor, met.mentee)):
        (mailed,) = await met.mails(person)
        assert mailed["calendar"]["method"] == "REQUEST"
        found = event(mailed)
        assert found["UID"] == f"{met.booked['id']}@localhost"
        assert found["SEQUENCE"] == 0
        starts_at = datetime.fromisoformat(met.booked["starts_at"])
        assert found["DTSTART"].dt == starts_at.replace(microsecond=0)
        assert str(found["CONFERENCE"]) == f"http://localhost:8000/meetings/{met.booked['id']}"
        assert found["SUMMARY"] == f"Meeting with {other.name}"
        assert found["ORGANIZER"] == f"mailto:{met.address(person)}"
        assert mailed["reply_to"] == met.address(person)
        mine, theirs = sorted(found["ATTENDEE"], key=lambda one: one != f"mailto:{person.email}")
        assert (mine.params["PARTSTAT"], mine.params["RSVP"]) == ("NEEDS-ACTION", "TRUE")
        assert (theirs.params["PARTSTAT"], theirs.params["CN"]) == ("ACCEPTED", other.name)
        assert IcsCalendarStream.calendar_from_ics(mailed["calendar"]["text"]).events[0].conference
    subjects = {each["to"]: each["subject"] for each in sent}
    assert subjects[met.mentee.email].startswith("Amara Okafor confirmed your meeting on ")
    assert subjects[met.mentor.email].startswith("You confirmed your meeting on ")


async def test_nobody_learns_the_address_of_another(met: Met) -> None:
    """Neither of their mailboxes nor of their answers, in anything that was sent."""
    await met.happens({}, moved(met))
    await met.mentee.ok("POST", f"/v1/meetings/{met.booked['id']}/cancel")
    for person, other in ((met.mentee, met.mentor), (met.mentor, met.mentee)):
        sent = await met.mails(person)
        assert len(sent) == 3
        for each in sent:
            whole = str(each).replace("\\r\\n ", "")
            assert person.email in whole, "the control"
            assert other.email not in whole
            assert met.address(other) not in whole
            assert str(other.account_id) not in whole


async def test_a_life_with_rising_sequences(met: Met) -> None:
    later = {
        "starts_at": clock.now() + timedelta(days=3),
        "ends_at": clock.now() + timedelta(days=3, hours=1),
    }
    await met.happens({**later, "sequence": 1}, moved(met, met.mentor))
    titled = MeetingRetitled(meeting_id=UUID(met.booked["id"]), by_account_id=met.mentor.account_id)
    await met.happens({"title": "Café, and; more", "sequence": 2}, titled)
    await met.mentee.ok("POST", f"/v1/meetings/{met.booked['id']}/cancel")
    for person in (met.mentee, met.mentor):
        sent = await met.mails(person)
        found = [event(each) for each in sent]
        assert [each["calendar"]["method"] for each in sent] == ["REQUEST", "REQUEST", "REQUEST", "CANCEL"]
        assert [one["SEQUENCE"] for one in found] == [0, 1, 2, 3]
        assert len({one["UID"] for one in found}) == len({one["ORGANIZER"] for one in found}) == 1
        assert found[1]["DTSTART"].dt == later["starts_at"].replace(microsecond=0)
        assert found[3]["SUMMARY"] == "Café, and; more"
        assert found[3]["STATUS"] == "CANCELLED"
        assert len({each["message_id"] for each in sent}) == 4
        assert sent[1]["message_id"] == f"<{met.booked['id']}.1.{person.account_id}@mail.example.org>"
    words = [each["subject"] for each in await met.mails(met.mentee)]
    assert words[1].startswith("Amara Okafor moved your meeting to ")
    assert words[3].startswith("You cancelled the meeting on ")


async def test_what_was_never_booked_is_never_cancelled_in_calendars(world: World) -> None:
    mentee, mentor = await world.two()
    pairing = await world.pair(mentee, mentor)
    for verb in ("cancel", "decline"):
        asked = await mentee.ok("POST", f"/v1/pairings/{pairing['id']}/meetings", meeting())
        await mentor.ok("POST", f"/v1/meetings/{asked['id']}/{verb}")
    assert [each["calendar"] for each in await world.mails() if each["calendar"]] == []
    assert await world.rows(select(MeetingInvitation)) == []


async def test_whoever_wants_no_invitations_gets_plain_mails(world: World) -> None:
    mentee, mentor = await world.two()
    for person in (mentee, mentor):
        assert await person.ok("GET", "/v1/calendar-settings") == {"invitations": True}
        assert await person.ok("PUT", "/v1/calendar-settings", {"invitations": False})
        assert await person.ok("GET", "/v1/calendar-settings") == {"invitations": False}
    pairing = await world.pair(mentee, mentor)
    await world.run("DELETE FROM procrastinate_jobs")
    await world.meet(mentee, mentor, pairing["id"])
    sent = await world.mails()
    assert [(each["to"], each["calendar"]) for each in sent] == [(mentor.email, None), (mentee.email, None)]


async def test_what_stands_in_a_calendar_is_kept_right_all_the_same(met: Met) -> None:
    await met.mentee.ok("PUT", "/v1/calendar-settings", {"invitations": False})
    await met.mentor.ok("POST", f"/v1/meetings/{met.booked['id']}/cancel")
    methods = [each["calendar"]["method"] for each in await met.mails(met.mentee)]
    assert methods == ["REQUEST", "CANCEL"]


async def test_without_a_calendar_address_nobody_is_asked_to_answer(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(get_settings(), "calendar_address", "")
    mentee, mentor = await world.two()
    pairing = await world.pair(mentee, mentor)
    await world.meet(mentee, mentor, pairing["id"])
    (mailed,) = [each for each in await world.mails(mentee.email) if each["calendar"]]
    assert mailed["reply_to"] is None
    assert event(mailed)["ORGANIZER"] == "mailto:no-reply@mail.example.org"
    assert {one.params["RSVP"] for one in event(mailed)["ATTENDEE"]} == {"FALSE"}


async def test_a_block_takes_the_name_out_of_a_circle(world: World) -> None:
    place = await world.organisation()
    lead, left, right = [await world.member(place, name) for name in ("Lead", "Left", "Right")]
    coordinator = await world.member(place, "Cora", roles=ALL_ROLES)
    circle = await world.circle(coordinator, [lead], [left, right])
    await left.ok("POST", "/v1/blocks", {"membership_id": str(right.membership_id)})
    await lead.ok("POST", f"/v1/pairings/{circle['id']}/meetings", meeting())
    for person, names in (
        (left, ["Lead", "Left"]),
        (right, ["Lead", "Right"]),
        (lead, ["Lead", "Left", "Right"]),
    ):
        (mailed,) = [each for each in await world.mails(person.email) if each["calendar"]]
        attendees = event(mailed)["ATTENDEE"]
        assert sorted(one.params["CN"] for one in attendees) == names
        assert ("Right" in str(mailed)) is ("Right" in names)


# What a real server receives


@pytest.fixture
def default_postbox() -> Any:
    yield
    mail.use_postbox(mail.Nowhere())


async def test_a_server_receives_an_invitation_and_again_the_same(
    met: Met, database_url: str, keeper: tuple[Keeper, mail.Smtp], default_postbox: None
) -> None:
    kept, smtp = keeper
    kept.refuse = 2
    mail.use_postbox(smtp)
    ids = {each["message_id"] for each in await met.world.mails()}

    async def waits() -> bool:
        rows = await met.world.run("SELECT 1 FROM procrastinate_jobs WHERE attempts = 1 AND status = 'todo'")
        return len(rows) == 2

    async def arrived() -> bool:
        return len(kept.messages) == 2

    async with working(database_url):
        await until(waits)
    await met.world.run("UPDATE procrastinate_jobs SET scheduled_at = now()")
    async with working(database_url):
        await until(arrived)
    assert {message["Message-ID"] for message in kept.messages} == ids
    message = next(each for each in kept.messages if each["To"] == met.mentee.email)
    assert message["Reply-To"].addresses[0].addr_spec == met.address(met.mentee)
    assert message.get_content_type() == "multipart/alternative"
    words, calendar = message.iter_parts()
    assert words.get_content_type() == "text/plain"
    assert calendar.get_content_type() == "text/calendar"
    assert calendar.get_param("method") == "REQUEST"
    assert calendar.get_param("charset") == "utf-8"
    (found,) = IcsCalendarStream.calendar_from_ics(calendar.get_content()).events
    assert found.uid == f"{met.booked['id']}@localhost"
    assert found.conference


# What is answered


async def test_an_answer_is_shown_and_the_next_one_replaces_it(met: Met) -> None:
    at = clock.now()
    for number, status in enumerate(("ACCEPTED", "TENTATIVE", "DECLINED", "ACCEPTED")):
        stamp = at - timedelta(seconds=10 - number)
        assert await met.answer(met.mentee, status, stamp=stamp) == Taken(True)
        assert await met.said(met.mentee) == [(True, status.lower(), False)]
        assert await met.said(met.mentor) == [(False, status.lower(), False)]
    late = await met.answer(met.mentee, "DECLINED", stamp=at - timedelta(minutes=5))
    assert late == Taken(False, "older_than_known")
    assert await met.answer(met.mentee, "ACCEPTED") == Taken(False, "known_already")
    booked = await met.mentee.ok("GET", f"/v1/meetings/{met.booked['id']}")
    assert booked["status"] == "booked", "a calendar decides nothing"


async def test_the_other_side_is_told_of_a_no_once(met: Met) -> None:
    await met.world.run("DELETE FROM procrastinate_jobs")
    for status in ("DECLINED", "ACCEPTED", "DECLINED", "DECLINED"):
        await met.answer(met.mentor, status)
    (told,) = await met.world.mails()
    assert told["to"] == met.mentee.email
    assert told["subject"].startswith("Amara Okafor's calendar says no to your meeting on ")
    assert told["calendar"] is None
    await met.happens({"sequence": 1}, moved(met))
    await met.world.run("DELETE FROM procrastinate_jobs")
    await met.answer(met.mentor, "DECLINED", sequence=1)
    assert [each["to"] for each in await met.world.mails()] == [met.mentee.email], "to another time: again"


async def test_a_move_asks_anew_and_a_title_does_not(met: Met) -> None:
    await met.answer(met.mentee, "ACCEPTED")
    titled = MeetingRetitled(meeting_id=UUID(met.booked["id"]), by_account_id=None)
    await met.happens({"title": "A plan", "sequence": 1}, titled)
    assert await met.said(met.mentor) == [(False, "accepted", False)]
    (mine,) = [one for one in (await met.newest(met.mentee))["ATTENDEE"] if met.mentee.email in one]
    assert (mine.params["PARTSTAT"], mine.params["RSVP"]) == ("ACCEPTED", "FALSE")
    assert await met.answer(met.mentee, "TENTATIVE", sequence=0) == Taken(True), "an answer that crossed it"
    await met.happens({"sequence": 2}, moved(met))
    assert await met.said(met.mentor) == [(False, "tentative", True)]
    (mine,) = [one for one in (await met.newest(met.mentee))["ATTENDEE"] if met.mentee.email in one]
    assert mine.params["PARTSTAT"] == "NEEDS-ACTION"
    assert await met.answer(met.mentee, "ACCEPTED", sequence=1) == Taken(False, "old_sequence")
    assert await met.answer(met.mentee, "ACCEPTED", sequence=2) == Taken(True)


async def test_exchange_leaves_things_out(met: Met) -> None:
    assert await met.answer(met.mentee, organiser=None, sequence=None) == Taken(True)
    shouted = met.address(met.mentor).upper()
    raw = letter(shouted, object_of(f"{met.booked['id']}@elsewhere", met.mentor.email.upper(), None))
    assert await met.send(raw) == Taken(True)
    only = letter(ADDRESS, object_of(f"{met.booked['id']}@x", met.mentor.email, shouted, "TENTATIVE"))
    assert await met.send(only) == Taken(True), "the reply address stands in ORGANIZER as well"


# What is forged


async def nothing_changed(met: Met) -> bool:
    return not await met.world.rows(select(MeetingReply)) and not await met.said(met.mentee)


@pytest.mark.parametrize("status", ["ACCEPTED", "DECLINED"])
async def test_who_was_not_asked_answers_for_nobody(met: Met, status: str) -> None:
    other = await met.world.person("Stranger")
    for to in (ADDRESS, f"calendar+{'a' * 26}@mail.example.org", met.address(other)):
        forged = await met.answer(met.mentee, status, to=to, organiser=None)
        assert forged == Taken(False, "not_its_reply_address")
    assert await nothing_changed(met)
    assert await met.answer(met.mentee, status) == Taken(True), "the control"


async def test_one_does_not_answer_for_the_other(met: Met) -> None:
    forged = await met.answer(met.mentee, "DECLINED", to=met.address(met.mentor))
    assert forged == Taken(False, "another_address")
    opaque = (
        f"participant-{met.mentee.membership_id.hex if met.mentee.membership_id else ''}@mail.example.org"
    )
    assert await met.answer(met.mentor, "DECLINED", attendee=opaque) == Taken(False, "another_address")
    forwarded = await met.answer(met.mentor, "DECLINED", attendee="assistant@example.org")
    assert forwarded == Taken(False, "another_address")
    assert await nothing_changed(met)


async def test_an_address_is_good_for_one_meeting(met: Met) -> None:
    pairing = met.booked["pairing_id"]
    second = await met.world.meet(met.mentee, met.mentor, pairing, clock.now() + timedelta(days=9))
    forged = await met.answer(met.mentee, uid=f"{second['id']}@localhost")
    assert forged == Taken(False, "not_its_reply_address")
    for uid in ("", "nonsense", f"{met.mentee.account_id}@localhost"):
        assert await met.answer(met.mentee, uid=uid) == Taken(False, "unknown_meeting")
    assert await nothing_changed(met)


async def test_what_else_has_no_effect(met: Met) -> None:
    assert await met.answer(met.mentee, sequence=7) == Taken(False, "unknown_sequence")
    assert await met.answer(met.mentee, "NEEDS-ACTION") == Taken(False, "no_answer")
    assert await met.answer(met.mentee, "DELEGATED") == Taken(False, "no_answer")
    assert await met.answer(met.mentee, method="COUNTER") == Taken(False, "counter")
    assert await met.answer(met.mentee, method="REQUEST") == Taken(False, "no_reply")
    assert await met.answer(met.mentee, more="RECURRENCE-ID:20261124T180000Z") == Taken(
        False, "not_in_a_series"
    )
    assert await met.send(b"To: x@example.org\n\nAway until Monday.") == Taken(False, "no_reply")
    assert await nothing_changed(met)
    await met.mentor.ok("POST", f"/v1/meetings/{met.booked['id']}/cancel")
    assert await met.answer(met.mentee, sequence=1) == Taken(False, "meeting_cancelled")
    assert await nothing_changed(met)


async def test_a_proposed_meeting_is_not_accepted_by_mail(met: Met) -> None:
    asked = await met.mentee.ok(
        "POST", f"/v1/pairings/{met.booked['pairing_id']}/meetings", meeting(clock.now() + timedelta(days=5))
    )
    token = addresses.token(met.world.door.keys.refresh, UUID(asked["id"]), met.mentor.account_id)
    to = addresses.reply_address(ADDRESS, token)
    assert await met.answer(met.mentor, uid=f"{asked['id']}@localhost", to=to) == Taken(
        False, "meeting_proposed"
    )
    found = await met.mentee.ok("GET", f"/v1/meetings/{asked['id']}")
    assert found["status"] == "proposed"


async def test_who_left_or_was_never_invited_is_not_heard(world: World) -> None:
    house = await House.build(world)
    met = Met(world, house.mentee, house.mentor, {"id": str(house.circle_booked.id)})
    assert await met.answer(house.mentee) == Taken(False, "not_invited")
    row = MeetingInvitation(
        meeting_id=house.circle_booked.id, account_id=house.mentee.account_id, sequence=0, asked=0
    )
    await world.save(row)
    await house.mentee.ok("POST", f"/v1/pairings/{house.circle.id}/leave")
    assert await met.answer(house.mentee) == Taken(False, "not_its_reply_address")


async def test_a_past_meeting_hears_nothing(met: Met) -> None:
    with time_machine.travel(clock.now() + timedelta(days=3), tick=True):
        assert await met.answer(met.mentee) == Taken(False, "meeting_over")


async def test_the_log_says_why_and_nobodys_address(met: Met, monkeypatch: pytest.MonkeyPatch) -> None:
    logged = capture(monkeypatch, service)
    await met.answer(met.mentee, to=ADDRESS, organiser=None)
    (line,) = [each for each in logged if each["event"] == "calendar_reply_ignored"]
    assert line["reason"] == "not_its_reply_address"
    assert "@" not in str(line)
