"""What is left when a process of ours dies, and how the next one tells ours from a stranger's."""

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from app.core import watchdog
from app.core.children import HEALTHY_SECONDS, LONGEST_WAIT, MOST_FALLS, Child
from app.core.processes import Busy, FileLock, command_of, stop, stop_leftover

ROOT = Path(__file__).parents[2]
SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
DEAF = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
)
STUBBORN = [sys.executable, "-c", DEAF]


def eventually(true: Callable[[], bool], seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_children_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    program = (
        "import subprocess, sys, time\n"
        "from app.core.processes import the_watchdog\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "the_watchdog().guard(child.pid)\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert command_of(child)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert eventually(lambda: not command_of(child))


def test_the_watchdog_remembers_only_what_still_runs() -> None:
    notes = io.StringIO("+10 15\n+11 2\n-10\n+12 15\n-99\n")
    assert watchdog.watch(notes) == {11: 2, 12: 15}


def test_the_watchdog_stops_newest_first_and_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "GENTLE_SECONDS", 0.2)
    gentle = subprocess.Popen(SLEEP)
    stubborn = subprocess.Popen(STUBBORN, stdout=subprocess.PIPE)
    assert stubborn.stdout is not None
    stubborn.stdout.readline()
    watchdog.end({gentle.pid: signal.SIGTERM, 2**22 + 1: signal.SIGTERM, stubborn.pid: signal.SIGTERM})
    assert stubborn.wait(5) == -signal.SIGKILL
    assert gentle.wait(5) == -signal.SIGTERM
    stubborn.stdout.close()


def test_a_stubborn_process_is_killed_in_the_end() -> None:
    process = subprocess.Popen(STUBBORN, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    assert stop(process, [(signal.SIGTERM, 0.2)]) == -signal.SIGKILL
    process.stdout.close()


def test_a_leftover_is_stopped_only_when_it_is_ours() -> None:
    process = subprocess.Popen([*SLEEP, "the-marker"])
    assert eventually(lambda: "the-marker" in command_of(process.pid))
    assert not stop_leftover(process.pid, "another-marker", [(signal.SIGTERM, 1)])
    assert process.poll() is None
    assert stop_leftover(process.pid, "the-marker", [(signal.SIGTERM, 5)])
    assert process.wait(5) == -signal.SIGTERM


def test_a_lock_names_its_holder_and_dies_with_it(tmp_path: Path) -> None:
    first, second = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    first.acquire()
    with pytest.raises(Busy, match=f"process {os.getpid()} "):
        second.acquire()
    first.release()
    second.acquire()
    second.release()
    second.release()


def test_a_child_that_falls_is_started_again_after_growing_waits(tmp_path: Path) -> None:
    fails = [sys.executable, "-c", "raise SystemExit(3)"]
    child = Child("thing", fails, dict(os.environ), tmp_path / "log" / "t")
    child.start()
    waits: list[float] = []
    heard: list[str] = []
    now = child.started_at
    while not child.hopeless():
        assert child.process is not None
        child.process.wait()
        words = child.look(now)
        assert words is not None
        heard.append(words)
        assert child.again_at is not None
        waits.append(child.again_at - now)
        assert child.look(now) is None, "not before its time"
        now = child.again_at
        child.look(now)
        child.started_at = now  # time in this test is our own
    assert waits == sorted(waits)
    assert waits[0] == 0.5
    assert max(waits) == LONGEST_WAIT
    assert len(waits) == MOST_FALLS + 1
    assert all("ended with code 3" in words for words in heard)
    assert "9 times in a row" in heard[-1]


def test_a_long_healthy_life_is_forgiven_its_fall() -> None:
    child = Child("thing", SLEEP, dict(os.environ))
    child.start()
    assert child.look(child.started_at) is None
    child.falls = 5
    assert child.process is not None
    child.process.kill()
    child.process.wait()
    words = child.look(child.started_at + HEALTHY_SECONDS + 1)
    assert words is not None
    assert "was ended by signal 9 and is started again in 0.5 s" in words
    child.stop()


def test_a_child_of_a_run_that_was_killed_whole_is_cleared_away(tmp_path: Path) -> None:
    old = Child("thing", [*SLEEP, str(tmp_path)], dict(os.environ), pid_file=tmp_path / "thing.pid")
    old.start()
    assert eventually(lambda: str(tmp_path) in command_of(old.process.pid if old.process else 0))
    Child("thing", old.command, pid_file=old.pid_file).clear_leftover()
    assert eventually(lambda: not old.alive())
    assert not (tmp_path / "thing.pid").exists()
    old.stop()
