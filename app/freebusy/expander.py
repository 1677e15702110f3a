"""Working out busy times in a process of its own, for what is read there was written by anybody.

The process knows no secret of ours, has limits to its time and memory, and ends after one calendar. So a rule
that never ends costs seconds, and the zones that one calendar defines never meet those of another.
"""

import asyncio
import contextlib
import json
import os
import resource
import signal
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any, Final

from app.freebusy.busy_times import Found, Interval, Owner, TooLong, busy_times
from app.freebusy.troubles import Trouble

CPU_SECONDS: Final = 30
SERIES_SECONDS: Final = 2.0
WALL_SECONDS: Final = 180.0
"""On a machine that has other things to do."""
MEMORY_BYTES: Final = 1024**3
_OUT_OF_MEMORY: Final = 3
_TOO_COSTLY: Final = (_OUT_OF_MEMORY, -signal.SIGXCPU, -signal.SIGKILL)
_ROOT: Final = Path(__file__).resolve().parents[2]
_KEPT: Final = ("PATH", "LD_LIBRARY_PATH")
"""All that the process sees of our environment."""


async def expand(
    texts: Sequence[str], owner: Owner, window: Interval, *, cpu_seconds: int = CPU_SECONDS
) -> Found:
    """`busy_times`, elsewhere. Raises `Trouble`."""
    ask = {
        "texts": list(texts),
        "zone": owner.zone,
        "emails": list(owner.emails),
        "window": [moment.timestamp() for moment in window],
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "app.freebusy.expander", str(cpu_seconds)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=_ROOT,
        env={name: os.environ[name] for name in _KEPT if name in os.environ},
    )
    try:
        async with asyncio.timeout(WALL_SECONDS):
            answer, _ = await process.communicate(json.dumps(ask).encode())
    except TimeoutError:
        raise Trouble("too_costly") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise Trouble("too_costly" if process.returncode in _TOO_COSTLY else "fault")
    return _found(json.loads(answer))


def _found(answer: dict[str, Any]) -> Found:
    cut_at = answer["cut_at"]
    return Found(
        [Interval(_at(start), _at(end)) for start, end in answer["busy"]],
        answer["events"],
        answer["skipped"],
        None if cut_at is None else _at(cut_at),
    )


def _at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _over(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise TooLong


@contextlib.contextmanager
def _one_series() -> Iterator[None]:
    """Stop a series that takes more than its share of the processor."""
    signal.setitimer(signal.ITIMER_PROF, SERIES_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _limit(cpu_seconds: int) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(ValueError, OSError):  # not on every system
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    os.nice(5)
    signal.signal(signal.SIGPROF, _over)


def main() -> int:
    """What runs in the process: a question on standard input, the answer on standard output."""
    _limit(int(sys.argv[1]))
    try:
        ask = json.load(sys.stdin)
        start, end = map(_at, ask["window"])
        owner = Owner(ask["zone"], ask["emails"])
        found = busy_times(ask["texts"], owner, Interval(start, end), _one_series)
    except MemoryError:
        return _OUT_OF_MEMORY
    answer = {
        "busy": [[moment.timestamp() for moment in span] for span in found.busy],
        "events": found.events,
        "skipped": found.skipped,
        "cut_at": None if found.cut_at is None else found.cut_at.timestamp(),
    }
    json.dump(answer, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
