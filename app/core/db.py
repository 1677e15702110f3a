"""The database: one request, one transaction, committed before the answer leaves.

FastAPI's default clean-up of `yield` dependencies runs after the response was sent: a failed commit would
still have been answered with 2xx. Hence `scope="function"` on `Db`.
"""

import select
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal, dataclass_transform
from uuid import UUID

import structlog
from fastapi import Depends, Request
from pydantic import BaseModel, ConfigDict
from sqlalchemy import DateTime, MetaData, event
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import DisconnectionError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, MappedAsDataclass, MappedColumn, mapped_column, relationship
from sqlalchemy.types import Text, Uuid

from app.core.ids import new_id

log = structlog.get_logger()


def identity(*, init: Literal[False] = False) -> Any:
    """The primary key column of a row: a UUIDv7 given at construction."""
    del init  # says to type checkers that callers need not pass it
    return mapped_column(primary_key=True, default_factory=new_id)


def instant(**options: Any) -> Any:
    """A column that holds an instant (`timestamptz`)."""
    return mapped_column(DateTime(timezone=True), **options)


@dataclass_transform(
    kw_only_default=True, field_specifiers=(mapped_column, relationship, identity, instant, MappedColumn)
)
class Base(MappedAsDataclass, DeclarativeBase, kw_only=True):
    """A row. It has its identity and its times from birth, so nothing needs `flush` or `refresh`."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar = {str: Text, list[str]: ARRAY(Text), list[UUID]: ARRAY(Uuid)}


class Event(BaseModel):
    """Something that happened in a room; `app.reactions` says who else must act on it."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


Reaction = Callable[[AsyncSession, Any], Awaitable[None]]
Reactions = Mapping[type[Event], Sequence[Reaction]]
BeforeCommit = Callable[[AsyncSession], Awaitable[None]]
AfterCommit = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class Database:
    """An engine, and what must happen around each of its transactions."""

    engine: AsyncEngine
    reactions: Reactions = field(default_factory=dict)
    context: dict[str, Any] = field(default_factory=dict)
    """What services may need besides the rows, in `session.info` (the bus)."""

    _sessions: async_sessionmaker[AsyncSession] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """One transaction: the work, its reactions, the commit, and only then what waited for it."""
        async with self._sessions.begin() as session:
            events: list[Event] = session.info.setdefault("events", [])
            session.info["before_commit"] = []
            session.info["after_commit"] = []
            session.info.update(self.context)
            yield session
            for event in events:  # a reaction may emit too, so the list can grow under us
                for react in self.reactions.get(type(event), ()):
                    await react(session, event)
            for finish in session.info["before_commit"]:
                await finish(session)
        for run in session.info["after_commit"]:
            try:
                await run()
            except Exception:
                # The rows are committed; whatever this was has a sweeper that repeats it.
                log.exception("after_commit_failed")

    async def close(self) -> None:
        """Give the connections back."""
        await self.engine.dispose()


def open_database(url: str, *, pool: int = 10, reactions: Reactions | None = None) -> Database:
    """Connect lazily to `url` (`postgresql+psycopg://...`)."""
    engine = create_async_engine(
        url,
        pool_size=pool,
        max_overflow=pool,
        hide_parameters=True,  # an error's text goes to the log; what people wrote must not
        connect_args={"options": "-c timezone=UTC -c lock_timeout=10s -c statement_timeout=30s"},
    )
    event.listen(engine.sync_engine, "checkout", _must_be_open)
    return Database(engine, reactions or {})


def _must_be_open(connection: Any, _record: object, _proxy: object) -> None:
    """Have a pooled connection replaced whose server went away.

    A server that dies closes its sockets, and a closed socket can be read from: that costs no round trip, as
    asking `SELECT 1` would before every request.
    """
    readable = select.poll()
    readable.register(connection.driver_connection.fileno(), select.POLLIN)
    if readable.poll(0):
        raise DisconnectionError("the server closed this connection")


def emit(db: AsyncSession, event: Event) -> None:
    """Let the rooms above react to `event` inside this transaction."""
    db.info.setdefault("events", []).append(event)


def before_commit(db: AsyncSession, run: BeforeCommit) -> None:
    """Run this as the last thing in the transaction, when nothing else will happen in it."""
    db.info["before_commit"].append(run)


def after_commit(db: AsyncSession, run: AfterCommit) -> None:
    """Run this once the transaction has committed; its failure is logged, not told."""
    db.info["after_commit"].append(run)


def violates(error: IntegrityError, constraint: str) -> bool:
    """Whether it is this constraint that the database held up."""
    return getattr(getattr(error.orig, "diag", None), "constraint_name", None) == constraint


async def _transaction(request: Request) -> AsyncIterator[AsyncSession]:
    database: Database = request.app.state.database
    async with database.transaction() as session:
        yield session


Db = Annotated[AsyncSession, Depends(_transaction, scope="function")]
"""The transaction of this request, committed before its response is sent."""

__all__ = [
    "Base",
    "Database",
    "Db",
    "Event",
    "after_commit",
    "before_commit",
    "emit",
    "identity",
    "instant",
    "open_database",
    "violates",
]
