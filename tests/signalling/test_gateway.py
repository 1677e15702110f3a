"""The calls socket over real sockets: a call from hello to leave."""

import time
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from signalling.contracts.bus import BusUnavailable
from signalling.contracts.calls import (
    CallForwarded,
    EndCall,
    ParticipantsPresent,
    RemoveFromCall,
    RevokeSession,
)
from signalling.media.direct import DirectEngine
from signalling.media.scripted import ScriptedEngine
from signalling.presence import CONFIRM_SECONDS
from signalling.protocol.room import CAPACITY
from tests.signalling.world import CANDIDATE, SDP, World, get, running


async def test_two_people_meet(world: World, call_id: UUID) -> None:
    first = await world.join(call_id, name="Amina Yusuf")
    assert first.welcome["participants"] == []
    assert first.welcome["resumed"] is False
    second = await world.join(call_id, name="Ben Okafor", role="mentee")
    (seen,) = second.welcome["participants"]
    assert (seen["name"], seen["polite"], seen["state"]) == ("Amina Yusuf", False, "online")
    joined = (await first.next("participant_joined"))["participant"]
    assert (joined["id"], joined["name"], joined["polite"]) == (second.id, "Ben Okafor", True)

    await second.offer(first.id)
    offer = await first.next("offer")
    assert (offer["from"], offer["pc"], offer["generation"], offer["sdp"]) == (second.id, "direct", 1, SDP)
    await first.send("answer", to=second.id, pc="direct", generation=1, sdp=SDP)
    assert (await second.next("answer"))["from"] == first.id
    await first.send("candidate", to=second.id, pc="direct", generation=1, candidate=CANDIDATE)
    assert (await second.next("candidate"))["candidate"] == CANDIDATE
    await first.send("candidate", to=second.id, pc="direct", generation=1, candidate=None)
    assert (await second.next("candidate"))["candidate"] is None

    await second.send("media", audio=False, video=True)
    muted = await first.next("participant_media")
    assert (muted["participant_id"], muted["audio"], muted["video"]) == (second.id, False, True)

    await second.send("leave")
    assert (await second.next("ended"))["reason"] == "left"
    assert await second.closed() == 1000
    gone = await first.next("participant_left")
    assert (gone["participant_id"], gone["reason"]) == (second.id, "left")
    await world.app.wait_for(world.app.left)
    assert [str(fact.participant_id) for fact in world.app.joined()] == [first.id, second.id]
    (left,) = world.app.left()
    assert (str(left.participant_id), left.reason, left.epoch) == (second.id, "left", 1)


async def test_politeness_follows_who_was_there_first(world: World, call_id: UUID) -> None:
    first, second = await world.pair(call_id)
    first.vanish()
    await second.next("participant_connection")
    again = await (await world.open(call_id)).resume_of(first)
    (seen,) = again.welcome["participants"]
    assert (seen["id"], seen["polite"]) == (second.id, True)


async def test_one_too_many_is_turned_away(
    world: World, call_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CAPACITY, "forwarded", 2)
    first, _ = await world.pair(call_id)
    third = await world.open(call_id)
    await third.send(
        "hello", version=1, ticket=world.app.ticket(call_id), media={"audio": True, "video": True}
    )
    error = await third.next("error")
    assert (error["code"], error["seq"]) == ("call_full", 0)
    assert await third.closed() == 4502
    await first.pong()


async def test_a_newer_socket_replaces_the_older(world: World, call_id: UUID) -> None:
    membership = uuid4()
    first = await world.join(call_id, membership_id=membership)
    other = await world.join(call_id)
    await first.next("participant_joined")
    second = await world.join(call_id, membership_id=membership)
    assert (await first.next("ended"))["reason"] == "replaced"
    assert await first.closed() == 4504
    assert (await other.next("participant_left"))["reason"] == "replaced"
    assert (await other.next("participant_joined"))["participant"]["id"] == second.id
    await world.app.wait_for(world.app.left)
    assert world.app.left()[0].reason == "replaced"
    refused = await world.open(call_id)
    token = first.welcome["resume_token"]
    await refused.send(
        "hello", version=1, resume={"token": token, "last_seq": 0}, media={"audio": True, "video": True}
    )
    assert await refused.closed() == 4410


# Losing and resuming


