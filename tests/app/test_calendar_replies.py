"""What calendars answer to invitations by mail, and who may not answer for whom."""

from datetime import timedelta
from uuid import UUID

import pytest
import time_machine
from sqlalchemy import select

from app.calendars import addresses, service
from app.calendars.models import MeetingInvitation, MeetingReply
from app.calendars.service import Taken
from app.core import clock
from app.scheduling.events import MeetingEdited
from tests.app.house import House
from tests.app.letters import letter, object_of
from tests.app.met import ADDRESS, Met, met, moved, with_a_calendar_address
from tests.logs import capture
from tests.world import World, meeting

__all__ = ["met", "with_a_calendar_address"]
pytestmark = [pytest.mark.database, pytest.mark.usefixtures("with_a_calendar_address")]


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
    titled = MeetingEdited(meeting_id=UUID(met.booked["id"]), by_account_id=met.mentor.account_id)
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
