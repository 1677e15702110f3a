"""A member of a call in a process of its own, and so on a network of its own: see `distant.py`.

Lines of JSON come in, `{"told": …}` from the engine and `{"task": …}` from the test, and go out:
`{"said": …}` to the engine, and `{"figures": …}` 20 times a second.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any, Final
from uuid import UUID

from pydantic import TypeAdapter

from signalling.media.port import Admission
from signalling.protocol.messages import Restart, Signal, Told
from tests.signalling.media.members import Member

FIGURES_SECONDS: Final = 0.05
TOLD: TypeAdapter[Told] = TypeAdapter(Told)


def out(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


class Spoken:
    """The engine, as far as a member speaks to it: every word is written down."""

    async def signal(self, _call: UUID, _sender: UUID, signal: Signal) -> None:
        out({"said": signal.model_dump(mode="json")})

    async def admit(self, admission: Admission) -> None:
        """Whoever started this has seen to it."""


class Elsewhere:
    """What a member knows of their call."""

    def __init__(self) -> None:
        self.id = UUID(int=0)
        self.engine: Any = Spoken()


class Roamer(Member):
    """Restarts ICE on both connections when told to, as a client does whose path fails."""

    async def restart(self) -> None:
        assert self.publish is not None
        self.publish.restart_ice()
        await self.offer()
        restart = Restart(pc="subscribe", generation=self.generation)
        out({"said": restart.model_dump(mode="json")})

    async def begin_anew(self) -> None:
        """What is left when a restart does not help: the next generation of both."""
        assert self.publish is not None
        self.publish.close()
        await self.send(generation=2)
        restart = Restart(pc="subscribe", generation=self.generation + 1)
        out({"said": restart.model_dump(mode="json")})

    async def tell_figures(self) -> None:
        while True:
            figures = {
                str(who): {
                    "moved": self.meters[who, "camera"].moved if (who, "camera") in self.meters else 0,
                    "samples": meter.samples,
                    "crossings": meter.crossings,
                    "energy": meter.energy,
                }
                for (who, source), meter in self.meters.items()
                if source == "microphone"
            }
            out({"figures": figures})
            await asyncio.sleep(FIGURES_SECONDS)


async def main(member_id: str, tone: str) -> None:
    reader = asyncio.StreamReader(limit=1 << 20)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    member = Roamer(Elsewhere(), float(tone))
    member.id = UUID(member_id)
    telling = asyncio.create_task(member.tell_figures())
    tasks: dict[str, Callable[[], Awaitable[object]]] = {
        "send": member.send,
        "restart": member.restart,
        "begin_anew": member.begin_anew,
    }
    while line := await reader.readline():
        match json.loads(line):
            case {"told": told}:
                member.hear(TOLD.validate_json(json.dumps(told)))
            case {"task": task}:
                await tasks[task]()
    telling.cancel()
    await member.stop()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
