"""Processes that we start: guarded against our sudden death, known to the next run, stopped in order."""

import atexit
import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

from app.core import watchdog


class Busy(RuntimeError):
    """Another live process holds the lock."""


class FileLock:
    """An advisory lock that the kernel releases when its holder dies, however it dies."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None

    def acquire(self) -> None:
        """Take the lock at once or say who has it."""
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(handle, 32, 0).decode().strip()
            os.close(handle)
            raise Busy(f"process {holder} is using {self.path.parent}") from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        self._file = handle

    def release(self) -> None:
        """Let the next one in. Harmless when nothing is held."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


class Watchdog:
    """Our end of the pipe to `app.core.watchdog`."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", watchdog.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            bufsize=0,
        )

    def guard(self, pid: int, number: int = signal.SIGTERM) -> None:
        """End `pid` with this signal if we die before we end it ourselves."""
        self._tell(f"+{pid} {int(number)}\n")

    def release(self, pid: int) -> None:
        """`pid` is gone and its number may be somebody else's by now."""
        self._tell(f"-{pid}\n")

    @property
    def pid(self) -> int:
        """Its process number, by which the next run can tell whether it is still tidying up."""
        return self._process.pid

    def retire(self) -> None:
        """We end by ourselves, with nothing left in its care."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(10)

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        # Without its watchdog a run still works; only a kill -9 of it would then leave more to tidy up.
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(line.encode())


@cache
def the_watchdog() -> Watchdog:
    """One watchdog per process that starts others."""
    made = Watchdog()
    atexit.register(made.retire)
    return made


def stop(process: "subprocess.Popen[bytes]", steps: list[tuple[int, float]]) -> int:
    """Send each signal and wait that many seconds for it to work; the last resort is always SIGKILL."""
    for number, seconds in [*steps, (signal.SIGKILL, 10.0)]:
        if process.poll() is not None:
            break
        process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
    the_watchdog().release(process.pid)
    return process.wait()


def command_of(pid: int) -> str:
    """The command line of a running process, empty when there is none."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except FileNotFoundError:
        if Path("/proc/self/cmdline").exists():
            return ""
    except OSError:
        return ""
    # `=` after the column name drops the heading, on macOS as on Linux.
    answer = subprocess.run(["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True)
    return answer.stdout.strip()


def wait_for(pid: int, marker: str, seconds: float) -> bool:
    """Wait until this process of an earlier run has ended; False when it takes longer."""
    deadline = time.monotonic() + seconds
    while marker in command_of(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def stop_leftover(pid: int, marker: str, steps: list[tuple[int, float]]) -> bool:
    """Stop a process of an earlier run, and only if its command line shows that it is ours."""
    if marker not in command_of(pid):
        return False
    for number, seconds in [*steps, (signal.SIGKILL, 10.0)]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        if wait_for(pid, marker, seconds):
            return True
    return True
