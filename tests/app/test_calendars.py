"""Invitations by mail through their life, and what a real mail server receives of them."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from ical.calendar_stream import IcsCalendarStream
from sqlalchemy import select

from app.calendars.models import MeetingInvitation
from app.core import clock, mail
from app.scheduling.events import MeetingEdited
from app.settings import get_settings
from tests.app.met import Met, event, invitations, met, moved, with_a_calendar_address
from tests.app.test_notifications import Keeper, keeper, until, working
from tests.world import ALL_ROLES, World, meeting

__all__ = ["keeper", "met", "with_a_calendar_address"]
pytestmark = [pytest.mark.database, pytest.mark.usefixtures("with_a_calendar_address")]


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
    titled = MeetingEdited(meeting_id=UUID(met.booked["id"]), by_account_id=met.mentor.account_id)
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
    assert [each["to"] for each in sent] == [mentor.email, mentee.email]
    assert not any(each["calendar"] for each in sent)


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
    (mailed,) = await invitations(world, mentee)
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
        (mailed,) = await invitations(world, person)
        attendees = event(mailed)["ATTENDEE"]
        assert sorted(one.params["CN"] for one in attendees) == names
        assert ("Right" in str(mailed)) is ("Right" in names)


async def test_who_leaves_a_circle_is_rid_of_its_meetings(world: World) -> None:
    place = await world.organisation()
    lead, stays, leaves = [await world.member(place, name) for name in ("Lead", "Stays", "Leaves")]
    coordinator = await world.member(place, "Cora", roles=ALL_ROLES)
    circle = await world.circle(coordinator, [lead], [stays, leaves])
    times = [clock.now() + timedelta(days=days) for days in (1, 2)]
    met = [await lead.ok("POST", f"/v1/pairings/{circle['id']}/meetings", meeting(at)) for at in times]
    await leaves.ok("POST", f"/v1/pairings/{circle['id']}/leave")
    sent = await invitations(world, leaves)
    methods = [each["calendar"]["method"] for each in sent]
    assert methods == ["REQUEST", "REQUEST", "CANCEL", "CANCEL"]
    assert {event(each)["UID"] for each in sent[2:]} == {f"{one['id']}@localhost" for one in met}
    for each in sent[2:]:
        found = event(each)
        assert (found["STATUS"], found["SEQUENCE"]) == ("CANCELLED", 1)
        assert found["ATTENDEE"] == f"mailto:{leaves.email}"
    await lead.ok("POST", f"/v1/meetings/{met[0]['id']}/cancel")
    assert len(await invitations(world, leaves)) == 4
    newest = (await invitations(world, stays))[-1]
    assert (newest["calendar"]["method"], event(newest)["SEQUENCE"]) == ("CANCEL", 2)


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
