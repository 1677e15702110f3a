"""One WebSocket: what is written to it, and how it ends when the other side is dead, slow or silent."""

import asyncio
import random
from collections.abc import Callable
from typing import Any

from typing_extensions import override
from websockets.asyncio.server import Server, ServerConnection
from websockets.frames import CloseCode as WebSocketCode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from signalling.protocol.codes import CloseCode

# Waiting in our own memory for one reader; what the kernel holds comes on top (see `SEND_BUFFER_BYTES`).
OUTBOX_BYTES = 1024 * 1024
STALLED_SECONDS = 8.0
CLOSE_SECONDS = 2.0
BEATS_MISSED = 3


class Turns:
    """Counts how often any socket became ready, or ceased to be."""

    count = 0


def prepare(text: bytes) -> bytes:
    """A whole text frame as a server sends it (RFC 6455, section 5.2), the same bytes for every socket."""
    size = len(text)
    if size < 126:
        return b"\x81%c%b" % (size, text)
    if size < 65536:
        return b"\x81\x7e%b%b" % (size.to_bytes(2, "big"), text)
    return b"\x81\x7f%b%b" % (size.to_bytes(8, "big"), text)


class Connection(ServerConnection):
    """A WebSocket that is written to without waiting.

    The transport's buffer is the outbox: a frame leaves in the same instant when the reader keeps up, and
    nobody ever waits for a slow reader. Whoever lets `OUTBOX_BYTES` pile up, or takes nothing for
    `STALLED_SECONDS`, is cut. The library writes its own frames whole, so ours never come between.
    """

    def __init__(self, protocol: ServerProtocol, server: Server, *, heartbeat: float, **options: Any) -> None:
        super().__init__(protocol, server, **options)
        self.heartbeat = heartbeat
        self._ready = False
        self.write: Callable[[bytes], None]
        """The transport's own, which `put` calls after all its checks and a broadcast calls when `ready`."""
        self.queued: list[bytes] = []
        """Prepared frames that leave together at the next `flush`."""
        self._heard_at = self._taken_at = self._pinged_at = self.loop.time()
        self._asked_at = self._heard_at
        """When the first ping was sent of those that wait for an answer."""
        self._pushed = 0
        self._taken = 0
        self._timer: asyncio.TimerHandle | None = None
        self._closing: asyncio.Task[None] | None = None
        fail = protocol.fail

        def fail_in_our_words(code: WebSocketCode | int, reason: str = "") -> None:
            self.ready = False
            too_large = code == WebSocketCode.MESSAGE_TOO_BIG
            fail(CloseCode.TOO_LARGE if too_large else code, reason)

        protocol.fail = fail_in_our_words  # type: ignore[method-assign]

    # What the transport and the library tell

    @override
    def data_received(self, data: bytes) -> None:
        self._heard_at = self.loop.time()
        super().data_received(data)
        self._see_whether_ready()

    @override
    def eof_received(self) -> None:
        super().eof_received()
        self._see_whether_ready()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self.ready = False
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    @override
    def pause_writing(self) -> None:
        super().pause_writing()
        self.ready = False
        self._pushed, self._taken, self._taken_at = self.waiting, 0, self.loop.time()

    @override
    def resume_writing(self) -> None:
        super().resume_writing()
        self._see_whether_ready()

    @override
    async def close(self, code: WebSocketCode | int = WebSocketCode.NORMAL_CLOSURE, reason: str = "") -> None:
        self.ready = False
        await super().close(code, reason)

    # What others do with the socket

    @property
    def ready(self) -> bool:
        """Open, and nothing waits for the reader: `write` may be called."""
        return self._ready

    @ready.setter
    def ready(self, ready: bool) -> None:
        if ready is not self._ready:
            self._ready = ready
            Turns.count += 1

    @property
    def waiting(self) -> int:
        """How many bytes the reader has not taken from us yet."""
        return self.transport.get_write_buffer_size()

    def open(self) -> None:
        """The handshake is through."""
        self.write = self.transport.write
        # Sockets that came together need not be pinged together.
        self._pinged_at -= random.random() * self.heartbeat
        self._see_whether_ready()

    def watch(self) -> None:
        """Look after the socket from now on by a timer of its own."""
        self._timer = self.loop.call_later(self.heartbeat, self._look)

    def push(self, text: bytes) -> None:
        """Write a text frame now; a reader with too much waiting is cut instead."""
        self.queued.append(prepare(text))
        self.flush()

    def flush(self) -> None:
        """Write what is queued, in one go."""
        queued = self.queued
        data = queued[0] if len(queued) == 1 else b"".join(queued)
        queued.clear()
        self.put(data)

    def put(self, data: bytes) -> None:
        """Write whole prepared frames now; a reader with too much waiting is cut instead."""
        if self.protocol.state is not OPEN or self._closing is not None or self.transport.is_closing():
            return
        if self.waiting + len(data) > OUTBOX_BYTES:
            self.cut(CloseCode.TOO_SLOW)
            return
        self._pushed += len(data)
        self.transport.write(data)

    def cut(self, code: CloseCode) -> None:
        """Close with this code; whoever does not answer the closing handshake is cut off."""
        self.ready = False
        if self._closing is None:
            self._closing = self.loop.create_task(self._cut(code))

    def cut_off(self, code: CloseCode) -> None:
        """Close so that nothing which still waits here reaches the reader."""
        self.queued.clear()
        if self.waiting:
            self._abort()
        else:
            self.cut(code)

    async def ended(self) -> None:
        """Wait for a cut to be through; otherwise the library would close first, with a code of its own."""
        if self._closing is not None:
            await self._closing

    def look(self, now: float) -> None:
        """Ping when it is time; cut who is silent, and who takes nothing."""
        if self.protocol.state is not OPEN:
            return
        if self.paused and (taken := self._pushed - self.waiting) > self._taken:
            self._taken, self._taken_at = taken, now
        if self.paused and now - self._taken_at >= STALLED_SECONDS:
            self._abort()
        elif self._is_silent(now):
            self.cut(CloseCode.HEARTBEAT_MISSED)
        elif now - self._pinged_at >= self.heartbeat:
            if self._asked_at <= self._heard_at:
                self._asked_at = now
            self._pinged_at = now
            self.protocol.send_ping(b"")
            self.send_data()

    def _is_silent(self, now: float) -> bool:
        # Where we stood still ourselves nobody could answer: they are asked first.
        was_asked = self._asked_at > self._heard_at and now - self._asked_at >= self.heartbeat
        return was_asked and now - self._heard_at > BEATS_MISSED * self.heartbeat

    def _see_whether_ready(self) -> None:
        self.ready = (
            self.protocol.state is OPEN
            and self._closing is None
            and not self.paused
            and not self.transport.is_closing()
        )

    async def _cut(self, code: CloseCode) -> None:
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.close(code, code.reason)
        except TimeoutError:
            self._abort()

    def _abort(self) -> None:
        self.ready = False
        self.transport.abort()

    def _look(self) -> None:
        self._pinged_at = float("-inf")
        self.look(self.loop.time())
        if self.protocol.state is OPEN and self._closing is None and not self.transport.is_closing():
            self.watch()
