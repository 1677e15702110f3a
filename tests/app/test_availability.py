"""Schedules, absences and holidays: kept, refused, and heeded."""

from datetime import timedelta
from typing import Any, Final

import pytest

from app.availability import service
from app.core import clock
from tests.app.diaries import keeps, weekdays
from tests.app.problems import problem
from tests.world import ALL_ROLES, World

pytestmark = pytest.mark.database
HOURS: Final = weekdays("09:00", "12:30")


async def test_a_schedule_comes_back_as_it_was_sent(world: World) -> None:
    person = await world.person()
    body = {
        "name": "Term time",
        "zone": "Asia/Kathmandu",
        "hours": [*HOURS, {"weekday": "MO", "start": "20:00", "end": "24:00"}],
        "overrides": [
            {"date": "2030-01-02", "hours": []},
            {"date": "2030-01-01", "hours": [{"start": "00:00", "end": "01:00"}]},
        ],
        "buffer_before_minutes": 5,
        "buffer_after_minutes": 10,
        "minimum_notice_minutes": 60,
        "horizon_days": 30,
        "most_per_day": 2,
        "most_per_week": None,
        "lengths": [60, 30, 60],
        "step_minutes": 20,
        "confirm": False,
    }
    made = await person.ok("POST", "/v1/schedules", body)
    assert (made["is_default"], made["version"], made["pairing_ids"]) == (True, 1, [])
    for name in body.keys() - {"hours", "overrides", "lengths"}:
        assert made[name] == body[name], name
    assert made["lengths"] == [30, 60]
    days = [(row["weekday"], row["start"], row["end"]) for row in made["hours"]]
    assert days[:3] == [("MO", "09:00", "12:30"), ("MO", "20:00", "24:00"), ("TU", "09:00", "12:30")]
    assert [row["date"] for row in made["overrides"]] == ["2030-01-01", "2030-01-02"]
    assert await person.ok("GET", f"/v1/schedules/{made['id']}") == made
    assert (await person.ok("GET", "/v1/schedules"))["items"] == [made]


async def test_two_devices_do_not_overwrite_each_other(world: World) -> None:
    person = await world.person()
    made = await keeps(person, "UTC", HOURS)
    path, body = (
        f"/v1/schedules/{made['id']}",
        {"name": "New", "zone": "UTC", "hours": [], "is_default": True},
    )
    after = await person.ok("PUT", path, {**body, "version": 1})
    assert (after["name"], after["version"], after["hours"]) == ("New", 2, [])
    late = await person.call("PUT", path, {**body, "name": "Late", "version": 1})
    assert problem(late, 409)["code"] == "schedule_changed"
    assert (await person.ok("GET", path))["name"] == "New"


async def test_there_is_always_one_default(world: World) -> None:
    person = await world.person()
    first = await keeps(person, "UTC", HOURS)
    second = await keeps(person, "UTC", HOURS)
    assert (first["is_default"], second["is_default"]) == (True, False)
    body = {"name": "X", "zone": "UTC", "hours": HOURS, "version": 1}
    refused = await person.call("PUT", f"/v1/schedules/{first['id']}", body)
    assert problem(refused, 409)["code"] == "default_schedule"
    refused = await person.call("DELETE", f"/v1/schedules/{first['id']}")
    assert problem(refused, 409)["code"] == "default_schedule"
    await person.ok("PUT", f"/v1/schedules/{second['id']}", {**body, "is_default": True})
    now = {row["id"]: row for row in (await person.ok("GET", "/v1/schedules"))["items"]}
    assert (now[first["id"]]["is_default"], now[second["id"]]["is_default"]) == (False, True)
    assert now[first["id"]]["version"] == 2, "it is not what it was"
    await person.ok("DELETE", f"/v1/schedules/{first['id']}")
    await person.ok("DELETE", f"/v1/schedules/{second['id']}")
    assert (await keeps(person, "UTC", HOURS, is_default=True))["is_default"]


BAD: Final[tuple[tuple[dict[str, Any], str, str], ...]] = (
    ({"zone": "Mars/Olympus"}, "/zone", "is not an IANA time zone"),
    ({"zone": "posix/Europe/London"}, "/zone", "is not an IANA time zone"),
    (
        {"hours": [{"weekday": "MO", "start": "12:00", "end": "09:00"}]},
        "/hours",
        "past midnight needs two rows",
    ),
    ({"hours": [{"weekday": "MO", "start": "12:00", "end": "12:00"}]}, "/hours", "ends before it starts"),
    ({"hours": [*HOURS, {"weekday": "MO", "start": "12:00", "end": "13:00"}]}, "/hours", "join them"),
    ({"hours": [{"weekday": "XX", "start": "12:00", "end": "13:00"}]}, "/hours/0/weekday", "MO"),
    ({"hours": [{"weekday": "MO", "start": "24:00", "end": "24:00"}]}, "/hours/0/start", "pattern"),
    ({"hours": [{"weekday": "MO", "start": "9:00", "end": "24:01"}]}, "/hours/0/end", "pattern"),
    ({"overrides": [{"date": "2030-02-30", "hours": []}]}, "/overrides/0/date", "date"),
    ({"overrides": [{"date": "1830-02-03", "hours": []}]}, "/overrides/0/date", "too far"),
    ({"overrides": [{"date": "2030-01-01", "hours": []}] * 2}, "/overrides", "more than once"),
    ({"buffer_after_minutes": 121}, "/buffer_after_minutes", "120"),
    ({"horizon_days": 3650}, "/horizon_days", "730"),
    ({"lengths": []}, "/lengths", "at least 1"),
    ({"lengths": [3]}, "/lengths/0", "5"),
    ({"step_minutes": 7}, "/step_minutes", "5, 10, 15"),
    ({"most_per_day": 0}, "/most_per_day", "1"),
    ({"confirm": "yes"}, "/confirm", "boolean"),
    ({"colour": "red"}, "/colour", "not permitted"),
)


