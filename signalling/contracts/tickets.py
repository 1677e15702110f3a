"""Signed leave to open one socket once: minted by app, verified by signalling without asking anyone.

A ticket is a JWT (RFC 7519) signed with EdDSA (RFC 8037), explicitly typed (RFC 8725, section 3.11). Its
`jti` is used once; the node that admits it remembers it until it has expired.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID, uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import BaseModel, ConfigDict, Field, ValidationError

ALGORITHM = "EdDSA"
CALL_TICKET_TYPE = "call-ticket+jwt"
EVENTS_TICKET_TYPE = "events-ticket+jwt"
NODE_TOKEN_TYPE = "node+jwt"
SIGNALLING_AUDIENCE = "mentorspan:signalling"
INTERNAL_AUDIENCE = "mentorspan:internal"
TICKET_SECONDS = 60
MOST_HEADER_CHARACTERS = 512
_LEEWAY_SECONDS = 5

Topology = Literal["direct", "forwarded"]
Permission = Literal["publish", "subscribe", "moderate"]
IcePolicy = Literal["all", "relay"]


class TokenRefused(Exception):
    """A token that is malformed, forged, expired, of another kind or for another door."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key and the name (`kid`) its public half is published under."""

    kid: str
    private: Ed25519PrivateKey


class CallTicket(BaseModel):
    """Who may enter which call, on which node, doing what."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    jti: UUID = Field(default_factory=uuid4)
    account_id: UUID
    session_id: UUID
    membership_id: UUID
    call_id: UUID
    epoch: int = Field(ge=1)
    node: str = Field(min_length=1, max_length=100)
    name: str = Field(min_length=1, max_length=120)
    organisation: str = Field(min_length=1, max_length=120)
    role: str = Field(min_length=1, max_length=20)
    permissions: tuple[Permission, ...] = ("publish", "subscribe")
    topology: Topology = "direct"
    ice_policy: IcePolicy = "all"
    issued_at: int = 0
    """POSIX time of signing; set when it is read."""


class EventsTicket(BaseModel):
    """Who may open an events socket."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    jti: UUID = Field(default_factory=uuid4)
    account_id: UUID
    session_id: UUID
    shown: bool = True
    """Whether the account shows that it is there."""
    shown_version: int = 0
    """Rises whenever `shown` changes: a node may have been told something newer than the ticket says."""
    issued_at: int = 0
    """POSIX time of signing; set when it is read."""


def sign(claims: Mapping[str, Any], *, token_type: str, key: SigningKey) -> str:
    """Sign `claims` as an explicitly typed EdDSA JWT."""
    return jwt.encode(
        dict(claims), key.private, algorithm=ALGORITHM, headers={"typ": token_type, "kid": key.kid}
    )


def verify(
    token: str,
    *,
    token_type: str,
    audience: str,
    issuer: str,
    keys: Mapping[str, Ed25519PublicKey],
    max_seconds: int,
    now: float,
) -> dict[str, Any]:
    """Return the claims of a token that passes every check, else raise `TokenRefused`.

    `now` is a POSIX time; a lifetime (`exp - iat`) above `max_seconds` is refused even when the signature is
    right.
    """
    claims = authentic(token, token_type=token_type, audience=audience, issuer=issuer, keys=keys)
    check_times(claims, max_seconds=max_seconds, now=now)
    return claims


def authentic(
    token: str, *, token_type: str, audience: str, issuer: str, keys: Mapping[str, Ed25519PublicKey]
) -> dict[str, Any]:
    """The claims of a token that we signed for this use, whenever that was; else raise `TokenRefused`.

    `keys` maps `kid` to public key; a key named or embedded by the token itself is never used.
    """
    head = header(token)
    try:
        key = keys.get(str(head.get("kid")))
        if head.get("typ") != token_type or head.get("alg") != ALGORITHM or key is None:
            raise TokenRefused("The token is of another kind or signed with an unknown key.")
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[ALGORITHM],
            audience=audience,
            issuer=issuer,
            options={
                "require": ["iss", "aud", "sub", "jti", "iat", "nbf", "exp"],
                "strict_aud": True,
                # `check_times` does that by the caller's clock, which a test can move.
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
            },
        )
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise TokenRefused("The token cannot be verified.") from error
    return claims


