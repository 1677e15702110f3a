"""A client of the events socket, from the protocol document: what its user's eye would see, written down."""

import asyncio
import contextlib
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from tests.streams.cast import Device
from tests.streams.rest import NoAnswer, Rest
from tests.streams.sight import Sight

GAP_SECONDS = 0.3
POLL_SECONDS = 60.0
BLIND_POLL_SECONDS = 10.0
OPEN_SECONDS = 6.0
_TROUBLE = (OSError, WebSocketException, TimeoutError, NoAnswer)


class Closed(NamedTuple):
    """How a socket ended, and when."""

    code: int
    at: float


class NotLetIn(Exception):
    """The server did not let the socket in; the code says whether to come back."""

    def __init__(self, code: str, close: int | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.close = close


@dataclass
class Reader:
    """One device that stays connected, whatever happens, until it is stopped or signed out."""

    device: Device
    apps: list[Rest]
    dice: random.Random
    gone: dict[str, float] = field(default_factory=dict)
    closes: list[Closed] = field(default_factory=list)
    signed_out: bool = False
    watch: Callable[[dict[str, Any]], None] | None = None
    """Hears every frame of the socket as it comes."""
    open_timeout: float = OPEN_SECONDS

    def __post_init__(self) -> None:
        self.sight = Sight(self._ask_to_sync, lambda stream: self._spawn(self._fill(stream)))
        self.ready = asyncio.Event()
        self._socket: ClientConnection | None = None
        self._resume: tuple[str, str] | None = None  # where, and the token
        self._stopping = False
        self._syncing = False
        self._again = False
        self._blind = False
        self._away = 0.0
        self._buffer: list[dict[str, Any]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._main: asyncio.Task[None] | None = None

    # From outside

    def start(self) -> None:
        """Connect and stay connected."""
        self._main = asyncio.create_task(self._run())
        self._spawn(self._poll())

    async def stop(self) -> None:
        """Close."""
        self._stopping = True
        for task in [*self._tasks, *([self._main] if self._main else [])]:
            task.cancel()
        await asyncio.gather(*self._tasks, *([self._main] if self._main else []), return_exceptions=True)
        self._drop()

    @property
    def connected(self) -> bool:
        """Whether a socket is open and was welcomed."""
        return self._socket is not None

    def cut(self, away: float = 0.0) -> bool:
        """Lose the connection without a goodbye, and the network for a while; False when there is none."""
        if self._socket is None:
            return False
        self.sight.count.cuts += 1
        self._away = away
        self._socket.transport.abort()
        return True

    # The socket

    async def _run(self) -> None:
        tries = 0
        while not self._stopping and not self.signed_out:
            try:
                await self._open()
                tries = 0
                await self._listen()
            except NotLetIn as refusal:
                self._not_let_in(refusal)
            except _TROUBLE:
                self._resume = self._resume if tries == 0 else None
            finally:
                self._drop()
            tries += 1
            if not self.signed_out:
                away, self._away = self._away, 0.0
                await asyncio.sleep(away + min(0.1 * 2**tries, 2.0) * self.dice.uniform(0.5, 1.0))

    def _not_let_in(self, refusal: NotLetIn) -> None:
        if self._resume is not None:
            self.sight.count.refused_resumes += 1
        self._resume = None
        if refusal.code in ("session_ended", "removed"):
            self.signed_out = True
            self.closes.append(Closed(refusal.close or 401, time.time()))

    def _drop(self) -> None:
        if self._socket is not None:
            self._socket.transport.abort()
        self._socket = None
        self._buffer.clear()
        self.sight.held.clear()
        self.ready.clear()

    async def _open(self) -> None:
        entry: dict[str, Any]
        resuming = self._resume is not None
        if self._resume is not None:
            url, token = self._resume
            entry = {"resume": {"token": token}}
        else:
            answer = await self._ask("POST", "/v1/events/ticket")
            url, entry = answer["socket_url"], {"ticket": answer["ticket"]}
        async with asyncio.timeout(self.open_timeout):
            socket = await connect(
                url, compression=None, ping_interval=None, max_queue=None, proxy=None, open_timeout=None
            )
            try:
                await socket.send(json.dumps({"type": "hello", "version": 1, **entry}))
                welcome = await self._welcome(socket)
            except BaseException:
                socket.transport.abort()
                raise
        self._resume = (url, welcome["resume_token"])
        self._blind = not welcome["live"]
        self.sight.count.connects += 1
        self.sight.count.resumes += resuming
        self._socket = socket
        self._ask_to_sync()
        self._spawn(self._beat(socket, welcome["heartbeat_seconds"]))

    async def _welcome(self, socket: ClientConnection) -> dict[str, Any]:
        try:
            message: dict[str, Any] = json.loads(await socket.recv())
            if message["type"] == "welcome":
                return message
            refusal = NotLetIn(str(message.get("code", message["type"])))
            with contextlib.suppress(ConnectionClosed):
                await socket.recv()
            raise NotLetIn(refusal.code, socket.close_code)
        except ConnectionClosed:
            if socket.close_code == 4503:
                raise NotLetIn("removed", 4503) from None
            raise

    async def _listen(self) -> None:
        assert self._socket is not None
        socket = self._socket
        try:
            while True:
                self._hear(json.loads(await socket.recv(decode=False)))
        except ConnectionClosed:
            code = socket.close_code or 1006
            self.closes.append(Closed(code, time.time()))
            if code == 4503:
                self.signed_out = True

    def _hear(self, message: dict[str, Any]) -> None:
        if self.watch is not None:
            self.watch(message)
        match message["type"]:
            case "event":
                if self._syncing:
                    self._buffer.append(message)
                else:
                    self.sight.take(message)
            case "sync":
                self.sight.count.told_to_sync += 1
                self._spawn(self._sync_after(self.dice.uniform(0, 1)))
            case "live":
                self._blind = not message["live"]

    async def _beat(self, socket: ClientConnection, seconds: float) -> None:
        with contextlib.suppress(ConnectionClosed):
            while self._socket is socket:
                await asyncio.sleep(seconds)
                await socket.send('{"type":"ping"}')

    # Sync

    def _ask_to_sync(self) -> None:
        if self._syncing:
            self._again = True
        else:
            self._syncing = True
            self._spawn(self._sync())

    async def _fill(self, stream: str) -> None:
        await asyncio.sleep(GAP_SECONDS)
        self.sight.fill(stream)

    async def _sync_after(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self._ask_to_sync()

    async def _poll(self) -> None:
        waited = 0.0
        while True:
            await asyncio.sleep(1.0)
            waited += 1.0
            if waited >= (BLIND_POLL_SECONDS if self._blind else POLL_SECONDS):
                waited = 0.0
                self.sight.polled = not self._syncing
                self._ask_to_sync()

    async def _sync(self) -> None:
        self.sight.count.syncs += 1
        pause = 0.1
        while True:
            self._again = False
            try:
                more = await self._sync_once()
            except NoAnswer:
                await asyncio.sleep(pause * self.dice.uniform(0.5, 1.0))
                pause = min(pause * 2, 2.0)
                continue
            except NotLetIn as refusal:
                self._not_let_in(refusal)
                self._syncing = False
                return
            if not (more or self._again):
                break
        self._syncing = self.sight.polled = False
        buffered, self._buffer = self._buffer, []
        held, self.sight.held = self.sight.held, {}
        for event in (*(event for waiting in held.values() for event in waiting.values()), *buffered):
            self.sight.take(event)
        if self._socket is not None:
            self.ready.set()

    async def _sync_once(self) -> bool:
        self.sight.count.sync_requests += 1
        asked = dict(self.sight.cursors)
        body = {
            "cursors": [{"stream": stream, "epoch": at.epoch, "seq": at.seq} for stream, at in asked.items()],
            "limit": 500,
        }
        answer = await self._ask("POST", "/v1/sync", body)
        for stream in answer["gone"]:
            self.sight.cursors.pop(stream, None)
            self.gone[stream] = time.time()
        for stream in answer["streams"]:
            self.sight.apply(stream)
        return any(stream["limited"] for stream in answer["streams"])

    async def _ask(self, method: str, path: str, body: Any = None) -> Any:
        """Ask one app, then the other. Raises `NoAnswer`, or `NotLetIn` once signed out."""
        first = self.dice.randrange(len(self.apps))
        for app in (*self.apps[first:], *self.apps[:first]):
            with contextlib.suppress(NoAnswer):
                answer = await app.call(self.device.token, method, path, body)
                if answer.ok:
                    return answer.body
                if answer.status == 401:
                    raise NotLetIn("session_ended")
        raise NoAnswer(path)

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
