"""A lean HTTP/1.1 client: the load process shares two cores with everything that it loads."""

import asyncio
import contextlib
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

ANSWER_SECONDS = 20.0


class NoAnswer(ConnectionError):
    """Nobody answered: whether the request took effect is unknown."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    body: Any

    @property
    def ok(self) -> bool:
        """A 2xx."""
        return 200 <= self.status < 300


Wire = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Rest:
    """One server, spoken to over connections that are kept."""

    def __init__(self, url: str) -> None:
        self.url = url
        address = urlsplit(url)
        assert address.hostname is not None
        assert address.port is not None
        self._host, self._port = address.hostname, address.port
        self._idle: list[Wire] = []

    async def call(self, token: str, method: str, path: str, body: Any = None) -> Answer:
        """One request. Raises `NoAnswer`."""
        content = b"" if body is None else json.dumps(body).encode()
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: {self._host}\r\nAuthorization: Bearer {token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        wire: Wire | None = None
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                wire = self._kept() or await asyncio.open_connection(self._host, self._port)
                wire[1].write(head.encode() + content)
                answer, keep = await _read(wire[0])
        except (OSError, EOFError, ValueError, TimeoutError) as error:
            if wire is not None:
                wire[1].transport.abort()
            raise NoAnswer(f"{type(error).__name__}: {error}") from error
        except BaseException:
            if wire is not None:
                wire[1].transport.abort()
            raise
        if keep:
            self._idle.append(wire)
        else:
            wire[1].close()
        return answer

    def _kept(self) -> Wire | None:
        """A connection that the server has not closed meanwhile."""
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof() and not writer.is_closing():
                return reader, writer
            writer.close()
        return None

    async def ok(self, token: str, method: str, path: str, body: Any = None) -> Any:
        """The JSON of an answer that must be 2xx."""
        answer = await self.call(token, method, path, body)
        assert answer.ok, (method, path, answer)
        return answer.body

    def close(self) -> None:
        """Give the connections back."""
        for _, writer in self._idle:
            with contextlib.suppress(RuntimeError):
                writer.transport.abort()
        self._idle.clear()


async def _read(reader: asyncio.StreamReader) -> tuple[Answer, bool]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    first, *lines = head.split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines if ": " in line)
    content = await reader.readexactly(int(headers.get("content-length", "0")))
    return (
        Answer(int(first.split()[1]), json.loads(content) if content else None),
        headers.get("connection") != "close",
    )
