"""How often one may try: shared by all processes through Valkey, or per process without one."""

import contextlib
from functools import lru_cache
from math import ceil
from typing import Final

from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, RedisStorage, Storage
from limits.aio.strategies import MovingWindowRateLimiter
from limits.errors import StorageError

from app.core import clock
from app.core.errors import TooManyRequests

SIGN_IN_PER_ACCOUNT: Final = RateLimitItemPerMinute(10, 10)
"""Ten wrong passwords in ten minutes for one e-mail address, whoever tries."""
TRIES_PER_CLIENT: Final = RateLimitItemPerMinute(300)
"""What one network address may ask for without being signed in."""
INVITATIONS_PER_PERSON: Final = RateLimitItemPerHour(100)
CALENDAR_VISITS_PER_PERSON: Final = RateLimitItemPerHour(60)
"""How often one person may have us go to an address that they name."""
MAIL_PER_ADDRESS: Final = RateLimitItemPerMinute(5, 60)
"""Five mails an hour to one address that a stranger may cause."""


class Limits:
    """The limits of one installation. While Valkey is away each process counts for itself."""

    def __init__(self, valkey_url: str | None) -> None:
        self._shared = MovingWindowRateLimiter(_storage(valkey_url))
        self._alone = MovingWindowRateLimiter(MemoryStorage())

    async def spend(self, limit: RateLimitItem, *who: str) -> None:
        """Count one try. Raises `TooManyRequests` when `who` has none left."""
        try:
            granted = await self._shared.hit(limit, *who)
        except StorageError:
            granted = await self._alone.hit(limit, *who)
        if not granted:
            raise TooManyRequests(headers={"Retry-After": str(await self._seconds_left(limit, *who))})

    async def _seconds_left(self, limit: RateLimitItem, *who: str) -> int:
        try:
            reset, _ = await self._shared.get_window_stats(limit, *who)
        except StorageError:
            reset, _ = await self._alone.get_window_stats(limit, *who)
        return max(1, ceil(reset - clock.now().timestamp()))

    async def forgive(self, limit: RateLimitItem, *who: str) -> None:
        """Forget the tries so far: `who` has proved to be right."""
        with contextlib.suppress(StorageError):
            await self._shared.clear(limit, *who)
        await self._alone.clear(limit, *who)


def _storage(valkey_url: str | None) -> Storage:
    if not valkey_url or valkey_url.startswith("memory://"):
        return MemoryStorage()
    address = valkey_url
    if address.startswith("unix://"):
        address = "redis+unix://" + address.removeprefix("unix://")
    return RedisStorage(
        "async+" + address,
        wrap_exceptions=True,
        implementation="redispy",
        socket_timeout=1.0,
        socket_connect_timeout=1.0,
    )


@lru_cache
def open_limits(valkey_url: str | None) -> Limits:
    """The limits kept at `valkey_url`, opened once per process."""
    return Limits(valkey_url)
