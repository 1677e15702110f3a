"""A process that records a call of one person, until it is killed: `python -m ... <recordings>`."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

from tests.signalling.media.members import call

ROOT = Path(__file__).resolve().parents[3]


async def main(recordings: Path) -> None:
    async with call(recordings=recordings) as meeting:
        one = await meeting.join(600.0)
        await one.send()
        await meeting.engine.record(meeting.id, uuid4())
        sys.stdout.write("recording\n")
        sys.stdout.flush()
        await asyncio.sleep(60)


@asynccontextmanager
async def recording_elsewhere(recordings: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Such a process, that has begun to record; killed at the end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", __name__, str(recordings)), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(30):
            assert process.stdout is not None
            while await process.stdout.readline() != b"recording\n":
                assert process.returncode is None
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
