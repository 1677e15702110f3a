"""Slots over HTTP: whose time counts, what stands in the way, and what is refused."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import pytest

from app.freebusy import queries as freebusy
from app.freebusy.queries import Busy
from app.pairings import queries as pairings
from app.scheduling import openings
from app.scheduling.known import known
from tests.app.cost import Statements
from tests.app.diaries import (
    ALWAYS,
    Travel,
    asked,
    first_of_each_day,
    in_days,
    keeps,
    traveller,
    walls,
    weekdays,
)
from tests.app.problems import problem
from tests.world import ALL_ROLES, Person, World

pytestmark = pytest.mark.database
MONDAY: Final = "2027-05-03T00:00:00+00:00"


@pytest.fixture
def travel(monkeypatch: pytest.MonkeyPatch) -> Travel:
    """Moves the clock."""
    return traveller(monkeypatch)


async def test_a_pair_is_offered_what_suits_both_on_the_viewers_wall(world: World, travel: Travel) -> None:
    now = travel(MONDAY)
    mentee, mentor = await world.two()
    pairing = await world.pair(mentee, mentor)
    await keeps(mentor, "America/Toronto", weekdays("09:00", "10:30"), lengths=[30, 60], step_minutes=30)
    await keeps(mentee, "Australia/Brisbane", weekdays("18:00", "24:00"), lengths=[30, 60, 90])
    ask = {"from_": now.isoformat(), "to": in_days(now, 1.5), "duration_minutes": 60}
    hers = await asked(mentee, pairing["id"], zone="Australia/Brisbane", **ask)
    his = await asked(mentor, pairing["id"], zone="America/Toronto", **ask)
    assert walls(hers) == ["Mon 03 May 23:00"]
    assert walls(his) == ["Mon 03 May 09:00"], "nine in Toronto, until midnight in Brisbane"
    assert hers["slots"] == his["slots"]
    assert (hers["step_minutes"], hers["duration_minutes"]) == (30, 60)
    assert hers["next_available"] == hers["slots"][0]["starts_at"] == "2027-05-03T13:00:00Z"
    assert hers["slots"][0]["ends_at"] == "2027-05-03T14:00:00Z"
    assert (hers["slots"][0]["available"], hers["slots"][0]["of"]) == (2, 2)
    people = {row["name"]: row for row in hers["people"]}
    assert people[mentor.name]["zone"] == "America/Toronto"
    assert [row["is_me"] for row in hers["people"]].count(True) == 1
    assert not any(row["assumed"] or row["paused"] for row in hers["people"])


async def test_who_made_no_schedule_is_there_on_weekdays(world: World, travel: Travel) -> None:
    now = travel("2027-05-07T12:00:00+00:00")
    mentee, mentor = await world.two()
    pairing = await world.pair(mentee, mentor)
    found = await asked(mentee, pairing["id"], to=in_days(now, 5))
    assert all(row["assumed"] and row["confirm"] for row in found["people"])
    assert first_of_each_day(found) == {"Fri 07 May": "13:00", "Mon 10 May": "09:00", "Tue 11 May": "09:00",
        "Wed 12 May": "09:00",
    }  # fmt: skip
    assert (found["zone"], found["duration_minutes"]) == ("Europe/London", 45)
    mine = await asked(mentee, to=in_days(now, 5))
    assert mine["slots"] == [{**row, "available": 1, "of": 1} for row in found["slots"]]
    assert [(row["membership_id"], row["name"]) for row in mine["people"]] == [(None, mentee.name)]


async def test_the_schedule_that_was_chosen_for_a_mentorship_holds_there_only(
    world: World, travel: Travel
) -> None:
    now = travel(MONDAY)
    mentee, mentor = await world.two()
    pairing = await world.pair(mentee, mentor)
    other = await world.pair(mentee, mentor, kind="peers")
    await keeps(mentee, "UTC", ALWAYS)
    await keeps(mentor, "UTC", weekdays("09:00", "10:00"), lengths=[60])
    late = await keeps(mentor, "UTC", weekdays("20:00", "21:00"), lengths=[60])
    await mentor.ok("PUT", f"/v1/pairings/{pairing['id']}/schedule", {"schedule_id": late["id"]})
    for one, hour in ((pairing, "20:00"), (other, "09:00")):
        found = await asked(mentee, one["id"], to=in_days(now, 1), zone="UTC")
        assert walls(found) == [f"Mon 03 May {hour}"]


async def _pair_always(world: World, **terms: Any) -> tuple[Person, Person, Any]:
    mentee, mentor = await world.two()
    pairing = await world.pair(mentee, mentor)
    await keeps(mentee, "UTC", ALWAYS, step_minutes=15)
    await keeps(mentor, "UTC", weekdays("09:00", "12:00"), step_minutes=15, **terms)
    return mentee, mentor, pairing


async def test_quiet_stacks_and_imported_time_asks_for_none(
    world: World, travel: Travel, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = travel(MONDAY)
    mentee, mentor, pairing = await _pair_always(
        world, buffer_before_minutes=10, buffer_after_minutes=20, lengths=[30]
    )
    at = datetime(2027, 5, 3, 10, tzinfo=UTC)
    await world.meet(mentee, mentor, pairing["id"], at)  # 45 minutes
    rows = await world.run(
        "SELECT before_minutes, after_minutes FROM booking WHERE account_id = :id", id=mentor.account_id
    )
    assert [tuple(row) for row in rows] == [(10, 20)]
    found = walls(await asked(mentee, pairing["id"], to=in_days(now, 1), zone="UTC", duration_minutes=30))
    # Until 10:00 less the meeting's own 10 and the new one's 20; after 10:45 with 20 and 10.
    assert found == ["Mon 03 May 09:00", "Mon 03 May 11:15", "Mon 03 May 11:30"]

    async def busy(db: Any, account_ids: Any, start: datetime, end: datetime) -> list[Busy]:
        del db, start, end
        assert mentor.account_id in account_ids
        return [Busy(mentor.account_id, at + timedelta(hours=24), at + timedelta(hours=24, minutes=30))]

    monkeypatch.setattr(freebusy, "busy", busy)
    tuesday = {"from_": in_days(now, 1), "to": in_days(now, 2), "zone": "UTC", "duration_minutes": 30}
    found = walls(await asked(mentee, pairing["id"], **tuesday))
    assert found[:2] == ["Tue 04 May 09:00", "Tue 04 May 10:45"], "09:15 to 09:45 and 20 minutes of quiet"


async def test_notice_horizon_and_limits(world: World, travel: Travel) -> None:
    now = travel("2027-05-03T09:10:00+00:00")
    terms = {"minimum_notice_minutes": 90, "horizon_days": 10, "most_per_day": 1, "most_per_week": 2}
    mentee, mentor, pairing = await _pair_always(world, **terms, lengths=[45])
    ask = {"to": in_days(now, 35), "zone": "UTC"}
    days = first_of_each_day(await asked(mentee, pairing["id"], **ask))
    assert next(iter(days.items())) == ("Mon 03 May", "10:45")
    assert list(days)[-1] == "Thu 13 May", "until ten past nine"
    await world.meet(mentee, mentor, pairing["id"], datetime(2027, 5, 5, 9, tzinfo=UTC))
    days = first_of_each_day(await asked(mentee, pairing["id"], **ask))
    assert list(days)[:4] == ["Mon 03 May", "Tue 04 May", "Thu 06 May", "Fri 07 May"], "one on Wednesday"
    await world.meet(mentee, mentor, pairing["id"], datetime(2027, 5, 7, 9, tzinfo=UTC))
    days = first_of_each_day(await asked(mentee, pairing["id"], **ask))
    assert next(iter(days)) == "Mon 10 May", "two in that week"


async def test_absences_pauses_and_holidays_of_either_side(world: World, travel: Travel) -> None:
    now = travel(MONDAY)
    mentee, mentor, pairing = await _pair_always(world, lengths=[60])
    ask = {"to": in_days(now, 5), "zone": "UTC"}
    away = {"starts_at": "2027-05-04T00:00:00Z", "ends_at": "2027-05-04T10:00:00Z"}
    await mentee.ok("POST", "/v1/absences", away)
    holidays = {"items": [{"date": "2027-05-05", "name": "Founders' day"}]}
    await mentee.ok("PUT", f"/v1/organisations/{mentee.organisation_id}/holidays", holidays)
    days = first_of_each_day(await asked(mentor, pairing["id"], **ask))
    assert days == {
        "Mon 03 May": "09:00", "Tue 04 May": "10:00", "Thu 06 May": "09:00", "Fri 07 May": "09:00",
    }  # fmt: skip
    pause = await mentor.ok("POST", "/v1/absences", {"starts_at": "2027-05-02T00:00:00Z"})
    found = await asked(mentee, pairing["id"], **ask)
    assert (found["slots"], found["next_available"]) == ([], None)
    assert {row["name"]: row["paused"] for row in found["people"]} == {mentee.name: False, mentor.name: True}
    assert "note" not in str(found)
    await mentor.ok("DELETE", f"/v1/absences/{pause['id']}")
    own = [{"date": "2027-05-05", "hours": [{"start": "11:00", "end": "12:00"}]}]
    body = {"name": "H", "zone": "UTC", "hours": ALWAYS, "overrides": own, "is_default": True, "version": 1}
    (schedule,) = (await mentee.ok("GET", "/v1/schedules"))["items"]
    await mentee.ok("PUT", f"/v1/schedules/{schedule['id']}", body)
    days = first_of_each_day(await asked(mentor, pairing["id"], **ask))
    assert days["Wed 05 May"] == "11:00", "their own word about that very day weighs more than the holiday"


async def test_after_an_empty_window_the_next_time_is_told(world: World, travel: Travel) -> None:
    now = travel(MONDAY)
    mentee, mentor, pairing = await _pair_always(world, lengths=[60])
    away = {"starts_at": now.isoformat(), "ends_at": "2027-09-01T00:00:00Z"}
    await mentor.ok("POST", "/v1/absences", away)
    found = await asked(mentee, pairing["id"], to=in_days(now, 7), zone="UTC")
    assert (found["slots"], found["next_available"]) == ([], "2027-09-01T09:00:00Z")
    past = await asked(mentee, pairing["id"], from_=in_days(now, -20), to=in_days(now, -10), zone="UTC")
    assert past["slots"] == []
    half = await asked(mentee, pairing["id"], from_="2027-04-25T00:00:00Z", to=in_days(now, 7))
    assert half["slots"] == [], "what has passed of a window is left out"


async def test_a_circle_is_offered_what_suits_at_least_half_the_best_first(
    world: World, travel: Travel
) -> None:
    now = travel(MONDAY)
    place = await world.organisation()
    coordinator = await world.member(place, "Coordinator", roles=ALL_ROLES)
    lead, *rest = [await world.member(place, name) for name in ("Lead", "Ann", "Bob", "Cyd")]
    circle = await world.circle(coordinator, [lead], rest)
    for person, start in zip((lead, *rest), ("09:00", "10:00", "11:00", "12:00"), strict=True):
        await keeps(person, "UTC", weekdays(start, "13:00"), lengths=[60], step_minutes=60)
    ask = {"to": in_days(now, 1), "zone": "UTC"}
    found = await asked(lead, circle["id"], **ask)
    counted = [
        (wall[-5:], slot["available"], slot["of"])
        for wall, slot in zip(walls(found), found["slots"], strict=True)
    ]
    assert counted == [("10:00", 2, 4), ("11:00", 3, 4), ("12:00", 4, 4)]
    best = await asked(lead, circle["id"], order="best", **ask)
    assert [slot["available"] for slot in best["slots"]] == [4, 3, 2]
    assert (await coordinator.get(f"/v1/pairings/{circle['id']}/slots")).status_code == 403
    # Whoever cannot come is booked all the same: what they have booked elsewhere is in the way of all.
    pair = await world.pair(rest[1], rest[2], kind="peers")
    await world.meet(rest[1], rest[2], pair["id"], datetime(2027, 5, 3, 10, 30, tzinfo=UTC))
    found = await asked(lead, circle["id"], **ask)
    assert walls(found) == ["Mon 03 May 12:00"]
    await rest[0].ok("POST", "/v1/blocks", {"membership_id": str(lead.membership_id)})
    apart = await asked(lead, circle["id"], **ask)
    assert {row["name"] for row in apart["people"]} == {"Lead", "Bob", "Cyd"}
    assert {slot["of"] for slot in apart["slots"]} == {3}


async def test_questions_that_make_no_sense_are_refused(world: World, travel: Travel) -> None:
    now = travel(MONDAY)
    mentee, _, pairing = await _pair_always(world, lengths=[30, 60])
    path = f"/v1/pairings/{pairing['id']}/slots"
    for query, pointer, code in (
        ({"from": in_days(now, 2), "to": in_days(now, 1)}, "/query/to", "ends_before_it_starts"),
        ({"from": in_days(now, 2), "to": in_days(now, 2)}, "/query/to", "ends_before_it_starts"),
        ({"from": in_days(now, 0), "to": in_days(now, 35.001)}, "/query/to", "window_too_long"),
        ({"from": in_days(now, 0), "to": in_days(now, 3650)}, "/query/to", "window_too_long"),
        ({"from": in_days(now, -3650)}, None, None),
        ({"duration_minutes": 45}, "/query/duration_minutes", "length_not_offered"),
        ({"duration_minutes": 4}, "/query/duration_minutes", "invalid"),
        ({"zone": "Mars/Olympus"}, "/query/zone", "invalid"),
        ({"order": "worst"}, "/query/order", "invalid"),
        ({"from": "2027-05-03T10:00:00"}, "/query/from", "invalid"),
        ({"from": "1795543200"}, "/query/from", "invalid"),
    ):
        answer = await mentee.get(path, params={name: str(value) for name, value in query.items()})
        if code is None:
            assert answer.json()["slots"] == [], "a week that is long over"
            continue
        told = problem(answer, 422)
        assert (told["code"], told["errors"][0]["pointer"]) == (code, pointer), query
    lengths = problem(await mentee.get(path, params={"duration_minutes": "45"}), 422)
    assert lengths["detail"] == "Meetings here last one of: 30, 60 minutes."


async def test_an_hour_that_happens_twice_is_offered_twice_and_a_skipped_one_not(
    world: World, travel: Travel
) -> None:
    travel("2027-03-27T00:00:00+00:00")
    person = await world.person()
    await keeps(person, "Europe/London", weekdays("01:00", "02:00", "SU"), lengths=[60], step_minutes=60)
    ask = {"duration_minutes": 60, "zone": "Europe/London"}
    gap = await asked(person, from_="2027-03-27T00:00:00Z", to="2027-04-05T00:00:00Z", **ask)
    assert walls(gap) == ["Sun 04 Apr 01:00"]
    fold = await asked(person, from_="2027-10-30T00:00:00Z", to="2027-11-01T00:00:00Z", **ask)
    assert [slot["starts_at"] for slot in fold["slots"]] == ["2027-10-31T00:00:00Z", "2027-10-31T01:00:00Z"]
    assert walls(fold) == ["Sun 31 Oct 01:00", "Sun 31 Oct 01:00"]


async def test_a_day_that_did_not_exist_has_no_hours(world: World, travel: Travel) -> None:
    travel("2011-12-28T00:00:00+00:00")
    person = await world.person()
    await keeps(person, "Pacific/Apia", weekdays("09:00", "10:00", "TH FR SA"), lengths=[60])
    found = await asked(person, to="2012-01-05T00:00:00Z", zone="Pacific/Apia")
    assert walls(found) == ["Thu 29 Dec 09:00", "Sat 31 Dec 09:00", "Thu 05 Jan 09:00"]


async def test_obstacles_say_what_stands_in_whose_way(
    world: World, travel: Travel, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = travel(MONDAY)
    mentee, mentor, pairing = await _pair_always(world, buffer_after_minutes=15)

    async def busy(db: Any, account_ids: Any, start: datetime, end: datetime) -> list[Busy]:
        del db, start, end
        nine = datetime(2027, 5, 3, 9, tzinfo=UTC)
        return [
            Busy(account_id, nine, nine + timedelta(minutes=15))
            for account_id in account_ids
            if account_id == mentor.account_id
        ]

    monkeypatch.setattr(freebusy, "busy", busy)
    booked = await world.meet(mentee, mentor, pairing["id"], datetime(2027, 5, 3, 11, tzinfo=UTC))
    await mentee.ok(
        "POST", f"/v1/pairings/{pairing['id']}/holds",
        {"starts_at": "2027-05-04T10:00:00Z", "duration_minutes": 60},
    )  # fmt: skip
    away = {"starts_at": "2027-05-05T09:30:00Z", "ends_at": "2027-05-05T10:00:00Z"}
    await mentor.ok("POST", "/v1/absences", away)
    holidays = {"items": [{"date": "2027-05-06", "name": "Day"}]}
    await mentor.ok("PUT", f"/v1/organisations/{mentor.organisation_id}/holidays", holidays)
    spans = [
        (now + timedelta(days=day, hours=8.5), now + timedelta(days=day, hours=11.5)) for day in range(4)
    ]

    async def found(*whom: UUID, besides: UUID | None = None) -> list[tuple[str, str, str]]:
        async with world.database.transaction() as db:
            rows = await openings.obstacles(db, whom, spans, pairing_id=UUID(pairing["id"]), besides=besides)
        assert {row.account_id for row in rows} <= set(whom)
        return [(row.why, f"{row.start:%a %H:%M}", f"{row.end:%H:%M}") for row in rows]

    theirs = await found(mentor.account_id)
    assert theirs == [
        ("outside_hours", "Mon 08:30", "09:00"),
        ("elsewhere", "Mon 08:45", "09:15"),
        ("meeting", "Mon 10:45", "11:30"),
        ("outside_hours", "Tue 08:30", "09:00"),
        ("hold", "Tue 09:45", "11:00"),
        ("outside_hours", "Wed 08:30", "09:00"),
        ("absence", "Wed 09:30", "10:00"),
        ("holiday", "Thu 08:30", "11:30"),
    ]
    without = await found(mentor.account_id, besides=UUID(booked["id"]))
    assert [row for row in theirs if row[0] != "meeting"] == without
    assert [row[0] for row in await found(mentee.account_id)] == ["meeting", "hold"]


async def test_what_is_one_of_the_slots_suits(world: World, travel: Travel) -> None:
    now = travel(MONDAY)
    mentee, mentor, pairing = await _pair_always(world, minimum_notice_minutes=600)
    await world.meet(mentee, mentor, pairing["id"], datetime(2027, 5, 4, 10, tzinfo=UTC))

    async def suits(hours: float) -> bool:
        async with world.database.transaction() as db:
            one = await pairings.one(db, UUID(pairing["id"]))
            start = now + timedelta(hours=hours)
            return await openings.suits(db, one, start, start + timedelta(minutes=45))

    assert [await suits(hours) for hours in (9.5, 10, 11.5, 24 + 9, 24 + 9.5, 24 + 10.75, 24 + 11.1)] == [
        False, True, False, True, False, True, True,
    ]  # fmt: skip


async def test_each_kind_of_thing_is_asked_for_once(world: World, travel: Travel) -> None:
    """However many people there are, and however much they have."""
    now = travel(MONDAY)
    place = await world.organisation()
    coordinator = await world.member(place, "Coordinator", roles=ALL_ROLES)
    crowd = [await world.member(place, f"Person {number}") for number in range(12)]
    costs = []
    for many in (2, 12):
        circle = await world.circle(coordinator, crowd[:1], crowd[1:many])
        with Statements(world) as counted:
            await asked(crowd[0], circle["id"], to=in_days(now, 28))
        costs.append(counted.of_requests())
    assert costs[0] == costs[1] < 20
    with Statements(world) as counted:
        for person in crowd:  # the counter counts
            async with world.database.transaction() as db:
                await known(db, [person.account_id], now, now + timedelta(days=28))
    assert counted.of_requests() == 12 * 6
