"""Signalling nodes: which of them live, and what each must still do.

A command is a row until its node says that it is done, and is sent again until then: a bus that dies cannot
lose one. Silence closes none: it may be that of the bus or of the worker, while the node holds its sockets.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from pydantic import ValidationError
from sqlalchemy import Index, and_, delete, func, select, text, true, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, aliased, mapped_column

from app.core import clock
from app.core.db import Base, Database, after_commit, before_commit, instant
from signalling.contracts.bus import Bus, BusUnavailable
from signalling.contracts.calls import Command, CommandDone, NodeAlive, command_adapter

ALIVE = timedelta(seconds=20)
GONE = timedelta(minutes=5)
UNANSWERED = timedelta(seconds=0.3)
PATIENCE = timedelta(seconds=5)
"""The longest time between two repetitions of a command: it may be one that its node cannot read."""
SENDING_SECONDS = 3.0
MOST_AT_ONCE = 500
"""Repetitions to one node in one turn."""

log = structlog.get_logger()


class Node(Base):
    """A signalling node, as it last said of itself."""

    __tablename__ = "node"

    name: Mapped[str] = mapped_column(primary_key=True)
    url: Mapped[str]
    draining: Mapped[bool]
    calls: Mapped[int]
    seen_at: Mapped[datetime] = instant()
    public_key: Mapped[str] = mapped_column(default="")
    """The Ed25519 key that it signs its questions with: the `x` of a JWK (RFC 8037)."""


class NodeCommand(Base):
    """Something a node must do. Kept until the node says that it is done, and sent again until then."""

    __tablename__ = "node_command"
    __table_args__ = (
        Index("ix_node_command_open", "node", "repeat_at", postgresql_where=text("done_at IS NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    node: Mapped[str]
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[datetime] = instant(default_factory=clock.now)
    repeat_at: Mapped[datetime] = instant(default_factory=lambda: clock.now() + UNANSWERED)
    """Those that were not sent for the longest time come first, so that none keeps another out."""
    done_at: Mapped[datetime | None] = instant(default=None)


async def live(db: AsyncSession) -> list[Node]:
    """Nodes that spoke lately, the least busy first."""
    rows = await db.scalars(
        select(Node)
        .where(Node.seen_at > clock.now() - ALIVE, Node.draining.is_(False))
        .order_by(Node.calls, Node.name)
    )
    return list(rows)


async def by_name(db: AsyncSession, name: str) -> Node | None:
    """A node that may still serve somebody."""
    return await db.scalar(select(Node).where(Node.name == name, Node.seen_at > clock.now() - GONE))


async def command_all(db: AsyncSession, command_for: type[Command], **fields: Any) -> None:
    """Tell every node that may still hold sockets or calls, once this transaction has committed."""
    noted: list[Callable[[], Command]] = db.info.setdefault("commands", [])
    if not noted:
        before_commit(db, _address)
    noted.append(lambda: command_for(**fields))


async def _address(db: AsyncSession) -> None:
    """Write down for each node what was noted. Which nodes there are is asked after all else has happened."""
    noted, db.info["commands"] = db.info["commands"], []
    names = await _holding(db)
    commands = [(name, make()) for make in noted for name in names]
    db.add_all(
        NodeCommand(id=command.id, node=name, payload=command.model_dump(mode="json"))
        for name, command in commands
    )
    bus: Bus | None = db.info.get("bus")
    leaving: list[tuple[str, Command]] = db.info.setdefault("leaving", [])
    if bus is not None and not leaving:
        after_commit(db, lambda: _send(bus, leaving))
    leaving += commands


async def _send(bus: Bus, commands: Sequence[tuple[str, Command]]) -> None:
    """Send these while the bus takes them; a request waits for it, so what is left is for the worker."""
    try:
        async with asyncio.timeout(SENDING_SECONDS):
            for name, command in commands:
                await bus.publish_command(name, command)
    except (BusUnavailable, TimeoutError) as error:
        log.warning("commands_not_sent", count=len(commands), reason=str(error) or "the bus is slow")


async def _holding(db: AsyncSession) -> list[str]:
    """All that are known, but for those that said that they stop, a while before the newest word of any.

    When nobody was heard for long, it is the bus or the worker that was away, and not the nodes.
    """
    newest = select(func.max(Node.seen_at)).scalar_subquery()
    stopped = and_(Node.draining.is_(True), Node.seen_at < newest - GONE)
    return list(await db.scalars(select(Node.name).where(~stopped).order_by(Node.name)))


async def repeat_commands(database: Database, bus: Bus, unreadable: set[UUID]) -> None:
    """Send again what nodes that live have not answered; ever more rarely, what stays without an answer.

    `unreadable` holds what was reported to be no command that this release knows.
    """
    async with database.transaction() as db:
        rows = await _overdue(db)
    sent = []
    for row in rows:
        try:
            await bus.publish_command(row.node, command_adapter.validate_python(row.payload))
        except ValidationError:
            if row.id not in unreadable:
                log.error("command_unreadable", id=str(row.id), node=row.node, kind=row.payload.get("kind"))
                unreadable.add(row.id)
        except BusUnavailable:
            break
        sent.append(row.id)
    if sent:
        async with database.transaction() as db:
            await _put_off(db, sent)


async def _overdue(db: AsyncSession) -> list[NodeCommand]:
    """What is to be sent again now: of each node that lives so many, the oldest first."""
    now = clock.now()
    waiting = (
        select(NodeCommand)
        .where(NodeCommand.node == Node.name, NodeCommand.done_at.is_(None), NodeCommand.repeat_at < now)
        .order_by(NodeCommand.repeat_at)
        .limit(MOST_AT_ONCE)
        .lateral()
    )
    command = aliased(NodeCommand, waiting)
    rows = await db.scalars(
        select(command)
        .select_from(Node)
        .join(waiting, true())
        .where(Node.seen_at > now - ALIVE)
        .order_by(command.created_at)
    )
    return list(rows)


async def _put_off(db: AsyncSession, ids: list[UUID]) -> None:
    now = clock.now()
    pause = func.least(func.greatest(now - NodeCommand.created_at, UNANSWERED), PATIENCE)
    locked = select(NodeCommand.id).where(NodeCommand.id.in_(ids)).order_by(NodeCommand.id).with_for_update()
    await db.execute(
        update(NodeCommand)
        .where(NodeCommand.id.in_(locked))
        .values(repeat_at=now + pause)
        .execution_options(synchronize_session=False)
    )


async def apply(db: AsyncSession, fact: NodeAlive | CommandDone) -> None:
    """Take in what a node says of itself. Facts may come twice and out of order."""
    if isinstance(fact, CommandDone):
        await db.execute(
            update(NodeCommand)
            .where(NodeCommand.id == fact.command_id, NodeCommand.done_at.is_(None))
            .values(done_at=clock.now())
        )
        return
    said = {
        "url": fact.url,
        "draining": fact.draining,
        "calls": fact.calls,
        "seen_at": fact.at,
        "public_key": fact.public_key,
    }
    await db.execute(
        insert(Node)
        .values(name=fact.node, **said)
        .on_conflict_do_update(index_elements=["name"], set_=said, where=Node.seen_at < fact.at)
    )


async def clear_away(db: AsyncSession, before: datetime) -> None:
    """Forget commands that are from, and nodes that were last heard of, before then."""
    await db.execute(delete(NodeCommand).where(NodeCommand.created_at < before))
    await db.execute(delete(Node).where(Node.seen_at < before))
