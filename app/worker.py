"""The worker: runs jobs, takes in facts from signalling, repeats commands, and closes what lapsed."""

import asyncio
import contextlib
import signal
import uuid
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog
from sqlalchemy.exc import DBAPIError, OperationalError

from app.accounts import expiry
from app.accounts import queries as accounts
from app.calendars import service as calendars
from app.core import clock, idempotency, jobs, logging, mail, nodes, outbox
from app.core.crypto import load_keys
from app.core.db import Database, open_database
from app.core.mailbox import Mailbox
from app.core.outbox import Relay
from app.freebusy.fetching import Fetcher
from app.freebusy.refreshing import Refresher
from app.notifications import nudging, reminding, sending
from app.notifications import queries as reminders
from app.reactions import REACTIONS
from app.recordings import expiry as expiry_of_recordings
from app.scheduling import calls, diaries, noshows
from app.series import making
from app.settings import Settings, get_settings
from signalling.contracts.bus import Bus, BusUnavailable
from signalling.contracts.bus_open import open_bus
from signalling.contracts.calls import Fact

log = structlog.get_logger()
HOUSEKEEPING_SECONDS = 0.25
CLEARING_SECONDS = 3600.0
SETTLING_SECONDS = 60.0
REMINDER_SECONDS = 5.0
NUDGE_SECONDS = 600.0
SERIES_SECONDS = 60.0
KEPT = timedelta(days=14)
IN_THE_WAY = {"40001", "40P01", "55P03", "57014"}
"""SQLSTATE of serialization_failure, deadlock_detected, lock_not_available and query_canceled."""


async def take_in_facts(database: Database, bus: Bus) -> None:
    """Commit each fact, and only then say so to the node that keeps it."""
    consumer = f"worker-{uuid.uuid4().hex[:8]}"
    refused: set[uuid.UUID] = set()
    async for delivery in bus.facts(consumer):
        try:
            async with database.transaction() as db:
                await calls.apply(db, delivery.fact)
        except DBAPIError as error:
            if _is_away(error):
                raise  # all of them must wait
            _refuse(delivery.fact, refused)
            continue
        except Exception:
            # One that cannot be taken in must not keep the others out; its node sends it again.
            _refuse(delivery.fact, refused)
            continue
        with contextlib.suppress(BusUnavailable):
            await delivery.committed()


def _is_away(error: DBAPIError) -> bool:
    """Whether the database is away, and not only in the way of one transaction: deadlock, lock, time-out."""
    if getattr(error.orig, "sqlstate", None) in IN_THE_WAY:
        return False
    return error.connection_invalidated or isinstance(error, OperationalError)


def _refuse(fact: Fact, refused: set[uuid.UUID]) -> None:
    """Report a fact that cannot be taken in, once: it comes again every few seconds, for ever."""
    if fact.id not in refused:
        log.exception("fact_failed", kind=fact.kind, id=str(fact.id))
        refused.add(fact.id)


async def keep_house(database: Database, bus: Bus, settings: Settings) -> None:
    """Close lapsed leases and sign-ins, repeat unanswered commands, and publish what was left behind."""
    alive = settings.state_dir / "worker.alive"
    alive.parent.mkdir(parents=True, exist_ok=True)
    unreadable: set[uuid.UUID] = set()
    while True:
        async with database.transaction() as db:
            lapsed = await calls.lapse(db, settings)
        async with database.transaction() as db:
            await expiry.end_expired(db)
        await nodes.repeat_commands(database, bus, unreadable)
        async with database.transaction() as db:
            await outbox.sweep(db, bus)
        alive.touch()
        if lapsed:
            log.info("attendance_lapsed", stays=lapsed)
        await asyncio.sleep(HOUSEKEEPING_SECONDS)


async def clear_away(database: Database) -> None:
    """Once an hour, forget what nobody will ask for again."""
    while True:
        async with database.transaction() as db:
            before = clock.now() - KEPT
            await idempotency.clear_away(db, before)
            await accounts.clear_away(db, before)
            await nodes.clear_away(db, before)
            await diaries.clear_holds(db)
            await reminders.clear_away(db, before)
        forgotten = 1
        while forgotten:
            async with database.transaction() as db:
                forgotten = await outbox.clear_away(db, before)
        await asyncio.sleep(CLEARING_SECONDS)


async def end_recordings(database: Database, settings: Settings) -> None:
    """Once an hour, delete the recordings that have been kept for long enough."""
    while True:
        await expiry_of_recordings.end_old(database, settings)
        await asyncio.sleep(CLEARING_SECONDS)


async def settle_meetings(database: Database) -> None:
    """Once a minute, mark how the meetings went that are over."""
    while True:
        settled = noshows.AT_A_TIME
        while settled == noshows.AT_A_TIME:
            async with database.transaction() as db:
                settled = await noshows.settle(db)
        await asyncio.sleep(SETTLING_SECONDS)


