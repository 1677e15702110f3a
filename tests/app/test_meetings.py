"""What becomes of meetings: versions, several times, reasons, successors, and their history."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import httpx2
import pytest

from app.core import clock
from app.scheduling import openings
from tests.app.arranged import One, Two, at_of, bookings, refused
from tests.app.kept import sweep
from tests.app.test_scheduling import in_hours, propose
from tests.world import Person, World, meeting, slot

pytestmark = pytest.mark.database


@pytest.fixture
async def world(shared_world: World) -> World:
    """An empty world, in a database that the tests of this module share."""
    await sweep(shared_world)
    return shared_world


@pytest.fixture
async def two(world: World) -> Two:
    mentee, mentor = await world.two()
    return Two(world, mentee, mentor, await world.pair(mentee, mentor))


# Versions


async def test_every_change_raises_the_version_and_every_answer_carries_it(two: Two) -> None:
    """Also what is no column of the meeting itself: a move, the picking of a time, a successor."""
    mentee, mentor = two.mentee, two.mentor
    first = await propose(mentee, two.pairing, in_hours(30), options=[in_hours(40).isoformat()])
    path = f"/v1/meetings/{first['id']}"
    told = {"version": first["version"]}

    async def step(who: Person, method: str, rest: str = "", body: Any = None) -> Any:
        seen = {"If-Match": f'"{told["version"]}"'}
        answer = await who.call(method, path + rest, body, headers=seen)
        assert answer.is_success, answer.text
        changed = answer.json()
        assert changed["version"] > told["version"], rest
        assert answer.headers["etag"] == f'"{changed["version"]}"'
        read = await mentee.get(path)
        assert read.headers["etag"] == answer.headers["etag"]
        assert read.json()["version"] == changed["version"]
        told["version"] = changed["version"]
        return changed

    assert first["version"] == 1
    await step(mentor, "PATCH", body={"agenda": "What we learned."})
    await step(mentor, "POST", "/accept", {"starts_at": first["options"][1]})
    await step(mentee, "PATCH", body={"title": "First case"})
    await step(mentee, "POST", "/reschedule", meeting(in_hours(50)))
    await step(mentor, "POST", "/move/decline")
    await step(mentor, "POST", "/reschedule", meeting(in_hours(52)))
    await step(mentee, "POST", "/reschedule", meeting(in_hours(54)))
    await step(mentor, "POST", "/move/accept")
    gone = await step(mentee, "POST", "/cancel", {"reason": "I travel."})
    await propose(mentee, two.pairing, in_hours(60), instead_of=gone["id"])
    assert (await mentee.ok("GET", path))["version"] > gone["version"]
    rows = await two.world.run("SELECT sequence FROM meeting WHERE id = :id", id=gone["id"])
    assert rows[0].sequence == 3, "the title, the move and the cancellation are told to other calendars"


@pytest.mark.parametrize(
    ("verb", "by", "body"),
    [
        ("/accept", "mentor", {}),
        ("/decline", "mentor", None),
        ("/cancel", "mentee", {}),
        ("", "mentee", {"title": "Other"}),
        ("/reschedule", "mentee", "later"),
        ("/move/accept", "mentor", {}),
        ("/move/decline", "mentee", None),
        ("/outcome", "mentee", {"held": True}),
    ],
)
async def test_what_was_meant_for_another_state_is_not_done(two: Two, verb: str, by: str, body: Any) -> None:
    who: Person = getattr(two, by)
    if verb in ("/accept", "/decline"):
        made = await propose(two.mentee, two.pairing, in_hours(30))
        one = One(two, f"/v1/meetings/{made['id']}", made)
    else:
        one = await two.booked(in_hours(30))
    if verb.startswith("/move"):
        assert (await one.wish(two.mentee, in_hours(40))).is_success
    if verb == "/outcome":
        await one.put_off(starts_at=in_hours(-1), ends_at=in_hours(0.5))
    method = {"": "PATCH", "/outcome": "PUT"}.get(verb, "POST")
    body = meeting(in_hours(70)) if body == "later" else body
    before = await one.now()
    for stale in (f'"{before["version"] - 1}"', '"x"', f'W/"{before["version"]}"', '"1000", "1001"'):
        answer = await who.call(method, one.path + verb, body, headers={"If-Match": stale})
        document = refused(answer, 412, "changed_meanwhile")
        assert "nothing" in document["detail"]
        assert "Read it again" in document["detail"]
    assert await one.now() == before
    for nonsense in ("3", '"3', '"a" "b"', "W/*", '"\x7f"'):
        answer = await who.call(method, one.path + verb, body, headers={"If-Match": nonsense})
        assert answer.json()["errors"][0]["pointer"].lower() == "/header/if-match"
    fresh = f'"0", "{before["version"]}"'
    answer = await who.call(method, one.path + verb, body, headers={"If-Match": fresh})
    assert answer.is_success, answer.text


async def test_title_and_agenda_are_edited_as_they_were_read(two: Two) -> None:
    one = await two.booked(in_hours(30))
    missing = refused(await two.mentor.call("PATCH", one.path, {"title": "T"}), 428, "precondition_required")
    assert "If-Match" in missing["detail"]

    async def edit(who: Person, version: int, **fields: Any) -> httpx2.Response:
        return await who.call("PATCH", one.path, fields, headers={"If-Match": f'"{version}"'})

    version = (await one.now())["version"]
    changed = (await edit(two.mentor, version, agenda=" First\nSecond ")).json()
    assert changed["agenda"] == "First\nSecond"
    refused(await edit(two.mentee, version, agenda="Mine"), 412, "changed_meanwhile")
    same = (await edit(two.mentee, changed["version"], agenda="First\nSecond")).json()
    assert same["version"] == changed["version"], "nothing changed"
    cleared = (await edit(two.mentee, changed["version"], agenda=None, title="T")).json()
    assert (cleared["agenda"], cleared["title"]) == (None, "T")
    assert (await edit(two.mentee, cleared["version"], agenda="x" * 4001)).status_code == 422
    talks = (await two.mentor.ok("GET", "/v1/conversations"))["items"]
    assert [talk["title"] for talk in talks if talk["meeting_id"]] == ["T"]
    await two.mentee.ok("POST", f"{one.path}/cancel")
    refused(await edit(two.mentee, 99, agenda="Late"), 409, "meeting_cancelled")


# Several times


async def test_one_of_three_times_is_picked(two: Two) -> None:
    starts = [in_hours(hours).replace(microsecond=0) for hours in (30, 31, 48)]
    asked = await propose(two.mentee, two.pairing, starts[0], options=[at.isoformat() for at in starts[1:]])
    assert at_of(asked) == starts[0]
    assert [datetime.fromisoformat(one) for one in asked["options"]] == starts
    path = f"/v1/meetings/{asked['id']}"
    for body in (None, {}, {"starts_at": None}, {"starts_at": in_hours(77).isoformat()}):
        document = refused(await two.mentor.post(f"{path}/accept", body), 422, "pick_one")
        assert document["errors"][0]["pointer"] == "/starts_at"
        for start in starts:
            assert f"{start:%Y-%m-%dT%H:%M:%SZ}" in document["errors"][0]["detail"]
    booked = await two.mentor.ok("POST", f"{path}/accept", {"starts_at": starts[2].isoformat()})
    assert (booked["status"], at_of(booked), booked["options"]) == ("booked", starts[2], [])
    assert await bookings(two.world) == [(starts[2], starts[2] + timedelta(minutes=45))] * 2
    history = (await two.mentor.ok("GET", f"{path}/history"))["items"]
    assert [(row["what"], at_of(row)) for row in history] == [("proposed", starts[0]), ("booked", starts[2])]


async def test_times_that_cannot_be_proposed_or_picked(two: Two) -> None:
    path = f"/v1/pairings/{two.pairing['id']}/meetings"

    async def asking(*options: datetime) -> httpx2.Response:
        body = {**meeting(in_hours(30).replace(microsecond=0)), "options": [at.isoformat() for at in options]}
        return await two.mentee.post(path, body)

    for options, code in (
        ([in_hours(-1)], "in_the_past"),
        ([in_hours(40), in_hours(24 * 800)], "too_far_ahead"),
        ([in_hours(30).replace(microsecond=0)], "named_twice"),
        ([in_hours(40).replace(microsecond=0)] * 2, "named_twice"),
    ):
        document = refused(await asking(*options), 422, code)
        assert document["errors"][0]["pointer"] == f"/options/{len(options) - 1}"
    assert (await asking(in_hours(40), in_hours(41), in_hours(42))).status_code == 422
    await two.booked(in_hours(60))
    refused(await asking(in_hours(60.2)), 409, "time_taken")
    asked = (await asking(in_hours(40))).json()
    await two.world.run("UPDATE meeting_option SET starts_at = now() - interval '1 hour' WHERE place = 0")
    passed = (await two.mentor.ok("GET", f"/v1/meetings/{asked['id']}"))["options"][0]
    answer = await two.mentor.post(f"/v1/meetings/{asked['id']}/accept", {"starts_at": passed})
    refused(answer, 422, "in_the_past")
    alone = await propose(two.mentee, two.pairing, in_hours(90))
    wrong = await two.mentor.post(
        f"/v1/meetings/{alone['id']}/accept", {"starts_at": in_hours(91).isoformat()}
    )
    refused(wrong, 422, "pick_one")


# Reasons, lateness, successors


async def test_a_cancellation_gives_its_reason_to_both_sides(two: Two) -> None:
    one = await two.booked(in_hours(30))
    await two.mentor.ok("POST", f"{one.path}/cancel", {"reason": " I am ill. "})
    for who in (two.mentee, two.mentor):
        seen = await one.now(who)
        assert (seen["reason"], seen["late"]) == ("I am ill.", False)
    assert not any("ill" in mail["text"] for mail in await two.world.mails(two.mentee.email))
    other = await two.booked(in_hours(40))
    assert (await two.mentee.post(f"{other.path}/cancel", {"reason": "x" * 501})).status_code == 422
    silent = await two.mentee.ok("POST", f"{other.path}/cancel")
    assert silent["reason"] is None


async def _policy(who: Person, hours: int, minutes: int = 10) -> Any:
    path = f"/v1/organisations/{who.organisation_id}/meeting-policy"
    return await who.ok("PUT", path, {"late_cancel_hours": hours, "no_show_minutes": minutes})


async def test_late_is_what_the_cancellers_own_organisation_calls_late(two: Two) -> None:
    usual = await two.mentor.ok("GET", f"/v1/organisations/{two.mentor.organisation_id}/meeting-policy")
    assert usual == {"late_cancel_hours": 24, "no_show_minutes": 10}
    assert await _policy(two.mentor, 48) == {"late_cancel_hours": 48, "no_show_minutes": 10}
    await _policy(two.mentor, 72)
    for hours, who, late in (
        (25, two.mentee, False),
        (23, two.mentee, True),
        (71, two.mentor, True),
        (73, two.mentor, False),
    ):
        one = await two.booked(in_hours(hours))
        assert (await who.ok("POST", f"{one.path}/cancel"))["late"] is late, (hours, who.name)
    proposed = await propose(two.mentee, two.pairing, in_hours(3))
    assert (await two.mentee.ok("POST", f"/v1/meetings/{proposed['id']}/cancel"))["late"] is False
    await _policy(two.mentee, 0)
    soon = await two.booked(in_hours(0.05))
    assert (await two.mentee.ok("POST", f"{soon.path}/cancel"))["late"] is False
    ended = await two.booked(in_hours(1))
    await two.mentor.ok("POST", f"/v1/pairings/{two.pairing['id']}/end")
    seen = await ended.now()
    assert (seen["status"], seen["late"], seen["reason"]) == ("cancelled", False, None)


async def test_a_policy_is_read_by_members_and_set_by_coordinators(world: World) -> None:
    place = await world.organisation()
    member = await world.member(place, "Member")
    path = f"/v1/organisations/{place.id}/meeting-policy"
    good = {"late_cancel_hours": 168, "no_show_minutes": 60}
    refused(await member.call("PUT", path, good), 403, "not_coordinator")
    await world.run("UPDATE membership SET roles = '{member,coordinator}'")
    assert await member.ok("PUT", path, good) == good == await member.ok("GET", path)
    for wrong in ({"late_cancel_hours": 169}, {"late_cancel_hours": -1}, {"no_show_minutes": 4}):
        assert (await member.call("PUT", path, {**good, **wrong})).status_code == 422
    assert (await member.call("PUT", path, {**good, "no_show_minutes": 61})).status_code == 422


async def test_a_meeting_is_replaced_once_by_one_of_the_same_mentorship(two: Two) -> None:
    one = await two.booked(in_hours(30))
    path = f"/v1/pairings/{two.pairing['id']}/meetings"

    async def instead(of: object, hours: float = 40, where: str = path) -> httpx2.Response:
        return await two.mentee.post(where, {**meeting(in_hours(hours)), "instead_of": str(of)})

    refused(await instead(one.made["id"]), 409, "meeting_stands")
    await two.mentor.ok("POST", f"{one.path}/cancel")
    after = (await instead(one.made["id"])).json()
    assert (after["instead_of"], after["successor"]) == (one.made["id"], None)
    assert (await one.now())["successor"] == after["id"]
    twice = refused(await instead(one.made["id"]), 409, "already_replaced")
    assert twice["successor"] == after["id"]
    await two.mentor.ok("POST", f"/v1/meetings/{after['id']}/decline")
    assert (await instead(after["id"])).status_code == 201, "the successor of what was declined"
    peers = await two.world.pair(two.mentee, two.mentor, kind="peers")
    elsewhere = await propose(two.mentee, peers, in_hours(90))
    await two.mentee.ok("POST", f"/v1/meetings/{elsewhere['id']}/cancel")
    strange = refused(await instead(elsewhere["id"]), 422, "not_its_meeting")
    unknown = refused(await instead("0192f3c0-5a4e-7b1c-9d2e-3f4a5b6c7d8e"), 422, "not_its_meeting")
    assert strange == unknown
    missed = slot(two.mentee, two.pairing["id"], in_hours(-3), status="booked")
    await two.world.save(missed)
    refused(await instead(missed.id), 409, "meeting_stands")
    await two.mentee.call("PUT", f"/v1/meetings/{missed.id}/outcome", {"held": False})
    assert (await instead(missed.id, 99)).status_code == 201


# Without asking


async def test_where_nobody_asks_it_is_booked_and_moved_at_once(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: Sequence[Any] = ()

    async def needs_no_yes(_: object, *said: Any, besides: object = None) -> bool:
        nonlocal asked
        asked = said
        return True

    monkeypatch.setattr(openings, "needs_no_yes", needs_no_yes)
    booked = await propose(two.mentee, two.pairing, in_hours(30))
    assert booked["status"] == "booked"
    assert (str(asked[0].id), asked[1]) == (two.pairing["id"], two.mentee.account_id)
    assert asked[2:] == (at_of(booked), at_of(booked, "ends_at"))
    one = One(two, f"/v1/meetings/{booked['id']}", booked)
    moved = (await one.wish(two.mentor, in_hours(50))).json()
    assert (moved["move"], at_of(moved) > at_of(booked)) == (None, True)
    several = await propose(two.mentee, two.pairing, in_hours(70), options=[in_hours(80).isoformat()])
    assert several["status"] == "proposed", "one of them must be picked"


# History


async def test_the_history_tells_who_did_what_when_and_why(two: Two) -> None:
    one = await two.booked(in_hours(30))
    await one.wish(two.mentee, in_hours(40), reason="I travel.")
    await two.mentor.ok("POST", f"{one.path}/move/decline")
    await one.wish(two.mentor, in_hours(50))
    await two.mentee.ok("POST", f"{one.path}/move/accept")
    await one.wish(two.mentor, in_hours(60))
    await two.mentee.ok("POST", f"{one.path}/cancel", {"reason": "I am ill."})
    mentee, mentor = str(two.mentee.membership_id), str(two.mentor.membership_id)
    rows = await one.history(two.mentor)
    assert rows == await one.history()
    assert [(row["what"], row["by"], row["reason"]) for row in rows] == [
        ("proposed", mentee, None),
        ("booked", mentor, None),
        ("move_proposed", mentee, "I travel."),
        ("move_declined", mentor, None),
        ("move_proposed", mentor, None),
        ("moved", mentee, None),
        ("move_proposed", mentor, None),
        ("move_superseded", mentee, None),
        ("cancelled", mentee, "I am ill."),
    ]
    assert [at_of(row, "at") for row in rows] == sorted(at_of(row, "at") for row in rows)
    assert at_of(rows[0]) == at_of(rows[1]) == at_of(rows[5], "from_starts_at") == at_of(one.made)
    assert at_of(rows[5]) == at_of(rows[8]) == at_of(await one.now())
    assert {row["name"] for row in rows} == {"Priya Raman", "Amara Okafor"}


# Named for what others got wrong


async def test_cal_com_10789_a_time_that_waited_for_a_yes_is_checked_again(two: Two) -> None:
    """Requests that need a confirmation were confirmed over what had been booked meanwhile."""
    first = await propose(two.mentee, two.pairing, in_hours(30))
    second = await propose(two.mentee, two.pairing, in_hours(30.5))
    await two.mentor.ok("POST", f"/v1/meetings/{first['id']}/accept")
    refused(await two.mentor.post(f"/v1/meetings/{second['id']}/accept"), 409, "time_taken")
    other = await two.booked(in_hours(60))
    await other.wish(two.mentee, in_hours(90))
    await two.booked(in_hours(90.2))
    refused(await two.mentor.post(f"{other.path}/move/accept"), 409, "time_taken")
    seen = await other.now()
    assert at_of(seen) == at_of(other.made)
    assert seen["move"] is not None, "it can still be declined, or accepted when the time is free again"
    assert clock.now() < at_of(seen)
