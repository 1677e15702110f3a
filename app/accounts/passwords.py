"""Passwords: argon2id (RFC 9106) off the event loop, a few at a time so that memory stays bounded."""

import asyncio

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

# OWASP's second recommendation: 19 MiB, two passes, one lane (about 50 ms).
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_at_once = asyncio.Semaphore(4)
# What an unknown address is checked against, so that it takes as long as a known one.
_nobody = _hasher.hash("nobody has this password")


async def hash_password(password: str) -> str:
    """The argon2id hash to store."""
    async with _at_once:
        return await asyncio.to_thread(_hasher.hash, password)


async def matches(password: str, stored: str | None) -> bool:
    """Whether `password` is the one behind `stored`; None (no such account) costs the same and is false."""

    def check() -> bool:
        try:
            _hasher.verify(stored or _nobody, password)
        except (VerificationError, InvalidHashError):
            return False
        return stored is not None

    async with _at_once:
        return await asyncio.to_thread(check)
