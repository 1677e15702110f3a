"""A node of a test's own, the app's side of it, and clients that speak the protocol from its document."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self
from uuid import UUID, uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from signalling.contracts.bus import Bus
from signalling.contracts.bus_memory import Exchange, MemoryBus
from signalling.contracts.calls import (
    Command,
    CommandDone,
    Fact,
    NodeAlive,
    ParticipantJoined,
    ParticipantLeft,
)
from signalling.contracts.envelope import Envelope, Hint
from signalling.contracts.tickets import (
    CallTicket,
    EventsTicket,
    SigningKey,
    issue_call_ticket,
    issue_events_ticket,
    public_jwks,
)
from signalling.hub import EngineFactory
from signalling.main import Node
from signalling.settings import Settings
from tests.signalling.internal_door import InternalDoor

ISSUER = "https://mentorspan.test"
ORIGIN = "https://mentorspan.test"
NODE = "node-1"
SDP = (
    "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=sendrecv\r\n"
)
CANDIDATE = {
    "candidate": "candidate:1 1 udp 2113937151 192.0.2.1 54400 typ host",
    "sdpMid": "0",
    "sdpMLineIndex": 0,
    "usernameFragment": "abcd",
}


class App:
    """App's side of the wall: it signs tickets, takes facts in, and sends commands."""

    def __init__(self, bus: Bus, directory: Path) -> None:
        self.bus = bus
        self.directory = directory
        self.key = SigningKey("key-1", Ed25519PrivateKey.generate())
        self.facts: list[Fact] = []
        self.commits = True
        self.door = InternalDoor(lambda node: self.public_key(node))
        self.seqs: dict[UUID, int] = {}
        self._news = asyncio.Condition()
        self.jwks = directory / "jwks.json"
        self.publish_keys(self.key)

    def publish_keys(self, *keys: SigningKey) -> None:
        """Write the JWK Set that nodes read."""
        self.jwks.write_text(json.dumps(public_jwks({key.kid: key.private.public_key() for key in keys})))

    def ticket(
        self, call_id: UUID, *, now: float | None = None, key: SigningKey | None = None, **other: Any
    ) -> str:
        """A ticket for somebody new, unless `other` says who.

        It is of the next second, because a node refuses those of the second in which it began.
        """
        claims: dict[str, Any] = {
            "account_id": uuid4(),
            "session_id": uuid4(),
            "membership_id": uuid4(),
            "call_id": call_id,
            "epoch": 1,
            "node": NODE,
            "name": "Amina Yusuf",
            "organisation": "Northside Care",
            "role": "mentor",
        }
        ticket = CallTicket.model_validate({**claims, **other})
        return issue_call_ticket(ticket, key=key or self.key, issuer=ISSUER, now=now or time.time() + 1)

    def events_ticket(
        self,
        account_id: UUID | None = None,
        *,
        now: float | None = None,
        key: SigningKey | None = None,
        **other: Any,
    ) -> str:
        """A ticket for the events of somebody new, unless it is said who.

        It is of the next second, because a node refuses those of the second in which app heard of it.
        """
        claims = {"account_id": account_id or uuid4(), "session_id": uuid4(), **other}
        ticket = EventsTicket.model_validate(claims)
        return issue_events_ticket(ticket, key=key or self.key, issuer=ISSUER, now=now or time.time() + 1)

    def public_key(self, node: str) -> str:
        """The key that a node said it has."""
        return next((said.public_key for said in reversed(self.alive()) if said.node == node), "")

    def next_event(
        self, stream: UUID, kind: str = "message.posted", *, by: UUID | None = None, **other: Any
    ) -> Envelope:
        """The next event of a stream, unless `seq` or `epoch` say otherwise."""
        seq = other.get("seq", self.seqs.get(stream, 0) + 1)
        self.seqs[stream] = max(seq, self.seqs.get(stream, 0))
        epoch = other.get("epoch", "one")
        data = other.get("data", {"id": str(uuid4())})
        event = {
            "type": "event",
            "stream": str(stream),
            "epoch": epoch,
            "seq": seq,
            "kind": kind,
            "data": data,
        }
        version = other.get("roster_version", self.door.versions.get(stream, 1))
        return Envelope(stream, epoch, seq, version, kind, by, json.dumps(event).encode())

    async def say(self, *hints: Hint) -> None:
        """Publish hints to every node."""
        await self.bus.publish_hints(hints)

    async def take_in(self) -> None:
        """What app's worker does: commit each fact, then say so."""
        async for delivery in self.bus.facts("app"):
            async with self._news:
                if delivery.fact.id not in {fact.id for fact in self.facts}:
                    self.facts.append(delivery.fact)
                self._news.notify_all()
            if self.commits:
                await delivery.committed()

    async def wait_for(self, found: Any, seconds: float = 5.0) -> Any:
        """The first truthy answer of `found()`, asked again at every fact."""
        async with asyncio.timeout(seconds), self._news:
            while not (answer := found()):
                await self._news.wait()
            return answer

    def joined(self) -> list[ParticipantJoined]:
        """Who came in."""
        return [fact for fact in self.facts if isinstance(fact, ParticipantJoined)]

    def left(self) -> list[ParticipantLeft]:
        """Who left, and why."""
        return [fact for fact in self.facts if isinstance(fact, ParticipantLeft)]

    def alive(self) -> list[NodeAlive]:
        """What nodes said about themselves."""
        return [fact for fact in self.facts if isinstance(fact, NodeAlive)]

    def done(self) -> list[UUID]:
        """Commands that were answered."""
        return [fact.command_id for fact in self.facts if isinstance(fact, CommandDone)]

    async def command(self, command: Command) -> None:
        """Send a command to the node."""
        await self.bus.publish_command(NODE, command)


