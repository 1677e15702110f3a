"""Reminders: each occasion once, in the reader's own time, and never for what is not to be."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from app.core import mail
from app.core.db import open_database
from app.core.mail import Mail
from app.core.streams import StreamEvent
from app.notifications import queries, reminding, sending, words
from app.notifications.models import Kind, Reminder
from tests.app.reminded import THURSDAY, TUESDAY, WISHES, Pair, at, move, reminders, told, why
from tests.logs import capture
from tests.world import ALL_ROLES, Person, World

pytestmark = pytest.mark.database
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture
async def pair(world: World) -> Pair:
    with at(TUESDAY):
        return await Pair.of(world)


async def booked(pair: Pair, when: datetime = THURSDAY, now: datetime = TUESDAY) -> str:
    with at(now):
        return await pair.meet(when)


def subjects(mails: list[dict[str, Any]]) -> set[str]:
    return {each["subject"] for each in mails}


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


# Never for what is not to be


async def test_a_cancelled_meeting_is_not_reminded_of(world: World, pair: Pair) -> None:
    meeting = await booked(pair)
    with at(TUESDAY, pair.mentor, world=world):
        await pair.mentor.ok("POST", f"/v1/meetings/{meeting}/cancel")
    assert await why(world) == ["cancelled"]
    assert await told(world, THURSDAY - MINUTE) == []


async def test_a_moved_meeting_is_reminded_of_at_its_new_time_alone(world: World, pair: Pair) -> None:
    meeting = await booked(pair)
    with at(TUESDAY):
        await move(world, meeting, THURSDAY + DAY)
    assert await told(world, THURSDAY - HOUR) == []
    friday = await told(world, THURSDAY + DAY - HOUR)
    assert len(friday) == 2
    assert all("Fri 05 Feb 2027, 18:00" in mail["subject"] for mail in friday)


async def test_a_meeting_that_is_moved_away_and_back_is_reminded_of_once(world: World, pair: Pair) -> None:
    meeting = await booked(pair)
    assert len(await told(world, THURSDAY - DAY)) == 2
    await world.run("DELETE FROM procrastinate_jobs")  # that mail has arrived
    with at(THURSDAY - DAY + MINUTE):
        await move(world, meeting, THURSDAY + 3 * HOUR)
        await move(world, meeting, THURSDAY)
    assert await told(world, THURSDAY - DAY + 2 * MINUTE) == []
    assert len(await told(world, THURSDAY - HOUR)) == 2
    assert len(await told(world, THURSDAY - 10 * MINUTE)) == 2
    assert await told(world, THURSDAY + 2 * HOUR) == []


async def test_an_ended_mentorship_is_not_reminded_of(world: World, pair: Pair) -> None:
    await booked(pair)
    with at(TUESDAY, pair.mentor, world=world):
        await pair.mentor.ok("POST", f"/v1/pairings/{pair.id}/end")
    assert await told(world, THURSDAY - HOUR) == []
    assert await why(world) == ["cancelled"]


async def test_who_is_kept_apart_is_not_reminded(world: World, pair: Pair) -> None:
    await booked(pair)
    with at(TUESDAY, pair.mentee, world=world):
        await pair.mentee.ok("POST", "/v1/blocks", {"membership_id": str(pair.mentor.membership_id)})
    assert await told(world, THURSDAY - HOUR) == []


async def test_whose_membership_ended_is_not_reminded(world: World, pair: Pair) -> None:
    await booked(pair)
    await world.run("UPDATE membership SET ended_at = now() WHERE id = :id", id=pair.mentee.membership_id)
    assert [mail["to"] for mail in await told(world, THURSDAY - HOUR)] == [pair.mentor.email]


@pytest.fixture
async def circle(world: World) -> tuple[list[Person], str]:
    """A lead, two members, and their meeting on Thursday."""
    with at(TUESDAY):
        north = await world.organisation()
        lead = await world.member(north, "Lena Lead", roles=ALL_ROLES)
        members = [await world.member(north, name) for name in ("Mia One", "Max Two")]
        made = await world.circle(lead, [lead], members)
        body = {"starts_at": THURSDAY.isoformat(), "duration_minutes": 45, "zone": "Europe/London"}
        await lead.ok("POST", f"/v1/pairings/{made['id']}/meetings", body)
    return [lead, *members], made["id"]


async def test_a_circle_is_named_by_its_title(world: World, circle: tuple[list[Person], str]) -> None:
    people, _ = circle
    mails = await told(world, THURSDAY - HOUR)
    assert {mail["to"] for mail in mails if "Reminder" in mail["subject"]} == {one.email for one in people}
    assert all("Lena" not in mail["subject"] + mail["text"] for mail in mails)
    assert any(mail["subject"].startswith("Reminder: you meet the circle Practice circle") for mail in mails)


async def test_who_left_a_circle_is_not_reminded(world: World, circle: tuple[list[Person], str]) -> None:
    people, pairing = circle
    with at(TUESDAY, people[1], world=world):
        await people[1].ok("POST", f"/v1/pairings/{pairing}/leave")
    mails = await told(world, THURSDAY - HOUR)
    assert {mail["to"] for mail in mails} == {people[0].email, people[2].email}
    assert "left" in await why(world)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        ("UPDATE meeting SET status = 'cancelled'", "cancelled"),
        ("UPDATE meeting SET starts_at = starts_at + interval '5 minutes'", "moved"),
        ("UPDATE pairing SET status = 'ended'", "ended"),
        ("DELETE FROM booking", "left"),
        ("UPDATE participant SET left_at = now()", "left"),
        (
            "INSERT INTO block (id, blocker_id, blocked_id, membership_id, created_at) "
            "SELECT gen_random_uuid(), a.account_id, b.account_id, b.id, now() "
            "FROM membership a JOIN membership b ON a.id <> b.id LIMIT 1",
            "apart",
        ),
    ],
)
async def test_what_nobody_told_of_is_seen_when_it_is_due(
    world: World, pair: Pair, spoil: str, reason: str
) -> None:
    """A restored backup, a room that forgot an event: the worker's own look is the last word."""
    await booked(pair)
    await world.run(spoil)
    assert await told(world, THURSDAY - HOUR) == []
    assert reason in await why(world)


