"""Advisory locks: taken first and in one order, so that races wait instead of deadlocking."""

import hashlib
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncSession


async def lock(db: AsyncSession, realm: str, *ids: UUID) -> None:
    """Hold `realm` for each id until the transaction ends."""
    keys = [_key(realm, identity) for identity in sorted(set(ids))]
    await db.execute(_LOCK, {"keys": keys})


def _key(realm: str, identity: UUID) -> int:
    digest = hashlib.blake2b(realm.encode() + identity.bytes, digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


_KEYS = func.unnest(bindparam("keys", type_=ARRAY(BigInteger()))).table_valued("key", name="wanted")
_LOCK = select(func.pg_advisory_xact_lock(_KEYS.render_derived().c.key))
"""One round trip for all of them: the rows come, and are locked, in the order of the array."""
