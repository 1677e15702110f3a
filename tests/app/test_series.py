"""Series of meetings: agreed once, made ahead, skipped where they cannot be, changed and cancelled."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
import time_machine

from app.core import clock
from app.scheduling.openings import Obstacle, Span, obstacles
from app.series import making
from app.series.models import MOVES, SeriesStatus
from tests.world import ALL_ROLES, Person, World, meeting

pytestmark = pytest.mark.database
LONDON: Final = ZoneInfo("Europe/London")
WEEKLY: Final = "FREQ=WEEKLY"


def soon(days: int = 2, hour: int = 18) -> datetime:
    """A time on a wall in London."""
    local = (clock.now() + timedelta(days=days)).astimezone(LONDON)
    return local.replace(hour=hour, minute=0, second=0, microsecond=0, tzinfo=None)


def instant(wall: datetime) -> datetime:
    return wall.replace(tzinfo=LONDON)


def body(rule: str = WEEKLY, at: datetime | None = None, **more: Any) -> dict[str, Any]:
    at = at or soon()
    return {
        "dtstart": at.isoformat(), "zone": "Europe/London", "rule": rule, "duration_minutes": 45, **more
    }  # fmt: skip


async def propose(
    who: Person, pairing: Any, rule: str = WEEKLY, at: datetime | None = None, **more: Any
) -> Any:
    return await who.ok("POST", f"/v1/pairings/{pairing['id']}/series", body(rule, at, **more))


async def agree(
    who: Person, other: Person, pairing: Any, rule: str = WEEKLY, at: datetime | None = None, **more: Any
) -> Any:
    made = await propose(who, pairing, rule, at, **more)
    return await other.ok("POST", f"/v1/series/{made['id']}/accept")


async def meetings(who: Person, *states: str) -> list[Any]:
    """Somebody's meetings in these states, the first first."""
    rows = (await who.ok("GET", "/v1/meetings?limit=100"))["items"]
    return sorted((row for row in rows if row["status"] in states), key=lambda row: row["starts_at"])


def starts(rows: Sequence[Any]) -> list[datetime]:
    return [datetime.fromisoformat(row["starts_at"]) for row in rows]


async def test_it_is_booked_when_the_other_side_accepts(world: World) -> None:
    mentee, mentor = await world.two()
    pairing = await world.pair(mentee, mentor)
    first = soon()
    made = await propose(mentee, pairing, "FREQ=WEEKLY;COUNT=5", first, title="Weekly")
    assert (made["status"], made["may"], len(made["next"])) == ("proposed", ["cancel"], 5)
    assert {each["meeting_id"] for each in made["next"]} == {None}
    assert await meetings(mentee, "booked", "proposed") == []
    assert (await mentee.post(f"/v1/series/{made['id']}/accept")).json()["code"] == "not_yours_to_decide"
    accepted = await mentor.ok("POST", f"/v1/series/{made['id']}/accept")
    assert (accepted["status"], accepted["may"], accepted["version"]) == ("active", ["change", "cancel"], 2)
    booked = await meetings(mentee, "booked")
    assert starts(booked) == [instant(first + timedelta(weeks=week)) for week in range(5)]
    assert [each["meeting_id"] for each in accepted["next"]] == [row["id"] for row in booked]
    assert {(row["title"], row["duration_minutes"]) for row in booked} == {("Weekly", 45)}
    assert await mentee.ok("GET", f"/v1/series/{made['id']}") == {**accepted}
    assert (await mentee.ok("GET", f"/v1/pairings/{pairing['id']}/series"))["items"] == [accepted]
    subjects = [mail["subject"] for person in (mentee, mentor) for mail in await world.mails(person.email)]
    told = [subject for subject in subjects if "regular" in subject]
    assert told == ["Amara Okafor booked your regular meetings", "Priya Raman proposes to meet regularly"]
    assert not [subject for subject in subjects if "confirmed your meeting" in subject], (
        "once, not five times"
    )


def test_the_table_of_states() -> None:
    assert {state for state, _ in MOVES} == {SeriesStatus.PROPOSED, SeriesStatus.ACTIVE}
    assert set(MOVES.values()) | {SeriesStatus.PROPOSED} == set(SeriesStatus)


