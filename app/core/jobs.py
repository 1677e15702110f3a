"""Work that must happen after the commit, and only if there was one: rows in the same transaction."""

from typing import Any

import procrastinate
from procrastinate.psycopg_connector import PsycopgConnector
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db import Database

jobs = procrastinate.App(connector=PsycopgConnector(), import_paths=["app.core.mail"])


def with_database(url: str) -> procrastinate.App:
    """The same jobs, able to run: `url` is the SQLAlchemy address of the database."""
    conninfo = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    return jobs.with_connector(PsycopgConnector(conninfo=conninfo, min_size=1, max_size=4))


async def defer(db: AsyncSession, task: str, **arguments: Any) -> None:
    """Enqueue `task` in the transaction of `db`: no commit, no job."""
    connection = await (await db.connection()).get_raw_connection()
    await jobs.configure_task(task, connection=connection.driver_connection).defer_async(**arguments)


_database: list[Database] = []


def work_on(database: Database) -> None:
    """Choose the database that the jobs of this process work on."""
    _database[:] = [database]


def database() -> Database:
    """What a job opens its transactions on; only a worker has one."""
    return _database[0]