def header(token: str) -> Mapping[str, Any]:
    """What a token says of itself, before anything is verified. Raises `TokenRefused`.

    A long one is not read at all: brackets in brackets would use up the interpreter's stack, and whatever
    else the interpreter does at that moment would fail.
    """
    try:
        if token.find(".", 0, MOST_HEADER_CHARACTERS) < 0:
            raise TokenRefused("The token has no header of ours.")
        return jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError) as error:
        raise TokenRefused("The token cannot be read.") from error


def check_times(claims: Mapping[str, Any], *, max_seconds: int, now: float) -> None:
    """Raise `TokenRefused` unless authentic claims are good at `now`, and for no longer than they may be."""
    times = [claims[name] for name in ("iat", "nbf", "exp")]
    if any(isinstance(value, bool) or not isinstance(value, int) for value in times):
        raise TokenRefused("The token's times are not whole seconds.")
    issued, not_before, expires = times
    if not 0 < expires - issued <= max_seconds:
        raise TokenRefused("The token's lifetime is not allowed.")
    if now < min(issued, not_before) - _LEEWAY_SECONDS or now < not_before - _LEEWAY_SECONDS:
        raise TokenRefused("The token is not valid yet.")
    if now >= expires:
        raise TokenRefused("The token has expired.")


def issue_call_ticket(ticket: CallTicket, *, key: SigningKey, issuer: str, now: float) -> str:
    """Sign `ticket`, valid for `TICKET_SECONDS` from `now` (POSIX time)."""
    return _issue(ticket, CALL_TICKET_TYPE, key=key, issuer=issuer, now=now)


def issue_events_ticket(ticket: EventsTicket, *, key: SigningKey, issuer: str, now: float) -> str:
    """Sign `ticket`, valid for `TICKET_SECONDS` from `now` (POSIX time)."""
    return _issue(ticket, EVENTS_TICKET_TYPE, key=key, issuer=issuer, now=now)


def _issue(
    ticket: CallTicket | EventsTicket, token_type: str, *, key: SigningKey, issuer: str, now: float
) -> str:
    issued = int(now)
    claims = {
        **ticket.model_dump(mode="json", exclude={"jti", "account_id", "issued_at"}),
        "iss": issuer,
        "aud": SIGNALLING_AUDIENCE,
        "sub": str(ticket.account_id),
        "jti": str(ticket.jti),
        "iat": issued,
        "nbf": issued,
        "exp": issued + TICKET_SECONDS,
    }
    return sign(claims, token_type=token_type, key=key)


def read_call_ticket(
    token: str, *, keys: Mapping[str, Ed25519PublicKey], issuer: str, now: float
) -> CallTicket:
    """Verify and read a call ticket. Raises `TokenRefused`.

    Whether its call and node are the ones being entered, and whether its `jti` is fresh, is the caller's to
    check: only the caller knows.
    """
    claims = _read(token, CALL_TICKET_TYPE, keys=keys, issuer=issuer, now=now)
    try:
        return CallTicket(account_id=claims["sub"], issued_at=claims["iat"], **_fields(claims))
    except (ValidationError, TypeError) as error:
        raise TokenRefused("The ticket's claims are not a call ticket's.") from error


def read_events_ticket(
    token: str, *, keys: Mapping[str, Ed25519PublicKey], issuer: str, now: float
) -> EventsTicket:
    """Verify and read an events ticket. Raises `TokenRefused`; whether its `jti` is fresh is not checked."""
    claims = _read(token, EVENTS_TICKET_TYPE, keys=keys, issuer=issuer, now=now)
    try:
        return EventsTicket(account_id=claims["sub"], issued_at=claims["iat"], **_fields(claims))
    except (ValidationError, TypeError) as error:
        raise TokenRefused("The ticket's claims are not an events ticket's.") from error


