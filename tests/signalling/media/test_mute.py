"""What is said to be off reaches nobody, whatever is sent; libwebrtc at both ends."""

import asyncio
from uuid import uuid4

import pytest

from signalling.media.embedded.fan import Fan
from tests.signalling.media.caller import until
from tests.signalling.media.members import Call, Member, call


async def talking(meeting: Call) -> tuple[Member, Member]:
    """Somebody who is seen and heard by somebody else."""
    one, other = await meeting.join(500.0), await meeting.join()
    await one.send()
    await until(lambda: other.frames(one) > 10, seconds=15)
    return one, other


async def still(other: Member, kind: str, seconds: float = 1.0) -> int:
    """How many packets came in meanwhile."""
    await asyncio.sleep(0.3)
    before = await other.received(kind)
    await asyncio.sleep(seconds)
    return await other.received(kind) - before


async def test_who_is_muted_goes_on_sending_and_is_not_heard() -> None:
    async with call() as meeting:
        one, other = await talking(meeting)
        await one.mute("microphone")
        assert await still(other, "audio") == 0
        frames = other.frames(one)
        await until(lambda: other.frames(one) > frames + 5, seconds=5)
        await until(lambda: other.speakers[-1:] == [()], seconds=5)
        await one.mute()
        other.meters[one.id, "microphone"].forget_sound()
        await until(lambda: abs(other.pitch(one) - one.tone) < 30, seconds=5)


async def test_a_camera_that_is_off_is_not_seen_and_comes_back_with_a_keyframe() -> None:
    async with call() as meeting:
        one, other = await talking(meeting)
        await one.mute("camera", "microphone")
        assert await still(other, "video") == 0
        await one.mute("microphone")
        frames = other.frames(one)
        await until(lambda: other.frames(one) > frames + 10, seconds=5)
        assert await still(other, "audio") == 0


async def test_without_it_they_are_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: the measure above sees what is passed on."""
    monkeypatch.setattr(Fan, "hold", lambda _: None)
    async with call() as meeting:
        one, other = await talking(meeting)
        await one.mute("microphone", "camera")
        assert await still(other, "audio") > 20
        assert await still(other, "video") > 5


async def test_who_comes_later_does_not_hear_them_either() -> None:
    async with call() as meeting:
        one, _ = await talking(meeting)
        await one.mute("microphone", "camera")
        late = await meeting.join()
        await until(lambda: bool(late.answered), seconds=5)
        assert await still(late, "audio") == 0
        assert await still(late, "video") == 0
        await one.mute()
        await until(lambda: late.frames(one) > 5, seconds=10)


async def test_muted_before_the_first_offer() -> None:
    async with call() as meeting:
        one, other = await meeting.join(500.0), await meeting.join()
        await one.mute("microphone")
        await one.send()
        await until(lambda: other.frames(one) > 10, seconds=15)
        assert await other.received("audio") == 0


async def test_strangers_are_no_error() -> None:
    async with call() as meeting:
        await meeting.engine.mute(meeting.id, uuid4(), frozenset({"camera"}))
        await meeting.engine.mute(uuid4(), uuid4(), frozenset({"camera"}))
        assert meeting.engine.measured(meeting.id, uuid4()) is None
