"""Typing: who is shown it, who is not, and that it lapses by itself."""

import asyncio
from uuid import uuid4

import pytest

from signalling.contracts.calls import RosterChanged
from signalling.contracts.envelope import Presence, PresenceState, Typing
from signalling.events import people
from tests.signalling.circle import Circle, quiet


async def test_the_others_see_who_types(circle: Circle) -> None:
    amina, stream = circle.amina, circle.stream
    second_device = await circle.world.listen(amina.account_id)
    await amina.send("typing", stream=str(stream), typing=True)
    seen = {"stream": str(stream), "membership_id": circle.membership(amina)}
    for ear in (circle.ben, circle.carla):
        assert await ear.next() == {"type": "typing", **seen, "typing": True}
    await amina.send("typing", stream=str(stream), typing=False)
    for ear in (circle.ben, circle.carla):
        assert await ear.next() == {"type": "typing", **seen, "typing": False}
    await quiet(amina, second_device, circle.stranger)


async def test_a_stranger_types_in_vain(circle: Circle) -> None:
    own = uuid4()
    circle.world.app.door.let_hear(own, circle.stranger.account_id, people=False)
    for stream in (circle.stream, uuid4(), own):
        await circle.stranger.send("typing", stream=str(stream), typing=True)
        error = await circle.stranger.next("error")
        assert (error["code"], error["about"]) == ("unknown_stream", "typing")
        assert str(stream) not in error["detail"]
    await quiet(circle.amina, circle.ben)


async def test_whoever_is_kept_apart_does_not_see_it(circle: Circle) -> None:
    accounts = [ear.account_id for ear in (circle.amina, circle.ben, circle.carla)]
    circle.world.app.door.let_hear(circle.stream, *accounts, apart=((accounts[1], accounts[0]),))
    await circle.amina.send("typing", stream=str(circle.stream), typing=True)
    await circle.carla.next("typing")
    await quiet(circle.ben)
    await circle.ben.send("typing", stream=str(circle.stream), typing=True)
    await circle.carla.next("typing")
    await quiet(circle.amina)


async def test_typing_is_told_once_a_second(circle: Circle, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(5):
        await circle.amina.send("typing", stream=str(circle.stream), typing=True)
        await circle.amina.send("typing", stream=str(circle.stream), typing=False)
    assert [(await circle.ben.next("typing"))["typing"] for _ in range(2)] == [True, False]
    await quiet(circle.ben)
    monkeypatch.setattr(people, "TYPING_PAUSE_SECONDS", 0.0)
    await circle.amina.send("typing", stream=str(circle.stream), typing=True)
    assert (await circle.ben.next("typing"))["typing"] is True


async def test_whoever_falls_silent_has_stopped_typing(
    circle: Circle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people, "TYPING_SECONDS", 0.1)
    await circle.amina.send("typing", stream=str(circle.stream), typing=True)
    assert [(await circle.ben.next("typing"))["typing"] for _ in range(2)] == [True, False]


async def test_whoever_hides_on_a_device_at_another_node_is_not_seen_typing(circle: Circle) -> None:
    async def elsewhere(state: PresenceState) -> None:
        await circle.world.app.say(Presence(circle.amina.account_id, "node-2", state))
        await asyncio.sleep(0.05)

    await elsewhere("hidden")
    await circle.amina.send("typing", stream=str(circle.stream), typing=True)
    await quiet(circle.amina, circle.ben, circle.carla)
    await elsewhere("offline")
    await asyncio.sleep(people.TYPING_PAUSE_SECONDS)
    await circle.amina.send("typing", stream=str(circle.stream), typing=True)
    assert (await circle.ben.next("typing"))["typing"] is True


async def test_whoever_is_not_hidden_any_more_is_seen_typing_at_once(circle: Circle) -> None:
    await circle.amina.send("presence", state="hidden")
    await quiet(circle.amina, circle.ben)
    await circle.amina.send("presence", state="online")
    await circle.amina.send("typing", stream=str(circle.stream), typing=True)
    assert (await circle.ben.next("typing"))["typing"] is True


async def test_a_lost_socket_does_not_type(circle: Circle) -> None:
    await circle.amina.send("typing", stream=str(circle.stream), typing=True)
    assert (await circle.ben.next("typing"))["typing"] is True
    circle.amina.vanish()
    assert (await circle.ben.next("typing"))["typing"] is False


async def test_whoever_was_removed_neither_types_nor_sees_it(circle: Circle) -> None:
    stream = circle.stream
    await circle.amina.send("typing", stream=str(stream), typing=True)
    await circle.ben.next("typing")
    await circle.carla.next("typing")
    circle.world.app.door.let_hear(stream, circle.ben.account_id, circle.carla.account_id)
    command = RosterChanged(stream=stream, version=2)
    await circle.world.app.command(command)
    await circle.world.app.wait_for(lambda: command.id in circle.world.app.done())
    await circle.ben.send("typing", stream=str(stream), typing=True)
    await circle.carla.next("typing")
    await circle.amina.send("typing", stream=str(stream), typing=False)
    assert (await circle.amina.next("error"))["code"] == "unknown_stream"
    # Nor does what a node says that has not heard of it yet.
    await circle.world.app.say(Typing(stream, circle.amina.account_id, True))
    await quiet(circle.amina, circle.ben, circle.carla)


async def test_when_app_does_not_answer_typing_is_refused(
    circle: Circle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signalling.events.rosters.UNANSWERED_SECONDS", 0.1)
    circle.world.app.door.fails = True
    await circle.amina.send("typing", stream=str(circle.stream), typing=True)
    await circle.amina.send("watch", streams=[str(circle.stream)])
    errors = [await circle.amina.next("error") for _ in range(2)]
    assert {(error["code"], error["about"]) for error in errors} == {
        ("not_ready", "typing"),
        ("not_ready", "watch"),
    }
