"""The whole product as its operator runs it, for tests that drive it from outside."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from app.core.engines import PrivatePostgres, PrivateValkey, libpq_url

COMMAND = Path(sys.executable).with_name("mentorspan")
START_SECONDS = 90


@dataclass(frozen=True, slots=True)
class Served:
    """A running Mentorspan."""

    url: str
    signalling_url: str
    database_url: str
    valkey_url: str
    log: Path
    pid: int
    recordings: Path

    def rows(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """What the database holds."""
        with psycopg.connect(libpq_url(self.database_url)) as connection:
            return connection.execute(statement.encode(), parameters).fetchall()


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def serving(state: Path, **environment: str) -> Iterator[Served]:
    """`mentorspan serve --development` on free ports, with engines that the caller can look into."""
    postgres, valkey = PrivatePostgres(state, durable=False), PrivateValkey(state, durable=False)
    app_port, signalling_port, internal_port = free_port(), free_port(), free_port()
    log = state / "serve.log"
    try:
        database_url, valkey_url = postgres.start(), valkey.start()
        settings = {
            "DATABASE_URL": database_url,
            "VALKEY_URL": valkey_url,
            "MENTORSPAN_STATE_DIR": str(state),
            "MENTORSPAN_RECORDINGS": str(state / "recordings"),
            "MENTORSPAN_APP_PORT": str(app_port),
            "MENTORSPAN_SIGNALLING_PORT": str(signalling_port),
            "MENTORSPAN_INTERNAL_PORT": str(internal_port),
            **environment,
        }
        with log.open("wb") as output:
            process = subprocess.Popen(
                [COMMAND, "serve", "--development"],
                env={**os.environ, **settings},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            try:
                url, sockets = f"http://localhost:{app_port}", f"http://localhost:{signalling_port}"
                for address in (url, sockets):
                    _wait(process, f"{address}/readyz", log)
                yield Served(url, sockets, database_url, valkey_url, log, process.pid, state / "recordings")
            finally:
                process.send_signal(signal.SIGINT)
                process.wait(30)
    finally:
        valkey.stop()
        postgres.stop()


def _wait(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            urllib.request.urlopen(address, timeout=5).read()
            return
        time.sleep(0.1)
    raise AssertionError(f"{address} did not become ready:\n{log.read_text()}")
