"""Jobs outlive the worker that was at them, and what is taken back is not done."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import procrastinate
import pytest

from app.core import jobs, mail
from app.worker import rescue_jobs, run_jobs
from tests.app.at_work import running, until
from tests.world import World

pytestmark = pytest.mark.database


@pytest.fixture
async def queue(database_url: str) -> AsyncIterator[procrastinate.App]:
    app = jobs.with_database(database_url, connections=2)
    async with app.open_async():
        yield app


async def a_mail(world: World, to: str = "priya@example.org") -> int:
    async with world.database.transaction() as db:
        return await mail.send(db, to=to, subject="Hello", text="Text\n")


async def begun(queue: procrastinate.App, *, silent: float | None = 0) -> None:
    """A worker has begun the next job, and was last heard of so many seconds ago; None: it is forgotten."""
    worker = await queue.job_manager.register_worker()
    job = await queue.job_manager.fetch_job(None, worker)
    assert job is not None
    if silent is None:
        await queue.job_manager.unregister_worker(worker)
        return
    await queue.connector.execute_query_async(
        "UPDATE procrastinate_workers SET last_heartbeat = now() - %(silent)s * interval '1 second' "
        "WHERE id = %(worker)s",
        silent=silent,
        worker=worker,
    )


async def state(world: World) -> list[tuple[str, int]]:
    rows = await world.run("SELECT status, attempts FROM procrastinate_jobs ORDER BY id")
    return [tuple(row) for row in rows]


@pytest.mark.parametrize("silent", [jobs.SILENT_SECONDS + 1, None], ids=["silent", "forgotten"])
async def test_what_a_dead_worker_was_at_runs_again(
    world: World, queue: procrastinate.App, silent: float | None
) -> None:
    await a_mail(world)
    await begun(queue, silent=silent)
    assert await state(world) == [("doing", 0)]
    assert await jobs.rescue(queue, world.database) == 1
    assert await state(world) == [("todo", 1)]
    assert await jobs.rescue(queue, world.database) == 0


async def test_what_a_living_worker_is_at_is_left_to_it(world: World, queue: procrastinate.App) -> None:
    await a_mail(world)
    await begun(queue, silent=jobs.SILENT_SECONDS - 5)
    assert await jobs.rescue(queue, world.database) == 0
    assert await state(world) == [("doing", 0)]


async def test_a_worker_says_often_enough_that_it_lives() -> None:
    assert jobs.HEARTBEAT_SECONDS * 3 < jobs.SILENT_SECONDS


async def test_of_many_that_look_one_lets_it_run_again(world: World, queue: procrastinate.App) -> None:
    for _ in range(5):
        await a_mail(world)
        await begun(queue, silent=60)
    counts = await asyncio.gather(*(jobs.rescue(queue, world.database) for _ in range(4)))
    assert sorted(counts) == [0, 0, 0, 5]
    assert await state(world) == [("todo", 1)] * 5


async def test_one_that_ends_at_that_moment_keeps_no_other(
    world: World, queue: procrastinate.App, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await a_mail(world)
    await begun(queue, silent=60)
    await a_mail(world)
    await begun(queue, silent=60)
    honest = queue.job_manager.get_stalled_jobs

    async def slow(**options: Any) -> Any:
        found = await honest(**options)
        await world.run("DELETE FROM procrastinate_jobs WHERE id = :id", id=first)
        return found

    monkeypatch.setattr(queue.job_manager, "get_stalled_jobs", slow)
    await jobs.rescue(queue, world.database)
    assert await state(world) == [("todo", 1)]


async def test_the_worker_rescues_by_itself(
    world: World, queue: procrastinate.App, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivered: list[str] = []

    class Box:
        async def deliver(self, letter: mail.Mail) -> None:
            delivered.append(letter.message_id)

    monkeypatch.setattr(mail, "_postbox", [Box()])
    await a_mail(world)
    ((message_id,),) = await world.run("SELECT args ->> 'message_id' FROM procrastinate_jobs")
    await begun(queue, silent=60)

    async def done() -> bool:
        return bool(delivered)

    async with running(run_jobs(database_url), rescue_jobs(database_url, world.database)):
        await until(done, 15)
    assert delivered == [message_id], "it is the same mail"


async def test_a_job_that_waits_is_taken_back_with_the_transaction(world: World) -> None:
    job = await a_mail(world)

    async def fail() -> None:
        async with world.database.transaction() as db:
            assert await jobs.withdraw(db, job)
            raise RuntimeError("no, after all")

    with pytest.raises(RuntimeError, match="no, after all"):
        await fail()
    assert await state(world) == [("todo", 0)]
    async with world.database.transaction() as db:
        assert await jobs.withdraw(db, job)
    assert await state(world) == []
    async with world.database.transaction() as db:
        assert not await jobs.withdraw(db, job), "it is gone"


async def test_a_job_that_runs_is_asked_to_stop_and_is_not_tried_again(
    world: World, queue: procrastinate.App, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = 0

    class Box:
        async def deliver(self, letter: mail.Mail) -> None:
            nonlocal tries
            tries += 1
            await asyncio.sleep(60)

    monkeypatch.setattr(mail, "_postbox", [Box()])
    job = await a_mail(world)

    async def begun_it() -> bool:
        return tries > 0

    async def ended() -> bool:
        return all(status in ("failed", "aborted") for status, _ in await state(world))

    async with running(run_jobs(database_url)):
        await until(begun_it, 15)
        async with world.database.transaction() as db:
            assert not await jobs.withdraw(db, job)
        await until(ended, 15)
    assert tries == 1
    await world.run("UPDATE procrastinate_events SET at = now() - interval '2 hours'")
    await jobs.rescue(queue, world.database)
    assert await state(world) == [], "what it said is forgotten"
