"""Facts that outlive their node: real processes are killed, disks are full, and two nodes have one name."""

import asyncio
import json
import random
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from websockets.asyncio.client import connect

from signalling import journal as module
from signalling.contracts.bus_open import open_bus
from signalling.contracts.calls import Fact, ParticipantJoined, ParticipantLeft
from signalling.journal import SLACK_BYTES, Journal, JournalBusy
from tests.logs import capture
from tests.signalling.test_node_process import free_port, process
from tests.signalling.valkey_server import ValkeyServer
from tests.signalling.world import ISSUER, NODE, App, Client, running

ROOT = Path(__file__).parents[2]
CHILD = Path(__file__).with_name("facts_child.py")


def joined(node: str = NODE) -> ParticipantJoined:
    """A fact."""
    return ParticipantJoined(
        node=node,
        call_id=uuid4(),
        epoch=1,
        participant_id=uuid4(),
        membership_id=uuid4(),
        at=datetime.now(UTC),
    )


def file(directory: Path, node: str = NODE) -> Path:
    """Where a node's facts are."""
    return directory / "facts" / f"{node}.jsonl"


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """An open journal that is empty."""
    opened = Journal(tmp_path, NODE)
    assert opened.open() == []
    yield opened
    opened.close()


def next_run(directory: Path, node: str = NODE) -> list[Fact]:
    """What the next process finds."""
    after = Journal(directory, node)
    facts = after.open()
    after.close()
    return facts


def test_what_is_not_committed_comes_back_in_order(journal: Journal, tmp_path: Path) -> None:
    facts = [joined() for _ in range(5)]
    for fact in facts:
        journal.add(fact)
    journal.remove(facts[1].id)
    journal.remove(uuid4())
    journal.close()
    assert next_run(tmp_path) == [facts[0], *facts[2:]]
    assert next_run(tmp_path) == [facts[0], *facts[2:]]


def test_only_the_owner_may_look(journal: Journal, tmp_path: Path) -> None:
    journal.add(joined())
    assert stat.S_IMODE((tmp_path / "facts").stat().st_mode) == 0o700
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "facts").iterdir()}
    assert modes == {0o600}