async def test_a_resume_replays_what_was_missed(world: World, call_id: UUID) -> None:
    first, second = await world.pair(call_id)
    first.vanish()
    assert (await second.next("participant_connection"))["state"] == "reconnecting"
    await second.offer(first.id)
    await second.send("media", audio=False, video=False)
    await second.pong()
    again = await (await world.open(call_id)).resume_of(first)
    assert again.id == first.id
    assert again.welcome["resumed"] is True
    assert again.welcome["seq"] == first.last_seq
    assert again.welcome["resume_token"] != first.welcome["resume_token"]
    assert (await again.next("offer"))["from"] == second.id
    assert (await again.next("participant_media"))["audio"] is False
    assert (await second.next("participant_connection"))["state"] == "online"
    assert world.app.left() == []


async def test_who_missed_too_much_to_resume_is_a_newcomer(world: World, call_id: UUID) -> None:
    first, second = await world.pair(call_id)
    first.vanish()
    await second.next("participant_connection")
    first.last_seq = 999  # as little to be replayed as what has been forgotten
    again = await (await world.open(call_id)).resume_of(first)
    assert (again.welcome["resumed"], again.welcome["seq"]) == (False, 0)
    assert again.id != first.id
    assert [(p["id"], p["polite"]) for p in again.welcome["participants"]] == [(second.id, False)]
    assert (await second.next("participant_left"))["reason"] == "connection_lost"
    assert (await second.next("participant_joined"))["participant"]["id"] == again.id
    await again.offer(second.id)
    assert (await second.next("offer"))["from"] == again.id
    await world.app.wait_for(lambda: len(world.app.joined()) == 3 and world.app.left())
    assert [(str(left.participant_id), left.reason) for left in world.app.left()] == [
        (first.id, "connection_lost")
    ]
    # The old token went with the old stay; the new one resumes.
    late = await world.open(call_id)
    resume = {"token": first.welcome["resume_token"], "last_seq": 0}
    await late.send("hello", version=1, resume=resume, media={"audio": True, "video": True})
    assert await late.closed() == 4410
    again.vanish()
    assert (await (await world.open(call_id)).resume_of(again)).welcome["resumed"] is True


async def test_an_offer_that_is_said_again_is_passed_on_again(world: World, call_id: UUID) -> None:
    first, second = await world.pair(call_id)
    for _ in range(2):
        await second.offer(first.id)
        await first.next("offer")
        await first.send("answer", to=second.id, pc="direct", generation=1, sdp=SDP)
        await second.next("answer")


async def test_a_resume_token_is_spent_once_its_welcome_has_arrived(world: World, call_id: UUID) -> None:
    first = await world.join(call_id)
    first.vanish()
    # This welcome might have got lost, so the same token works once more ...
    unlucky = await (await world.open(call_id)).resume_of(first)
    unlucky.vanish()
    again = await (await world.open(call_id)).resume_of(first)
    # ... until something is heard on the new socket; what the lost welcome carried works no more either.
    await again.pong()
    for spent in (first, unlucky):
        third = await world.open(call_id)
        resume = {"token": spent.welcome["resume_token"], "last_seq": 0}
        await third.send("hello", version=1, resume=resume, media={"audio": True, "video": True})
        assert (await third.next("error"))["code"] == "resume_refused"
        assert await third.closed() == 4410
    await again.pong()


async def test_resuming_beside_a_socket_that_seems_alive_closes_it(world: World, call_id: UUID) -> None:
    first = await world.join(call_id)
    again = await (await world.open(call_id)).resume_of(first)
    assert await first.closed() == 4504
    await again.pong()


async def test_a_resume_token_opens_its_own_call_only(world: World, call_id: UUID) -> None:
    first = await world.join(call_id)
    other = await world.open(uuid4())
    resume = {"token": first.welcome["resume_token"], "last_seq": 0}
    await other.send("hello", version=1, resume=resume, media={"audio": True, "video": True})
    assert await other.closed() == 4410
    await first.pong()


async def test_grace_lapses(tmp_path: Path, call_id: UUID) -> None:
    async with running(tmp_path, resume_grace_seconds=0.2) as world:
        first, second = await world.pair(call_id)
        first.vanish()
        await second.next("participant_connection")
        assert (await second.next("participant_left"))["reason"] == "connection_lost"
        await world.app.wait_for(world.app.left)
        assert world.app.left()[0].reason == "connection_lost"
        late = await world.open(call_id)
        resume = {"token": first.welcome["resume_token"], "last_seq": 0}
        await late.send("hello", version=1, resume=resume, media={"audio": True, "video": True})
        assert await late.closed() == 4410