async def test_the_worker_leaves_what_somebody_is_changing(world: World, pair: Pair) -> None:
    meeting = await booked(pair)
    async with world.database.transaction() as db:
        await db.execute(
            text("UPDATE meeting SET status = 'cancelled' WHERE id = :id"), {"id": UUID(meeting)}
        )
        assert await told(world, THURSDAY - HOUR) == [], "it does not wait, and it does not send"
    assert await told(world, THURSDAY - HOUR) == []


# When the worker was away


async def test_of_several_that_were_missed_only_the_newest_is_sent(world: World, pair: Pair) -> None:
    await booked(pair)
    mails = await told(world, THURSDAY - 5 * MINUTE)
    assert len(mails) == 2
    rows = await reminders(world)
    assert {row.lead_minutes for row in rows if row.sent_at} == {10}
    assert {row.dropped_why for row in rows if not row.sent_at} == {"superseded"}


async def test_nothing_is_sent_of_what_has_begun(world: World, pair: Pair) -> None:
    await booked(pair)
    assert await told(world, THURSDAY) == []
    assert await why(world) == ["too_late"]


async def test_a_late_one_waits_for_the_end_of_quiet_hours(world: World) -> None:
    with at(TUESDAY):
        pair = await Pair.of(world, lead_minutes=[1440])
    morning = THURSDAY.replace(hour=20)
    await booked(pair, morning)
    assert await told(world, (morning - DAY).replace(hour=23)) == [], "the worker comes back at night"
    assert {row.due_at for row in await reminders(world)} == {morning.replace(hour=7)}
    assert len(await told(world, morning.replace(hour=7))) == 2


async def test_an_overdue_one_survives_a_change_of_wishes(world: World, pair: Pair) -> None:
    await booked(pair)
    with at(THURSDAY - HOUR + MINUTE, pair.mentee, world=world):
        await pair.mentee.ok("PUT", "/v1/reminder-preferences", {**WISHES, "lead_minutes": [60]})
    assert len(await told(world, THURSDAY - HOUR + 2 * MINUTE, pair.mentee)) == 1


# Changes of mind


async def test_other_leads_hold_for_what_is_booked(world: World, pair: Pair) -> None:
    await booked(pair)
    with at(TUESDAY, pair.mentee, world=world):
        await pair.mentee.ok("PUT", "/v1/reminder-preferences", {**WISHES, "lead_minutes": [30, 60]})
        await pair.mentee.ok("PUT", "/v1/reminder-preferences", {**WISHES, "lead_minutes": [30, 10]})
    mine = [row for row in await reminders(world) if row.account_id == pair.mentee.account_id]
    assert {row.lead_minutes: row.dropped_why for row in mine} == {
        1440: "preferences", 60: "preferences", 30: None, 10: None,
    }  # fmt: skip
    assert await told(world, THURSDAY - HOUR, pair.mentee) == []
    assert len(await told(world, THURSDAY - 30 * MINUTE, pair.mentee)) == 1


async def test_a_new_zone_moves_quiet_hours(world: World, pair: Pair) -> None:
    """18:00 in London is 3:00 in Tokyo, which is told before 22:00 there."""
    await booked(pair)
    with at(TUESDAY, pair.mentee, world=world):
        await pair.mentee.ok("PATCH", "/v1/me", {"zone": "Asia/Tokyo"})
    mine = [row for row in await reminders(world) if row.account_id == pair.mentee.account_id]
    evening = THURSDAY.replace(hour=13)
    assert {row.lead_minutes: row.due_at for row in mine} == {
        1440: evening - DAY, 60: evening, 10: THURSDAY - 10 * MINUTE,
    }  # fmt: skip


