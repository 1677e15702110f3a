"""A whole Mentorspan beside what is measured, whose REST is asked as fast as it answers.

`python -m bench.sfu.neighbour` says `ready`, goes on until its input ends, and says how much was answered.
"""

import asyncio
import contextlib
import subprocess
import sys
import tempfile
from pathlib import Path

from app.demo import DEMO_SIGN_INS
from tests.e2e.served import serving
from tests.streams.rest import NoAnswer, Rest

AT_ONCE = 8
PATHS = ("/v1/me", "/v1/pairings", "/v1/meetings", "/v1/conversations")


async def _load(url: str) -> int:
    """Ask until the input ends; returns how many answers came."""
    rest, who = Rest(url), DEMO_SIGN_INS[0]
    session = await rest.ok("", "POST", "/v1/sessions", {"email": who.email, "password": who.password})
    token = session["access_token"]
    await rest.ok(token, "GET", PATHS[0])
    answered = 0

    async def ask() -> None:
        nonlocal answered
        while True:
            for path in PATHS:
                # On a machine that is full some answers come too late; the load goes on.
                with contextlib.suppress(NoAnswer):
                    # In two steps: `answered` is read before an `await` on the same line.
                    answer = await rest.call(token, "GET", path)
                    answered += answer.ok

    asking = [asyncio.create_task(ask()) for _ in range(AT_ONCE)]
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    for each in asking:
        each.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    return answered


class Neighbour:
    """The process, from outside."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "bench.sfu.neighbour"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n", "the neighbour did not start"

    def stop(self) -> int:
        """End it; returns how many requests it answered."""
        answered, _ = self._process.communicate(timeout=60)
        return int(answered)


def main() -> None:
    with tempfile.TemporaryDirectory() as place, serving(Path(place)) as served:
        answered = asyncio.run(_load(served.url))
    sys.stdout.write(f"{answered}\n")


if __name__ == "__main__":
    main()
