"""The engine between independent stacks: libwebrtc sends, libwebrtc decodes, nothing in between does."""

import asyncio

from tests.signalling.media.caller import until
from tests.signalling.media.members import call


async def test_everybody_sees_and_hears_everybody() -> None:
    async with call() as meeting:
        tones = (400.0, 700.0, 1100.0)
        people = [await meeting.join(tone) for tone in tones]
        for person in people:
            await person.send()
        pairs = [(a, b) for a in people for b in people if a is not b]
        await until(lambda: all(a.frames(b) > 20 for a, b in pairs), seconds=15)
        for a, b in pairs:
            a.meters[b.id, "microphone"].forget_sound()
        await until(lambda: all(abs(a.pitch(b) - b.source._tone) < 30 for a, b in pairs), seconds=10)


async def test_layers_follow_what_is_looked_at() -> None:
    """The publisher sends three sizes; the subscriber gets what fits into what they show."""
    async with call() as meeting:
        one, other = await meeting.join(), await meeting.join()
        await one.send(simulcast=(960, 540))
        await until(lambda: other.size(one) == (960, 540), seconds=15)
        await other.look(one, 120)
        await until(lambda: other.size(one) == (240, 135), seconds=10)
        frames = other.frames(one)
        await other.look(one, 0)
        await asyncio.sleep(0.5)
        frames = other.frames(one)
        await asyncio.sleep(0.5)
        assert other.frames(one) == frames
        await other.look(one, 270)
        await until(lambda: other.size(one) == (480, 270) and other.frames(one) > frames + 5, seconds=10)
