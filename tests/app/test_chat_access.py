"""Who hears a conversation: asked from both sides the answer is the same, and no change of it goes unsaid.

People do things to each other at random; after each step the two questions are compared for everyone.
"""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update

from app.accounts.auth import Actor
from app.blocks import queries as blocks
from app.chat import access, queries
from app.chat.models import Conversation
from app.core import clock
from app.core.streams import Stream
from app.organisations.models import Membership
from tests.app.talk import circle, conversation_of, events
from tests.world import ALL_ROLES, Person, World, meeting

pytestmark = pytest.mark.database

Roster = dict[UUID, UUID | None]


@dataclass(frozen=True)
class Standing:
    """What a node is told of one conversation."""

    roster: Roster
    apart: frozenset[frozenset[UUID]]
    version: int


async def standings(world: World) -> dict[UUID, Standing]:
    """How every conversation stands."""
    async with world.database.transaction() as db:
        ids = list(await db.scalars(select(Conversation.id)))
        versions = {row.id: row.roster_version for row in await db.scalars(select(Stream))}
        rosters = await access.rosters(db, ids)
        assert set(rosters) == set(ids)
        found = {}
        for identity in ids:
            apart = await blocks.pairs_among(db, list(rosters[identity]))
            pairs = frozenset(frozenset(pair) for pair in apart)
            found[identity] = Standing(rosters[identity], pairs, versions[identity])
        return found


async def heard(world: World, person: Person) -> set[UUID]:
    async with world.database.transaction() as db:
        return set(await db.scalars(queries.heard_by(Actor(person.account_id, person.session_id))))


async def disagreements(world: World, people: list[Person]) -> list[str]:
    """Where the two sides of the question are answered differently."""
    found = await standings(world)
    return [
        person.name
        for person in people
        if await heard(world, person)
        != {identity for identity, standing in found.items() if person.account_id in standing.roster}
    ]


@dataclass
class Crowd:
    """Five people of one organisation, one of them also in its partner, and all that they can do."""

    world: World
    chance: random.Random
    people: list[Person] = field(default_factory=list)
    memberships: dict[UUID, list[UUID]] = field(default_factory=dict)
    coordinator: Person = field(init=False)
    blocks: list[tuple[Person, str]] = field(default_factory=list)

    async def gather(self) -> None:
        place, beside = await self.world.organisation(), await self.world.organisation("Riverbank")
        await self.world.partners(place, beside)
        for name in ("Ann", "Bob", "Cat", "Dan"):
            self.people.append(await self.world.member(place, name, capacity=20))
        both = await self.world.member(beside, "Eve", capacity=20)
        in_beside = both.membership_id
        self.people.append(await self.world.member(place, person=both, capacity=20))
        self.coordinator = await self.world.member(place, "Cora", roles=ALL_ROLES)
        for person in self.people:
            self.memberships[person.account_id] = [person.membership_id] if person.membership_id else []
        self.memberships[both.account_id] += [in_beside] if in_beside else []

    def two(self) -> list[Person]:
        return self.chance.sample(self.people, 2)

    async def _any(self, table: str, where: str) -> str | None:
        rows = await self.world.run(f"SELECT id FROM {table} WHERE {where} ORDER BY id")
        return str(self.chance.choice(rows).id) if rows else None

    async def pair(self) -> None:
        one, other = self.two()
        kind = self.chance.choice(["one_to_one", "peers", "reciprocal"])
        body = {
            "membership_id": str(one.membership_id),
            "counterpart_id": str(other.membership_id),
            "kind": kind,
        }
        asked = await one.post("/v1/pairings", body)
        if asked.is_success:
            await other.post(f"/v1/pairings/{asked.json()['id']}/accept")

    async def gather_circle(self) -> None:
        some = [
            str(one)
            for person in self.chance.sample(self.people, 4)
            for one in self.memberships[person.account_id]
        ]
        body = {"title": "Circle", "lead_ids": some[:1], "mentee_ids": some[1:]}
        await self.coordinator.ok(
            "POST", f"/v1/organisations/{self.coordinator.organisation_id}/circles", body
        )

    async def book(self) -> None:
        pairing = await self._any("pairing", "status = 'active'")
        at = clock.now().replace(hour=self.chance.randrange(24), minute=0)
        at = at.replace(
            year=at.year + 1, month=self.chance.randrange(1, 13), day=self.chance.randrange(1, 28)
        )
        for person in self.people:
            proposed = await person.post(f"/v1/pairings/{pairing}/meetings", meeting(at))
            if proposed.is_success:
                for other in self.people:
                    await other.post(f"/v1/meetings/{proposed.json()['id']}/accept")
                return

    async def cancel(self) -> None:
        booked = await self._any("meeting", "status = 'booked'")
        for person in self.people:
            await person.post(f"/v1/meetings/{booked}/cancel")

    async def end(self) -> None:
        pairing = await self._any("pairing", "status = 'active'")
        for person in (*self.people, self.coordinator):
            await person.post(f"/v1/pairings/{pairing}/end")

    async def leave(self) -> None:
        pairing = await self._any("pairing", "status = 'active' AND kind = 'circle'")
        await self.chance.choice(self.people).post(f"/v1/pairings/{pairing}/leave")

    async def block(self) -> None:
        one, other = self.two()
        made = await one.ok("POST", "/v1/blocks", {"membership_id": str(other.membership_id)})
        self.blocks.append((one, made["id"]))

    async def unblock(self) -> None:
        if self.blocks:
            one, block = self.blocks.pop(self.chance.randrange(len(self.blocks)))
            await one.call("DELETE", f"/v1/blocks/{block}")

    def steps(self) -> list[Callable[[], Awaitable[None]]]:
        return [
            *[self.pair] * 4,
            *[self.book] * 3,
            *[self.gather_circle] * 2,
            *[self.unblock] * 2,
            self.cancel,
            self.end,
            self.leave,
            self.block,
        ]


