"""A process that keeps facts, says so line by line, and is killed: by its parent or by itself."""

import os
import resource
import shutil
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

sys.path.insert(0, str(Path(__file__).parents[2]))

from signalling import journal
from signalling.contracts.bus_memory import Exchange, MemoryBus
from signalling.contracts.calls import ParticipantJoined
from signalling.facts import FactKeeper
from signalling.journal import Journal

NODE = "node-1"


def say(*words: object) -> None:
    """Tell the parent, without a buffer in between."""
    with (Path(sys.argv[1]) / "said").open("ab", buffering=0) as file:
        file.write((" ".join(map(str, words)) + "\n").encode())


def keep(keeper: FactKeeper) -> ParticipantJoined:
    """Keep a fact, and say so at once."""
    fact = ParticipantJoined(
        node=NODE,
        call_id=uuid4(),
        epoch=1,
        participant_id=uuid4(),
        membership_id=uuid4(),
        at=datetime.now(UTC),
    )
    keeper.keep(fact)
    say("kept", fact.id)
    return fact


def die() -> None:
    """As by `kill -9`."""
    os.kill(os.getpid(), signal.SIGKILL)


def busily(keeper: FactKeeper) -> None:
    """Keep and commit until killed."""
    until = time.monotonic() + 30
    waiting: list[ParticipantJoined] = []
    while time.monotonic() < until:
        waiting.append(keep(keeper))
        if len(waiting) > 5:
            fact = waiting.pop(0)
            keeper.committed(fact.id)
            say("committed", fact.id)


def cramped(keeper: FactKeeper, directory: Path) -> None:
    """Keep more than fits, then have room again."""
    journal.RETRY_SECONDS = 0
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, hard))
    for _ in range(40):
        keep(keeper)
    shutil.copy(directory / "facts" / f"{NODE}.jsonl", directory / "during")
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    keep(keeper)


def main() -> None:
    """What the words on the command line ask for."""
    directory = Path(sys.argv[1])
    keeper = FactKeeper(MemoryBus(Exchange()), NODE, Journal(directory, NODE))
    keeper.recover()
    if "lazily" in sys.argv:
        journal._write = lambda handle, content: None
    if "busily" in sys.argv:
        busily(keeper)
    elif "cramped" in sys.argv:
        cramped(keeper, directory)
    else:
        keep(keeper)
    die()


if __name__ == "__main__":
    main()
