"""Work that must happen after the commit, and only if there was one: rows in the same transaction."""

from typing import Any, Final
from uuid import UUID

import procrastinate
from procrastinate.exceptions import ConnectorException
from procrastinate.psycopg_connector import PsycopgConnector
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db import Database
from app.core.locks import lock

HEARTBEAT_SECONDS: Final = 5.0
"""How often a worker says that it lives."""
SILENT_SECONDS: Final = 30.0
"""After so long without a word a worker is dead, and its jobs are others' to do."""
_EVERYBODY: Final = UUID(int=0)

jobs = procrastinate.App(connector=PsycopgConnector(), import_paths=["app.core.mail"])


def with_database(url: str, *, connections: int = 4) -> procrastinate.App:
    """The same jobs, able to run: `url` is the SQLAlchemy address of the database."""
    conninfo = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    return jobs.with_connector(PsycopgConnector(conninfo=conninfo, min_size=1, max_size=connections))


async def defer(db: AsyncSession, task: str, **arguments: Any) -> int:
    """Enqueue `task` in the transaction of `db`: no commit, no job. Returns the job's id."""
    connection = await (await db.connection()).get_raw_connection()
    return await jobs.configure_task(task, connection=connection.driver_connection).defer_async(**arguments)


async def withdraw(db: AsyncSession, job_id: int) -> bool:
    """Take a job back in the transaction of `db`; False when it is running, or over.

    One that is running is asked to stop, and is not tried again.
    """
    connection = (await (await db.connection()).get_raw_connection()).driver_connection
    cancel = jobs.job_manager.cancel_job_by_id_async
    if await cancel(job_id, delete_job=True, connection=connection):
        return True
    await cancel(job_id, abort=True, connection=connection)
    return False


async def rescue(app: procrastinate.App, database: Database) -> int:
    """Let jobs run again whose worker has died over them; returns how many there were.

    A worker that died says nothing any more, and its jobs stay marked as running for ever. Of several workers
    that look, one does this at a time: what another has let run again may be running by now.
    """
    async with database.transaction() as db:
        await lock(db, "stalled jobs", _EVERYBODY)
        stalled = list(await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=SILENT_SECONDS))
        for job in stalled:
            try:
                await app.job_manager.retry_job(job)
            except ConnectorException:
                continue  # it lives after all, and has just ended
    # What was taken back while it ran ends in a state that keeps its row, and with it what it says.
    await app.job_manager.delete_old_jobs(
        nb_hours=1, include_failed=True, include_cancelled=True, include_aborted=True
    )
    return len(stalled)


_database: list[Database] = []


def work_on(database: Database) -> None:
    """Choose the database that the jobs of this process work on."""
    _database[:] = [database]


def database() -> Database:
    """What a job opens its transactions on; only a worker has one."""
    return _database[0]
