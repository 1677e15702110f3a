"""Reminders: each occasion once, in the reader's own time, and never for what is not to be."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import pytest
from sqlalchemy import select, text

from app.core.streams import StreamEvent
from tests.app.reminded import THURSDAY, TUESDAY, WISHES, Pair, at, booked, reminders, told, why
from tests.world import World

pytestmark = pytest.mark.database
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture
async def pair(world: World) -> Pair:
    with at(TUESDAY):
        return await Pair.of(world)


# Preferences


async def test_whoever_says_nothing_is_reminded_sensibly(world: World) -> None:
    person = await world.person()
    assert await person.ok("GET", "/v1/reminder-preferences") == {
        "channels": ["mail", "page"],
        "lead_minutes": [60, 10],
        "quiet_hours": {"start": "22:00", "end": "07:00"},
        "agenda": True,
        "nudges": True,
        "zone": "Europe/London",
    }


async def test_what_was_said_holds(world: World) -> None:
    person, other = await world.person(), await world.person()
    said = {**WISHES, "lead_minutes": [10, 20160], "channels": ["page"], "quiet_hours": None}
    answer = await person.ok("PUT", "/v1/reminder-preferences", said)
    assert answer == {**said, "lead_minutes": [20160, 10], "zone": "Europe/London"}
    assert await person.ok("GET", "/v1/reminder-preferences") == answer
    assert (await other.ok("GET", "/v1/reminder-preferences"))["lead_minutes"] == [60, 10]
    await person.ok("PUT", "/v1/reminder-preferences", said)
    events = await world.rows(select(StreamEvent).where(StreamEvent.stream_id == person.account_id))
    assert [event.kind for event in events] == ["account.changed"], "saying the same is no news"


REFUSED: Final[list[tuple[str, Any, str]]] = [
    ("channels", ["pigeon"], "/channels/0"),
    ("channels", ["mail", "mail"], "/channels"),
    ("lead_minutes", [4], "/lead_minutes/0"),
    ("lead_minutes", [20161], "/lead_minutes/0"),
    ("lead_minutes", [60, 60], "/lead_minutes"),
    ("lead_minutes", [5, 6, 7, 8, 9, 10], "/lead_minutes"),
    ("lead_minutes", ["60"], "/lead_minutes/0"),
    ("lead_minutes", [60.5], "/lead_minutes/0"),
    ("quiet_hours", {"start": "22:00", "end": "22:00"}, "/quiet_hours"),
    ("quiet_hours", {"start": "24:00", "end": "07:00"}, "/quiet_hours/start"),
    ("quiet_hours", {"start": "9:00", "end": "07:00"}, "/quiet_hours/start"),
    ("quiet_hours", {"start": "22:00"}, "/quiet_hours/end"),
    ("agenda", "yes", "/agenda"),
    ("nudges", None, "/nudges"),
    ("zone", "Europe/Paris", "/zone"),
]


async def test_what_cannot_be_meant_is_refused(world: World) -> None:
    person = await world.person()
    for field, value, pointer in REFUSED:
        answer = await person.call("PUT", "/v1/reminder-preferences", {**WISHES, field: value})
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["pointer"] == pointer
    assert await world.run("SELECT 1 FROM reminder_preferences") == []


# What is sent, and when


async def test_both_are_reminded_once_at_each_of_their_times(world: World, pair: Pair) -> None:
    meeting = await booked(pair)
    assert await told(world, THURSDAY - DAY - MINUTE) == []
    first = await told(world, THURSDAY - DAY)
    assert {mail["to"]: mail["subject"] for mail in first} == {
        pair.mentee.email: "Reminder: you meet Amara Okafor on Thu 04 Feb 2027, 18:00 (Europe/London)",
        pair.mentor.email: "Reminder: you meet Priya Raman on Thu 04 Feb 2027, 18:00 (Europe/London)",
    }
    assert all(mail["text"].endswith(f"\n\nhttp://localhost:8000/meetings/{meeting}\n") for mail in first)
    assert all(mail["until"] == THURSDAY.isoformat() for mail in first)
    assert await told(world, THURSDAY - DAY + MINUTE) == []
    assert len(await told(world, THURSDAY - HOUR)) == 2
    assert len(await told(world, THURSDAY - 10 * MINUTE)) == 2
    assert await told(world, THURSDAY + HOUR) == []
    rows = await reminders(world)
    assert len(rows) == 6
    ids = {mail["message_id"] for mail in await world.mails() if "Reminder" in mail["subject"]}
    assert ids == {f"<reminder.{row.id}@localhost>" for row in rows}


async def test_times_are_those_of_the_reader(world: World, pair: Pair) -> None:
    await booked(pair)
    with at(TUESDAY, pair.mentor, world=world):
        await pair.mentor.ok("PATCH", "/v1/me", {"zone": "Asia/Kathmandu"})
    (mail,) = await told(world, THURSDAY - HOUR, pair.mentor)
    assert mail["subject"].endswith("on Thu 04 Feb 2027, 23:45 (Asia/Kathmandu)")


async def test_nothing_that_somebody_wrote_is_in_a_mail(world: World, pair: Pair) -> None:
    body = {"starts_at": THURSDAY.isoformat(), "duration_minutes": 45, "zone": "UTC", "title": "Telltale"}
    with at(TUESDAY, pair.mentee, pair.mentor, world=world):
        made = await pair.mentee.ok("POST", f"/v1/pairings/{pair.id}/meetings", body)
        await pair.mentor.ok("POST", f"/v1/meetings/{made['id']}/accept")
    for one in await told(world, THURSDAY - HOUR):
        assert "Telltale" not in one["subject"] + one["text"]


@pytest.mark.parametrize(
    ("channels", "mails", "events"),
    [(["mail"], 1, 0), (["page"], 0, 1), (["mail", "page"], 1, 1), ([], 0, 0)],
)
async def test_channels(world: World, pair: Pair, channels: list[str], mails: int, events: int) -> None:
    with at(TUESDAY):
        await pair.mentee.ok(
            "PUT",
            "/v1/reminder-preferences",
            {**WISHES, "channels": channels, "agenda": "mail" not in channels},
        )
    meeting = await booked(pair)
    assert len(await told(world, THURSDAY - HOUR, pair.mentee)) == mails
    rows = await world.rows(
        select(StreamEvent).where(
            StreamEvent.stream_id == pair.mentee.account_id, StreamEvent.kind == "meeting.reminder"
        )
    )
    assert [str(row.subject_id) for row in rows] == [meeting] * events


async def test_what_would_have_been_due_when_it_was_booked_is_not_made(world: World, pair: Pair) -> None:
    await booked(pair, now=THURSDAY - 30 * MINUTE)
    assert {row.lead_minutes for row in await reminders(world)} == {10}


async def test_quiet_hours_move_a_reminder_before_them_and_leave_a_short_one(
    world: World, pair: Pair
) -> None:
    morning = THURSDAY.replace(hour=7, minute=20)
    await booked(pair, morning)
    due = {row.lead_minutes: row.due_at for row in await reminders(world)}
    assert due == {
        1440: morning - DAY,
        60: (morning - DAY).replace(hour=22, minute=0),
        10: morning - 10 * MINUTE,
    }


# Agenda


async def test_an_agenda_has_all_of_the_next_day_and_comes_once(world: World) -> None:
    with at(TUESDAY):
        pair = await Pair.of(world, agenda=True, lead_minutes=[])
    first = await booked(pair)
    second = await booked(pair, THURSDAY.replace(hour=8))
    await booked(pair, THURSDAY + DAY)
    evening = (THURSDAY - DAY).replace(hour=17, minute=0)
    assert await told(world, evening - MINUTE) == []
    (mail,) = await told(world, evening, pair.mentee)
    assert mail["subject"] == "Your meetings on Thu 04 Feb 2027"
    assert mail["text"] == (
        "Your meetings on Thu 04 Feb 2027 (Europe/London):\n\n"
        f"08:00 to 08:45  Amara Okafor\nhttp://localhost:8000/meetings/{second}\n\n"
        f"18:00 to 18:45  Amara Okafor\nhttp://localhost:8000/meetings/{first}\n"
    )
    assert await told(world, evening + HOUR) == []
    assert len(await told(world, evening + DAY, pair.mentee)) == 1, "of Friday"


async def test_an_empty_day_has_no_agenda(world: World) -> None:
    with at(TUESDAY):
        pair = await Pair.of(world, agenda=True, lead_minutes=[])
    meeting = await booked(pair)
    with at(TUESDAY, pair.mentor, world=world):
        await pair.mentor.ok("POST", f"/v1/meetings/{meeting}/cancel")
    assert await told(world, (THURSDAY - DAY).replace(hour=17)) == []
    assert await why(world) == ["nothing"]


async def test_what_is_booked_in_the_evening_for_tomorrow_has_no_second_agenda(world: World) -> None:
    with at(TUESDAY):
        pair = await Pair.of(world, agenda=True, lead_minutes=[])
    await booked(pair)
    evening = (THURSDAY - DAY).replace(hour=17)
    assert len(await told(world, evening)) == 2
    await world.run("DELETE FROM procrastinate_jobs")  # they have arrived
    await booked(pair, THURSDAY + HOUR, now=evening + HOUR)
    assert await told(world, evening + 2 * HOUR) == []


async def test_an_agenda_waits_while_one_of_its_meetings_is_being_changed(world: World) -> None:
    with at(TUESDAY):
        pair = await Pair.of(world, agenda=True, lead_minutes=[])
    meeting = await booked(pair)
    evening = (THURSDAY - DAY).replace(hour=17)
    async with world.database.transaction() as db:
        await db.execute(text("SELECT 1 FROM meeting WHERE id = :id FOR UPDATE"), {"id": UUID(meeting)})
        assert await told(world, evening) == []
    assert len(await told(world, evening)) == 2


async def test_another_zone_has_another_tomorrow(world: World) -> None:
    """In Auckland the meeting is on Friday morning, and its agenda comes on Thursday at 17:00 there."""
    with at(TUESDAY):
        pair = await Pair.of(world, agenda=True, lead_minutes=[])
    await booked(pair)
    with at(TUESDAY, pair.mentee, world=world):
        await pair.mentee.ok("PATCH", "/v1/me", {"zone": "Pacific/Auckland"})
    rows = [row for row in await reminders(world) if row.account_id == pair.mentee.account_id]
    left = [row for row in rows if row.dropped_at is None]
    assert [(row.starts_at, row.due_at) for row in left] == [
        (datetime(2027, 2, 5, tzinfo=UTC), datetime(2027, 2, 4, 4, tzinfo=UTC))
    ]
