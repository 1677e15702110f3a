"""Attendance: what nodes report, in whatever order and however often, becomes who was there."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from sqlalchemy import select

from app.core import clock
from app.core.nodes import Node
from app.scheduling import calls, queries
from app.scheduling.models import Attendance, AttendanceQuality
from signalling.contracts.calls import (
    Fact,
    LeaveReason,
    NodeAlive,
    ParticipantJoined,
    ParticipantLeft,
    ParticipantQuality,
    ParticipantsPresent,
    StayQuality,
)
from tests.world import NODE, Person, World

pytestmark = pytest.mark.database


@dataclass
class Stay:
    """One stay in a call, and the facts that a node tells about it."""

    call_id: UUID
    membership_id: UUID
    start: datetime
    id: UUID

    def at(self, seconds: float) -> datetime:
        return self.start + timedelta(seconds=seconds)

    def joined(self, seconds: float = 0) -> ParticipantJoined:
        return ParticipantJoined(
            node=NODE, call_id=self.call_id, epoch=1, participant_id=self.id,
            membership_id=self.membership_id, at=self.at(seconds),
        )  # fmt: skip

    def present(self, seconds: float) -> ParticipantsPresent:
        return ParticipantsPresent(
            node=NODE, call_id=self.call_id, epoch=1, participant_ids=(self.id,), at=self.at(seconds)
        )

    def left(self, seconds: float, reason: LeaveReason = "left") -> ParticipantLeft:
        return ParticipantLeft(
            node=NODE, call_id=self.call_id, epoch=1, participant_id=self.id,
            membership_id=self.membership_id, reason=reason, at=self.at(seconds),
        )  # fmt: skip

    def quality(self, seconds: float, mean: float = 4.5) -> ParticipantQuality:
        measured = StayQuality(
            seconds=seconds, mean_score=mean, worst_score=2, loss_up=0.01, loss_down=None, jitter=5,
            round_trip=40, bitrate_up=900, bitrate_down=1200,
        )  # fmt: skip
        return ParticipantQuality(
            node=NODE, call_id=self.call_id, epoch=1, participant_id=self.id,
            membership_id=self.membership_id, at=self.at(seconds), quality=measured,
        )  # fmt: skip


@dataclass
class Room:
    """A call that two people may be in."""

    world: World
    mentee: Person
    mentor: Person
    meeting: Any
    call_id: UUID

    def stay(self, person: Person | None = None, *, ago: float = 0) -> Stay:
        who = person or self.mentee
        start = clock.now() - timedelta(seconds=ago)
        return Stay(self.call_id, who.membership_id or UUID(int=0), start, uuid4())

    async def tell(self, *facts: Fact) -> None:
        for fact in facts:
            async with self.world.database.transaction() as db:
                await calls.apply(db, fact)

    async def lapse(self, before: datetime) -> list[tuple[UUID, UUID]]:
        async with self.world.database.transaction() as db:
            return await queries.lapse(db, before)

    async def row(self, stay: Stay) -> Attendance:
        (found,) = await self.world.rows(select(Attendance).where(Attendance.id == stay.id))
        return found


@pytest.fixture
async def room(world: World) -> Room:
    mentee, mentor = await world.two()
    pairing = await world.pair(mentee, mentor)
    booked = await world.meet(mentee, mentor, pairing["id"])
    await world.node()
    ticket = await mentee.ok("POST", f"/v1/meetings/{booked['id']}/ticket")
    return Room(world, mentee, mentor, booked, UUID(ticket["call_id"]))


async def test_what_was_told_is_what_people_read(room: Room) -> None:
    first, second, again = room.stay(ago=90), room.stay(room.mentor, ago=60), room.stay(ago=20)
    await room.tell(first.joined(), second.joined(), first.left(50, "connection_lost"), again.joined())
    path = f"/v1/meetings/{room.meeting['id']}/attendance"
    items = (await room.mentor.ok("GET", path))["items"]
    assert [(row["name"], row["reason"]) for row in items] == [
        ("Priya Raman", "connection_lost"),
        ("Amara Okafor", None),
        ("Priya Raman", None),
    ]
    assert datetime.fromisoformat(items[0]["joined_at"]) == first.start
    assert datetime.fromisoformat(items[0]["left_at"]) == first.at(50)
    assert items[1]["left_at"] is None
    assert (await room.mentee.ok("GET", path))["items"] == items


async def test_the_latest_quality_counts_whatever_comes_first(room: Room) -> None:
    stay = room.stay(ago=200)
    facts: list[Fact] = [stay.quality(60, 4.0), stay.quality(120, 4.8), stay.joined(), stay.left(130)]
    path = f"/v1/meetings/{room.meeting['id']}/attendance"
    for order in permutations(facts):
        await room.tell(*order, *order)
        (item,) = (await room.mentee.ok("GET", path))["items"]
        assert item["quality"] == {
            "mean_score": 4.8, "worst_score": 2, "loss_up": 0.01, "loss_down": None, "jitter": 5,
            "round_trip": 40, "bitrate_up": 900, "bitrate_down": 1200,
        }  # fmt: skip
        await room.world.run("DELETE FROM attendance")
        await room.world.run("DELETE FROM attendance_quality")


async def test_nobody_reads_how_somebody_else_was_connected(room: Room) -> None:
    mine, theirs = room.stay(ago=90), room.stay(room.mentor, ago=90)
    await room.tell(mine.joined(), theirs.joined(), mine.quality(60), theirs.quality(60))
    path = f"/v1/meetings/{room.meeting['id']}/attendance"
    for person in (room.mentee, room.mentor):
        items = (await person.ok("GET", path))["items"]
        told = {item["membership_id"] for item in items if item["quality"] is not None}
        assert told == {str(person.membership_id)}


async def test_the_quality_of_a_stranger_is_dropped(room: Room) -> None:
    elsewhere = Stay(uuid4(), room.mentee.membership_id or uuid4(), clock.now(), uuid4())
    outsider = Stay(room.call_id, uuid4(), clock.now(), uuid4())
    await room.tell(elsewhere.quality(60), outsider.quality(60))
    assert await room.world.rows(select(AttendanceQuality)) == []


@examples(
    max_examples=40,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    order=st.permutations(
        ["joined", "present 15", "present 30", "left", "lapse", "joined", "left", "present 30"]
    )
)
def test_a_whole_stay_ends_up_the_same_in_every_order(room: Room, order: list[str]) -> None:
    """Every fact at least once, some twice, and the lease lapsing at any moment in between."""

    async def run() -> None:
        stay = room.stay(ago=200)
        for step in order:
            match step.split():
                case ["joined"]:
                    await room.tell(stay.joined())
                case ["left"]:
                    await room.tell(stay.left(40))
                case ["present", seconds]:
                    await room.tell(stay.present(float(seconds)))
                case _:
                    await room.lapse(stay.at(100))
        row = await room.row(stay)
        assert (row.joined_at, row.seen_at, row.left_at, row.reason) == (
            stay.start, stay.at(40), stay.at(40), "left",
        )  # fmt: skip

    asyncio.get_event_loop().run_until_complete(run())


async def test_a_lapse_closes_a_stay_when_it_was_last_seen(room: Room) -> None:
    silent, lively = room.stay(ago=100), room.stay(room.mentor, ago=100)
    await room.tell(silent.joined(), silent.present(15), lively.joined(), lively.present(99))
    async with room.world.database.transaction() as db:
        assert await calls.lapse(db, room.world.app.state.settings) == 1
    closed = await room.row(silent)
    assert (closed.left_at, closed.reason) == (silent.at(15), "lease_lapsed")
    assert (await room.row(lively)).left_at is None
    assert await room.lapse(clock.now() - timedelta(seconds=45)) == [], "once"


async def test_a_late_renewal_opens_a_lapsed_stay_again(room: Room) -> None:
    stay = room.stay(ago=100)
    await room.tell(stay.joined())
    await room.lapse(clock.now() - timedelta(seconds=45))
    await room.tell(stay.present(0))
    assert (await room.row(stay)).reason == "lease_lapsed", "nothing new in it"
    await room.tell(stay.present(90))
    row = await room.row(stay)
    assert (row.left_at, row.reason, row.seen_at) == (None, None, stay.at(90))


async def test_whoever_left_does_not_come_back_by_a_late_renewal(room: Room) -> None:
    stay = room.stay(ago=100)
    await room.tell(stay.joined(), stay.left(50), stay.present(60))
    row = await room.row(stay)
    assert (row.left_at, row.reason) == (stay.at(50), "left")


async def test_an_older_renewal_takes_nothing_back(room: Room) -> None:
    stay = room.stay(ago=100)
    await room.tell(stay.joined(), stay.present(60), stay.present(30))
    assert (await room.row(stay)).seen_at == stay.at(60)


async def test_a_renewal_is_for_its_own_call(room: Room) -> None:
    stay = room.stay(ago=100)
    elsewhere = Stay(uuid4(), stay.membership_id, stay.start, stay.id)
    await room.tell(stay.joined(), elsewhere.present(60))
    assert (await room.row(stay)).seen_at == stay.start


async def test_facts_about_calls_and_people_nobody_knows_are_passed_over(room: Room) -> None:
    stranger = await room.world.member(await room.world.organisation("Elsewhere"), "Stranger")
    unknown_call = Stay(uuid4(), room.mentee.membership_id or uuid4(), clock.now(), uuid4())
    for stay in (unknown_call, room.stay(stranger)):
        await room.tell(stay.joined(), stay.present(5), stay.left(9))
    assert await room.world.rows(select(Attendance)) == []


async def test_someone_who_has_left_the_mentorship_since_is_still_recorded(room: Room) -> None:
    await room.world.run("UPDATE participant SET left_at = now()")
    stay = room.stay(ago=10)
    await room.tell(stay.joined(), stay.left(5))
    assert (await room.row(stay)).left_at == stay.at(5)


async def test_a_node_is_what_it_said_last(room: Room) -> None:
    now = clock.now()

    def alive(seconds: float, calls: int, *, draining: bool = False) -> NodeAlive:
        at = now + timedelta(seconds=seconds)
        return NodeAlive(node="n1", url="ws://n1", calls=calls, draining=draining, at=at)

    await room.tell(alive(5, 7, draining=True), alive(0, 1))
    (node,) = await room.world.rows(select(Node).where(Node.name == "n1"))
    assert (node.calls, node.draining, node.seen_at) == (7, True, now + timedelta(seconds=5))
