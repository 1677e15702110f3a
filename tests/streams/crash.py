"""One run: people write and read while connections are cut and processes are killed; then the books."""

import asyncio
import os
import random
import statistics
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID

from tests.streams.actors import Leaver, Visitor, Writer
from tests.streams.cast import Cast, Person
from tests.streams.ledger import Findings, Ledger, check_leavers, check_visitors
from tests.streams.readers import Reader
from tests.streams.rest import Rest
from tests.streams.topology import APPS, NODES, Topology

AWAY = (0.0, 0.0, 0.2, 0.5, 1.0, 2.5)
SETTLE_SECONDS = 30.0


@dataclass(frozen=True)
class Plan:
    """How large a run is."""

    messages: int
    readers: int = 50
    writers: int = 16
    pace: float = 0.2
    cuts: int = 10
    """Of each reader, at least."""
    app: int = 0
    worker: int = 0
    signalling: int = 0
    valkey: int = 0
    postgres: int = 0
    leads: int = 5
    mentees: int = 30
    pairs: int = 8
    calls: int = 3
    sign_outs: int = 8
    seconds: float = 600.0
    """By then it must have done everything."""
    settle: float = SETTLE_SECONDS
    between: tuple[float, float] = (1.5, 4.0)
    seed: int = field(default_factory=lambda: int(os.environ.get("MENTORSPAN_SEED", time.time_ns() % 10**6)))

    def strikes(self, dice: random.Random) -> list[str]:
        """What is killed, in which order."""
        found = [dice.choice(APPS) for _ in range(self.app)] + [
            dice.choice(NODES) for _ in range(self.signalling)
        ]
        found += ["worker"] * self.worker + ["valkey"] * self.valkey + ["postgres"] * self.postgres
        dice.shuffle(found)
        return found


@dataclass
class Stage:
    """Everybody in their places."""

    readers: list[tuple[Person, Reader]]
    writers: list[Writer]
    visitors: list[Visitor]
    leavers: list[Leaver]
    heard: dict[UUID, list[str]]
    """By account, the streams that it hears."""


