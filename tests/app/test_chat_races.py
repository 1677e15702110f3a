"""What is said at the same moment, or at the very moment at which it may not be said any more."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.auth import Actor
from app.blocks import service as blocks
from app.blocks.schemas import BlockCreate
from app.chat import queries
from app.chat import service as chat
from app.chat.schemas import MessageSend
from app.core import clock
from app.core.db import before_commit
from app.pairings import service as pairings
from app.pairings.schemas import CircleCreate
from app.scheduling import service as scheduling
from tests.app.talk import (
    circle,
    conversation_at,
    conversation_of,
    events,
    message,
    messages,
    roster_version,
    say,
)
from tests.world import Person, World, meeting

pytestmark = pytest.mark.database


@pytest.fixture(autouse=True)
def talkative(world: World) -> None:
    world.door.settings.messages_per_minute = 100_000


async def test_one_message_sent_many_times_at_once_is_said_once(world: World) -> None:
    mentee, mentor = await world.two()
    talk = await conversation_of(mentee, await world.pair(mentee, mentor))
    for round_ in range(1, 9):
        body = message(f"Round {round_}")
        answers = await asyncio.gather(*(mentee.post(messages(talk), body) for _ in range(5)))
        assert [answer.status_code for answer in answers] == [201] * 5
        assert len({answer.content for answer in answers}) == 1
        assert len(await events(world, talk["id"])) == round_, "and it takes one number"


async def test_one_client_id_in_two_conversations_at_once_is_one_message(world: World) -> None:
    mentee, mentor = await world.two()
    talks = [
        await conversation_of(mentee, await world.pair(mentee, mentor, kind=kind))
        for kind in ("peers", "one_to_one")
    ]
    for _ in range(8):
        body = message()
        answers = await asyncio.gather(*(mentee.post(messages(talk), body) for talk in talks * 2))
        statuses = [answer.status_code for answer in answers]
        assert statuses in ([201, 422] * 2, [422, 201] * 2)
        codes = {answer.json()["code"] for answer in answers if answer.status_code == 422}
        assert codes == {"client_id_reused"}
    heads = [await events(world, talk["id"]) for talk in talks]
    assert sum(len(head) for head in heads) == 8


async def test_many_writers_leave_no_hole_and_keep_one_order(world: World) -> None:
    _, people, made = await circle(world, "Lead", "Ann", "Bob", "Cat")
    talk = await conversation_of(people[0], made)

    async def write(person: Person) -> list[Any]:
        return [await say(person, talk, f"{person.name} {number}") for number in range(15)]

    async def reword(person: Person) -> None:
        sent = await say(person, talk, "First words")
        for number in range(10):
            await person.ok("PATCH", f"/v1/messages/{sent['id']}", {"text": f"Other words {number}"})
        await person.ok("DELETE", f"/v1/messages/{sent['id']}")

    written = await asyncio.gather(*map(write, people))
    await asyncio.gather(*map(write, people[:2]), *map(reword, people[2:]))
    found = await events(world, talk["id"])
    assert len(found) == 60 + 30 + 2 * 12
    history: list[Any] = []
    while True:
        after = history[-1]["seq"] if history else 0
        page = await people[0].ok("GET", f"{messages(talk)}?limit=40&after={after}")
        history += page["items"]
        if not page["more_after"]:
            break
    posted = [(number, subject) for number, kind, subject in found if kind == "message.posted"]
    assert [(row["seq"], row["id"]) for row in history] == posted
    assert [row["posted_at"] for row in history] == sorted(row["posted_at"] for row in history)
    for mine in written:
        assert [row["seq"] for row in mine] == sorted(row["seq"] for row in mine)


# Endings. Someone writes without pause while the conversation is closed to them: what was accepted was
# accepted before, and nothing after.

Scene = tuple[Any, list[Person], Callable[[], Awaitable[httpx2.Response]], set[str]]


async def ending(world: World) -> Scene:
    mentee, mentor = await world.two()
    pairing = await world.pair(mentee, mentor)
    talk = await conversation_of(mentee, pairing)
    return talk, [mentee, mentor], lambda: mentor.post(f"/v1/pairings/{pairing['id']}/end"), {"pairing_ended"}


async def cancelling(world: World) -> Scene:
    mentee, mentor = await world.two()
    pairing = await world.pair(mentee, mentor)
    met = await world.meet(mentee, mentor, pairing["id"])
    talk = await conversation_at(mentee, met)
    return (
        talk,
        [mentee, mentor],
        lambda: mentor.post(f"/v1/meetings/{met['id']}/cancel"),
        {"meeting_cancelled"},
    )


async def ending_beside_a_meeting(world: World) -> Scene:
    mentee, mentor = await world.two()
    pairing = await world.pair(mentee, mentor)
    talk = await conversation_at(mentee, await world.meet(mentee, mentor, pairing["id"]))
    return talk, [mentee, mentor], lambda: mentor.post(f"/v1/pairings/{pairing['id']}/end"), {"pairing_ended"}


async def blocking(world: World) -> Scene:
    mentee, mentor = await world.two()
    talk = await conversation_of(mentee, await world.pair(mentee, mentor))
    body = {"membership_id": str(mentee.membership_id)}
    return talk, [mentee, mentor], lambda: mentor.post("/v1/blocks", body), {"not_found"}


async def leaving(world: World) -> Scene:
    _, people, made = await circle(world, "Lead", "Ann", "Bob")
    talk = await conversation_of(people[1], made)
    return talk, [people[1]], lambda: people[1].post(f"/v1/pairings/{made['id']}/leave"), {"not_found"}


async def ending_a_circle(world: World) -> Scene:
    coordinator, people, made = await circle(world, "Lead", "Ann", "Bob")
    talk = await conversation_of(people[1], made)
    return talk, people, lambda: coordinator.post(f"/v1/pairings/{made['id']}/end"), {"pairing_ended"}


ENDINGS = (ending, cancelling, ending_beside_a_meeting, blocking, leaving, ending_a_circle)


async def closing(world: World, scene: Callable[[World], Awaitable[Scene]]) -> tuple[int, int]:
    """Race one scene; returns how many messages were accepted and how many of them after the end."""
    talk, writers, close, codes = await scene(world)
    closed = asyncio.Event()
    late = accepted = 0

    async def write(person: Person) -> None:
        nonlocal late, accepted
        refused = 0
        while refused < 2:
            after_the_end = closed.is_set()
            answer = await person.post(messages(talk), message())
            if answer.status_code == 201:
                accepted += 1
                late += after_the_end
                assert accepted < 2000
            else:
                assert answer.json()["code"] in codes, answer.text
                refused += 1

    async def finish() -> None:
        await asyncio.sleep(0.1)
        answer = await close()
        assert answer.is_success, answer.text
        closed.set()

    ends = await asyncio.gather(finish(), *map(write, writers * 3), return_exceptions=True)
    for failure in ends:
        if failure is not None:
            raise failure
    (stored,) = await world.run(
        "SELECT count(*) AS n FROM message WHERE conversation_id = :id", id=talk["id"]
    )
    assert stored.n == accepted == len(await events(world, talk["id"]))
    return accepted, late


@pytest.mark.parametrize("scene", ENDINGS, ids=lambda one: one.__name__)
async def test_nothing_is_said_after_the_end(world: World, scene: Any) -> None:
    accepted = 0
    for _ in range(2):
        said, late = await closing(world, scene)
        assert late == 0
        accepted += said
    assert accepted > 2, "the control: it was a race"


async def test_words_after_the_end_would_be_found(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the lock that all meet at, and for a while with what was read before it."""
    honest, held = queries.place, queries.hold
    read: list[Any] = []

    async def stale(db: Any, actor: Any, conversation_id: Any, client_id: Any = None) -> Any:
        if len(read) < 200:
            read.append(read[0] if read else await honest(db, actor, conversation_id, client_id))
            return read[0]._replace(said_id=None)
        await held(db, actor, conversation_id)
        return await honest(db, actor, conversation_id, client_id)

    async def careless(db: Any, actor: Any, conversation_id: Any) -> None: ...

    monkeypatch.setattr(queries, "hold", careless)
    monkeypatch.setattr(queries, "place", stale)
    _, late = await closing(world, ending)
    assert late > 0