def unsaid(before: dict[UUID, Standing], after: dict[UUID, Standing]) -> list[UUID]:
    """Conversations whose hearers changed under a roster version that nodes know already."""
    return [
        identity
        for identity, then in before.items()
        if (then.roster, then.apart) != (after[identity].roster, after[identity].apart)
        and then.version >= after[identity].version
    ]


async def untold(
    world: World, before: dict[UUID, Standing], after: dict[UUID, Standing], since: float
) -> list[Any]:
    """Who gained or lost a conversation without a word about it since then."""
    found = []
    for identity, now in after.items():
        then = before.get(identity, Standing({}, frozenset(), 0))
        for account_id in then.roster.keys() ^ now.roster.keys():
            membership_id = (then.roster | now.roster)[account_id]
            said = await world.run(
                "SELECT 1 FROM stream_event WHERE stream_id = :membership AND subject_id = :conversation "
                "AND kind = 'conversation.changed' AND created_at > to_timestamp(:since)",
                membership=membership_id,
                conversation=identity,
                since=since,
            )
            if not said:
                found.append((identity, account_id))
    return found


@pytest.mark.parametrize("seed", range(3))
async def test_both_sides_agree_whatever_people_do(world: World, seed: int) -> None:
    crowd = Crowd(world, random.Random(seed))
    await crowd.gather()
    before = await standings(world)
    changes = heard_at_all = 0
    for _ in range(25):
        step = crowd.chance.choice(crowd.steps())
        since = clock.now().timestamp()
        await step()
        after = await standings(world)
        assert await disagreements(world, [*crowd.people, crowd.coordinator]) == [], step.__name__
        assert unsaid(before, after) == [], step.__name__
        assert await untold(world, before, after, since) == [], step.__name__
        changes += sum(
            one.roster != after[identity].roster or one.apart != after[identity].apart
            for identity, one in before.items()
        )
        heard_at_all += sum(bool(one.roster) for one in after.values())
        before = after
    assert heard_at_all > changes > 0, "the control: there is something to hear, and it changes"
    for (stream,) in await world.run("SELECT id FROM stream"):
        await events(world, stream)


async def test_a_membership_that_ended_hears_nothing_more(world: World) -> None:
    _, people, made = await circle(world, "Lead", "Ann", "Bob")
    talk = await conversation_of(people[0], made)
    async with world.database.transaction() as db:
        ended = update(Membership).where(Membership.id == people[1].membership_id)
        await db.execute(ended.values(ended_at=clock.now()))
    assert await disagreements(world, people) == []
    roster = (await standings(world))[UUID(talk["id"])].roster
    assert set(roster) == {people[0].account_id, people[2].account_id}


async def test_a_person_of_two_memberships_is_once_in_a_roster(world: World) -> None:
    crowd = Crowd(world, random.Random(1))
    await crowd.gather()
    both = crowd.people[-1]
    ids = [str(one) for one in crowd.memberships[both.account_id]]
    path = f"/v1/organisations/{crowd.coordinator.organisation_id}/circles"
    body = {"title": "Circle", "lead_ids": [str(crowd.people[0].membership_id)], "mentee_ids": ids}
    made = await crowd.coordinator.ok("POST", path, body)
    talk = await conversation_of(both, made)
    for _ in range(3):
        roster = (await standings(world))[UUID(talk["id"])].roster
        assert roster == {
            crowd.people[0].account_id: crowd.people[0].membership_id,
            both.account_id: min(crowd.memberships[both.account_id]),
        }


async def test_a_disagreement_would_be_found(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    mentee, mentor = await world.two()
    talk = await conversation_of(mentee, await world.pair(mentee, mentor))
    await mentee.ok("POST", "/v1/blocks", {"membership_id": str(mentor.membership_id)})
    assert await disagreements(world, [mentee, mentor]) == []
    before = await standings(world)
    monkeypatch.setattr(queries, "heard_by", lambda _: select(Conversation.id))
    assert await disagreements(world, [mentee, mentor]) == [mentee.name, mentor.name]
    identity = UUID(talk["id"])
    changed = Standing({mentee.account_id: None}, frozenset(), before[identity].version)
    assert unsaid(before, {identity: changed}) == [identity]
    assert await untold(world, {}, {identity: changed}, 2**33) == [(identity, mentee.account_id)]
