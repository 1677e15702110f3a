"""App's public keys: read from a file or an address, read again when a token names a key that is new."""

import asyncio
import json
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

import jwt
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from signalling.contracts.tickets import TokenRefused, header, read_jwks

# However many tokens name unknown keys, the source is asked no more often than this.
REFRESH_SECONDS = 1.0
FIRST_REFRESH_SECONDS = 0.1
FETCH_SECONDS = 3.0
MAX_BYTES = 64 * 1024

log = structlog.get_logger()


class KeyStore:
    """The keys at `source`, a path or an http(s) address of a JWK Set."""

    def __init__(self, source: str, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._monotonic = monotonic
        self._keys: dict[str, Ed25519PublicKey] = {}
        self._asked_at = float("-inf")
        self._unreadable = False
        self._lock = asyncio.Lock()

    @property
    def loaded(self) -> bool:
        """Whether any key is known."""
        return bool(self._keys)

    async def for_token(self, token: str) -> Mapping[str, Ed25519PublicKey]:
        """The keys to verify `token` with, having looked again when it names one that is not among them."""
        try:
            named = header(token).get("kid")
        except TokenRefused:
            return self._keys
        if isinstance(named, str) and named not in self._keys:
            await self.refresh()
        return self._keys

    async def refresh(self) -> None:
        """Read the source, unless that was done a moment ago. Keys that it no longer lists are forgotten."""
        async with self._lock:
            pause = REFRESH_SECONDS if self._keys else FIRST_REFRESH_SECONDS
            if self._monotonic() - self._asked_at < pause:
                return
            self._asked_at = self._monotonic()
            try:
                found = read_jwks(json.loads(await asyncio.to_thread(_read, self._source)))
            except (
                OSError,
                ValueError,
                KeyError,
                TypeError,
                AttributeError,
                RecursionError,
                jwt.PyJWTError,
            ) as error:
                if not self._unreadable:
                    log.warning(
                        "keys_unreadable", source=self._source, error=f"{type(error).__name__}: {error}"
                    )
                self._unreadable = True
                return
            self._keys, self._unreadable = found, False


def _read(source: str) -> bytes:
    if source.startswith(("http://", "https://")):
        with urllib.request.urlopen(source, timeout=FETCH_SECONDS) as answer:
            body: bytes = answer.read(MAX_BYTES)
            return body
    with Path(source).open("rb") as file:
        return file.read(MAX_BYTES)
