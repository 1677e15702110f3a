"""Series that change or end: all of one, from one of its meetings on, or with the mentorship."""

from datetime import timedelta

import pytest
import time_machine

from app.core import clock
from app.series import making
from tests.app.recurring import agree, instant, meetings, propose, soon, starts
from tests.world import World

pytestmark = pytest.mark.database


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
