"""Signalling nodes: which of them live, and what each must still do.

A command is a row until its node says that it is done, and is sent again until then: a bus that dies cannot
lose one.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Index, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from app.core import clock
from app.core.db import Base, after_commit, instant
from signalling.contracts.bus import Bus, BusUnavailable
from signalling.contracts.calls import Command, CommandDone, NodeAlive, command_adapter

ALIVE = timedelta(seconds=20)
GONE = timedelta(minutes=5)
UNANSWERED = timedelta(seconds=0.3)
MOST_AT_ONCE = 500


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
    __table_args__ = (Index("ix_node_command_open", "created_at", postgresql_where=text("done_at IS NULL")),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    node: Mapped[str]
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[datetime] = instant(default_factory=clock.now)
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


async def command(db: AsyncSession, node: str, command: Command) -> None:
    """Tell one node to do something, once this transaction has committed."""
    db.add(NodeCommand(id=command.id, node=node, payload=command.model_dump(mode="json")))
    bus: Bus | None = db.info.get("bus")
    if bus is not None:

        async def publish() -> None:
            await bus.publish_command(node, command)

        after_commit(db, publish)


async def command_all(db: AsyncSession, command_for: type[Command], **fields: Any) -> None:
    """Tell every node that may still hold sockets, also those that drain or have been silent for a moment."""
    names = await db.scalars(select(Node.name).where(Node.seen_at > clock.now() - GONE).order_by(Node.name))
    for name in list(names):
        await command(db, name, command_for(**fields))


async def repeat_commands(db: AsyncSession, bus: Bus) -> None:
    """Send again what no node has answered."""
    await _close_commands_of_gone_nodes(db)
    rows = await db.scalars(
        select(NodeCommand)
        .where(NodeCommand.done_at.is_(None), NodeCommand.created_at < clock.now() - UNANSWERED)
        .order_by(NodeCommand.created_at)
        .limit(MOST_AT_ONCE)
    )
    for row in rows:
        try:
            await bus.publish_command(row.node, command_adapter.validate_python(row.payload))
        except BusUnavailable:
            return


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
    """Forget commands that were done, and nodes that were last heard of, before then."""
    await db.execute(delete(NodeCommand).where(NodeCommand.done_at < before))
    await db.execute(delete(Node).where(Node.seen_at < before))


async def _close_commands_of_gone_nodes(db: AsyncSession) -> None:
    """A node that has been silent for minutes holds no socket any more; nothing is left to be done there."""
    alive = select(Node.name).where(Node.seen_at > clock.now() - GONE)
    await db.execute(
        update(NodeCommand)
        .where(NodeCommand.done_at.is_(None), NodeCommand.node.not_in(alive))
        .values(done_at=func.now())
    )
