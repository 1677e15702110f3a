"""A stand-in for app's internal door: a small HTTP server that answers how streams and sessions stand."""

import asyncio
from collections.abc import Callable
from time import time
from uuid import UUID

from signalling.contracts.standing import PATH, Roster, StandingAsk, StandingRead
from signalling.contracts.tickets import TokenRefused, node_named_by, read_node_key, verify_node_token


class InternalDoor:
    """Answers what the test says, to nodes that sign with the key that they said is theirs."""

    def __init__(self, public_key: Callable[[str], str]) -> None:
        self.rosters: dict[UUID, Roster] = {}
        self.ended: set[UUID] = set()
        self.hidden: dict[UUID, int] = {}
        self.asks: list[StandingAsk] = []
        self.refused = 0
        self.connections = 0
        self.answers = asyncio.Event()
        self.answers.set()
        self.fails = False
        self._public_key = public_key
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def versions(self) -> dict[UUID, int]:
        """The version of each roster."""
        return {stream: roster.version for stream, roster in self.rosters.items()}

    @property
    def url(self) -> str:
        """Where nodes ask."""
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def let_hear(
        self, stream: UUID, *accounts: UUID, apart: tuple[tuple[UUID, UUID], ...] = (), people: bool = True
    ) -> dict[UUID, UUID | None]:
        """Say who hears a stream from now on, and by which memberships; the version rises."""
        version = self.rosters[stream].version + 1 if stream in self.rosters else 1
        before = self.rosters[stream].members if stream in self.rosters else {}
        members = {
            account: before.get(account) or (UUID(int=account.int ^ 1) if people else None)
            for account in accounts
        }
        self.rosters[stream] = Roster(stream=stream, version=version, members=members, apart=apart)
        return members

    async def open(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def close(self) -> None:
        """Stop, and cut whoever is connected."""
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            while True:
                status, body = await self._answer(reader)
                headers = f"Content-Type: application/json\r\nContent-Length: {len(body)}"
                writer.write(f"HTTP/1.1 {status} X\r\n{headers}\r\n\r\n".encode() + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader) -> tuple[int, bytes]:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lines = head.split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
        body = await reader.readexactly(int(headers["content-length"]))
        assert lines[0] == f"POST {PATH} HTTP/1.1"
        token = next(line for line in lines if line.startswith("Authorization: Bearer "))[22:]
        if self.fails:
            return 503, b"{}"
        try:
            node = node_named_by(token)
            verify_node_token(token, node=node, key=read_node_key(self._public_key(node)), now=time())
        except TokenRefused:
            self.refused += 1
            return 401, b"{}"
        ask = StandingAsk.model_validate_json(body)
        self.asks.append(ask)
        read = self._read(ask)
        await self.answers.wait()
        return 200, read.model_dump_json().encode()

    def _read(self, ask: StandingAsk) -> StandingRead:
        nobody = [Roster(stream=stream, version=0, members={}) for stream in ask.streams]
        return StandingRead(
            rosters=tuple(self.rosters.get(roster.stream, roster) for roster in nobody),
            ended_sessions=tuple(session for session in ask.sessions if session in self.ended),
            hidden_accounts=self.hidden if ask.sessions else {},
        )