async def test_mail_that_still_waits_is_taken_back(world: World, pair: Pair) -> None:
    """The mail server was away, and meanwhile the meeting was cancelled, or moved and moved back."""
    meeting = await booked(pair)
    sent = {mail["message_id"] for mail in await told(world, THURSDAY - DAY)}
    with at(THURSDAY - DAY + MINUTE):
        await move(world, meeting, THURSDAY + 3 * HOUR)
    assert not [mail for mail in await world.mails() if mail["message_id"] in sent]
    with at(THURSDAY - DAY - MINUTE):
        await move(world, meeting, THURSDAY)
    again = {mail["message_id"] for mail in await told(world, THURSDAY - DAY + 2 * MINUTE)}
    assert again == sent, "it is the same occasion, and the same mail"
    with at(THURSDAY - DAY + 3 * MINUTE, pair.mentor, world=world):
        await pair.mentor.ok("POST", f"/v1/meetings/{meeting}/cancel")
    assert not [mail for mail in await world.mails() if mail["message_id"] in sent]


async def test_mail_that_comes_too_late_is_not_delivered(monkeypatch: pytest.MonkeyPatch) -> None:
    delivered: list[Mail] = []

    class Box:
        async def deliver(self, mail: Mail) -> None:
            delivered.append(mail)

    monkeypatch.setattr(mail, "_postbox", [Box()])
    letter: Any = {"to": "a@example.org", "subject": "S", "text": "T", "message_id": "<x@y>"}
    with at(THURSDAY - MINUTE):
        await mail.deliver(until=THURSDAY.isoformat(), **letter)
    with at(THURSDAY):
        await mail.deliver(until=THURSDAY.isoformat(), **letter)
        await mail.deliver(**letter)
    assert len(delivered) == 2


async def test_what_was_booked_before_there_were_reminders_is_reminded_of(
    world: World, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reminding, "MOST_AT_ONCE", 2)
    for hour in range(3):
        await booked(pair, THURSDAY + hour * HOUR)
    made = {(row.account_id, row.meeting_id, row.lead_minutes) for row in await reminders(world)}
    await world.run("DELETE FROM reminder")
    with at(TUESDAY):
        assert await reminding.plan_missing(world.database) == 3
        assert await reminding.plan_missing(world.database) == 0
    again = {(row.account_id, row.meeting_id, row.lead_minutes) for row in await reminders(world)}
    assert again == made


# Many at once


async def test_two_workers_send_each_once(world: World, pair: Pair) -> None:
    for hour in range(5):
        await booked(pair, THURSDAY + hour * HOUR)
    second = open_database(world.door.settings.database_url or "", pool=3)
    before = len(await world.mails())
    with at(THURSDAY + 3 * HOUR + 55 * MINUTE):
        counts = await asyncio.gather(*(sending.send_due(one) for one in [world.database, second] * 3))
    await second.close()
    mails = (await world.mails())[before:]
    assert len({mail["message_id"] for mail in mails}) == len(mails)
    rows = await reminders(world)
    assert sum(counts) == sum(row.sent_at is not None or row.dropped_at is not None for row in rows)
    assert len(mails) == sum(row.sent_at is not None for row in rows) > 0
    assert not [
        row for row in rows if row.due_at <= THURSDAY + 3 * HOUR and not (row.sent_at or row.dropped_at)
    ]


async def test_one_that_cannot_be_told_keeps_no_other(
    world: World, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = await booked(pair)
    await booked(pair, THURSDAY + HOUR)
    honest = words.of_meeting

    def choosy(one: words.Appointment, zone: str, url: str) -> words.Letter:
        if str(one.meeting_id) == bad:
            raise RuntimeError("never")
        return honest(one, zone, url)

    monkeypatch.setattr(words, "of_meeting", choosy)
    logged = capture(monkeypatch, sending)
    refused: set[UUID] = set()
    with at(THURSDAY - 5 * MINUTE):
        await sending.send_due(world.database, refused)
        await sending.send_due(world.database, refused)
    assert len(logged) == len(refused) == 2
    sent = {str(row.meeting_id) for row in await reminders(world) if row.sent_at}
    assert sent == {
        meeting for meeting in {str(row.meeting_id) for row in await reminders(world)} if meeting != bad
    }


async def test_what_is_long_over_is_forgotten(world: World, pair: Pair) -> None:
    await booked(pair)
    await told(world, THURSDAY - DAY)
    await told(world, THURSDAY)
    async with world.database.transaction() as db:
        await queries.clear_away(db, THURSDAY)
    assert len(await reminders(world)) == 6
    async with world.database.transaction() as db:
        await queries.clear_away(db, THURSDAY + MINUTE)
    assert await reminders(world) == []


async def test_the_same_occasion_is_stored_once(world: World) -> None:
    """Also where a key is missing: an agenda has no meeting."""

    def agenda() -> Reminder:
        return Reminder(account_id=who, kind=Kind.AGENDA.value, starts_at=TUESDAY, due_at=TUESDAY)

    who = (await world.person()).account_id
    await world.save(agenda())
    with pytest.raises(IntegrityError, match="uq_reminder_occasion"):
        await world.save(agenda())
