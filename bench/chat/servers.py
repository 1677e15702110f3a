"""The servers that are compared: each is a process that a number of receivers is connected to."""

import asyncio
import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID, uuid4

from tests.streams.stand_in import OneNode

SOCKET_IO = "4.8.4"
BATCH = 50
"""Envelopes in one write to the bus under burst, as the relay of app does it."""


def cpu_seconds(pid: int) -> float:
    """What all threads of a process have used of the processor, in user and kernel mode."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def message(number: int) -> dict[str, Any]:
    """A chat message as long as real ones: about 200 letters of text and a few ids."""
    return {
        "id": "0192f3c0-0000-7000-8000-000000000000",
        "conversation_id": "0192f3c0-0000-7000-8000-000000000001",
        "author_id": "0192f3c0-0000-7000-8000-000000000002",
        "client_id": f"bench-{number}",
        "text": "It helped me to write the report backwards, from what I would like to happen. " * 2,
        "posted_at": "2026-11-22T09:00:00.000000Z",
    }


class Server(Protocol):
    """A server with its members connected."""

    pid: int

    async def say(self, messages: int, every: float) -> None:
        """Send so many messages to everyone, one every so many seconds; 0: as fast as it goes."""


class Receivers:
    """The load process."""

    def __init__(self, process: asyncio.subprocess.Process, members: int) -> None:
        self._process = process
        self.members = members

    @classmethod
    async def connect(cls, port: int, path: str, talks: list[list[list[str]]]) -> "Receivers":
        """Connect as many as there are talks."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bench.chat.receivers",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            limit=2**28,
        )
        made = cls(process, len(talks))
        await made._tell({"port": port, "path": path, "talks": talks})
        assert await made._hear() == "ready"
        return made

    async def expect(self, messages: int, *, stamped: bool = False) -> None:
        """Begin to wait for so many messages at everyone."""
        await self._tell({"expected": messages, "stamped": stamped})

    async def arrived(self) -> dict[str, Any]:
        """Wait until they are there."""
        found: dict[str, Any] = json.loads(await self._hear())
        return found

    async def close(self) -> None:
        """Disconnect."""
        self._process.kill()
        await self._process.wait()

    async def _tell(self, order: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        await self._process.stdin.drain()

    async def _hear(self) -> str:
        assert self._process.stdout is not None
        return (await self._process.stdout.readline()).decode().strip()


@contextlib.asynccontextmanager
async def ours(members: int) -> AsyncIterator[tuple[Server, Receivers]]:
    """A real signalling process on a real Valkey; app's side is a stand-in that publishes envelopes."""
    with tempfile.TemporaryDirectory() as place:
        async with OneNode(Path(place)) as node:
            accounts = [uuid4() for _ in range(members)]
            talks = [
                [[json.dumps({"type": "hello", "version": 1, "ticket": node.app.ticket(each)}), "welcome"]]
                for each in accounts
            ]
            receivers = await Receivers.connect(node.port, "/events", talks)
            try:
                yield _Ours(node, node.app.stream(accounts)), receivers
            finally:
                await receivers.close()


class _Ours:
    def __init__(self, node: OneNode, stream: UUID) -> None:
        self.pid = node.pid
        self._app = node.app
        self._stream = stream

    async def say(self, messages: int, every: float) -> None:
        envelopes = [self._app.event(self._stream, message(number)) for number in range(messages)]
        if not every:
            for start in range(0, messages, BATCH):
                await self._app.bus.publish_hints(envelopes[start : start + BATCH])
            return
        due = time.monotonic()
        for envelope in envelopes:
            await self._app.bus.publish_hints([envelope])
            due += every
            await asyncio.sleep(max(0.0, due - time.monotonic()))


class _Process:
    """A server that takes orders on stdin."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.pid = process.pid
        self._process = process

    async def hear(self) -> str:
        assert self._process.stdout is not None
        return (await self._process.stdout.readline()).decode().strip()

    async def tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        await self._process.stdin.drain()


@contextlib.asynccontextmanager
async def _process(*command: str, cwd: str | None = None) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=cwd
    )
    try:
        yield process
    finally:
        process.kill()
        await process.wait()


class _Bare(_Process):
    async def say(self, messages: int, every: float) -> None:
        await self.tell(json.dumps({"messages": messages, "every": every}))
        assert await self.hear() == "sent"


@contextlib.asynccontextmanager
async def bare(members: int, frame: str) -> AsyncIterator[tuple[Server, Receivers]]:
    """A loop of `socket.send`."""
    async with _process(sys.executable, "-m", "bench.chat.bare", str(members), frame) as process:
        server = _Bare(process)
        receivers = await Receivers.connect(int(await server.hear()), "", [[] for _ in range(members)])
        assert await server.hear() == "connected"
        try:
            yield server, receivers
        finally:
            await receivers.close()


class _SocketIo(_Process):
    async def say(self, messages: int, every: float) -> None:
        due = time.monotonic()
        for number in range(messages):
            await self.tell(json.dumps(message(number)))
            due += every
            if every:
                await asyncio.sleep(max(0.0, due - time.monotonic()))


def install_socket_io(place: Path) -> str | None:
    """Install Socket.IO into `place`; returns why not, if not."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        return "There is no Node.js with npm here."
    command = [npm, "install", "--no-audit", "--no-fund", "--no-save", f"socket.io@{SOCKET_IO}"]
    (place / "package.json").write_text("{}")
    answer = subprocess.run(command, cwd=place, capture_output=True, text=True)
    return None if answer.returncode == 0 else f"npm could not install it: {answer.stderr.strip()[-300:]}"


@contextlib.asynccontextmanager
async def socket_io(members: int, place: Path) -> AsyncIterator[tuple[Server, Receivers]]:
    """A Socket.IO server; `place` is where npm installed it."""
    script = str(Path(__file__).with_name("socketio_server.mjs"))
    async with _process("node", script, cwd=str(place)) as process:
        server = _SocketIo(process)
        port = int(await server.hear())
        talks = [[["40", '40{"sid"']] for _ in range(members)]
        receivers = await Receivers.connect(port, "/socket.io/?EIO=4&transport=websocket", talks)
        try:
            yield server, receivers
        finally:
            await receivers.close()
