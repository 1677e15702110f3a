"""App's side of the wall for one real signalling process: tickets, rosters, events."""

import asyncio
import contextlib
import json
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Self
from uuid import UUID, uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.core.engines import PrivateValkey
from signalling.contracts.bus import Bus
from signalling.contracts.bus_open import open_bus
from signalling.contracts.envelope import Envelope
from signalling.contracts.standing import Roster, StandingAsk, StandingRead
from signalling.contracts.tickets import EventsTicket, SigningKey, issue_events_ticket, public_jwks
from tests.streams.topology import ISSUER, Part, free_ports

NODE = "node-1"


class StandIn:
    """Knows who hears what, and says what happened."""

    def __init__(self, place: Path, bus: Bus) -> None:
        self.bus = bus
        self.key = SigningKey("key-1", Ed25519PrivateKey.generate())
        self.rosters: dict[UUID, Roster] = {}
        self.questions = 0
        self.jwks = place / "jwks.json"
        self.jwks.write_text(json.dumps(public_jwks({self.key.kid: self.key.private.public_key()})))
        self._seq: dict[UUID, int] = {}
        self._server: asyncio.Server | None = None
        self._working: asyncio.Task[None] | None = None

    async def listen(self, port: int) -> None:
        """Open the internal door, and take in what nodes report."""
        self._working = asyncio.create_task(self._take_in())
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", port)

    async def close(self) -> None:
        """Close the door and the bus."""
        if self._server is not None:
            self._server.close()
        await self.bus.close()
        if self._working is not None:
            self._working.cancel()
            await asyncio.gather(self._working, return_exceptions=True)

    async def _take_in(self) -> None:
        async for delivery in self.bus.facts("app"):
            await delivery.committed()

    def ticket(self, account_id: UUID) -> str:
        """Leave to open one events socket."""
        return issue_events_ticket(
            EventsTicket(account_id=account_id, session_id=uuid4()),
            key=self.key,
            issuer=ISSUER,
            now=time.time(),
        )

    def stream(self, accounts: Sequence[UUID]) -> UUID:
        """A stream that these accounts hear."""
        made = uuid4()
        self.rosters[made] = Roster(
            stream=made, version=1, members={account: uuid4() for account in accounts}
        )
        return made

    def event(self, stream: UUID, data: dict[str, Any], kind: str = "message.posted") -> Envelope:
        """The next event of a stream."""
        seq = self._seq[stream] = self._seq.get(stream, 0) + 1
        message = {
            "type": "event",
            "stream": str(stream),
            "epoch": "e",
            "seq": seq,
            "kind": kind,
            "data": data,
        }
        return Envelope(
            stream=stream,
            epoch="e",
            seq=seq,
            roster_version=1,
            kind=kind,
            by=None,
            frame=json.dumps(message, separators=(",", ":")).encode(),
        )

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = int(head.partition("content-length: ")[2].split("\r\n")[0])
                ask = StandingAsk.model_validate_json(await reader.readexactly(length))
                self.questions += 1
                known = (self.rosters.get(stream) for stream in ask.streams)
                answer = StandingRead(
                    rosters=tuple(
                        roster or Roster(stream=stream, version=0, members={})
                        for stream, roster in zip(ask.streams, known, strict=True)
                    ),
                    ended_sessions=(),
                )
                body = answer.model_dump_json().encode()
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                    b"Content-Length: %d\r\n\r\n" % len(body) + body
                )
        writer.close()