async def test_closing_with_1000_is_leaving(world: World, call_id: UUID) -> None:
    first, second = await world.pair(call_id)
    await first.socket.close()
    assert (await second.next("participant_left"))["reason"] == "left"


# Commands and facts


async def test_removal_takes_effect_within_a_second(world: World, call_id: UUID) -> None:
    membership, other = uuid4(), uuid4()
    first = await world.join(call_id, membership_id=membership)
    second = await world.join(call_id, membership_id=other)
    await first.next("participant_joined")
    waiting_ticket = world.app.ticket(call_id, membership_id=membership)
    command = RemoveFromCall(call_id=call_id, membership_ids=(membership,))
    started = time.monotonic()
    await world.app.command(command)
    assert (await first.next("ended"))["reason"] == "removed"
    assert await first.closed() == 4503
    assert time.monotonic() - started < 1
    assert (await second.next("participant_left"))["reason"] == "removed"
    again = await world.open(call_id)
    await again.send("hello", version=1, ticket=waiting_ticket, media={"audio": True, "video": True})
    assert (await again.next("error"))["code"] == "removed"
    assert await again.closed() == 4503
    await world.app.wait_for(lambda: command.id in world.app.done())
    await second.pong()


async def test_a_repeated_command_is_answered_again_and_does_nothing(world: World, call_id: UUID) -> None:
    session = uuid4()
    command = RevokeSession(session_id=session)
    first = await world.join(call_id, session_id=session)
    await world.app.command(command)
    assert await first.closed() == 4503
    await world.app.wait_for(lambda: world.app.done())
    world.node.admissions._revoked.clear()  # time passes; the person signs in again
    second = await world.join(call_id, session_id=session)
    await world.app.command(command)
    await world.app.wait_for(lambda: world.app.done() == [command.id, command.id])
    await second.pong()


async def test_a_revoked_session_cannot_use_the_tickets_that_it_holds(world: World, call_id: UUID) -> None:
    session = uuid4()
    ticket = world.app.ticket(call_id, session_id=session)
    await world.app.command(RevokeSession(session_id=session))
    await world.app.wait_for(lambda: world.app.done())
    late = await world.open(call_id)
    await late.send("hello", version=1, ticket=ticket, media={"audio": True, "video": True})
    assert await late.closed() == 4503


async def test_ending_a_call_ends_it_for_everybody(world: World, call_id: UUID) -> None:
    first, second = await world.pair(call_id)
    await world.app.command(EndCall(call_id=call_id))
    for client in (first, second):
        assert await client.closed() == 4505
    late = await world.open(call_id)
    await late.send(
        "hello", version=1, ticket=world.app.ticket(call_id), media={"audio": True, "video": True}
    )
    assert await late.closed() == 4505
    await world.app.wait_for(lambda: len(world.app.left()) == 2)
    assert {fact.reason for fact in world.app.left()} == {"call_ended"}


async def test_leases_are_renewed_also_for_who_is_away_for_a_moment(tmp_path: Path, call_id: UUID) -> None:
    async with running(tmp_path, lease_seconds=0.1) as world:
        first, second = await world.pair(call_id)
        second.vanish()
        await first.next("participant_connection")
        everybody = {first.id, second.id}

        def renewed() -> bool:
            present = [fact for fact in world.app.facts if isinstance(fact, ParticipantsPresent)]
            return bool(present) and {str(one) for one in present[-1].participant_ids} == everybody

        await world.app.wait_for(renewed)


async def test_a_draining_node_says_goodbye_and_reports(tmp_path: Path, call_id: UUID) -> None:
    async with running(tmp_path) as world:
        first, second = await world.pair(call_id)
        silent = await world.open(call_id)
        await world.node.drain()
        for client in (first, second):
            assert (await client.next("ended"))["reason"] == "server_stopped"
            assert await client.closed() == 4400
        assert await silent.closed() == 4400
        assert {fact.reason for fact in world.app.left()} == {"server_stopped"}
        assert world.app.alive()[-1].draining
        with pytest.raises(ConnectionRefusedError):
            await world.open(call_id)


