"""The anti-ghosting rule: who has not met for weeks hears so once, and two weeks later their coordinators."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import Range

from app.core.ids import new_id
from app.core.streams import StreamEvent
from app.notifications import nudging
from app.notifications.models import Nudge
from app.organisations.models import Organisation, Role
from app.scheduling.models import Attendance, Booking, Call
from tests.app.reminded import TUESDAY, WISHES, Pair, at, told, why
from tests.world import NODE, Person, World, slot

pytestmark = pytest.mark.database
DAY = timedelta(days=1)
WEEK = timedelta(weeks=1)


@pytest.fixture
async def pair(world: World) -> Pair:
    """Two people of two organisations, who have agreed on Tuesday; each organisation has a coordinator."""
    with at(TUESDAY):
        north, river = await world.organisation("Northside"), await world.organisation("Riverbank")
        await world.partners(north, river)
        mentor = await world.member(north, "Amara Okafor", capacity=2)
        mentee = await world.member(river, "Priya Raman")
        await world.member(north, "Nora North", roles=(Role.COORDINATOR,))
        await world.member(river, "Rita River", roles=(Role.ADMINISTRATOR,))
        return Pair(world, mentee, mentor, (await world.pair(mentee, mentor))["id"])


async def step(world: World, moment: datetime, weeks: int = 3) -> list[dict[str, Any]]:
    """What is told when the worker looks for quiet mentorships at that time, and sends what is due."""
    with at(moment):
        await nudging.nudge_quiet(world.database, weeks)
    return await told(world, moment)


async def met(world: World, pair: Pair, when: datetime, *people: Person) -> None:
    """A booked meeting in whose call these people were."""
    meeting = slot(pair.mentee, pair.id, when, status="booked")
    await world.save(meeting)
    call = Call(meeting_id=meeting.id, node=NODE)
    await world.save(call)
    await world.save(
        *(
            Attendance(
                id=new_id(), call_id=call.id, membership_id=who.membership_id or UUID(int=0),
                joined_at=when, seen_at=when, left_at=when + timedelta(minutes=40),
            )
            for who in people
        )
    )  # fmt: skip


async def book(world: World, pair: Pair, when: datetime) -> UUID:
    """A meeting that lies ahead."""
    meeting = slot(pair.mentee, pair.id, when, status="booked")
    await world.save(meeting)
    during = Range(meeting.starts_at, meeting.ends_at, bounds="[)")
    await world.save(
        *(
            Booking(meeting_id=meeting.id, account_id=one.account_id, during=during)
            for one in (pair.mentee, pair.mentor)
        )
    )
    return meeting.id


async def test_both_are_nudged_once_and_then_their_coordinators_once(world: World, pair: Pair) -> None:
    assert await step(world, TUESDAY + 3 * WEEK - DAY) == []
    first = await step(world, TUESDAY + 3 * WEEK)
    link = f"http://localhost:8000/pairings/{pair.id}"
    assert {mail["to"]: (mail["subject"], mail["text"].split()[-1]) for mail in first} == {
        pair.mentee.email: ("You and Amara Okafor have not met for 3 weeks", link),
        pair.mentor.email: ("You and Priya Raman have not met for 3 weeks", link),
    }
    for days in range(14):
        assert await step(world, TUESDAY + 3 * WEEK + days * DAY) == []
    second = await step(world, TUESDAY + 5 * WEEK)
    assert {mail["to"].split(".")[0]: mail["subject"] for mail in second} == {
        "nora": "A mentorship of Amara Okafor has been quiet for 5 weeks",
        "rita": "A mentorship of Priya Raman has been quiet for 5 weeks",
    }
    for mail in second:
        assert pair.id not in mail["text"], "they cannot see it"
        own, other = ("Amara", "Priya") if "nora" in mail["to"] else ("Priya", "Amara")
        assert own in mail["text"]
        assert other not in mail["text"], "with whom is not theirs to know"
    for weeks in range(6, 30, 4):
        assert await step(world, TUESDAY + weeks * WEEK) == []
    assert {(row.stage, row.quiet_since) for row in await world.rows(select(Nudge))} == {
        ("people", TUESDAY), ("coordinators", TUESDAY),
    }  # fmt: skip


async def test_coordinators_of_both_know_both(world: World) -> None:
    with at(TUESDAY):
        north = await world.organisation("Northside")
        mentor = await world.member(north, "Amara Okafor", capacity=2)
        mentee = await world.member(north, "Priya Raman", roles=(Role.MEMBER, Role.COORDINATOR))
        nora = await world.member(north, "Nora North", roles=(Role.COORDINATOR,))
        await world.pair(mentee, mentor)
    await step(world, TUESDAY + 3 * WEEK)
    (mail,) = await step(world, TUESDAY + 5 * WEEK)
    assert mail["to"] == nora.email, "who is in it needs no second word"
    assert mail["subject"].startswith("A mentorship of ")
    assert "Amara Okafor" in mail["subject"]
    assert "Priya Raman" in mail["subject"]


async def test_whoever_met_is_not_quiet(world: World, pair: Pair) -> None:
    await met(world, pair, TUESDAY + 2 * WEEK, pair.mentee, pair.mentor)
    assert await step(world, TUESDAY + 4 * WEEK) == []
    mails = await step(world, TUESDAY + 5 * WEEK)
    assert {mail["subject"] for mail in mails} == {
        "You and Amara Okafor have not met for 3 weeks", "You and Priya Raman have not met for 3 weeks",
    }  # fmt: skip


async def test_one_who_waited_alone_did_not_meet(world: World, pair: Pair) -> None:
    await met(world, pair, TUESDAY + 2 * WEEK, pair.mentee)
    await met(world, pair, TUESDAY + 2 * WEEK + DAY, pair.mentor, pair.mentor)
    assert len(await step(world, TUESDAY + 3 * WEEK)) == 2


async def test_whoever_has_something_booked_is_not_quiet(world: World, pair: Pair) -> None:
    meeting = await book(world, pair, TUESDAY + 4 * WEEK)
    assert await step(world, TUESDAY + 3 * WEEK + DAY) == []
    await world.run("UPDATE meeting SET status = 'cancelled' WHERE id = :id", id=meeting)
    assert len(await step(world, TUESDAY + 3 * WEEK + 2 * DAY)) == 2


async def test_a_new_spell_is_told_anew(world: World, pair: Pair) -> None:
    assert len(await step(world, TUESDAY + 3 * WEEK)) == 2
    await met(world, pair, TUESDAY + 4 * WEEK, pair.mentee, pair.mentor)
    assert await step(world, TUESDAY + 5 * WEEK) == [], "and coordinators need not know"
    assert len(await step(world, TUESDAY + 7 * WEEK)) == 2


async def test_an_ended_mentorship_and_a_circle_are_left_alone(world: World, pair: Pair) -> None:
    with at(TUESDAY, pair.mentee, pair.mentor, world=world):
        await pair.mentee.ok("POST", f"/v1/pairings/{pair.id}/end")
        north = await world.organisation("Eastgate")
        lead = await world.member(north, "Lena", roles=tuple(Role))
        await world.circle(lead, [lead], [await world.member(north, "Max")])
    assert await step(world, TUESDAY + 10 * WEEK) == []


async def test_what_happened_until_it_is_sent_counts(world: World, pair: Pair) -> None:
    with at(TUESDAY + 3 * WEEK):
        await nudging.nudge_quiet(world.database, 3)
    await book(world, pair, TUESDAY + 4 * WEEK)
    assert await told(world, TUESDAY + 3 * WEEK) == []
    assert await why(world) == ["not_quiet"]


async def test_nobody_is_nudged_at_night(world: World, pair: Pair) -> None:
    """At noon in London it is night in Honolulu."""
    with at(TUESDAY, pair.mentor, world=world):
        await pair.mentor.ok("PATCH", "/v1/me", {"zone": "Pacific/Honolulu"})
    (mail,) = await step(world, TUESDAY + 3 * WEEK)
    assert mail["to"] == pair.mentee.email
    (mail,) = await told(world, TUESDAY + 3 * WEEK + timedelta(hours=5))
    assert mail["to"] == pair.mentor.email


@pytest.mark.parametrize("wish", [{"nudges": False}, {"channels": []}])
async def test_whoever_wants_no_nudge_gets_none(world: World, pair: Pair, wish: dict[str, Any]) -> None:
    with at(TUESDAY, pair.mentee, world=world):
        await pair.mentee.ok("PUT", "/v1/reminder-preferences", {**WISHES, **wish})
    assert [mail["to"] for mail in await step(world, TUESDAY + 3 * WEEK)] == [pair.mentor.email]
    assert len(await step(world, TUESDAY + 5 * WEEK)) == 2, "their coordinators are told"


async def test_it_is_on_the_page_too(world: World, pair: Pair) -> None:
    await step(world, TUESDAY + 3 * WEEK)
    rows = await world.rows(select(StreamEvent).where(StreamEvent.kind == "pairing.reminder"))
    assert {(row.stream_id, str(row.subject_id)) for row in rows} == {
        (pair.mentee.account_id, pair.id), (pair.mentor.account_id, pair.id),
    }  # fmt: skip


async def test_how_long_is_long_is_the_operators_choice(world: World, pair: Pair) -> None:
    assert len(await step(world, TUESDAY + WEEK, weeks=1)) == 2


async def test_many_at_once(world: World, pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nudging, "MOST_AT_ONCE", 2)
    with at(TUESDAY, pair.mentor, world=world):
        await world.run("UPDATE membership SET capacity = 20")
        for number in range(5):
            person = await world.member(await _known(world, pair.mentee.organisation_id), f"Mia {number}")
            await world.pair(person, pair.mentor)
    with at(TUESDAY + 3 * WEEK):
        assert await nudging.nudge_quiet(world.database, 3) == 6
        assert await nudging.nudge_quiet(world.database, 3) == 0


async def _known(world: World, organisation_id: UUID | None) -> Organisation:
    (found,) = await world.rows(select(Organisation).where(Organisation.id == organisation_id))
    return found