async def test_it_keeps_its_time_on_the_wall_when_the_clocks_change(world: World) -> None:
    mentee, mentor = await world.two()
    pairing = await world.pair(mentee, mentor)
    await agree(mentee, mentor, pairing, "FREQ=DAILY;INTERVAL=7")
    booked = starts(await meetings(mentee, "booked"))
    assert len(booked) == 26
    assert {at.astimezone(LONDON).hour for at in booked} == {18}
    assert {at.hour for at in booked} == {17, 18}, "a change of the clocks lies within any half year"


async def test_an_endless_one_is_made_half_a_year_ahead_and_then_on_and_on(world: World) -> None:
    mentee, mentor = await world.two()
    pairing = await world.pair(mentee, mentor)
    made = await agree(mentee, mentor, pairing)
    assert len(await meetings(mentee, "booked")) == 26
    await making.extend(world.database)
    assert len(await meetings(mentee, "booked")) == 26, "nothing is due yet"
    with time_machine.travel(clock.now() + timedelta(weeks=4, days=1), tick=False):
        await asyncio.gather(*(making.extend(world.database) for _ in range(3)))
        count = await world.run("SELECT count(*) FROM meeting WHERE status = 'booked'")
        assert count[0][0] == 30, "once, whoever else makes them"
        world.renew(mentee)
        seen = await mentee.ok("GET", f"/v1/series/{made['id']}")
        assert len(seen["next"]) == 10
    twice = await world.run("SELECT recurrence_id FROM series_occurrence GROUP BY 1 HAVING count(*) > 1")
    assert twice == []


