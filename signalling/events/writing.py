"""Frames on their way to many sockets: what waits for one socket leaves in one write."""

import asyncio
from collections.abc import Callable, Sequence

from signalling.connection import Connection, Turns

# While frames come faster than this, they wait so long for each other.
WINDOW_SECONDS = 0.005
# So much at once suits what the kernel holds for a socket.
FLUSH_BYTES = 64 * 1024


class Audience:
    """Sockets that are written to together, often again and again."""

    __slots__ = ("_ready", "_rest", "_turns", "links")

    def __init__(self, links: list[Connection]) -> None:
        self.links = links
        self._ready: list[Callable[[bytes], None]] = []
        self._rest: list[Connection] = []
        self._turns = -1

    def write(self, data: bytes) -> None:
        """The same bytes to every socket. The loop is most of what an event costs, so it looks at nothing."""
        if self._turns != Turns.count:
            self._turns = Turns.count
            self._ready = [link.write for link in self.links if link.ready]
            self._rest = [link for link in self.links if not link.ready]
        rest = list(self._rest)
        remaining = iter(self._ready)
        while True:
            try:
                for write in remaining:
                    write(data)
                break
            except RuntimeError:  # uvloop says so of a connection that broke a moment ago
                continue
        for link in rest:
            link.put(data)


class Writer:
    """Collects prepared frames, each with the sockets that it is for."""

    def __init__(self) -> None:
        self._rounds: list[tuple[Audience, bytes]] = []
        self._bytes = 0
        self._flushed_at = float("-inf")
        self._timer: asyncio.TimerHandle | None = None

    def put(self, audience: Audience, frame: bytes) -> None:
        """Collect a frame for these sockets."""
        self._rounds.append((audience, frame))
        self._bytes += len(frame)
        if self._bytes > FLUSH_BYTES:
            self.flush()

    def flush_soon(self) -> None:
        """Write at once when it was calm, else a moment after the last time."""
        if self._timer is not None or not self._rounds:
            return
        loop = asyncio.get_running_loop()
        since = loop.time() - self._flushed_at
        if since >= WINDOW_SECONDS:
            self.flush()
        else:
            self._timer = loop.call_later(WINDOW_SECONDS - since, self.flush)

    def flush(self) -> None:
        """Write everything now."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        rounds, self._rounds, self._bytes = self._rounds, [], 0
        if rounds:
            audience, frame = rounds[0]
            if len(rounds) == 1:
                audience.write(frame)
            elif all(other is audience for other, _ in rounds):
                audience.write(b"".join([frame for _, frame in rounds]))
            else:
                _write_to_each(rounds)
        self._flushed_at = asyncio.get_running_loop().time()


def _write_to_each(rounds: Sequence[tuple[Audience, bytes]]) -> None:
    touched: list[Connection] = []
    for audience, frame in rounds:
        for link in audience.links:
            if not link.queued:
                touched.append(link)
            link.queued.append(frame)
    for link in touched:
        link.flush()