class OneNode:
    """A signalling process of its own, with the stand-in for app and a private Valkey."""

    def __init__(self, place: Path, **environment: str) -> None:
        self.place = place
        place.mkdir(parents=True, exist_ok=True)
        self._valkey = PrivateValkey(place / "state", durable=False)
        self._more = environment
        self.port, self._door = free_ports(2)
        self.url = f"ws://127.0.0.1:{self.port}"
        self.log = place / "signalling.log"
        self.part: Part | None = None
        self._app: StandIn | None = None

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop()

    async def _start(self) -> None:
        url = await asyncio.to_thread(self._valkey.start)
        self._app = StandIn(self.place, open_bus(url))
        await self._app.listen(self._door)
        self.part = Part(
            name="signalling",
            command=[sys.executable, "-m", "signalling"],
            environment=self._environment(url),
            log=self.log,
            ready_url=f"http://127.0.0.1:{self.port}/readyz",
        )
        self.part.start()
        await asyncio.to_thread(self.part.wait_until_ready)
        async with asyncio.timeout(15):  # events are for later: first app must know that the node is there
            while not await self._lets_in():
                await asyncio.sleep(0.1)

    async def _lets_in(self) -> bool:
        wire = await Wire.open(self.port)
        try:
            return bool((await wire.hello(self.app.ticket(uuid4())))["type"] == "welcome")
        finally:
            wire.abort()

    async def _stop(self) -> None:
        if self.part is not None:
            await asyncio.to_thread(self.part.stop)
        if self._app is not None:
            await self._app.close()
        await asyncio.to_thread(self._valkey.stop)

    @property
    def app(self) -> StandIn:
        """App's side."""
        assert self._app is not None
        return self._app

    def _environment(self, valkey_url: str) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("MENTORSPAN_")}
        return {
            **inherited,
            "VALKEY_URL": valkey_url,
            "MENTORSPAN_STATE_DIR": str(self.place),
            "MENTORSPAN_PUBLIC_URL": ISSUER,
            "MENTORSPAN_NODE": NODE,
            "MENTORSPAN_SIGNALLING_PORT": str(self.port),
            "MENTORSPAN_SIGNALLING_PUBLIC_URL": self.url,
            "MENTORSPAN_INTERNAL_URLS": f"http://127.0.0.1:{self._door}",
            **self._more,
        }

    @property
    def pid(self) -> int:
        """The process number of the node."""
        assert self.part is not None
        return self.part.pid

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self.part is not None and not self.part.fell_over()

    def resident_bytes(self) -> int:
        """The memory of the process."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024

    def log_lines(self) -> int:
        """How much it has written."""
        return len(self.log.read_text(errors="replace").splitlines())


class Wire:
    """A WebSocket client of a few lines on a bare TCP socket: what it sends need not be lawful."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, port: int, path: str = "/events", receive_buffer: int = 0) -> "Wire":
        """Connect and shake hands."""
        raw = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        raw.setblocking(False)
        if receive_buffer:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        try:
            await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", port))
        except OSError:
            raw.close()
            raise
        reader, writer = await asyncio.open_connection(sock=raw, limit=2**16 if not receive_buffer else 2048)
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        try:
            answer = await reader.readuntil(b"\r\n\r\n")
        except BaseException:
            writer.transport.abort()
            raise
        if b" 101 " not in answer.split(b"\r\n")[0]:
            writer.transport.abort()
            raise ConnectionRefusedError(answer.split(b"\r\n")[0].decode())
        return cls(reader, writer)

    async def hello(self, ticket: str) -> dict[str, Any]:
        """Say hello and take the answer."""
        self.send(json.dumps({"type": "hello", "version": 1, "ticket": ticket}).encode())
        answer: dict[str, Any] = json.loads(await self.receive())
        return answer

    def send(self, payload: bytes, opcode: int = 1) -> None:
        """One masked frame (with a mask of zeros)."""
        self.writer.write(masked(payload, opcode))

    async def receive(self) -> bytes:
        """The payload of the next text frame; pings are answered."""
        while True:
            opcode, payload = await self.frame()
            if opcode == 1:
                return payload
            if opcode == 8:
                raise ConnectionAbortedError(int.from_bytes(payload[:2], "big"))
            if opcode == 9:
                self.send(payload, 10)

    async def frame(self) -> tuple[int, bytes]:
        """The next frame."""
        first, second = await self.reader.readexactly(2)
        length = second & 127
        if length == 126:
            length = int.from_bytes(await self.reader.readexactly(2), "big")
        elif length == 127:
            length = int.from_bytes(await self.reader.readexactly(8), "big")
        return first & 15, await self.reader.readexactly(length)

    def abort(self) -> None:
        """Go without a goodbye."""
        self.writer.transport.abort()


def masked(payload: bytes, opcode: int = 1, *, first: int | None = None) -> bytes:
    """A client's frame; its mask is zeros, which leaves the payload as it is."""
    head = bytes([0x80 | opcode if first is None else first])
    if len(payload) < 126:
        head += bytes([0x80 | len(payload)])
    elif len(payload) < 2**16:
        head += bytes([0x80 | 126]) + len(payload).to_bytes(2, "big")
    else:
        head += bytes([0x80 | 127]) + len(payload).to_bytes(8, "big")
    return head + bytes(4) + payload


@contextlib.asynccontextmanager
async def listening(node: OneNode, account_id: UUID) -> AsyncIterator[Wire]:
    """A welcomed events socket."""
    wire = await Wire.open(node.port)
    try:
        welcome = await wire.hello(node.app.ticket(account_id))
        assert welcome["type"] == "welcome", welcome
        yield wire
    finally:
        wire.abort()
