"""Ends the processes of a parent that died without a word (`kill -9`), on any Unix.

Run as a program with a pipe for stdin: `+PID SIGNAL` puts a process in its care, `-PID` takes it out. The end
of the pipe is the death of the parent, and only then is anything ended: newest first, gently, then firmly.
Standard library only, so that it starts in a few milliseconds and keeps little memory.
"""

import os
import signal
import sys
import time
from typing import TextIO

GENTLE_SECONDS = 8.0


def main() -> None:
    """Watch stdin to its end, then end whatever is still in care."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # only the parent's death counts, not a Ctrl-C for the parent
    end(watch(sys.stdin))


def watch(lines: TextIO) -> dict[int, int]:
    """Read notes until the pipe ends; what is left was running when the parent died."""
    in_care: dict[int, int] = {}
    for line in lines:
        if line.startswith("+"):
            pid, number = line[1:].split()
            in_care[int(pid)] = int(number)
        elif line.startswith("-"):
            in_care.pop(int(line[1:]), None)
    return in_care


def end(in_care: dict[int, int]) -> None:
    """Stop newest first, because what was started later leans on what was started earlier."""
    for pid, number in reversed(in_care.items()):
        if not _signal(pid, number):
            continue
        deadline = time.monotonic() + GENTLE_SECONDS
        while _lives(pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        _signal(pid, signal.SIGKILL)


def _lives(pid: int) -> bool:
    """A zombie does not: where nobody collects orphans it would be waited for in vain."""
    try:
        with open(f"/proc/{pid}/stat") as status:
            return status.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return _signal(pid, 0)


def _signal(pid: int, number: int) -> bool:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


if __name__ == "__main__":
    main()