def test_torn_and_damaged_lines_cost_only_themselves(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, torn = joined(), joined(), joined()
    journal.add(first)
    journal.close()
    with file(tmp_path).open("ab") as writing:
        writing.write(b'{"kind":"from_the_future"}\n\n\xff\xfe\n{"committed":"nothing"}\n{"committed":7}\n')
        writing.write(second.model_dump_json().encode() + b"\n")
        writing.write(torn.model_dump_json().encode()[:-20])
    logged = capture(monkeypatch, module)
    assert next_run(tmp_path) == [first, second]
    assert [line["lines"] for line in logged if line["event"] == "facts_unreadable"] == [5]
    # What was torn is gone from the file, and does not spoil the line that is written next.
    after = Journal(tmp_path, NODE)
    after.open()
    after.add(third := joined())
    after.close()
    assert next_run(tmp_path) == [first, second, third]


def test_the_file_is_bounded(journal: Journal, tmp_path: Path) -> None:
    for fact in (always := [joined() for _ in range(50)]):
        journal.add(fact)
    line = len(always[0].model_dump_json()) + 1
    largest = 0
    for _ in range(5_000):
        journal.add(fact := joined())
        journal.remove(fact.id)
        largest = max(largest, file(tmp_path).stat().st_size)
    assert SLACK_BYTES < largest <= SLACK_BYTES + 4 * 51 * line
    for fact in always:
        journal.remove(fact.id)
    assert file(tmp_path).stat().st_size == 0


def test_one_process_has_it(journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOCK_SECONDS", 0.1)
    journal.add(fact := joined())
    with pytest.raises(JournalBusy, match="Another process runs as the node node-1"):
        next_run(tmp_path)
    journal.close()
    assert next_run(tmp_path) == [fact]


def test_facts_of_a_node_that_never_came_back_are_adopted(journal: Journal, tmp_path: Path) -> None:
    """A container's host name is new each time, and its node's name with it."""
    gone = Journal(tmp_path, "gone")
    gone.open()
    gone.add(fact := joined("gone"))
    gone.close()
    journal.add(own := joined())
    assert next_run(tmp_path, "heir") == [fact.model_copy(update={"node": "heir"})]
    assert not file(tmp_path, "gone").exists()
    # Node-1 still runs, so nobody took its facts.
    journal.close()
    assert own in next_run(tmp_path)


def test_a_place_that_cannot_be_written_is_reported_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "facts").write_text("not a directory")
    journal = Journal(tmp_path, NODE)
    logged = capture(monkeypatch, module)
    assert journal.open() == []
    for fact in [joined() for _ in range(5)]:
        journal.add(fact)
        journal.remove(fact.id)
    assert [line["event"] for line in logged] == ["facts_are_only_in_memory"]
    journal.close()


async def test_a_call_goes_on_without_the_disk(tmp_path: Path, call_id: UUID) -> None:
    (tmp_path / "facts").write_text("not a directory")
    async with running(tmp_path) as world:
        await world.pair(call_id)
        assert await world.app.wait_for(lambda: len(world.app.joined()) == 2)


# With processes


def child(directory: Path, *words: str) -> subprocess.Popen[bytes]:
    """A process that keeps facts and says so in a file."""
    return subprocess.Popen([sys.executable, str(CHILD), str(directory), *words], cwd=ROOT)


def said(directory: Path) -> tuple[list[UUID], set[UUID]]:
    """What a child had said before it died: the ids it kept, and those that were committed."""
    lines = [line.split() for line in (directory / "said").read_text().split("\n")[:-1]]
    kept = [UUID(name) for word, name in lines if word == "kept"]
    return kept, {UUID(name) for word, name in lines if word == "committed"}


def test_killed_right_after_it_was_kept(tmp_path: Path) -> None:
    assert child(tmp_path, "once").wait(30) == -signal.SIGKILL
    kept, _ = said(tmp_path)
    assert [fact.id for fact in next_run(tmp_path)] == kept
    assert len(kept) == 1


def test_without_a_journal_it_would_be_lost(tmp_path: Path) -> None:
    """The control: what is written later is too late."""
    assert child(tmp_path, "once", "lazily").wait(30) == -signal.SIGKILL
    kept, _ = said(tmp_path)
    assert len(kept) == 1
    assert next_run(tmp_path) == []


def test_killed_at_any_moment(tmp_path: Path) -> None:
    total = 0
    for turn in range(6):
        directory = tmp_path / str(turn)
        directory.mkdir()
        running = child(directory, "busily")
        while not (directory / "said").exists():
            assert running.poll() is None
            time.sleep(0.01)
        time.sleep(random.uniform(0, 0.4))
        running.kill()
        running.wait(10)
        kept, committed = said(directory)
        found = {fact.id for fact in next_run(directory)}
        # What app has is not sent again, and of the rest all is there; the last commit was perhaps written
        # and not said any more.
        assert not found & committed
        missing = set(kept) - committed - found
        assert len(missing) <= 1
        assert missing <= set(kept[-7:])
        total += len(kept)
    assert total > 100


def test_a_full_disk_is_survived_and_made_up_for(tmp_path: Path) -> None:
    """The limit on the file's size stands for the disk: the last line is written in part."""
    assert child(tmp_path, "cramped").wait(30) == -signal.SIGKILL
    kept, _ = said(tmp_path)
    assert len(kept) == 41
    # While the disk was full, what it held was whole; later all of it was written.
    during = (tmp_path / "during").read_bytes().split(b"\n")
    assert 0 < len(during) - 1 < 40
    assert during[-1]
    assert [fact.id for fact in next_run(tmp_path)] == kept


async def test_a_node_that_is_killed_reports_whom_it_had_let_in(tmp_path: Path, valkey: ValkeyServer) -> None:
    """The bus dies too, so the node's disk is the only place that knows."""
    port = free_port()
    environment = {
        "VALKEY_URL": valkey.url,
        "MENTORSPAN_NODE": NODE,
        "MENTORSPAN_PUBLIC_URL": ISSUER,
        "MENTORSPAN_SIGNALLING_PORT": str(port),
    }
    bus = open_bus(valkey.url)
    app = App(bus, tmp_path)
    app.commits = False
    call_id, membership_id = uuid4(), uuid4()
    taking_in = asyncio.create_task(app.take_in())
    async with process(tmp_path, **environment) as node:
        await app.wait_for(app.alive, 20)
        async with connect(f"ws://127.0.0.1:{port}/calls/{call_id}", compression=None) as socket:
            await Client(socket).hello(ticket=app.ticket(call_id, membership_id=membership_id))
            node.kill()
            await node.wait()
    valkey.kill()
    app.facts.clear()
    app.commits = True
    valkey.start()
    async with process(tmp_path, **environment) as node:
        (fact,) = await app.wait_for(app.joined, 20)
        assert (fact.call_id, fact.membership_id) == (call_id, membership_id)
        async with asyncio.timeout(10):
            while file(tmp_path).stat().st_size:
                await asyncio.sleep(0.05)
        async with process(tmp_path, **{**environment, "MENTORSPAN_SIGNALLING_PORT": "0"}) as other:
            _, errors = await other.communicate()
            assert other.returncode == 1
            assert b"Another process runs as the node node-1" in errors
            assert b"Traceback" not in errors
        node.terminate()
        async with asyncio.timeout(10):
            assert await node.wait() == 0
    await bus.close()
    taking_in.cancel()
    await asyncio.gather(taking_in, return_exceptions=True)


def test_the_file_reads_as_lines_of_json(journal: Journal, tmp_path: Path) -> None:
    """For the operator who looks."""
    entered = joined()
    left = ParticipantLeft(**entered.model_dump(exclude={"kind", "id"}), reason="left")
    journal.add(entered)
    journal.add(left)
    journal.remove(entered.id)
    lines = [json.loads(line) for line in file(tmp_path).read_text().splitlines()]
    assert [line.get("kind") for line in lines] == ["participant_joined", "participant_left", None]
    assert lines[2] == {"committed": str(entered.id)}