def _read(
    token: str, token_type: str, *, keys: Mapping[str, Ed25519PublicKey], issuer: str, now: float
) -> dict[str, Any]:
    return verify(
        token,
        token_type=token_type,
        audience=SIGNALLING_AUDIENCE,
        issuer=issuer,
        keys=keys,
        max_seconds=TICKET_SECONDS,
        now=now,
    )


def _fields(claims: Mapping[str, Any]) -> dict[str, Any]:
    envelope = {"iss", "aud", "sub", "iat", "nbf", "exp"}
    return {name: value for name, value in claims.items() if name not in envelope}


def issue_node_token(node: str, *, key: Ed25519PrivateKey, now: float) -> str:
    """A node's word to app that it is the node `node`, good for `TICKET_SECONDS`."""
    issued = int(now)
    claims = {
        "iss": node,
        "aud": INTERNAL_AUDIENCE,
        "sub": node,
        "jti": str(uuid4()),
        "iat": issued,
        "nbf": issued,
        "exp": issued + TICKET_SECONDS,
    }
    return sign(claims, token_type=NODE_TOKEN_TYPE, key=SigningKey(kid=node, private=key))


def node_public_key(key: Ed25519PrivateKey) -> str:
    """The public half of a node's key, as `NodeAlive` carries it (the `x` of a JWK, RFC 8037)."""
    return str(jwt.algorithms.OKPAlgorithm.to_jwk(key.public_key(), as_dict=True)["x"])


def read_node_key(x: str) -> Ed25519PublicKey:
    """The key that `node_public_key` wrote. Raises `TokenRefused`."""
    try:
        key = jwt.algorithms.OKPAlgorithm.from_jwk({"kty": "OKP", "crv": "Ed25519", "x": x})
    except (jwt.PyJWTError, ValueError) as error:
        raise TokenRefused("That is no Ed25519 key.") from error
    if not isinstance(key, Ed25519PublicKey):
        raise TokenRefused("That is no public key.")
    return key


def node_named_by(token: str) -> str:
    """Which node a token says it is from, before anything is verified. Raises `TokenRefused`."""
    named = header(token).get("kid")
    if not isinstance(named, str):
        raise TokenRefused("The token names no node.")
    return named


def verify_node_token(token: str, *, node: str, key: Ed25519PublicKey, now: float) -> None:
    """Check that `node`, whose key is `key`, signed this lately. Raises `TokenRefused`."""
    verify(
        token,
        token_type=NODE_TOKEN_TYPE,
        audience=INTERNAL_AUDIENCE,
        issuer=node,
        keys={node: key},
        max_seconds=TICKET_SECONDS,
        now=now,
    )


def public_jwks(keys: Mapping[str, Ed25519PublicKey]) -> dict[str, list[dict[str, str]]]:
    """The public keys as a JWK Set (RFC 7517, RFC 8037)."""
    okp = jwt.algorithms.OKPAlgorithm
    return {
        "keys": [
            {**okp.to_jwk(key, as_dict=True), "kid": kid, "use": "sig", "alg": ALGORITHM}
            for kid, key in keys.items()
        ]
    }


def read_jwks(document: Mapping[str, Any]) -> dict[str, Ed25519PublicKey]:
    """Read a JWK Set; keys of other kinds are passed over. Raises `ValueError` when it is not a JWK Set."""
    entries = document.get("keys")
    if not isinstance(entries, list):
        raise ValueError("not a JWK Set: it has no `keys` list")
    found: dict[str, Ed25519PublicKey] = {}
    for entry in entries:
        if entry.get("kty") == "OKP" and entry.get("crv") == "Ed25519" and "d" not in entry:
            key = jwt.algorithms.OKPAlgorithm.from_jwk(entry)
            if isinstance(key, Ed25519PublicKey):
                found[str(entry["kid"])] = key
    return found
