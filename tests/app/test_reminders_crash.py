"""The worker is killed in the middle of reminders: none is lost, and none comes again under another id."""

import asyncio
import email
import email.policy
import os
import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from sqlalchemy.dialects.postgresql import Range

from app.core import clock
from app.core.db import emit
from app.core.processes import the_watchdog
from app.scheduling.events import MeetingBooked
from app.scheduling.models import Booking
from app.settings import Settings
from tests.app.reminded import Pair, reminders
from tests.world import World, slot

pytestmark = [pytest.mark.database, pytest.mark.slow]
ROOT: Final = Path(__file__).parents[2]
SLOW: Final = (0.2, 0.5)
"""Between taking a letter in and saying so, seconds."""


@dataclass
class SlowSink:
    """An SMTP server that keeps what it was given, also if whoever gave it never hears so."""

    letters: list[tuple[str, str, str]] = field(default_factory=list)
    """To whom, about what, under which id."""
    heard: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        del server, session
        assert isinstance(envelope.content, bytes)
        letter = email.message_from_bytes(envelope.content, policy=email.policy.default)
        link = str(letter.get_payload()).split()[-1]
        self.letters.append((envelope.rcpt_tos[0], link, str(letter["Message-ID"])))
        self.heard.set()
        await asyncio.sleep(random.uniform(*SLOW))
        return "250 Kept"


@asynccontextmanager
async def sink() -> AsyncIterator[tuple[SlowSink, int]]:
    kept = SlowSink()
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(kept, hostname="localhost"), "127.0.0.1", 0
    )
    yield kept, server.sockets[0].getsockname()[1]
    server.close()


@dataclass
class Worker:
    """A worker's process, which can be killed."""

    settings: Settings
    port: int
    place: Path
    seconds: float = 0.5
    fault: str = "none"
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("MENTORSPAN_")},
            "DATABASE_URL": self.settings.database_url or "",
            "VALKEY_URL": "memory://crash",
            "MENTORSPAN_STATE_DIR": str(self.place),
            "MENTORSPAN_SMTP_URL": f"smtp://127.0.0.1:{self.port}",
        }
        with (self.place / "worker.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.app.reminder_worker", str(self.seconds), self.fault],
                cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        the_watchdog().guard(self.process.pid, signal.SIGKILL)

    @property
    def died(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)
        the_watchdog().release(self.process.pid)


async def furnish(world: World, meetings: int, span: timedelta) -> int:
    """Two people with many meetings ahead, whose reminders are due within a span; returns how many."""
    pair = await Pair.of(world, lead_minutes=[5], channels=["mail"])
    start = clock.now() + timedelta(hours=1)
    async with world.database.transaction() as db:
        for number in range(meetings):
            meeting = slot(pair.mentee, pair.id, start + timedelta(hours=number), status="booked")
            during = Range(meeting.starts_at, meeting.ends_at, bounds="[)")
            db.add(meeting)
            await db.flush()
            for who in (pair.mentee, pair.mentor):
                db.add(Booking(meeting_id=meeting.id, account_id=who.account_id, during=during))
            emit(db, MeetingBooked(meeting_id=meeting.id, by_account_id=pair.mentor.account_id))
    await world.run("DELETE FROM procrastinate_jobs")
    await world.run("UPDATE reminder SET due_at = now() + random() * :span", span=span)
    return 2 * meetings


async def settled(world: World) -> bool:
    waiting = await world.run("SELECT 1 FROM procrastinate_jobs WHERE status IN ('todo', 'doing')")
    return not waiting and all(row.sent_at or row.dropped_at for row in await reminders(world))


async def verdict(world: World, kept: SlowSink, expected: int) -> list[str]:
    """What is wrong: an empty answer means that each reminder came, and under one id."""
    ids: dict[tuple[str, str], set[str]] = defaultdict(set)
    for to, link, message_id in kept.letters:
        ids[to, link].add(message_id)
    people = {row.id: row.email for row in await world.run("SELECT id, email FROM account")}
    rows = await reminders(world)
    found = [f"{len(rows)} reminders instead of {expected}"] if len(rows) != expected else []
    for row in rows:
        of = people[row.account_id], f"http://localhost:8000/meetings/{row.meeting_id}"
        if not row.sent_at:
            found.append(f"not sent: {row.dropped_why}")
        elif not ids[of]:
            found.append(f"lost: {of}")
        elif len(ids[of]) > 1:
            found.append(f"doubled: {of} came as {sorted(ids[of])}")
        else:
            wanted = f"<reminder.{row.id}@localhost>"
            found += [f"another id: {one}" for one in ids[of] if one != wanted]
    return found


async def play(
    world: World, place: Path, kills: int, *, meetings: int = 12, patience: float = 0.5, fault: str = "none"
) -> list[str]:
    """Kill a worker so often while letters come in, then let one finish."""
    dice = random.Random(int(os.environ.get("MENTORSPAN_SEED", time.time_ns() % 10**6)))
    place.mkdir(exist_ok=True)
    expected = await furnish(world, meetings, timedelta(seconds=meetings / 2))
    async with sink() as (kept, port):
        worker = Worker(world.door.settings, port, place, patience, fault)
        struck: list[int] = []
        try:
            while len(struck) < kills:
                kept.heard.clear()
                worker.start()
                await _until_heard(kept, worker)
                await asyncio.sleep(dice.uniform(0, 0.5))
                worker.kill()
                struck.append(len(kept.letters))
            worker.start()
            async with asyncio.timeout(150):
                while not await settled(world):
                    if worker.died:
                        worker.kill()
                        worker.start()
                    await asyncio.sleep(0.2)
        finally:
            if not worker.died:
                worker.kill()
        again = len(kept.letters) - len(set(kept.letters))
        print(f"{kills} kills after {struck} letters; {len(kept.letters)} in all, {again} of them again")  # noqa: T201 - figures
        return await verdict(world, kept, expected)


async def _until_heard(kept: SlowSink, worker: Worker) -> None:
    """A letter has come in from this worker, whose sender does not know yet."""
    async with asyncio.timeout(60):
        while not kept.heard.is_set() and not worker.died:
            await asyncio.sleep(0.02)


async def test_the_worker_is_killed_in_the_middle(world: World, tmp_path: Path) -> None:
    assert await play(world, tmp_path / "worker", 3) == []


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_the_worker_is_killed_ten_times(world: World, tmp_path: Path) -> None:
    """The product as it is, which takes half a minute of silence for death."""
    assert await play(world, tmp_path / "worker", 10, meetings=80, patience=0.0) == []


async def test_an_id_that_is_made_when_sending_is_noticed(world: World, tmp_path: Path) -> None:
    found = await play(world, tmp_path / "worker", 1, fault="id_when_sent")
    assert any(each.startswith("doubled") for each in found)


async def test_marking_before_the_mail_is_made_is_noticed(world: World, tmp_path: Path) -> None:
    found = await play(world, tmp_path / "worker", 0, fault="marked_first")
    assert any(each.startswith("lost") for each in found)
