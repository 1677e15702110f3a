"""How often one may try: shared by all processes through Valkey, or per process without one."""

from functools import lru_cache
from typing import Final

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, RedisStorage, Storage
from limits.aio.strategies import MovingWindowRateLimiter
from limits.errors import StorageError

from app.core.errors import TooManyRequests

SIGN_IN_PER_ACCOUNT: Final = RateLimitItemPerMinute(10, 10)
"""Ten tries in ten minutes for one e-mail address, whoever tries."""
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
            raise TooManyRequests(headers={"Retry-After": "60"})


def _storage(valkey_url: str | None) -> Storage:
    if not valkey_url or valkey_url.startswith("memory://"):
        return MemoryStorage()
    address = valkey_url.replace("valkey://", "redis://").replace("valkeys://", "rediss://")
    if address.startswith("unix://"):
        address = "redis+unix://" + address.removeprefix("unix://")
    return RedisStorage("async+" + address, wrap_exceptions=True, implementation="redispy")


@lru_cache
def open_limits(valkey_url: str | None) -> Limits:
    """The limits kept at `valkey_url`, opened once per process."""
    return Limits(valkey_url)