async def test_the_worker_makes_what_is_too_much_for_one_request(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    mentee, mentor = await world.two()
    monkeypatch.setattr(making, "AT_ONCE", 3)
    made = await agree(mentee, mentor, await world.pair(mentee, mentor), "FREQ=DAILY;COUNT=10")
    assert len(await meetings(mentee, "booked")) == len(made["next"]) == 3
    await making.extend(world.database)
    booked = await meetings(mentee, "booked")
    assert starts(booked) == [instant(soon(day)) for day in range(2, 12)]


async def test_one_that_runs_out_ends(world: World) -> None:
    mentee, mentor = await world.two()
    made = await agree(mentee, mentor, await world.pair(mentee, mentor), "FREQ=DAILY;COUNT=2")
    with time_machine.travel(clock.now() + timedelta(days=5), tick=False):
        await making.extend(world.database)
        world.renew(mentee)
        seen = await mentee.ok("GET", f"/v1/series/{made['id']}")
    assert (seen["status"], seen["next"], seen["may"]) == ("ended", [], [])


async def test_a_taken_time_is_skipped_and_another_one_proposed(world: World) -> None:
    mentee, mentor = await world.two()
    pairing = await world.pair(mentee, mentor)
    first = soon()
    for day in (7, 8):
        await world.meet(mentee, mentor, pairing["id"], instant(first + timedelta(days=day, minutes=30)))
    made = await agree(mentee, mentor, pairing, "FREQ=WEEKLY;COUNT=3", first)
    assert [each["skipped"] for each in made["next"]] == [None, "meeting", None]
    proposed = await meetings(mentee, "proposed")
    assert starts(proposed) == [instant(first + timedelta(days=9))], "the next day is taken too"
    assert made["next"][1]["meeting_id"] == proposed[0]["id"]
    assert (await mentor.ok("GET", f"/v1/meetings/{proposed[0]['id']}"))["may"] == [
        "accept",
        "decline",
        "cancel",
    ]
    await mentor.ok("POST", f"/v1/meetings/{proposed[0]['id']}/accept")


def standing(*found: Obstacle) -> Callable[..., Any]:
    """What stands in the way, besides meetings: other rooms know absences and holidays."""

    async def also(db: Any, account_ids: Any, spans: Sequence[Span]) -> list[Obstacle]:
        more = [one for one in found if any(one.start < end and start < one.end for start, end in spans)]
        return [
            *await obstacles(db, account_ids, spans),
            *(one for one in more if one.account_id in account_ids),
        ]

    return also


async def test_an_absence_is_skipped_whole_when_no_day_nearby_is_free(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    mentee, mentor = await world.two()
    pairing = await world.pair(mentee, mentor)
    first = soon()
    away = instant(first + timedelta(days=6)), instant(first + timedelta(days=15, hours=1))
    holiday = instant(first + timedelta(days=21)), instant(first + timedelta(days=21, hours=4))
    closed = instant(first), instant(first + timedelta(days=1))
    account = mentor.account_id
    monkeypatch.setattr(
        making,
        "obstacles",
        standing(
            Obstacle(account, *away, "absence"),
            Obstacle(account, *holiday, "holiday"),
            Obstacle(account, *closed, "outside_hours"),
        ),
    )
    made = await agree(mentee, mentor, pairing, "FREQ=WEEKLY;COUNT=4", first)
    assert [each["skipped"] for each in made["next"]] == [None, "absence", "absence", "holiday"]
    assert made["next"][1]["meeting_id"] is None, "six days on there is nothing"
    assert starts(await meetings(mentee, "proposed")) == [
        instant(first + timedelta(days=16)),
        instant(first + timedelta(days=22)),
    ]
    assert len(await meetings(mentee, "booked")) == 1


async def test_another_time_is_not_where_the_series_itself_is(world: World) -> None:
    mentee, mentor = await world.two()
    pairing = await world.pair(mentee, mentor)
    first = soon()
    await world.meet(mentee, mentor, pairing["id"], instant(first + timedelta(days=1)))
    made = await agree(mentee, mentor, pairing, "FREQ=DAILY;COUNT=4", first)
    assert [each["skipped"] for each in made["next"]] == [None, "meeting", None, None]
    assert starts(await meetings(mentee, "proposed")) == [instant(first + timedelta(days=4))]


async def test_a_circle_is_booked_by_its_lead_and_not_without_them(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    north = await world.organisation()
    coordinator = await world.member(north, "Cora", roles=ALL_ROLES)
    lead, one, two = [await world.member(north, name) for name in ("Lena", "Uma", "Wim")]
    circle = await world.circle(coordinator, [lead], [one, two])
    first = soon()
    away = instant(first), instant(first + timedelta(days=1))
    later = instant(first + timedelta(days=7)), instant(first + timedelta(days=8))
    monkeypatch.setattr(
        making,
        "obstacles",
        standing(Obstacle(one.account_id, *away, "absence"), Obstacle(lead.account_id, *later, "absence")),
    )
    made = await propose(lead, circle, "FREQ=WEEKLY;COUNT=3", first)
    assert (made["status"], [each["skipped"] for each in made["next"]]) == ("active", [None, "absence", None])
    seen = await one.ok("GET", f"/v1/series/{made['id']}")
    assert seen["may"] == []
    for verb in ("change", "cancel"):
        answer = await one.post(f"/v1/series/{made['id']}/{verb}", {})
        assert (answer.status_code, answer.json()["code"]) == (403, "not_yours_to_decide")
    wish = await propose(two, circle, "FREQ=WEEKLY;COUNT=3", first + timedelta(hours=3))
    assert (wish["status"], (await one.ok("GET", f"/v1/series/{wish['id']}"))["may"]) == ("proposed", [])
    assert (await lead.ok("POST", f"/v1/series/{wish['id']}/decline"))["status"] == "declined"
    moved = await lead.ok("POST", f"/v1/series/{made['id']}/change", {"duration_minutes": 60})
    assert (moved["status"], moved["continues_id"]) == ("active", made["id"])


async def test_this_and_following_wait_for_the_other_side_and_leave_the_rest(world: World) -> None:
    mentee, mentor = await world.two()
    pairing = await world.pair(mentee, mentor)
    first = soon()
    made = await agree(mentee, mentor, pairing, "FREQ=WEEKLY;COUNT=6", first, title="Ours")
    before = await meetings(mentee, "booked")
    split = first + timedelta(weeks=2)
    change = {"from": split.isoformat(), "dtstart": (split + timedelta(days=1)).isoformat()}
    proposed = await mentor.ok("POST", f"/v1/series/{made['id']}/change", change)
    assert (proposed["status"], proposed["continues_from"]) == ("proposed", split.isoformat())
    assert proposed["rule"] == "FREQ=WEEKLY;COUNT=4", "what was left of it"
    assert await meetings(mentee, "booked") == before, "nothing changes before the other side says yes"
    await mentee.ok("POST", f"/v1/series/{proposed['id']}/accept")
    booked = await meetings(mentee, "booked")
    assert [row["id"] for row in booked[:2]] == [row["id"] for row in before[:2]]
    assert starts(booked) == [
        *(instant(first + timedelta(weeks=week)) for week in range(2)),
        *(instant(first + timedelta(weeks=week, days=1)) for week in range(2, 6)),
    ]
    old = await mentee.ok("GET", f"/v1/series/{made['id']}")
    assert (old["status"], old["stops_before"], len(old["next"])) == ("active", split.isoformat(), 2)
    assert {row["title"] for row in booked} == {"Ours"}
    answer = await mentee.post(f"/v1/series/{made['id']}/change", {"from": split.isoformat(), "title": "No"})
    assert (answer.status_code, answer.json()["code"]) == (422, "no_occurrence")


async def test_all_of_it_is_changed_and_what_was_left_out_stays_out(world: World) -> None:
    mentee, mentor = await world.two()
    pairing = await world.pair(mentee, mentor)
    first = soon()
    out = [(first + timedelta(weeks=1)).isoformat()]
    more = [(first + timedelta(days=3)).isoformat()]
    made = await agree(mentee, mentor, pairing, "FREQ=WEEKLY;COUNT=4", first, exdates=out, rdates=more)
    assert len(made["next"]) == 4
    longer = await mentee.ok("POST", f"/v1/series/{made['id']}/change", {"duration_minutes": 90})
    await mentor.ok("POST", f"/v1/series/{longer['id']}/accept")
    booked = await meetings(mentee, "booked")
    assert {row["duration_minutes"] for row in booked} == {90}
    assert starts(booked) == [instant(first + timedelta(days=day)) for day in (0, 3, 14, 21)]
    assert (await mentee.ok("GET", f"/v1/series/{made['id']}"))["status"] == "ended"
    answer = await mentee.post(f"/v1/series/{made['id']}/change", {"duration_minutes": 60})
    assert (answer.status_code, answer.json()["code"]) == (409, "series_ended")


async def test_a_title_changes_at_once_and_not_behind_anyones_back(world: World) -> None:
    mentee, mentor = await world.two()
    made = await agree(mentee, mentor, await world.pair(mentee, mentor), "FREQ=WEEKLY;COUNT=3")
    split = made["next"][1]["recurrence_id"]
    path = f"/v1/series/{made['id']}/change"
    changed = await mentee.ok("POST", path, {"from": split, "title": "Cases", "version": made["version"]})
    assert (changed["title"], changed["version"]) == ("Cases", made["version"] + 1)
    assert [row["title"] for row in await meetings(mentor, "booked")] == [None, "Cases", "Cases"]
    late = await mentor.post(path, {"title": "Mine", "version": made["version"]})
    assert (late.status_code, late.json()["code"]) == (409, "series_changed")
    nothing = await mentor.post(path, {})
    assert (nothing.status_code, nothing.json()["errors"][0]["pointer"]) == (422, "/title")


async def test_only_the_newest_proposed_change_is_open(world: World) -> None:
    mentee, mentor = await world.two()
    made = await agree(mentee, mentor, await world.pair(mentee, mentor))
    path = f"/v1/series/{made['id']}"
    first = await mentee.ok("POST", f"{path}/change", {"duration_minutes": 30})
    second = await mentor.ok("POST", f"{path}/change", {"duration_minutes": 60})
    answer = await mentor.post(f"/v1/series/{first['id']}/accept")
    assert (answer.status_code, answer.json()["code"]) == (409, "series_cancelled")
    await mentor.ok("POST", f"{path}/cancel", {})
    answer = await mentee.post(f"/v1/series/{second['id']}/accept")
    assert (answer.status_code, answer.json()["code"]) == (409, "series_cancelled")


async def test_cancelling_spares_what_has_begun_and_what_comes_before(world: World) -> None:
    mentee, mentor = await world.two()
    pairing = await world.pair(mentee, mentor)
    first = soon()
    made = await agree(mentee, mentor, pairing, "FREQ=WEEKLY;COUNT=5", first)
    path = f"/v1/series/{made['id']}/cancel"
    third = (first + timedelta(weeks=2)).isoformat()
    with time_machine.travel(instant(first) + timedelta(minutes=10), tick=False):
        world.renew(mentee)
        begun = await mentee.post(path, {"from": first.isoformat()})
        assert (begun.status_code, begun.json()["code"]) == (409, "occurrence_begun")
        stopped = await mentee.ok("POST", path, {"from": third, "reason": "I am changing jobs."})
        assert (stopped["status"], stopped["stops_before"], len(stopped["next"])) == ("active", third, 1)
        assert len(await meetings(mentee, "booked")) == 2
        gone = await mentee.ok("POST", path, {})
        assert (gone["status"], gone["may"]) == ("cancelled", [])
        assert starts(await meetings(mentee, "booked")) == [instant(first)], "the one that is under way"
        again = await mentee.post(path, {})
        assert (again.status_code, again.json()["code"]) == (409, "series_cancelled")
    subjects = [mail["subject"] for mail in await world.mails(mentor.email)]
    assert "Priya Raman cancelled your regular meetings" in subjects
    assert not [subject for subject in subjects if "cancelled the meeting on" in subject]


async def test_one_of_them_is_a_meeting_like_any_other(world: World) -> None:
    mentee, mentor = await world.two()
    made = await agree(mentee, mentor, await world.pair(mentee, mentor), "FREQ=WEEKLY;COUNT=3")
    await mentor.ok("POST", f"/v1/meetings/{made['next'][1]['meeting_id']}/cancel")
    await making.extend(world.database)
    assert len(await meetings(mentee, "booked")) == 2, "it does not come back"
    await mentee.ok("POST", f"/v1/series/{made['id']}/cancel", {})
    assert await meetings(mentee, "booked", "proposed") == []
    assert await world.run("SELECT 1 FROM booking") == []


async def test_an_ended_mentorship_has_no_series(world: World) -> None:
    mentee, mentor = await world.two()
    pairing = await world.pair(mentee, mentor)
    made = await agree(mentee, mentor, pairing)
    open_one = await propose(mentee, pairing, "FREQ=DAILY;COUNT=3", soon(hour=9))
    await mentor.ok("POST", f"/v1/pairings/{pairing['id']}/end")
    for one, status in ((made, "ended"), (open_one, "cancelled")):
        seen = await mentee.ok("GET", f"/v1/series/{one['id']}")
        assert (seen["status"], seen["next"], seen["may"]) == (status, [], [])
        assert (await mentor.post(f"/v1/series/{one['id']}/accept")).json()["code"] == "pairing_ended"
    assert await world.run("SELECT 1 FROM booking") == []
    subjects = [mail["subject"] for mail in await world.mails(mentee.email)]
    assert subjects.count("Cancelled: your regular meetings") == 1
    assert not [subject for subject in subjects if subject.startswith("Cancelled: the meeting")]
    with time_machine.travel(clock.now() + timedelta(weeks=2), tick=False):
        await making.extend(world.database)
    assert await world.run("SELECT 1 FROM booking") == []


@pytest.mark.parametrize(
    ("rule", "more", "code"),
    [
        ("FREQ=YEARLY", {}, "rule_refused"),
        ("FREQ=DAILY;UNTIL=20200101T000000Z", {}, "ends_before_it_begins"),
        ("FREQ=DAILY;INTERVAL=7;BYDAY={not_that_day}", {}, "never_takes_place"),
        ("FREQ=WEEKLY;UNTIL={in_ten_years}", {}, "too_long"),
        ("FREQ=MONTHLY;COUNT=120", {}, "too_long"),
        ("FREQ=WEEKLY", {"dtstart": "2020-01-01T09:00"}, "in_the_past"),
        ("FREQ=WEEKLY", {"dtstart": "2199-01-01T09:00"}, "too_far_ahead"),
        ("FREQ=WEEKLY", {"dtstart": "2027-02-30T09:00"}, "invalid"),
        ("FREQ=WEEKLY", {"dtstart": "2027-02-03T09:00:00Z"}, "invalid"),
        ("FREQ=WEEKLY", {"zone": "Europe/Atlantis"}, "invalid"),
        ("FREQ=WEEKLY", {"duration_minutes": 481}, "invalid"),
        ("FREQ=WEEKLY", {"duration_minutes": -45}, "invalid"),
        ("FREQ=WEEKLY", {"rdates": ["2020-01-01T09:00"]}, "before_the_beginning"),
        ("FREQ=WEEKLY", {"exdates": ["never"]}, "invalid"),
    ],
)
async def test_series_that_make_no_sense_are_refused(world: World, rule: str, more: Any, code: str) -> None:
    mentee, mentor = await world.two()
    pairing = await world.pair(mentee, mentor)
    at = soon()
    rule = rule.format(
        not_that_day=("MO", "TU", "WE", "TH", "FR", "SA", "SU")[(at.weekday() + 1) % 7],
        in_ten_years=f"{at.year + 10}0101",
    )
    answer = await mentee.post(f"/v1/pairings/{pairing['id']}/series", body(rule, at, **more))
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert await world.run("SELECT 1 FROM series") == []


async def test_one_whose_times_have_all_passed_is_not_accepted(world: World) -> None:
    mentee, mentor = await world.two()
    made = await propose(mentee, await world.pair(mentee, mentor), "FREQ=DAILY;COUNT=2")
    with time_machine.travel(clock.now() + timedelta(days=10), tick=False):
        world.renew(mentor)
        answer = await mentor.post(f"/v1/series/{made['id']}/accept")
    assert (answer.status_code, answer.json()["code"]) == (409, "series_over")


async def test_a_repeated_proposal_is_one_series(world: World) -> None:
    mentee, mentor = await world.two()
    pairing = await world.pair(mentee, mentor)
    sent = body()
    key = {"Idempotency-Key": "the-same-request"}
    first, second = [
        await mentee.ok("POST", f"/v1/pairings/{pairing['id']}/series", sent, headers=key) for _ in range(2)
    ]
    assert first == second
    assert len((await mentee.ok("GET", f"/v1/pairings/{pairing['id']}/series"))["items"]) == 1


async def test_accepting_races_with_booking_and_nobody_is_booked_twice(world: World) -> None:
    mentee, mentor = await world.two()
    pairing, first = await world.pair(mentee, mentor), soon()
    made = await propose(mentee, pairing, "FREQ=WEEKLY;COUNT=8", first)
    single = [
        await mentee.ok(
            "POST",
            f"/v1/pairings/{pairing['id']}/meetings",
            meeting(instant(first + timedelta(weeks=week, minutes=20))),
        )
        for week in range(8)
    ]
    answers = await asyncio.gather(
        mentor.post(f"/v1/series/{made['id']}/accept"),
        *(mentor.post(f"/v1/meetings/{one['id']}/accept") for one in single),
    )
    assert answers[0].status_code == 200, answers[0].text
    assert {answer.status_code for answer in answers[1:]} <= {200, 409}
    booked = starts(await meetings(mentee, "booked"))
    assert all(right - left >= timedelta(minutes=45) for left, right in pairwise(booked))
    rows = await world.run("SELECT meeting_id, skipped FROM series_occurrence")
    taken = sum(answer.status_code == 200 for answer in answers[1:])
    assert len(rows) == 8
    assert sum(row.skipped == "meeting" for row in rows) == taken


async def test_one_series_that_fails_keeps_no_other_waiting(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    mentee, mentor = await world.two()
    pairing = await world.pair(mentee, mentor)
    bad = await agree(mentee, mentor, pairing)
    await agree(mentee, mentor, pairing, at=soon(hour=9))
    make = making.make

    async def failing(db: Any, series: Any, *rest: Any) -> None:
        if series.id == UUID(bad["id"]):
            raise RuntimeError("planted")
        await make(db, series, *rest)

    monkeypatch.setattr(making, "make", failing)
    with time_machine.travel(clock.now() + timedelta(weeks=1, days=1), tick=False):
        await making.extend(world.database)
    assert (await world.run("SELECT count(*) FROM meeting"))[0][0] == 26 + 27, "one week is due of each"
