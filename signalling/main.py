"""Runs a signalling node: `python -m signalling`."""

import asyncio
import contextlib
import gc
import logging
import signal
import socket
import ssl
import sys
import time
from collections.abc import Awaitable, Callable, Iterable

import structlog
from websockets.asyncio.server import Server, serve

from signalling.admissions import Admissions
from signalling.contracts.bus import Bus
from signalling.contracts.bus_open import open_bus
from signalling.contracts.tickets import node_public_key
from signalling.events.doorbell import Doorbell
from signalling.events.hub import EventsHub
from signalling.facts import FactKeeper
from signalling.gateway import Gateway, options
from signalling.hub import EngineFactory, Hub
from signalling.journal import Journal, JournalBusy
from signalling.keys import KeyStore
from signalling.media.direct import DirectEngine
from signalling.media.embedded.engine import EmbeddedEngine
from signalling.media.port import Outlet
from signalling.node_key import load_node_key
from signalling.presence import Presence, for_ever
from signalling.protocol.codes import CloseCode
from signalling.protocol.room import Room
from signalling.settings import Settings

# The kernel frees a connection whose peer acknowledges nothing for this long.
USER_TIMEOUT_SECONDS = 8
# What the kernel holds for one reader; without it a stalled one costs megabytes.
SEND_BUFFER_BYTES = 128 * 1024
TIDY_SECONDS = 5.0
QUALITY_SECONDS = 60.0
DRAIN_SECONDS = 3.0

log = structlog.get_logger()


def engines_of(settings: Settings) -> tuple[EngineFactory, ...]:
    """Those that carry calls here."""

    def embedded(outlet: Outlet) -> EmbeddedEngine:
        return EmbeddedEngine(
            outlet,
            host=settings.media_host,
            port=settings.media_port or 0,
            addresses=settings.media_addresses,
            recordings=settings.recordings,
        )

    return (DirectEngine, embedded)


class Node:
    """One signalling node: its bus, its calls, its port."""

    def __init__(
        self,
        settings: Settings,
        bus: Bus,
        *,
        engines: Iterable[EngineFactory] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.bus = bus
        self.facts = FactKeeper(bus, settings.node, Journal(settings.state_dir, settings.node))
        self.keys = KeyStore(settings.jwks)
        key = load_node_key(settings.state_dir, settings.node)
        self.presence = Presence(
            settings, bus, self.facts, self.keys, public_key=node_public_key(key), clock=clock
        )
        self.admissions = Admissions(
            settings, self.keys, self.presence.why_not, lambda: self.presence.known_since, clock=clock
        )
        carrying = engines_of(settings) if engines is None else engines
        self.hub = Hub(settings, self.admissions, self.facts, carrying, clock=clock)
        self.doorbell = Doorbell(settings.internal_urls, settings.node, key, clock=clock)
        self.events = EventsHub(
            settings, self.admissions, bus, self.doorbell, self.hub, known=lambda: self.presence.known
        )
        self.gateway = Gateway(settings, self.hub, self.events, self.presence)
        self.port = settings.signalling_port
        self._settings = settings
        self._server: Server | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Open the port and begin to speak to the bus. Raises `JournalBusy`, `OSError`."""
        self.facts.recover()
        await self.hub.open()
        listener = _listen(self._settings.signalling_host, self.port)
        self.port = listener.getsockname()[1]
        if not self._settings.signalling_port:
            self.presence.url = f"ws://{self._settings.signalling_host}:{self.port}"
        tls = _tls(self._settings)
        self._server = await serve(**options(self._settings, self.gateway), sock=listener, ssl=tls)
        # Usually both are there, and the node is ready at once.
        await asyncio.gather(self.keys.refresh(), self.presence.confirm())
        parts: dict[str, Callable[[], Awaitable[None]]] = {
            "bus": self.presence.watch_bus,
            "keys": self.presence.watch_keys,
            "alive": lambda: self.presence.announce(self._live),
            "leases": lambda: self.presence.renew_leases(self._live),
            "facts": self.facts.send,
            "acknowledgements": self.facts.listen,
            "commands": self._obey,
            "tidy": self._tidy,
            "quality": self._report_quality,
            **self.events.parts,
        }
        self._tasks = [asyncio.create_task(for_ever(name, part), name=name) for name, part in parts.items()]
        log.info("listening", host=self._settings.signalling_host, port=self.port, node=self._settings.node)

    async def drain(self) -> None:
        """Stop: say so, let everybody go, report it, and close."""
        self.presence.draining = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await self.presence.say_alive(len(self._live()))
        self.events.stop()
        await self.hub.stop()
        if self._server is not None:
            self._server.close(code=CloseCode.GOING_AWAY, reason=CloseCode.GOING_AWAY.reason)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DRAIN_SECONDS):
                    await self._server.wait_closed()
        if not await self.facts.settled(DRAIN_SECONDS):
            log.warning("facts_not_confirmed", count=len(self.facts))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.doorbell.close()
        await self.hub.close()
        self.facts.close()
        await self.bus.close()

    def _live(self) -> list[Room]:
        return [room for room in self.hub.rooms.values() if room.peers]

    async def _obey(self) -> None:
        async for command in self.bus.commands(self._settings.node):
            self.events.obey(command)
            await self.hub.obey(command)

    async def _tidy(self) -> None:
        while True:
            await asyncio.sleep(TIDY_SECONDS)
            self.hub.tidy()
            self.admissions.tidy()

    async def _report_quality(self) -> None:
        while True:
            await asyncio.sleep(QUALITY_SECONDS)
            self.hub.report_quality()


async def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; a second one ends at once."""
    node = Node(settings, open_bus(settings.valkey_url))
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lambda: sys.exit(1) if stop.is_set() else stop.set())
    await node.start()
    gc.collect()
    gc.freeze()  # what is there now stays; looking through it again and again would hold up every socket
    await stop.wait()
    log.info("draining")
    await node.drain()


def main() -> None:
    """Read the settings and run."""
    settings = Settings()
    _configure_logging(settings)
    if settings.valkey_url is None:
        sys.exit("VALKEY_URL is not set: without a bus, signalling and app cannot hear each other.")
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(run(settings))
    except JournalBusy as busy:
        sys.exit(str(busy))
    except (OSError, RuntimeError) as error:
        sys.exit(f"Cannot start: {error}")


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - optional: not every platform has it
    except ImportError:
        return None
    return uvloop.new_event_loop


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket whose options every accepted connection inherits. Raises `OSError`."""
    family, kind, protocol, _, address = socket.getaddrinfo(
        host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_SECONDS * 1000)
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise OSError(f"Cannot listen on {host}:{port}: {error}") from error
    return listener


def _tls(settings: Settings) -> ssl.SSLContext | None:
    if settings.tls_cert is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(settings.tls_cert, settings.tls_key)
    return context


def _configure_logging(settings: Settings) -> None:
    level = getattr(logging, settings.log_level.upper())
    logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s")
    # Otherwise anybody who sends nonsense to the port writes tracebacks into our log.
    logging.getLogger("websockets").setLevel(logging.CRITICAL)
    last: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        if settings.mode == "development"
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