async def test_whoever_takes_words_back_while_they_are_changed_has_the_last_word(world: World) -> None:
    mentee, mentor = await world.two()
    talk = await conversation_of(mentee, await world.pair(mentee, mentor))
    for number in range(8):
        sent = await say(mentee, talk)
        path = f"/v1/messages/{sent['id']}"
        edits = [mentee.call("PATCH", path, {"text": f"Other {number} {turn}"}) for turn in range(3)]
        answers = await asyncio.gather(*edits, *(mentee.call("DELETE", path) for _ in range(2)))
        assert [answer.status_code for answer in answers[3:]] == [204, 204]
        assert {answer.status_code for answer in answers[:3]} <= {200, 409}
        last = (await mentor.ok("GET", f"{messages(talk)}?limit=1"))["items"][0]
        assert (last["deleted"], last["text"]) == (True, "")
        kinds = [kind for _, kind, subject in await events(world, talk["id"]) if subject == sent["id"]]
        edited = sum(answer.status_code == 200 for answer in answers[:3])
        assert kinds == ["message.posted", *["message.edited"] * edited, "message.deleted"]


async def test_marks_that_race_end_at_the_highest(world: World) -> None:
    mentee, mentor = await world.two()
    talk = await conversation_of(mentee, await world.pair(mentee, mentor))
    for _ in range(8):
        await say(mentor, talk)
    path = f"/v1/conversations/{talk['id']}/read"
    answers = await asyncio.gather(*(mentee.post(path, {"seq": seq}) for seq in (3, 8, 1, 5, 8, 2)))
    assert {answer.status_code for answer in answers} == {200}
    assert (await mentee.ok("POST", path, {"seq": 0}))["read_up_to"] == 8


Begin = Callable[[AsyncSession], Awaitable[object]]


