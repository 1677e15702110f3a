"""Access tokens that say who calls, and refresh tokens that keep a device signed in.

A refresh token is `family.generation.mac`, the MAC taken with a key that is not in the database: the row of
the family holds only which generation is alive. An older generation with a right MAC was genuine once, so it
is a replay and ends the family; a wrong MAC is noise and ends nothing (otherwise anyone who sees a session id
could sign its owner out).
"""

import base64
import binascii
import hashlib
import hmac
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID, uuid4

from app.accounts.models import SignInSession
from app.core import clock, crypto
from app.core.crypto import KeyRing
from app.core.errors import Unauthenticated
from signalling.contracts.tickets import TokenRefused, authentic, check_times, sign

ACCESS_TYPE = "at+jwt"
ACCESS_SECONDS = 600
AUDIENCE = "mentorspan:api"
_MAC_BYTES = 32
_HEAD = struct.Struct(">16sI")


@dataclass(frozen=True, slots=True)
class Claims:
    """Whom an access token speaks for."""

    account_id: UUID
    session_id: UUID


def issue_access(account_id: UUID, session_id: UUID, *, keys: KeyRing, issuer: str) -> str:
    """An access token (RFC 9068 shape) that is good for `ACCESS_SECONDS`."""
    issued = int(clock.now().timestamp())
    claims = {
        "iss": issuer,
        "aud": AUDIENCE,
        "sub": str(account_id),
        "sid": str(session_id),
        "jti": str(uuid4()),
        "iat": issued,
        "nbf": issued,
        "exp": issued + ACCESS_SECONDS,
    }
    return sign(claims, token_type=ACCESS_TYPE, key=keys.signing)


def read_access(token: str, *, keys: KeyRing, issuer: str) -> Claims:
    """Verify an access token. Raises `Unauthenticated`."""
    try:
        claims = _authentic(token, keys, issuer)
        check_times(claims, max_seconds=ACCESS_SECONDS, now=clock.now().timestamp())
        return Claims(account_id=UUID(claims["sub"]), session_id=UUID(claims["sid"]))
    except (TokenRefused, KeyError, ValueError, AttributeError, TypeError) as error:
        raise Unauthenticated("access_token_refused", "Your sign-in has expired. Sign in again.") from error


@lru_cache(4096)
def _authentic(token: str, keys: KeyRing, issuer: str) -> Mapping[str, Any]:
    """The same token comes with every request for minutes; its signature is checked once."""
    return authentic(token, token_type=ACCESS_TYPE, audience=AUDIENCE, issuer=issuer, keys=keys.public)


def refresh_token(session: SignInSession, *, keys: KeyRing) -> str:
    """The token of the generation that is alive."""
    head = _HEAD.pack(session.id.bytes, session.generation)
    return base64.urlsafe_b64encode(head + _mac(head, session.seed, keys)).rstrip(b"=").decode()


def read_refresh(token: str) -> tuple[UUID, int, bytes] | None:
    """Family, generation and MAC of a token that has the right shape; the MAC is still to be checked."""
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except (ValueError, binascii.Error):
        return None
    if len(raw) != _HEAD.size + _MAC_BYTES:
        return None
    family, generation = _HEAD.unpack_from(raw)
    return UUID(bytes=family), generation, raw[_HEAD.size :]


def is_genuine(session: SignInSession, generation: int, mac: bytes, *, keys: KeyRing) -> bool:
    """Whether this family was ever given a token of `generation` with this MAC."""
    head = _HEAD.pack(session.id.bytes, generation)
    return generation <= session.generation and crypto.same(mac, _mac(head, session.seed, keys))


def _mac(head: bytes, seed: bytes, keys: KeyRing) -> bytes:
    return hmac.new(keys.refresh, head + seed, hashlib.sha256).digest()
