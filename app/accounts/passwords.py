"""Passwords: argon2id (RFC 9106) off the event loop, a few at a time so that memory stays bounded."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from app.core.errors import Unavailable

# OWASP's second recommendation: 19 MiB, two passes, one lane (about 50 ms).
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_at_once = asyncio.Semaphore(4)
MOST_WAITING = 12
_waiting = 0
# What an unknown address is checked against, so that it takes as long as a known one.
_nobody = _hasher.hash("nobody has this password")


async def hash_password(password: str) -> str:
    """The argon2id hash to store."""
    async with _turn():
        return await asyncio.to_thread(_hasher.hash, password)


async def matches(password: str, stored: str | None) -> bool:
    """Whether `password` is the one behind `stored`; None (no such account) costs the same and is false."""

    def check() -> bool:
        try:
            _hasher.verify(stored or _nobody, password)
        except (VerificationError, InvalidHashError):
            return False
        return stored is not None

    async with _turn():
        return await asyncio.to_thread(check)


@asynccontextmanager
async def _turn() -> AsyncIterator[None]:
    """Wait for one's turn; whoever would wait too long is sent away, for each keeps a database connection."""
    global _waiting
    if _waiting >= MOST_WAITING:
        raise Unavailable("too_busy", "Many people are signing in right now. Try again in a moment.")
    _waiting += 1
    try:
        async with _at_once:
            yield
    finally:
        _waiting -= 1