async def extend_series(database: Database) -> None:
    """Make the meetings of series far enough ahead: of each once a day, and what one request left over."""
    while True:
        await making.extend(database)
        await asyncio.sleep(SERIES_SECONDS)


async def run_jobs(url: str) -> None:
    """Run jobs until cancelled; a finished job is deleted, for its arguments may hold secrets."""
    app = jobs.with_database(url)
    async with app.open_async():
        await app.run_worker_async(
            concurrency=4,
            install_signal_handlers=False,
            delete_jobs="always",
            listen_notify=True,
            update_heartbeat_interval=jobs.HEARTBEAT_SECONDS,
            stalled_worker_timeout=jobs.SILENT_SECONDS,
        )


async def rescue_jobs(url: str, database: Database) -> None:
    """Every few seconds, let the jobs of workers that died run again."""
    app = jobs.with_database(url, connections=1)
    async with app.open_async():
        while True:
            rescued = await jobs.rescue(app, database)
            if rescued:
                log.warning("jobs_rescued", jobs=rescued)
            await asyncio.sleep(jobs.HEARTBEAT_SECONDS)


async def remind(database: Database) -> None:
    """Every few seconds, send the reminders that are due."""
    refused: set[uuid.UUID] = set()
    while True:
        await sending.send_due(database, refused)
        await asyncio.sleep(REMINDER_SECONDS)


async def nudge(database: Database, settings: Settings) -> None:
    """Every few minutes, look for meetings that nobody is reminded of, and for quiet mentorships."""
    while True:
        await reminding.plan_missing(database)
        await nudging.nudge_quiet(database, settings.quiet_weeks)
        await asyncio.sleep(NUDGE_SECONDS)


async def _for_ever(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Start `work` again when it fails: the database or the bus may be away for a while."""
    pause = 0.5
    while True:
        started = asyncio.get_running_loop().time()
        try:
            await work()
        except Exception:
            log.exception("worker_part_failed", part=name)
        if asyncio.get_running_loop().time() - started > 30:
            pause = 0.5
        await asyncio.sleep(pause)
        pause = min(pause * 2, 10)


def postbox(settings: Settings, database: Database) -> mail.Postbox:
    """SMTP when configured; in development the mailbox; otherwise mail waits in the queue."""
    if settings.smtp_url:
        return mail.Smtp(settings.smtp_url, settings.mail_from)
    return Mailbox(database) if settings.development else mail.Nowhere()


async def take_in_mail(settings: Settings, url: str, raw: bytes) -> calendars.Taken:
    """Take in one mail that came to the calendar address; what it causes, the running worker does."""
    keys = load_keys(settings.keys_dir)
    database = open_database(url, pool=1, reactions=REACTIONS)
    database.context["keys"] = keys
    try:
        async with database.transaction() as db:
            return await calendars.take_in(db, raw, keys)
    finally:
        await database.close()


async def work(settings: Settings) -> None:
    """Do all of it until cancelled."""
    url = settings.database_url
    if not url:
        raise RuntimeError("DATABASE_URL is not set. `mentorspan serve` starts a private database.")
    bus = open_bus(settings.valkey_url)
    database = open_database(url, pool=3, reactions=REACTIONS)
    database.context["bus"] = bus
    database.context["keys"] = load_keys(settings.keys_dir)
    relay = database.context["publisher"] = Relay(database, bus)
    mail.use_postbox(postbox(settings, database))
    jobs.work_on(database)
    sealing = load_keys(settings.keys_dir).sealing
    refresher = Refresher(database, sealing, Fetcher(settings.calendar_hosts_allowed))
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_for_ever("facts", lambda: take_in_facts(database, bus)))
            tasks.create_task(_for_ever("relay", relay.run))
            tasks.create_task(_for_ever("relay_marks", relay.mark))
            tasks.create_task(_for_ever("housekeeping", lambda: keep_house(database, bus, settings)))
            tasks.create_task(_for_ever("clearing", lambda: clear_away(database)))
            tasks.create_task(_for_ever("recordings", lambda: end_recordings(database, settings)))
            tasks.create_task(_for_ever("outcomes", lambda: settle_meetings(database)))
            tasks.create_task(_for_ever("calendars", refresher.run))
            tasks.create_task(_for_ever("series", lambda: extend_series(database)))
            tasks.create_task(_for_ever("jobs", lambda: run_jobs(url)))
            tasks.create_task(_for_ever("stalled_jobs", lambda: rescue_jobs(url, database)))
            tasks.create_task(_for_ever("reminders", lambda: remind(database)))
            tasks.create_task(_for_ever("nudges", lambda: nudge(database, settings)))
    finally:
        await bus.close()
        await database.close()


async def _until_stopped(settings: Settings) -> None:
    task = asyncio.create_task(work(settings))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task


def main() -> None:
    """`mentorspan worker`."""
    settings = get_settings()
    logging.configure(settings.log_level, pretty=settings.development)
    asyncio.run(_until_stopped(settings))