async def test_a_node_that_cannot_confirm_its_bus_takes_nobody_in(world: World, call_id: UUID) -> None:
    first = await world.join(call_id)
    assert (await get(world, "/readyz"))[0] == 200
    presence = world.node.presence
    presence._bus = UnavailableBus()  # type: ignore[assignment]
    presence._confirmed_at -= CONFIRM_SECONDS + 0.1
    assert (await get(world, "/readyz"))[0] == 503
    late = await world.open(call_id)
    await late.send(
        "hello", version=1, ticket=world.app.ticket(call_id), media={"audio": True, "video": True}
    )
    assert (await late.next("error"))["code"] == "not_ready"
    assert await late.closed() == 4411
    first.vanish()
    await (await (await world.open(call_id)).resume_of(first)).pong()


class UnavailableBus:
    """A bus that is gone."""

    async def ping(self) -> None:
        raise BusUnavailable


async def test_a_full_fact_keeper_takes_nobody_in(world: World, call_id: UUID) -> None:
    world.node.facts._capacity = 0
    assert (await get(world, "/readyz"))[0] == 503


async def test_health_and_readiness(world: World) -> None:
    assert await get(world, "/healthz") == (200, {"status": "ok"})
    assert await get(world, "/readyz") == (200, {"status": "ready", "reason": None})


async def test_a_forwarding_engine_answers_by_itself(tmp_path: Path, call_id: UUID) -> None:
    """The same client, hub and protocol carry an engine that talks to each participant on its own."""
    async with running(tmp_path, engines=(lambda outlet: ScriptedEngine(outlet, [SDP]),)) as world:
        people = [await world.join(call_id, topology="forwarded") for _ in range(3)]
        one = people[0]
        await one.next("participant_joined")
        await one.next("participant_joined")
        await one.send("offer", to=None, pc="publish", generation=1, sdp=SDP)
        answer = await one.next("answer")
        assert (answer["from"], answer["pc"], answer["generation"]) == (None, "publish", 1)
        assert (await one.next("candidate"))["candidate"] is None
        engine = world.node.hub._engines._engines["forwarded"]
        assert isinstance(engine, ScriptedEngine)
        engine.offer(call_id, UUID(one.id), 1, SDP)
        assert (await one.next("offer"))["pc"] == "subscribe"
        await one.send("answer", to=None, pc="subscribe", generation=1, sdp=SDP)
        await one.pong()
        assert [signal.type for signal in engine.heard] == ["offer", "answer"]
        direct = await world.open(uuid4())
        ticket = world.app.ticket(uuid4(), topology="direct")
        await direct.send("hello", version=1, ticket=ticket, media={"audio": True, "video": True})
        assert await direct.closed() == 4501


async def test_a_direct_call_is_promoted_without_leaving_it(tmp_path: Path, call_id: UUID) -> None:
    engines = (DirectEngine, lambda outlet: ScriptedEngine(outlet, [SDP]))
    async with running(tmp_path, engines=engines) as world:
        first, second = await world.pair(call_id)
        await first.offer(second.id)
        await second.next("offer")
        await second.send("forward")
        for one in (first, second):
            assert (await one.next("promoted"))["topology"] == "forwarded"
        await first.send("candidate", to=second.id, pc="direct", generation=1, candidate=CANDIDATE)
        await first.send("offer", to=None, pc="publish", generation=1, sdp=SDP)
        assert (await first.next("answer"))["pc"] == "publish", "and no word about the late candidate"
        third = await world.join(call_id, topology="direct")
        assert (third.welcome["topology"], len(third.welcome["participants"])) == ("forwarded", 2)
        await world.app.wait_for(
            lambda: [fact for fact in world.app.facts if isinstance(fact, CallForwarded)]
        )
        assert not world.app.left()


async def test_a_command_does_not_say_how_a_call_is_carried(tmp_path: Path, call_id: UUID) -> None:
    """Somebody is removed before anybody came: those who then come with forwarded tickets are let in."""
    async with running(tmp_path) as world:
        await world.app.command(RemoveFromCall(call_id=call_id, membership_ids=(uuid4(),)))
        people = [await world.join(call_id, topology="forwarded") for _ in range(2)]
        assert people[1].welcome["topology"] == "forwarded"
