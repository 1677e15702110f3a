"""Advisory locks: taken first and in one order, so that races wait instead of deadlocking."""

import hashlib
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession


async def lock(db: AsyncSession, realm: str, *ids: UUID) -> None:
    """Hold `realm` for each id until the transaction ends."""
    for identity in sorted(set(ids)):
        digest = hashlib.blake2b(realm.encode() + identity.bytes, digest_size=8).digest()
        await db.execute(select(func.pg_advisory_xact_lock(int.from_bytes(digest, "big", signed=True))))