async def test_hours_that_make_no_sense_are_refused_with_a_reason(world: World) -> None:
    person = await world.person()
    good = {"name": "Hours", "zone": "UTC", "hours": HOURS}
    for bad, pointer, words in BAD:
        answer = problem(await person.post("/v1/schedules", {**good, **bad}), 422)
        told = {error["pointer"]: error["detail"] for error in answer["errors"]}
        assert words in told[pointer], (bad, told)
    assert (await person.ok("GET", "/v1/schedules"))["items"] == []


async def test_a_zone_that_was_renamed_is_the_same_zone(world: World) -> None:
    """An old name goes on working, and stays as it was written."""
    person = await world.person()
    for old, new in (("Asia/Calcutta", "Asia/Kolkata"), ("US/Eastern", "America/New_York")):
        made = await keeps(person, old, HOURS, is_default=True)
        assert made["zone"] == old
        ask = {"from": "2030-03-01T00:00:00Z", "to": "2030-03-30T00:00:00Z", "zone": "UTC"}
        before = (await person.ok("GET", "/v1/me/slots", params=ask))["slots"]
        body = {"name": "N", "zone": new, "hours": HOURS, "is_default": True, "version": 1}
        await person.ok("PUT", f"/v1/schedules/{made['id']}", body)
        assert (await person.ok("GET", "/v1/me/slots", params=ask))["slots"] == before


async def test_which_schedule_holds_for_a_mentorship_is_mine_to_say(world: World) -> None:
    mentee, mentor = await world.two()
    pairing = await world.pair(mentee, mentor)
    path = f"/v1/pairings/{pairing['id']}/schedule"
    await keeps(mentor, "UTC", HOURS)
    evenings = await keeps(mentor, "UTC", weekdays("18:00", "20:00"))
    said = await mentor.ok("PUT", path, {"schedule_id": evenings["id"]})
    assert said == {"pairing_id": pairing["id"], "schedule_id": evenings["id"]}
    seen = await mentor.ok("GET", f"/v1/schedules/{evenings['id']}")
    assert seen["pairing_ids"] == [pairing["id"]]
    theirs = await mentee.call("PUT", path, {"schedule_id": evenings["id"]})
    assert problem(theirs, 422)["code"] == "not_your_schedule"
    await mentor.ok("PUT", path, {"schedule_id": None})
    assert (await mentor.ok("GET", f"/v1/schedules/{evenings['id']}"))["pairing_ids"] == []
    await mentor.ok("PUT", path, {"schedule_id": evenings["id"]})
    await mentor.ok("DELETE", f"/v1/schedules/{evenings['id']}")
    assert await world.run("SELECT 1 FROM pairing_schedule") == []


async def test_absences_end_after_they_start_and_lie_ahead(world: World) -> None:
    person, now = await world.person(), clock.now()
    start = (now + timedelta(days=2)).isoformat()
    backwards = {"starts_at": start, "ends_at": (now + timedelta(days=1)).isoformat()}
    assert problem(await person.post("/v1/absences", backwards), 422)["code"] == "ends_before_it_starts"
    over = {"starts_at": "2020-01-01T00:00:00Z", "ends_at": "2020-02-01T00:00:00Z"}
    assert problem(await person.post("/v1/absences", over), 422)["code"] == "in_the_past"
    wall = {"starts_at": "2030-01-01T00:00:00"}
    assert problem(await person.post("/v1/absences", wall), 422)["errors"][0]["pointer"] == "/starts_at"
    pause = await person.ok("POST", "/v1/absences", {"starts_at": start, "note": "A sabbatical"})
    assert pause["ends_at"] is None
    assert (await person.ok("GET", "/v1/absences"))["items"] == [pause]
    await person.ok("DELETE", f"/v1/absences/{pause['id']}")
    assert (await person.ok("GET", "/v1/absences"))["items"] == []


async def test_nobody_stores_without_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "MOST_SCHEDULES", 1)
    monkeypatch.setattr(service, "MOST_ABSENCES", 1)
    person = await world.person()
    away = {"starts_at": (clock.now() + timedelta(days=2)).isoformat()}
    await keeps(person, "UTC", HOURS)
    await person.ok("POST", "/v1/absences", away)
    more = await person.post("/v1/schedules", {"name": "More", "zone": "UTC", "hours": []})
    assert problem(more, 409)["code"] == "too_many_schedules"
    assert problem(await person.post("/v1/absences", away), 409)["code"] == "too_many_absences"


async def test_holidays_are_written_whole(world: World) -> None:
    place = await world.organisation()
    coordinator = await world.member(place, "Cora", roles=ALL_ROLES)
    member = await world.member(place, "Mo")
    path = f"/v1/organisations/{place.id}/holidays"
    days = [{"date": "2030-12-26", "name": "Boxing Day"}, {"date": "2030-12-25", "name": "Christmas"}]
    written = await coordinator.ok("PUT", path, {"items": days})
    assert [row["date"] for row in written["items"]] == ["2030-12-25", "2030-12-26"]
    assert await member.ok("GET", path) == written
    twice = await coordinator.call("PUT", path, {"items": [days[0], days[0]]})
    assert "more than once" in problem(twice, 422)["errors"][0]["detail"]
    await coordinator.ok("PUT", path, {"items": days[:1]})
    assert (await member.ok("GET", path))["items"] == days[:1]
