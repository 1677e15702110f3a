"""Members of a call who are on other networks than the engine, each in a process of their own."""

import asyncio
import contextlib
import json
import sys
from asyncio.subprocess import PIPE, Process, create_subprocess_exec
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from pydantic import TypeAdapter

from signalling.media.port import Admission
from signalling.protocol.messages import Restart, Signal, Told
from tests.independent.figures import RATE
from tests.signalling.media.members import Call
from tests.signalling.media.networks import Place

SAID: TypeAdapter[Signal | Restart] = TypeAdapter(Signal | Restart)


@dataclass(frozen=True, slots=True)
class Heard:
    """What has come from somebody so far."""

    moved: int = 0
    samples: int = 0
    crossings: int = 0
    energy: float = 0.0

    def is_in_tune(self, before: "Heard", tone: float) -> bool:
        """Whether what came since is half a second of this tone, and neither silence nor a guess at it."""
        samples = self.samples - before.samples
        if samples < RATE / 2:
            return False
        pitch = (self.crossings - before.crossings) / 2 / (samples / RATE)
        return abs(pitch - tone) < 30 and self.energy - before.energy > 0.01 * samples / RATE


@dataclass
class Distant:
    """One of them, as the test's process knows them."""

    call: Call
    process: Process
    tone: float
    id: UUID = field(default_factory=uuid4)
    figures: dict[str, Heard] = field(default_factory=dict)

    def hear(self, told: Told) -> None:
        self._write({"told": told.model_dump(mode="json")})

    def task(self, name: str) -> None:
        self._write({"task": name})

    def of(self, other: "Distant") -> Heard:
        """What has come from the other so far."""
        return self.figures.get(str(other.id), Heard())

    def _write(self, line: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(line).encode() + b"\n")

    async def listen(self) -> None:
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            match json.loads(line):
                case {"said": said}:
                    await self._said(SAID.validate_json(json.dumps(said)))
                case {"figures": figures}:
                    self.figures = {who: Heard(**each) for who, each in figures.items()}

    async def _said(self, said: Signal | Restart) -> None:
        engine = self.call.engine
        if isinstance(said, Restart):
            # As the room decides it: see docs/protocol.md, "When the path fails".
            await engine.offer_again(self.call.id, self.id, anew=said.generation > 1)
        else:
            await engine.signal(self.call.id, self.id, said)


@asynccontextmanager
async def distant(call: Call, place: Place, tone: float) -> AsyncIterator[Distant]:
    """Somebody there who is in the call and sends."""
    member_id = uuid4()
    command = place.command(
        sys.executable, "-m", "tests.signalling.media.elsewhere", str(member_id), str(tone)
    )
    process = await create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, limit=1 << 20)
    member = Distant(call, process, tone, member_id)
    listening = asyncio.create_task(member.listen())
    call.ears[member.id] = member.hear
    try:
        await call.engine.admit(Admission(call.id, member.id, may_publish=True))
        member.task("send")
        yield member
    finally:
        await call.engine.dismiss(call.id, member.id)
        del call.ears[member.id]
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        assert process.stdin is not None
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 10)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
