"""Two members over one bad network, and whether they get over it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.independent.figures import RATE
from tests.signalling.media.caller import until
from tests.signalling.media.impairment import Relay, relayed
from tests.signalling.media.members import Call, Member, call


@asynccontextmanager
async def over_a_relay(seed: int) -> AsyncIterator[tuple[Call, Relay, Member, Member]]:
    """Somebody who sends and somebody who receives, both over one bad network."""
    async with call() as meeting, relayed(meeting.address, seed) as relay:
        meeting.announce(f"127.0.0.1:{relay.port}")
        one, other = await meeting.join(500.0), await meeting.join()
        await one.send()
        await until(lambda: other.frames(one) > 20, seconds=10)
        yield meeting, relay, one, other


async def heals(one: Member, other: Member, seconds: float) -> None:
    """Wait until picture and sound of the one reach the other anew. Raises `TimeoutError`."""
    async with asyncio.timeout(seconds):
        frames = other.frames(one)
        await until(lambda: other.frames(one) > frames + 10, seconds)
        meter = other.meters[one.id, "microphone"]
        meter.forget_sound()
        await until(lambda: meter.samples > RATE / 3 and abs(other.pitch(one) - one.tone) < 30, seconds)
