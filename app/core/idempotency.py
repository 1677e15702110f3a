"""A creating POST that is repeated with the same `Idempotency-Key` creates once.

The key is a row in the same transaction as what it creates. A repetition that arrives while the first is
still under way waits for it on the unique index; afterwards it is answered with the thing as it is now.
"""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, TypeVar
from uuid import UUID

from fastapi import Depends, Header, Request
from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from app.core import clock
from app.core.db import Base, instant
from app.core.errors import Invalid

T = TypeVar("T")


class IdempotencyKey(Base):
    __tablename__ = "idempotency_key"

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request_hash: Mapped[bytes]
    created_id: Mapped[UUID | None] = mapped_column(default=None)
    created_at: Mapped[datetime] = instant(default_factory=clock.now)


async def clear_away(db: AsyncSession, before: datetime) -> None:
    """Forget keys that were used before then."""
    await db.execute(delete(IdempotencyKey).where(IdempotencyKey.created_at < before))


@dataclass(frozen=True, slots=True)
class Once:
    """What the client said about repetition."""

    key: str | None
    request_hash: bytes

    async def create(
        self,
        db: AsyncSession,
        account_id: UUID,
        make: Callable[[], Awaitable[tuple[UUID, T]]],
        again: Callable[[UUID], Awaitable[T]],
    ) -> T:
        """Run `make` (it returns the new id and the answer) once per key; a repetition gets `again(id)`."""
        if self.key is None:
            return (await make())[1]
        claimed = await db.execute(
            insert(IdempotencyKey)
            .values(
                account_id=account_id, key=self.key, request_hash=self.request_hash, created_at=clock.now()
            )
            .on_conflict_do_nothing()
            .returning(IdempotencyKey.key)
        )
        row_key = (account_id, self.key)
        if claimed.first() is not None:
            made_id, made = await make()
            row = await db.get_one(IdempotencyKey, row_key)
            row.created_id = made_id
            return made
        row = await db.get_one(IdempotencyKey, row_key)
        if row.request_hash != self.request_hash or row.created_id is None:
            raise Invalid(
                "idempotency_key_reused",
                "This Idempotency-Key was used for another request. Use a new key for a new request.",
            )
        return await again(row.created_id)


IdempotencyKeyHeader = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=8,
        max_length=100,
        pattern=r"^[A-Za-z0-9_.:-]+$",
        description="Repeat a request that may not have arrived with the same key: it happens once.",
    ),
]


async def _once(request: Request, idempotency_key: IdempotencyKeyHeader = None) -> Once:
    material = f"{request.method} {request.url.path}\n".encode() + await request.body()
    return Once(key=idempotency_key, request_hash=hashlib.sha256(material).digest())


OnceOnly = Annotated[Once, Depends(_once)]
