"""One WebSocket: what is written to it, and how it ends when the other side is dead, slow or silent."""

import asyncio
from typing import Any

from typing_extensions import override
from websockets.asyncio.server import Server, ServerConnection
from websockets.frames import CloseCode as WebSocketCode
from websockets.protocol import State
from websockets.server import ServerProtocol

from signalling.protocol.codes import CloseCode

# Waiting in our own memory for one reader; what the kernel holds comes on top (see `SEND_BUFFER_BYTES`).
OUTBOX_BYTES = 1024 * 1024
STALLED_SECONDS = 8.0
CLOSE_SECONDS = 2.0
BEATS_MISSED = 3


class Connection(ServerConnection):
    """A WebSocket that is written to without waiting.

    The transport's buffer is the outbox: a frame leaves in the same instant when the reader keeps up, and
    nobody ever waits for a slow reader. Whoever lets `OUTBOX_BYTES` pile up, or takes nothing for
    `STALLED_SECONDS`, is cut.
    """

    def __init__(self, protocol: ServerProtocol, server: Server, *, heartbeat: float, **options: Any) -> None:
        super().__init__(protocol, server, **options)
        self._heartbeat = heartbeat
        self._heard_at = self.loop.time()
        self._pushed = 0
        self._taken = 0
        self._taken_at = self.loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self._closing: asyncio.Task[None] | None = None
        fail = protocol.fail

        def fail_in_our_words(code: WebSocketCode | int, reason: str = "") -> None:
            too_large = code == WebSocketCode.MESSAGE_TOO_BIG
            fail(CloseCode.TOO_LARGE if too_large else code, reason)

        protocol.fail = fail_in_our_words  # type: ignore[method-assign]

    @override
    def data_received(self, data: bytes) -> None:
        self._heard_at = self.loop.time()
        super().data_received(data)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def watch(self) -> None:
        """Look after the socket from now on: pings, silence, stalls."""
        self._timer = self.loop.call_later(self._heartbeat, self._look)

    def push(self, frame: bytes) -> None:
        """Write a text frame now; a reader with too much waiting is cut instead."""
        if self.protocol.state is not State.OPEN or self._closing is not None:
            return
        if self.transport.get_write_buffer_size() + len(frame) > OUTBOX_BYTES:
            self.cut(CloseCode.TOO_SLOW)
            return
        self._pushed += len(frame)
        self.protocol.send_text(frame)
        self.send_data()

    def cut(self, code: CloseCode) -> None:
        """Close with this code; whoever does not answer the closing handshake is cut off."""
        if self._closing is None:
            self._closing = self.loop.create_task(self._cut(code))

    async def ended(self) -> None:
        """Wait for a cut to be through; otherwise the library would close first, with a code of its own."""
        if self._closing is not None:
            await self._closing

    async def _cut(self, code: CloseCode) -> None:
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.close(code, code.reason)
        except TimeoutError:
            self.transport.abort()

    def _look(self) -> None:
        if self.protocol.state is not State.OPEN:
            return
        now = self.loop.time()
        waiting = self.transport.get_write_buffer_size()
        taken = self._pushed - waiting
        if not waiting or taken > self._taken:
            self._taken, self._taken_at = taken, now
        if now - self._taken_at >= STALLED_SECONDS:
            self.transport.abort()
        elif now - self._heard_at > BEATS_MISSED * self._heartbeat:
            self.cut(CloseCode.HEARTBEAT_MISSED)
        else:
            self.protocol.send_ping(b"")
            self.send_data()
            self.watch()
