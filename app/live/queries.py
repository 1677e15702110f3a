"""Reading streams: which ones a person hears, where they stand, what happened in them."""

from collections.abc import Mapping, Sequence, Set
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Uuid, cast, func, literal, select, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from app.accounts.auth import Actor
from app.accounts.models import Account, SignInSession
from app.chat import queries as chat
from app.core import streams
from app.core.streams import Address, Stream, StreamEvent, StreamKind
from app.organisations import queries as organisations


async def heard_by(db: AsyncSession, actor: Actor) -> list[Address]:
    """Every stream that the actor hears now, by id."""
    rows = await db.execute(
        select(literal(StreamKind.MEMBERSHIP.value), organisations.own_ids(actor).subquery()).union_all(
            select(literal(StreamKind.CONVERSATION.value), chat.heard_by(actor).subquery())
        )
    )
    found = [Address(StreamKind(kind), identity) for kind, identity in rows]
    return sorted([Address(StreamKind.ACCOUNT, actor.account_id), *found], key=lambda stream: stream.id)


async def heads(db: AsyncSession, addresses: Sequence[Address]) -> dict[UUID, Stream]:
    """Where these streams stand; those without a word so far begin now."""
    ids = [address.id for address in addresses]
    statement = select(Stream).where(Stream.id.in_(ids)).execution_options(populate_existing=True)
    found = {row.id: row for row in await db.scalars(statement)}
    missing = [address for address in addresses if address.id not in found]
    if missing:
        await streams.ensure(db, missing)
        found = {row.id: row for row in await db.scalars(statement)}
    return found


async def known(db: AsyncSession, ids: Sequence[UUID]) -> dict[UUID, Stream]:
    """Those of these streams that there are."""
    return {row.id: row for row in await db.scalars(select(Stream).where(Stream.id.in_(ids)))}


async def hidden_accounts(db: AsyncSession, sessions: Set[UUID]) -> dict[UUID, int]:
    """Whose sessions these are and who does not show whether they are there, and since which version."""
    rows = await db.execute(
        select(Account.id, Account.show_presence_version)
        .join(SignInSession, SignInSession.account_id == Account.id)
        .where(SignInSession.id.in_(sessions), Account.show_presence.is_(False))
    )
    return {account_id: version for account_id, version in rows}


async def after(db: AsyncSession, cursors: Mapping[UUID, int], limit: int, most: int) -> list[StreamEvent]:
    """The first `limit` events after each cursor, in order; `most` of them in all."""
    if not cursors or not limit:
        return []
    given = select(
        func.unnest(cast(list(cursors), ARRAY(Uuid))).label("id"),
        func.unnest(cast(list(cursors.values()), ARRAY(BigInteger))).label("seq"),
    ).subquery()
    newer = (
        select(StreamEvent)
        .where(StreamEvent.stream_id == given.c.id, StreamEvent.seq > given.c.seq)
        .order_by(StreamEvent.seq)
        .limit(limit)
        .lateral()
    )
    event = aliased(StreamEvent, newer)
    rows = await db.scalars(
        select(event).select_from(given.join(newer, true())).order_by(event.stream_id, event.seq).limit(most)
    )
    return list(rows)
