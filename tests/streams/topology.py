"""The product as real processes that a test may kill: two app, one worker, two signalling, two engines."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from app.core import migrate
from app.core.crypto import KeyRing, load_keys
from app.core.engines import PrivatePostgres, PrivateValkey, libpq_url
from app.core.processes import stop, the_watchdog

COMMAND = Path(sys.executable).with_name("mentorspan")
START_SECONDS = 240.0  # on a machine with much else to do
STOP_STEPS: list[tuple[int, float]] = [(signal.SIGTERM, 10.0)]
APPS = ("app-1", "app-2")
NODES = ("signalling-1", "signalling-2")
ENGINES = ("postgres", "valkey")
ISSUER = "http://mentorspan.test"


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on, all different."""
    held = [socket.socket() for _ in range(count)]
    try:
        for each in held:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in held]
    finally:
        for each in held:
            each.close()


def is_ready(url: str) -> bool:
    """Whether a service says that it is ready."""
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


@dataclass
class Part:
    """One process of the product."""

    name: str
    command: list[str]
    environment: dict[str, str]
    log: Path
    ready_url: str | None = None
    process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    def start(self) -> None:
        """Start it, in a session of its own, guarded against our sudden death."""
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=self.environment,
                start_new_session=True,
            )
        the_watchdog().guard(self.process.pid, signal.SIGKILL)

    def kill(self) -> None:
        """End it as a crash would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)
        the_watchdog().release(self.process.pid)

    def stop(self) -> None:
        """End it in order."""
        if self.process is not None:
            stop(self.process, STOP_STEPS)
            self.process = None

    @property
    def pid(self) -> int:
        """Its process number."""
        assert self.process is not None
        return self.process.pid

    def fell_over(self) -> bool:
        """Whether it ended without our doing."""
        return self.process is not None and self.process.poll() is not None

    def wait_until_ready(self) -> None:
        """Return when it answers."""
        deadline = time.monotonic() + START_SECONDS
        while self.ready_url is not None and not is_ready(self.ready_url):
            if self.fell_over() or time.monotonic() > deadline:
                assert self.process is not None
                how = f"{self.name} does not get ready (exit code {self.process.poll()})"
                self.process.send_signal(signal.SIGABRT)  # it writes where it stands
                self.process.wait(10)
                raise AssertionError(f"{how}:\n{self.log.read_text()[-4000:]}")
            time.sleep(0.05)


class Topology:
    """Starts everything on one machine, and kills and restarts what a test names."""

    def __init__(self, place: Path, **environment: str) -> None:
        self.place = place
        self.state = place / "state"
        self.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        # As an operator runs them: what is acknowledged must outlive the engine's own death.
        self._engines: dict[str, PrivatePostgres | PrivateValkey] = {
            "postgres": PrivatePostgres(self.state),
            "valkey": PrivateValkey(self.state),
        }
        ports = free_ports(6)
        self._ports = dict(zip((*APPS, *NODES), ports[:4], strict=True))
        self._internal = dict(zip(APPS, ports[4:], strict=True))
        self._more = environment
        self.urls = [f"http://127.0.0.1:{self._ports[name]}" for name in APPS]
        self.database_url = self.valkey_url = ""
        self.parts: dict[str, Part] = {}
        self.keys: KeyRing = load_keys(self.state / "keys")
        self._locks = {name: asyncio.Lock() for name in (*ENGINES, *APPS, *NODES, "worker")}

    @property
    def node_ports(self) -> list[int]:
        """Where the signalling processes listen."""
        return [self._ports[name] for name in NODES]

    def start(self, fault: str = "") -> None:
        """Start the engines, migrate, start the parts, and wait until all of them are ready."""
        self.database_url = self._engines["postgres"].start()
        self.valkey_url = self._engines["valkey"].start()
        migrate.upgrade(self.database_url)
        for name in (*APPS, "worker", *NODES):
            self.parts[name] = self._part(name, fault)
            self.parts[name].start()
        for part in self.parts.values():
            part.wait_until_ready()

    def stop(self) -> None:
        """Stop everything; the data go with the test's directory."""
        for part in reversed(self.parts.values()):
            part.stop()
        for engine in reversed(self._engines.values()):
            engine.stop()

    async def strike(self, name: str, pause: float) -> None:
        """Kill -9, wait, start again, and wait until it is ready."""
        async with self._locks[name]:
            await asyncio.to_thread(self.kill, name)
            await asyncio.sleep(pause)
            await asyncio.to_thread(self.start_again, name)

    def kill(self, name: str) -> None:
        """End an engine or a part as a crash would."""
        if name not in self._engines:
            self.parts[name].kill()
            return
        process = self._engines[name]._process
        assert process is not None
        # Its helpers with it: PostgreSQL's own processes would else write down what is in their hands.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)

    def start_again(self, name: str) -> None:
        """Start what was killed."""
        if name in self._engines:
            self._engines[name].stop()
            self._engines[name].start()
        else:
            self.parts[name].start()
            self.parts[name].wait_until_ready()

    def rows(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """What the database holds."""
        with psycopg.connect(libpq_url(self.database_url)) as connection:
            return connection.execute(statement.encode(), parameters).fetchall()

    def log_tails(self, length: int = 1500) -> str:
        """The end of every log, for a person who wants to know why."""
        return "\n".join(
            f"--- {part.name}\n{part.log.read_text(errors='replace')[-length:]}"
            for part in self.parts.values()
        )

    def _part(self, name: str, fault: str) -> Part:
        kind = name.partition("-")[0]
        program = [str(COMMAND), kind]
        if fault:
            program = [sys.executable, "-m", "tests.streams.planted", fault, kind]
        port = self._ports.get(name)
        return Part(
            name=name,
            command=program,
            environment={**self._common(), **self._own(name)},
            log=self.place / f"{name}.log",
            ready_url=f"http://127.0.0.1:{port}/readyz" if port else None,
        )

    def _common(self) -> Mapping[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("MENTORSPAN_")}
        internal = ",".join(f"http://127.0.0.1:{port}" for port in self._internal.values())
        return {
            **inherited,
            "DATABASE_URL": self.database_url,
            "VALKEY_URL": self.valkey_url,
            "MENTORSPAN_STATE_DIR": str(self.state),
            "MENTORSPAN_PUBLIC_URL": ISSUER,
            "MENTORSPAN_INTERNAL_URLS": internal,
            "MENTORSPAN_LOG_LEVEL": "warning",
            "PYTHONFAULTHANDLER": "1",
            "MENTORSPAN_MESSAGES_PER_MINUTE": "100000",  # a few write what in life many do
            **self._more,
        }

    def _own(self, name: str) -> dict[str, str]:
        if name in APPS:
            return {
                "MENTORSPAN_APP_PORT": str(self._ports[name]),
                "MENTORSPAN_INTERNAL_PORT": str(self._internal[name]),
            }
        if name in NODES:
            return {
                "MENTORSPAN_NODE": name,
                "MENTORSPAN_SIGNALLING_PORT": str(self._ports[name]),
                "MENTORSPAN_SIGNALLING_PUBLIC_URL": f"ws://127.0.0.1:{self._ports[name]}",
            }
        return {}
