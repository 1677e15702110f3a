"""Several clients of one stack in a process of their own: Python threads of two stacks hold each other up.

The first line that comes in lists who they are; a line of what each sees and hears goes out every second.
They leave when nothing can come in any more.
"""

import asyncio
import json
import sys
from typing import Any

from tests.independent.circle import only_loopback
from tests.independent.forwarded_aiortc import Aiortc
from tests.independent.forwarded_client import Engine, ForwardedClient
from tests.independent.forwarded_wrtc import Wrtc


def out(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def engine(stack: str, ticket: dict[str, Any], tone: float, is_frugal: bool) -> Engine:
    return Aiortc(tone) if stack == "aiortc" else Wrtc(ticket, tone, is_frugal=is_frugal)


def seen_and_heard(me: ForwardedClient) -> dict[str, Any]:
    """By name: pictures so far that differ from the one before, and sound since this was asked last."""
    found = {}
    for who, participant in me.roster.items():
        picture, sound = me.figures(who, "camera"), me.figures(who, "microphone")
        found[participant["name"]] = {
            "moved": picture.moved if picture else 0,
            "height": picture.size[1] if picture else 0,
            "pitch": sound.frequency() if sound else 0.0,
            "energy": sound.energy if sound else 0.0,
        }
        if sound:
            sound.forget_sound()
    return found


async def main() -> None:
    reader = asyncio.StreamReader(limit=1 << 20)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    cast = json.loads(await reader.readline())
    gone = asyncio.create_task(reader.read())
    clients: list[ForwardedClient] = []
    try:
        for each in cast:
            ticket = each["ticket"]
            clients.append(
                ForwardedClient(ticket, engine(each["stack"], ticket, each["tone"], each["frugal"]))
            )
            # Eight stacks on two cores are slow to begin.
            clients[-1].open_seconds = 20.0
            await clients[-1].enter()
        while not gone.done():
            for each, client in zip(cast, clients, strict=True):
                out({"name": each["name"], "errors": client.errors, "others": seen_and_heard(client)})
            await asyncio.wait([gone], timeout=1)
    finally:
        await asyncio.gather(*(client.close() for client in clients))


if __name__ == "__main__":
    with only_loopback():
        asyncio.run(main())
