"""The real services with engines of their own, in processes of their own."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx2

from app import demo
from app.core import migrate
from app.core.engines import PrivatePostgres, PrivateValkey
from tests.independent.priority import goes_first

COMMAND = Path(sys.executable).with_name("mentorspan")
PARTS = ("app", "worker", "signalling")


def _free_ports(count: int) -> list[int]:
    held = [socket.socket() for _ in range(count)]
    try:
        for each in held:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in held]
    finally:
        for each in held:
            each.close()


class Services:
    """app, worker and signalling, on free ports, with the demonstration people in an empty database."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._postgres = PrivatePostgres(place / "postgres", durable=False)
        self._valkey = PrivateValkey(place / "valkey")
        self._environment: dict[str, str] = {}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.app_port, self.signalling_port, self._internal_port = _free_ports(3)
        self.url = f"http://localhost:{self.app_port}"

    async def start(self) -> None:
        database_url = self._postgres.start()
        valkey_url = self._valkey.start()
        migrate.upgrade(database_url)
        await demo.seed(database_url)
        self._environment = {k: v for k, v in os.environ.items() if not k.startswith("MENTORSPAN_")} | {
            "DATABASE_URL": database_url,
            "VALKEY_URL": valkey_url,
            "MENTORSPAN_MODE": "development",
            "MENTORSPAN_STATE_DIR": str(self._place),
            "MENTORSPAN_APP_PORT": str(self.app_port),
            "MENTORSPAN_INTERNAL_PORT": str(self._internal_port),
            "MENTORSPAN_INTERNAL_URLS": f"http://127.0.0.1:{self._internal_port}",
            "MENTORSPAN_PUBLIC_URL": self.url,
            "MENTORSPAN_SIGNALLING_PORT": str(self.signalling_port),
            "MENTORSPAN_SIGNALLING_PUBLIC_URL": f"ws://localhost:{self.signalling_port}",
        }
        for part in PARTS:
            self._launch(part)
        for port in (self.app_port, self.signalling_port):
            self._wait_until_ready(port)

    def _launch(self, part: str) -> None:
        with (self._place / f"{part}.log").open("ab") as log:
            self._processes[part] = subprocess.Popen(
                [COMMAND, part],
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=part == "signalling",
            )
        if part == "signalling":
            # In life a node shares its cores with no participants; here they would keep it from answering.
            goes_first(self._processes[part].pid)

    def kill_signalling(self) -> None:
        """Ends the signalling node as a power cut does: nobody is told, and it saves nothing."""
        self._processes["signalling"].kill()
        self._processes["signalling"].wait()

    async def start_signalling_again(self) -> None:
        self._launch("signalling")
        await asyncio.to_thread(self._wait_until_ready, self.signalling_port)

    def _wait_until_ready(self, port: int) -> None:
        url = f"http://127.0.0.1:{port}/readyz"
        deadline = time.monotonic() + 90
        with httpx2.Client(trust_env=False, timeout=2) as http:
            while True:
                try:
                    if http.get(url).is_success:
                        return
                except httpx2.TransportError:
                    pass
                if time.monotonic() > deadline or any(p.poll() is not None for p in self._processes.values()):
                    raise RuntimeError(f"{url} does not get ready.\n{self.logs()}")
                time.sleep(0.1)

    def logs(self) -> str:
        return "\n".join(f"--- {p}\n{(self._place / f'{p}.log').read_text()[-3000:]}" for p in PARTS)

    def stop(self) -> None:
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._valkey.stop()
        self._postgres.stop()
