"""`mentorspan serve`, whole: engines, children, and every way in which it ends."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from app import probes
from app.settings import Settings
from tests.frontdoor.house import ROOT

pytestmark = pytest.mark.slow
READY_SECONDS = 60.0


def eventually(true: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


class Place:
    """A state directory and two ports, and runs in it."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.log = state.with_suffix(".log")
        with socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", 0))
            two.bind(("127.0.0.1", 0))
            ports = one.getsockname()[1], two.getsockname()[1]
        self.settings = Settings(app_port=ports[0], signalling_port=ports[1])
        ours = ("MENTORSPAN_", "DATABASE_URL", "VALKEY_URL")
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith(ours)
        } | {
            "MENTORSPAN_APP_PORT": str(ports[0]),
            "MENTORSPAN_SIGNALLING_PORT": str(ports[1]),
            "MENTORSPAN_STATE_DIR": str(state),
            "COLUMNS": "200",
        }

    def start(self, *words: str) -> "subprocess.Popen[bytes]":
        """Begin to serve; what it says is in `said`."""
        with self.log.open("wb") as log:
            command = [sys.executable, "-m", "app.cli", "serve", "--development", *words]
            return subprocess.Popen(command, cwd=ROOT, env=self.environment, stdout=log, stderr=log)

    def start_by_another(self) -> "subprocess.Popen[bytes]":
        """The same by a program of its own, whose end it follows."""
        program = (
            "import os, subprocess, sys; subprocess.run([sys.executable, *sys.argv[1:], str(os.getpid())])"
        )
        command = [sys.executable, "-c", program, "-m", "app.cli", "serve", "--development", "--with-parent"]
        with self.log.open("wb") as log:
            return subprocess.Popen(command, cwd=ROOT, env=self.environment, stdout=log, stderr=log)

    def said(self) -> str:
        return self.log.read_text()

    def ready(self) -> bool:
        addresses = probes.app_address(self.settings), probes.signalling_address(self.settings)
        return all(probes.fetch(f"{address}/readyz")[0] == 200 for address in addresses)

    def child(self, name: str) -> int:
        path = self.state / f"{name}.pid"
        return int(path.read_text() or 0) if path.exists() else 0

    def left(self) -> list[str]:
        """Live processes with this place in their command line or environment."""
        found = []
        for process in psutil.process_iter():
            try:
                ours = process.environ().get("MENTORSPAN_STATE_DIR") == str(self.state)
                ours = ours or str(self.state) in " ".join(process.cmdline())
                if ours and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(" ".join(process.cmdline()))
            except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
                continue
        return found


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path / "state")
    yield made
    note = made.state / "postgres-is-elsewhere"
    if note.exists():
        subprocess.run(["rm", "-rf", note.read_text().strip()], check=True)


def interrupt(run: "subprocess.Popen[bytes]") -> int:
    run.send_signal(signal.SIGINT)
    return run.wait(40)


def test_a_run_from_beginning_to_end_and_again(place: Place) -> None:
    run = place.start()
    assert eventually(lambda: "Stop with Ctrl-C" in place.said() or run.poll() is not None, READY_SECONDS)
    assert place.ready(), place.said()
    for words in (place.settings.public_url, "mentorspan-demo", "mentor at"):
        assert words in place.said()

    second = place.start()
    assert second.wait(30) == 1
    assert f"process {run.pid} " in place.said()
    assert place.ready(), "the first one is not disturbed"

    worker = place.child("worker")
    os.kill(worker, signal.SIGKILL)
    assert eventually(lambda: place.child("worker") not in (0, worker), 15), "it is started again"

    assert interrupt(run) == 0
    assert eventually(lambda: place.left() == [], 5), place.left()

    run = place.start()
    assert eventually(lambda: "Stop with Ctrl-C" in place.said(), READY_SECONDS)
    assert "demo world" not in place.said(), "its data were kept"
    run.send_signal(signal.SIGTERM)
    assert run.wait(40) == 0
    assert eventually(lambda: place.left() == [], 5), place.left()


@pytest.mark.long
def test_a_run_that_was_killed_is_no_obstacle(place: Place) -> None:
    run = place.start()
    assert eventually(lambda: "Stop with Ctrl-C" in place.said(), READY_SECONDS)
    run.kill()
    run.wait()
    run = place.start()
    assert eventually(lambda: "Stop with Ctrl-C" in place.said() or run.poll() is not None, READY_SECONDS)
    assert place.ready(), place.said()

    # The watchdog too: now engines and children are orphans, and only their files know them.
    watchdog = next(
        p for p in psutil.Process(run.pid).children() if any("watchdog.py" in w for w in p.cmdline())
    )
    watchdog.kill()
    run.kill()
    run.wait()
    # And killed with what started it, when it was asked to follow: as `make run` asks.
    starter = place.start_by_another()
    assert eventually(lambda: "Stop with Ctrl-C" in place.said(), READY_SECONDS)
    assert place.ready(), place.said()
    starter.kill()
    starter.wait()
    assert eventually(lambda: place.left() == [], 40), place.left()


def test_an_interrupt_while_starting_leaves_nothing(place: Place) -> None:
    run = place.start()
    assert eventually(lambda: "private Valkey" in place.said(), READY_SECONDS)
    run.send_signal(signal.SIGINT)
    assert run.wait(40) != 0
    assert eventually(lambda: place.left() == [], 5), place.left()