class Client:
    """A client of the calls socket, written from `docs/protocol.md`."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.welcome: dict[str, Any] = {}
        self.last_seq = 0

    @property
    def id(self) -> str:
        """My participant id."""
        return str(self.welcome["participant_id"])

    async def send(self, type_: str, **fields: Any) -> None:
        """Send one message."""
        await self.socket.send(json.dumps({"type": type_, **fields}))

    async def next(self, type_: str | None = None, seconds: float = 3.0) -> dict[str, Any]:
        """The next message; its number must follow the last one."""
        async with asyncio.timeout(seconds):
            message: dict[str, Any] = json.loads(await self.socket.recv())
        if message["type"] == "welcome":
            self.last_seq = message["seq"]
        elif message["type"] != "pong" and self.welcome:
            assert message["seq"] == self.last_seq + 1, message
            self.last_seq = message["seq"]
        assert type_ is None or message["type"] == type_, message
        return message

    async def hello(self, *, audio: bool = True, video: bool = True, **entry: Any) -> Self:
        """Say hello with a ticket or a resume, and take the welcome."""
        await self.send("hello", version=1, media={"audio": audio, "video": video}, **entry)
        self.welcome = await self.next("welcome")
        return self

    async def resume_of(self, earlier: "Client") -> Self:
        """Go on with the stay of an earlier socket."""
        return await self.hello(
            resume={"token": earlier.welcome["resume_token"], "last_seq": earlier.last_seq}
        )

    async def offer(self, to: str, generation: int = 1, sdp: str = SDP) -> None:
        """Send an offer."""
        await self.send("offer", to=to, pc="direct", generation=generation, sdp=sdp)

    async def pong(self) -> None:
        """Ask for a pong and wait for it: everything sent before has been dealt with."""
        await self.send("ping")
        await self.next("pong")

    async def closed(self, seconds: float = 5.0) -> int:
        """Read to the end and return the close code."""
        async with asyncio.timeout(seconds):
            try:
                while True:
                    await self.socket.recv()
            except ConnectionClosed as closed:
                return closed.rcvd.code if closed.rcvd else 1006

    def vanish(self) -> None:
        """Lose the connection without a goodbye."""
        self.socket.transport.abort()


class Ear:
    """A client of the events socket, written from `docs/protocol.md`."""

    def __init__(self, socket: ClientConnection, account_id: UUID) -> None:
        self.socket = socket
        self.account_id = account_id
        self.welcome: dict[str, Any] = {}

    async def send(self, type_: str, **fields: Any) -> None:
        """Send one message."""
        await self.socket.send(json.dumps({"type": type_, **fields}))

    async def next(self, type_: str | None = None, seconds: float = 3.0) -> dict[str, Any]:
        """The next message."""
        async with asyncio.timeout(seconds):
            message: dict[str, Any] = json.loads(await self.socket.recv())
        assert type_ is None or message["type"] == type_, message
        return message

    async def hello(self, **entry: Any) -> Self:
        """Say hello and take the welcome."""
        await self.send("hello", version=1, **entry)
        self.welcome = await self.next("welcome")
        return self

    async def nothing(self) -> None:
        """Everything that was on its way has been read, and it was nothing."""
        await self.send("ping")
        await self.next("pong")

    async def seqs(self, count: int, seconds: float = 3.0) -> list[int]:
        """The numbers of the next events."""
        return [(await self.next("event", seconds))["seq"] for _ in range(count)]

    async def closed(self, seconds: float = 5.0) -> int:
        """Read to the end and return the close code."""
        async with asyncio.timeout(seconds):
            try:
                while True:
                    await self.socket.recv()
            except ConnectionClosed as closed:
                return closed.rcvd.code if closed.rcvd else 1006

    def vanish(self) -> None:
        """Lose the connection without a goodbye."""
        self.socket.transport.abort()


class World:
    """One node and its app."""

    def __init__(self, node: Node, app: App) -> None:
        self.node = node
        self.app = app
        self._open: list[ClientConnection] = []

    @property
    def address(self) -> str:
        """Where the node listens."""
        return f"127.0.0.1:{self.node.port}"

    async def open(self, call_id: UUID, **options: Any) -> Client:
        """Open a socket, saying nothing yet."""
        options.setdefault("origin", ORIGIN)
        socket = await connect(f"ws://{self.address}/calls/{call_id}", compression=None, **options)
        self._open.append(socket)
        return Client(socket)

    async def join(self, call_id: UUID, **ticket: Any) -> Client:
        """Open a socket and enter with a fresh ticket."""
        return await (await self.open(call_id)).hello(ticket=self.app.ticket(call_id, **ticket))

    async def open_events(self, account_id: UUID | None = None, **options: Any) -> Ear:
        """Open an events socket, saying nothing yet."""
        options.setdefault("origin", ORIGIN)
        socket = await connect(f"ws://{self.address}/events", compression=None, **options)
        self._open.append(socket)
        return Ear(socket, account_id or uuid4())

    async def listen(self, account_id: UUID | None = None, *, state: str = "online", **ticket: Any) -> Ear:
        """Open an events socket and enter with a fresh ticket."""
        ear = await self.open_events(account_id)
        return await ear.hello(ticket=self.app.events_ticket(ear.account_id, **ticket), state=state)

    async def pair(self, call_id: UUID) -> tuple[Client, Client]:
        """Two people in a call; the second has just come in."""
        first = await self.join(call_id)
        second = await self.join(call_id)
        await first.next("participant_joined")
        return first, second

    def forget(self) -> None:
        """Cut whatever sockets the test left open."""
        for socket in self._open:
            if not socket.transport.is_closing():
                socket.transport.abort()


def settings(directory: Path, **other: Any) -> Settings:
    """Settings of a node for tests, independent of the environment."""
    values: dict[str, Any] = {
        "valkey_url": "memory://",
        "mode": "production",
        "state_dir": directory,
        "public_url": ISSUER,
        "signalling_host": "127.0.0.1",
        "signalling_port": 0,
        "node": NODE,
        "resume_grace_seconds": 5.0,
        **other,
    }
    return Settings(**values)


@asynccontextmanager
async def running(
    directory: Path,
    *,
    buses: tuple[Bus, Bus] | None = None,
    engines: tuple[EngineFactory, ...] | None = None,
    **other: Any,
) -> AsyncIterator[World]:
    """A node and its app, on a bus inside this process unless `buses` (the node's, app's) are given."""
    exchange = Exchange()
    node_bus, app_bus = buses or (MemoryBus(exchange), MemoryBus(exchange))
    app = App(app_bus, directory)
    await app.door.open()
    other.setdefault("internal_urls", (app.door.url,))
    node = Node(settings(directory, **other), node_bus, engines=engines)
    taking_in = asyncio.create_task(app.take_in())
    await node.start()
    world = World(node, app)
    try:
        await app.wait_for(app.alive)
        async with asyncio.timeout(5):
            while app.commits and not (node.presence.known and node.events.hearing.live):
                await asyncio.sleep(0.001)
        yield world
    finally:
        world.forget()
        await node.drain()
        await app_bus.close()
        taking_in.cancel()
        await asyncio.gather(taking_in, return_exceptions=True)
        await app.door.close()


async def get(world: World, path: str, headers: str = "") -> tuple[int, Any]:
    """Ask the node's port by plain HTTP: the status, and the JSON if it is any."""
    reader, writer = await asyncio.open_connection("127.0.0.1", world.node.port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {world.address}\r\n{headers}\r\n".encode())
    async with asyncio.timeout(5):
        answer = (await reader.read()).decode()
    writer.close()
    await writer.wait_closed()
    head, _, text = answer.partition("\r\n\r\n")
    return int(head.split()[1]), json.loads(text) if "application/json" in head else text