class Crash:
    """Carries a plan out on a running topology."""

    def __init__(self, topology: Topology, plan: Plan) -> None:
        self.topology = topology
        self.plan = plan
        self.dice = random.Random(plan.seed)
        self.apps = [Rest(url) for url in topology.urls]
        self.struck: Counter[str] = Counter()

    async def run(self) -> tuple[Findings, dict[str, Any]]:
        """Play it to the end and hold the books. Returns what was broken, and a summary."""
        began = time.monotonic()
        stage = await self._set_up()
        for _, reader in stage.readers:
            reader.start()
        for leaver in stage.leavers:
            leaver.reader.start()
        try:
            await self._everyone_ready(stage)
            playing = time.monotonic()
            await self._play(stage)
            played = time.monotonic() - playing
            settled = await self._settle(stage)
            findings, counts = self._hold_the_books(stage)
        finally:
            await asyncio.gather(*(reader.stop() for _, reader in stage.readers))
            await asyncio.gather(*(leaver.reader.stop() for leaver in stage.leavers))
            for app in self.apps:
                app.close()
        if settled is None:
            findings.add(
                "unsettled", f"not everything had arrived {self.plan.settle} s after the last message"
            )
        seconds = {
            "set_up": round(playing - began, 1),
            "playing": round(played, 1),
            "settling": settled and round(settled, 1),
        }
        return findings, {"seed": self.plan.seed, "seconds": seconds, **counts}

    async def _set_up(self) -> Stage:
        plan, cast = self.plan, Cast(self.topology)
        people = await cast.add(plan.leads + plan.mentees)
        _, circle = await cast.circle(people[: plan.leads], people[plan.leads :])
        talks: dict[UUID, list[UUID]] = {person.account_id: [circle] for person in people}
        calls: list[Visitor] = []
        for number in range(plan.pairs):
            one, other = people[2 * number % len(people)], people[(2 * number + 1) % len(people)]
            pairing, conversation = await cast.pair(one, other)
            together = [conversation]
            if number < plan.calls:
                meeting = await cast.meeting(one, other, pairing)
                together += [
                    row[0]
                    for row in self.topology.rows(
                        "SELECT id FROM conversation WHERE meeting_id = %s", meeting
                    )
                ]
                calls += [Visitor(who.devices[0], meeting, self.apps, self.dice) for who in (one, other)]
            talks[one.account_id] += together
            talks[other.account_id] += together
        # The first people have a second device, so that there are as many sockets as the plan wants.
        seconds = people[: max(0, plan.readers - len(people))]
        await cast.sign_in(seconds)
        devices = [(person, person.devices[0]) for person in people[: plan.readers]]
        devices += [(person, person.devices[1]) for person in seconds]
        leavers = people[-plan.sign_outs :] if plan.sign_outs else []
        sessions = await cast.sign_in(leavers)
        return Stage(
            readers=[(person, Reader(device, self.apps, self.dice)) for person, device in devices],
            writers=[
                Writer(person.devices[0], self.apps, self.dice, talks[person.account_id], plan.pace)
                for person in people[: plan.writers]
            ],
            visitors=calls,
            leavers=[
                Leaver(Reader(device, self.apps, self.dice), self.apps, self.dice) for device in sessions
            ],
            heard={
                person.account_id: [
                    str(person.account_id),
                    str(person.membership_id),
                    *(str(place) for place in talks[person.account_id]),
                ]
                for person in people
            },
        )

    async def _everyone_ready(self, stage: Stage) -> None:
        readers = [reader for _, reader in stage.readers] + [leaver.reader for leaver in stage.leavers]
        async with asyncio.timeout(120):
            await asyncio.gather(*(reader.ready.wait() for reader in readers))

    async def _play(self, stage: Stage) -> None:
        enough, over = asyncio.Event(), asyncio.Event()
        async with asyncio.timeout(self.plan.seconds), asyncio.TaskGroup() as tasks:
            for writer in stage.writers:
                tasks.create_task(writer.run(enough))
            for visitor in stage.visitors:
                tasks.create_task(visitor.run(over))
            striking = tasks.create_task(self._strike())
            cutting = tasks.create_task(self._cut(stage, enough))
            leaving = tasks.create_task(self._sign_out(stage, enough))
            while not self._enough(stage, striking):
                await asyncio.sleep(0.2)
            enough.set()
            over.set()
            del cutting, leaving

    def _enough(self, stage: Stage, striking: asyncio.Task[None]) -> bool:
        written = sum(len(writer.acknowledged) for writer in stage.writers)
        cut = min(reader.sight.count.cuts for _, reader in stage.readers)
        left = all(leaver.signed_out_at for leaver in stage.leavers)
        return striking.done() and written >= self.plan.messages and cut >= self.plan.cuts and left

    async def _strike(self) -> None:
        under_way: list[asyncio.Task[None]] = []
        for name in self.plan.strikes(self.dice):
            await asyncio.sleep(self.dice.uniform(*self.plan.between))
            # Not waited for: a second death may fall into the first one's recovery.
            under_way.append(asyncio.create_task(self.topology.strike(name, self.dice.uniform(0.1, 1.5))))
            self.struck[name] += 1
        await asyncio.gather(*under_way)

    async def _cut(self, stage: Stage, until: asyncio.Event) -> None:
        """Cut one reader after the other, those most who were cut least."""
        readers = [reader for _, reader in stage.readers]
        while not until.is_set() and self.plan.cuts:
            few = min(reader.sight.count.cuts for reader in readers)
            behind = [reader for reader in readers if reader.sight.count.cuts <= few + 2 and reader.connected]
            if behind:
                self.dice.choice(behind).cut(self.dice.choice(AWAY))
            await asyncio.sleep(self.dice.uniform(0.5, 1.5) * self._cut_every)

    @property
    def _expected(self) -> float:
        """How many seconds the writing takes if nothing holds it up."""
        return self.plan.messages * self.plan.pace / self.plan.writers

    @property
    def _cut_every(self) -> float:
        """So that the cuts are spread over the whole run."""
        return self._expected / (self.plan.readers * (self.plan.cuts + 1))

    async def _sign_out(self, stage: Stage, until: asyncio.Event) -> None:
        for leaver in stage.leavers:
            await asyncio.sleep(self.dice.uniform(0.5, 1.5) * self._expected / (self.plan.sign_outs + 1))
            if leaver.reader.connected or until.is_set():
                await leaver.sign_out()
            else:
                await leaver.reader.ready.wait()
                await leaver.sign_out()

    async def _settle(self, stage: Stage) -> float | None:
        """Wait until everything has arrived; None when that takes too long."""
        checks: list[Callable[[], Awaitable[bool]]] = [
            lambda: self._all_read(stage),
            lambda: self._all_done(stage),
        ]
        began = time.monotonic()
        while checks:
            if time.monotonic() - began > self.plan.settle:
                return None
            if await checks[0]():
                checks.pop(0)
            else:
                await asyncio.sleep(0.2)
        return time.monotonic() - began

    async def _all_read(self, stage: Stage) -> bool:
        heads = (await asyncio.to_thread(Ledger.read, self.topology)).heads()
        return all(
            reader.sight.cursors[stream].seq >= heads.get(stream, 0)
            for person, reader in stage.readers
            for stream in stage.heard[person.account_id]
            if stream in reader.sight.cursors
        )

    async def _all_done(self, stage: Stage) -> bool:
        """Commands are acknowledged, and every stay that was welcomed has been written down."""
        waiting = self.topology.rows("SELECT count(*) FROM node_command WHERE done_at IS NULL")[0][0]
        missing = Findings()
        check_visitors(self.topology, stage.visitors, missing)
        return (
            not waiting and not missing.counts and all(leaver.reader.signed_out for leaver in stage.leavers)
        )

    def _hold_the_books(self, stage: Stage) -> tuple[Findings, dict[str, Any]]:
        found = Findings()
        ledger = Ledger.read(self.topology)
        ledger.check_numbers(found)
        ledger.check_writers(stage.writers, found)
        for number, (person, reader) in enumerate(stage.readers):
            ledger.check_reader(f"reader {number}", reader, stage.heard[person.account_id], found)
        joins = check_visitors(self.topology, stage.visitors, found)
        took = check_leavers(self.topology, stage.leavers, found)
        return found, self._summary(stage, found, joins, took)

    def _summary(self, stage: Stage, found: Findings, joins: int, took: list[float]) -> dict[str, Any]:
        readers = [reader for _, reader in stage.readers]
        lags = sorted(lag * 1000 for reader in readers for lag in reader.sight.lags)
        slowest = max(stage.writers, key=lambda writer: writer.slowest)
        counts: Counter[str] = Counter()
        for reader in readers:
            counts.update(asdict(reader.sight.count))
        return {
            "acknowledged": sum(len(writer.acknowledged) for writer in stage.writers),
            "edits": sum(writer.edited for writer in stage.writers),
            "deletions": sum(writer.deleted for writer in stage.writers),
            "repeated_requests": sum(writer.repeated for writer in stage.writers),
            "longest_unacknowledged": {"seconds": round(slowest.slowest, 1), "trail": slowest.slowest_trail},
            "shown": sum(len(log) for reader in readers for log in reader.sight.logs.values()),
            "readers": len(readers),
            "fewest_cuts": min(reader.sight.count.cuts for reader in readers),
            "killed": dict(self.struck),
            "of_all_readers": dict(counts),
            "post_to_eye_by_socket_ms": {
                "p50": round(statistics.median(lags), 1) if lags else None,
                "p99": round(lags[int(len(lags) * 0.99)], 1) if lags else None,
            },
            "joins": joins,
            "leaves": sum(len(visitor.parted) for visitor in stage.visitors),
            "call_resumes": sum(visitor.resumed for visitor in stage.visitors),
            "sign_outs": sum(bool(leaver.signed_out_at) for leaver in stage.leavers),
            "sign_out_to_close_seconds": [round(each, 2) for each in sorted(took)],
            "broken": dict(found.counts),
        }
