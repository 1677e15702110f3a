"""The embedded engine alone in a process; it is spoken to by lines of JSON over a pipe.

`python -m bench.sfu.ours [profile]` is the server; with a path it writes a profile of what is measured.
"""

import asyncio
import cProfile
import json
import logging
import subprocess
import sys
from typing import Any, Self
from uuid import UUID, uuid4

import structlog
import uvloop

from bench.sfu.server import SERVER_CORE
from signalling.media.embedded.engine import EmbeddedEngine
from signalling.media.port import Admission
from signalling.protocol.messages import Answer, AnswerFrom, Error, Offer, OfferFrom, Told

LINE_BYTES = 1 << 20


class Ours:
    """The load's side of the pipe."""

    host = "127.0.0.1"
    module = "bench.sfu.ours"

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pid = process.pid
        self._rooms: dict[int, str] = {}

    @classmethod
    async def open(cls, profile: str | None = None) -> Self:
        """Start the process."""
        command = ["taskset", "-c", str(SERVER_CORE), sys.executable, "-m", cls.module]
        process = await asyncio.create_subprocess_exec(
            *command,
            *([profile] if profile else []),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            limit=LINE_BYTES,
        )
        made = cls(process)
        await made._hear("ready", "")
        return made

    async def publish(self, room: int, offer: str) -> str:
        self._rooms[room] = str(uuid4())
        who = await self._admit(room, may_publish=True)
        await self._tell({"do": "offer", "room": self._rooms[room], "who": who, "sdp": offer})
        return await self._hear("answer", who)

    async def subscribe(self, room: int) -> tuple[str, str]:
        who = await self._admit(room, may_publish=False)
        return f"{self._rooms[room]} {who}", await self._hear("offer", who)

    async def answer(self, who: str, sdp: str) -> None:
        room, me = who.split()
        await self._tell({"do": "answer", "room": room, "who": me, "sdp": sdp})

    async def measuring(self, *, on: bool) -> None:
        await self._tell({"do": "profile" if on else "dump"})
        await self._hear("done", "")

    async def close(self) -> None:
        self._process.kill()
        await self._process.wait()

    async def _admit(self, room: int, *, may_publish: bool) -> str:
        who = str(uuid4())
        await self._tell({"do": "admit", "room": self._rooms[room], "who": who, "publish": may_publish})
        return who

    async def _tell(self, order: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        await self._process.stdin.drain()

    async def _hear(self, kind: str, who: str) -> str:
        """Wait for something that is said to somebody; what is said to others is of no interest."""
        assert self._process.stdout is not None
        while True:
            line = await asyncio.wait_for(self._process.stdout.readline(), 20)
            said = json.loads(line)
            assert said["kind"] != "error", said
            if (said["kind"], said["who"]) == (kind, who):
                sdp: str = said["sdp"]
                return sdp


class Process:
    """The server's side."""

    def __init__(self, profile: str | None) -> None:
        self._engine = EmbeddedEngine(self._outlet, host="127.0.0.1", port=0)
        self._path = profile
        self._profile = cProfile.Profile()

    async def open(self) -> None:
        """Begin."""
        await self._engine.open()

    async def run(self) -> None:
        """Carry out orders until the pipe ends."""
        await self.open()
        loop = asyncio.get_running_loop()
        orders = asyncio.StreamReader(limit=LINE_BYTES)
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
        say("ready", "")
        while line := await orders.readline():
            await self.carry_out(json.loads(line))
        await self._engine.close()

    async def carry_out(self, order: dict[str, Any]) -> None:
        """Do as one order says."""
        if order["do"] in ("profile", "dump"):
            self._measure(on=order["do"] == "profile")
            say("done", "")
            return
        room, who = UUID(order["room"]), UUID(order["who"])
        match order["do"]:
            case "admit":
                await self._engine.admit(Admission(room, who, order["publish"]))
            case "offer":
                await self._engine.signal(room, who, Offer(pc="publish", generation=1, sdp=order["sdp"]))
            case "answer":
                await self._engine.signal(room, who, Answer(pc="subscribe", generation=1, sdp=order["sdp"]))

    def _measure(self, *, on: bool) -> None:
        if self._path is not None and on:
            self._profile.enable()
        elif self._path is not None:
            self._profile.disable()
            self._profile.dump_stats(self._path)

    @staticmethod
    def _outlet(_: UUID, who: UUID, told: Told) -> None:
        match told:
            case OfferFrom():
                say("offer", str(who), told.sdp)
            case AnswerFrom():
                say("answer", str(who), told.sdp)
            case Error():
                say("error", str(who), told.detail)


def say(kind: str, who: str, sdp: str = "") -> None:
    """Tell the load."""
    sys.stdout.write(json.dumps({"kind": kind, "who": who, "sdp": sdp}) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Run the server."""
    # The pipe is for signalling: nothing else is to be written to it.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(Process(sys.argv[1] if len(sys.argv) > 1 else None).run())


if __name__ == "__main__":
    main()