async def _waiting(world: World) -> bool:
    """Whether someone waits for a lock."""
    waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    return bool(await world.run(waiting))


async def behind(world: World, begin: Begin, then: Awaitable[httpx2.Response]) -> httpx2.Response:
    """Begin one thing, and the other when the first is done but not committed: the second must wait."""
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def pause(_: AsyncSession) -> None:
        reached.set()
        await go_on.wait()

    async def first() -> None:
        async with world.database.transaction() as db:
            await begin(db)
            before_commit(db, pause)

    beginning = asyncio.create_task(first())
    await reached.wait()
    following = asyncio.ensure_future(then)
    async with asyncio.timeout(8):
        while not following.done() and not await _waiting(world):
            await asyncio.sleep(0.02)
    waits = not following.done()
    go_on.set()
    await beginning
    answer = await following
    assert waits, answer.text
    return answer


@pytest.mark.parametrize("scene", ENDINGS, ids=lambda one: one.__name__)
async def test_an_end_waits_for_what_is_being_said(world: World, scene: Any) -> None:
    """Otherwise it would be there after the end was answered."""
    talk, (writer, *_), close, _ = await scene(world)
    actor = Actor(writer.account_id, writer.session_id)
    body = MessageSend.model_validate(message())
    answer = await behind(world, lambda db: chat.say(db, actor, UUID(talk["id"]), body), close())
    assert answer.is_success
    assert len(await events(world, talk["id"])) == 1


async def test_who_leaves_or_blocks_during_a_booking_is_out_of_its_conversation_too(world: World) -> None:
    """A conversation that is just being opened is found by what must change its roster."""
    _, (lead, ann, bob), made = await circle(world, "Lead", "Ann", "Bob")
    book = Actor(lead.account_id, lead.session_id)
    for then in (
        bob.post("/v1/blocks", {"membership_id": str(ann.membership_id)}),
        ann.post(f"/v1/pairings/{made['id']}/leave"),
    ):
        at = meeting(clock.now() + timedelta(days=1))
        proposed = await bob.ok("POST", f"/v1/pairings/{made['id']}/meetings", at)
        meeting_id = UUID(proposed["id"])
        answer = await behind(world, lambda db, one=meeting_id: scheduling.accept(db, book, one), then)  # type: ignore[misc]
        assert answer.is_success
        talk = await conversation_at(bob, proposed)
        assert await roster_version(world, talk) >= 2
        await lead.ok("POST", f"/v1/meetings/{proposed['id']}/cancel")


async def test_a_block_waits_for_a_circle_that_is_being_gathered(world: World) -> None:
    coordinator, (lead, ann, bob), _ = await circle(world, "Lead", "Ann", "Bob")
    assert lead.membership_id
    assert ann.membership_id
    assert bob.membership_id
    body = CircleCreate(
        title="Another", lead_ids=[lead.membership_id], mentee_ids=[ann.membership_id, bob.membership_id]
    )
    actor = Actor(coordinator.account_id, coordinator.session_id)
    place = coordinator.organisation_id
    assert place
    block = bob.post("/v1/blocks", {"membership_id": str(ann.membership_id)})
    await behind(world, lambda db: pairings.create_circle(db, actor, place, body), block)
    for talk in (await bob.ok("GET", "/v1/conversations"))["items"]:
        assert await roster_version(world, talk) == 2


async def test_a_conversation_opened_behind_a_block_knows_of_it(world: World) -> None:
    _, (lead, ann, bob), made = await circle(world, "Lead", "Ann", "Bob")
    proposed = await bob.ok("POST", f"/v1/pairings/{made['id']}/meetings", meeting())
    blocker = Actor(bob.account_id, bob.session_id)
    assert ann.membership_id
    body = BlockCreate(membership_id=ann.membership_id)
    accept = lead.post(f"/v1/meetings/{proposed['id']}/accept")
    await behind(world, lambda db: blocks.block(db, blocker, body), accept)
    assert {row["name"] for row in (await conversation_at(bob, proposed))["people"]} == {"Lead", "Bob"}


async def test_endings_and_messages_at_once_do_not_deadlock(world: World) -> None:
    for _ in range(4):
        coordinator, people, made = await circle(world, "Lead", "Ann", "Bob", "Cat")
        talk = await conversation_of(people[0], made)
        booked = await people[0].ok("POST", f"/v1/pairings/{made['id']}/meetings", meeting())
        beside = await conversation_at(people[0], booked)
        block = {"membership_id": str(people[1].membership_id)}
        answers = await asyncio.gather(
            *(person.post(messages(where), message()) for person in people for where in (talk, beside)),
            people[3].post(f"/v1/pairings/{made['id']}/leave"),
            people[2].post("/v1/blocks", block),
            people[0].post(f"/v1/meetings/{booked['id']}/cancel"),
            coordinator.post(f"/v1/pairings/{made['id']}/end"),
            *(person.post(f"/v1/conversations/{talk['id']}/read", {"seq": 9}) for person in people),
        )
        assert max(answer.status_code for answer in answers) < 500
        for one in (talk, beside):
            await events(world, one["id"])
