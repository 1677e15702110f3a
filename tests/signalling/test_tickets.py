"""Tickets under attack: nothing gets in but what app signed, for this door, just now, once."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from signalling.contracts.bus_memory import Exchange, MemoryBus
from signalling.contracts.calls import RevokeSession
from signalling.contracts.tickets import (
    CALL_TICKET_TYPE,
    SIGNALLING_AUDIENCE,
    CallTicket,
    SigningKey,
    TokenRefused,
    issue_call_ticket,
    public_jwks,
    read_call_ticket,
    read_jwks,
)
from signalling.keys import KeyStore
from signalling.main import Node
from signalling.protocol.room import CAPACITY
from tests.signalling.world import ISSUER, App, World, running, settings

NOW = 1_800_000_000
KEY = SigningKey("key-1", Ed25519PrivateKey.generate())
OTHER = SigningKey("key-2", Ed25519PrivateKey.generate())
PUBLIC = {"key-1": KEY.private.public_key(), "key-2": OTHER.private.public_key()}
Claims = dict[str, Any]


def claims(**change: Any) -> Claims:
    """A good ticket's claims, changed; a claim changed to ... is left out."""
    good: Claims = {
        "iss": ISSUER,
        "aud": SIGNALLING_AUDIENCE,
        "sub": str(uuid4()),
        "jti": str(uuid4()),
        "iat": NOW,
        "nbf": NOW,
        "exp": NOW + 60,
        "session_id": str(uuid4()),
        "membership_id": str(uuid4()),
        "call_id": str(uuid4()),
        "epoch": 1,
        "node": "node-1",
        "name": "Amina",
        "organisation": "Northside",
        "role": "mentor",
        "permissions": ["publish", "subscribe"],
        "topology": "direct",
    }
    return {name: value for name, value in {**good, **change}.items() if value is not ...}


def signed(body: Claims, key: Any = KEY.private, algorithm: str = "EdDSA", **header: Any) -> str:
    """A JWT of our own making, of whatever claims."""
    headers = {"typ": CALL_TICKET_TYPE, "kid": "key-1", **header}
    headers = {name: value for name, value in headers.items() if value is not ...}
    # PyJWT adds a `typ` of its own when there is none; an empty one leaves it out.
    return jwt.PyJWS().encode(json.dumps(body).encode(), key, algorithm, {"typ": "", **headers})


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def by_hand(header: Any, body: Any, signature: bytes = b"") -> str:
    """A token that no library would make."""
    return ".".join([b64(json.dumps(header).encode()), b64(json.dumps(body).encode()), b64(signature)])


def read(token: str, now: float = NOW) -> CallTicket:
    return read_call_ticket(token, keys=PUBLIC, issuer=ISSUER, now=now)


def public_pem() -> bytes:
    return KEY.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def public_raw() -> bytes:
    return KEY.private.public_key().public_bytes_raw()


def hs256(secret: bytes) -> str:
    """Algorithm confusion: HMAC with the public key as its secret."""
    head = {"alg": "HS256", "typ": CALL_TICKET_TYPE, "kid": "key-1"}
    token = by_hand(head, claims()).rsplit(".", 1)[0]
    return f"{token}.{b64(hmac.new(secret, token.encode(), hashlib.sha256).digest())}"


def test_the_control_is_accepted() -> None:
    good = claims()
    assert str(read(signed(good)).call_id) == good["call_id"]
    assert read(signed(good), NOW + 59.9).account_id == UUID(good["sub"])


def test_what_is_issued_is_read() -> None:
    body = claims()
    envelope = ("iss", "aud", "iat", "nbf", "exp", "sub")
    fields = {name: value for name, value in body.items() if name not in envelope}
    ticket = CallTicket.model_validate({**fields, "account_id": body["sub"], "ice_policy": "relay"})
    signed_ticket = issue_call_ticket(ticket, key=KEY, issuer=ISSUER, now=NOW + 0.9)
    assert read(signed_ticket, NOW + 1) == ticket.model_copy(update={"issued_at": NOW})


FORGERIES: dict[str, Callable[[], str]] = {
    "empty": lambda: "",
    "not a token": lambda: "hello",
    "two parts": lambda: "a.b",
    "many parts": lambda: "." * 1000,
    "not base64": lambda: "é.é.é",
    "NUL": lambda: signed(claims()) + "\0",
    "header is a list": lambda: by_hand([], claims()),
    "header is deep": lambda: b64(b"[" * 100_000) + ".e30.",
    "body is a list": lambda: by_hand({"alg": "EdDSA", "typ": CALL_TICKET_TYPE, "kid": "key-1"}, []),
    "alg none": lambda: by_hand({"alg": "none", "typ": CALL_TICKET_TYPE, "kid": "key-1"}, claims()),
    "alg None": lambda: by_hand({"alg": "None", "typ": CALL_TICKET_TYPE, "kid": "key-1"}, claims()),
    "alg null": lambda: by_hand({"alg": None, "typ": CALL_TICKET_TYPE, "kid": "key-1"}, claims()),
    "no alg": lambda: by_hand({"typ": CALL_TICKET_TYPE, "kid": "key-1"}, claims()),
    "alg is a list": lambda: by_hand({"alg": ["EdDSA"], "typ": CALL_TICKET_TYPE, "kid": "key-1"}, claims()),
    "HS256 with the public PEM": lambda: hs256(public_pem()),
    "HS256 with the raw public key": lambda: hs256(public_raw()),
    "HS256 with nothing": lambda: hs256(b""),
    "ES256": lambda: signed(claims(), ec.generate_private_key(ec.SECP256R1()), "ES256"),
    "RS256": lambda: signed(claims(), rsa.generate_private_key(65537, 2048), "RS256"),
    "no signature": lambda: signed(claims()).rsplit(".", 1)[0] + ".",
    "zero signature": lambda: signed(claims()).rsplit(".", 1)[0] + "." + b64(bytes(64)),
    "cut signature": lambda: signed(claims())[:-4],
    "another's signature": lambda: ".".join(
        [*signed(claims()).split(".")[:2], signed(claims()).split(".")[2]]
    ),
    "a stranger's key": lambda: signed(claims(), Ed25519PrivateKey.generate()),
    "the other key's name": lambda: signed(claims(), OTHER.private),
    "unknown kid": lambda: signed(claims(), kid="key-3"),
    "no kid": lambda: signed(claims(), kid=...),
    "kid is a path": lambda: signed(claims(), kid="../../dev/null"),
    "kid is SQL": lambda: signed(claims(), kid="key-1' OR '1'='1"),
    "kid is a list": lambda: by_hand({"alg": "EdDSA", "typ": CALL_TICKET_TYPE, "kid": ["key-1"]}, claims()),
    "own jwk": lambda: signed(
        claims(),
        OTHER.private,
        kid="key-9",
        jwk=public_jwks({"key-9": OTHER.private.public_key()})["keys"][0],
    ),
    "own jku": lambda: signed(claims(), OTHER.private, kid="key-9", jku="http://127.0.0.1:9/jwks.json"),
    "x5u": lambda: signed(claims(), OTHER.private, kid="key-9", x5u="http://127.0.0.1:9/"),
    "crit": lambda: signed(claims(), crit=["exp"]),
    "unknown crit": lambda: signed(claims(), crit=["x"], x=1),
    "typ JWT": lambda: signed(claims(), typ="JWT"),
    "typ of access tokens": lambda: signed(claims(), typ="at+jwt"),
    "typ in capitals": lambda: signed(claims(), typ=CALL_TICKET_TYPE.upper()),
    "no typ": lambda: signed(claims(), typ=...),
    "another issuer": lambda: signed(claims(iss="https://evil.test")),
    "issuer list": lambda: signed(claims(iss=[ISSUER])),
    "another audience": lambda: signed(claims(aud="mentorspan:app")),
    "audience list": lambda: signed(claims(aud=[SIGNALLING_AUDIENCE])),
    "expired": lambda: signed(claims(iat=NOW - 60, nbf=NOW - 60, exp=NOW)),
    "not yet": lambda: signed(claims(iat=NOW + 30, nbf=NOW + 30, exp=NOW + 60)),
    "nbf later": lambda: signed(claims(nbf=NOW + 30)),
    "lives a day": lambda: signed(claims(exp=NOW + 86_400)),
    "lives 61 s": lambda: signed(claims(exp=NOW + 61)),
    "issued long ago, still valid": lambda: signed(claims(iat=NOW - 3600, exp=NOW + 30)),
    "exp absurd": lambda: signed(claims(exp=10**30)),
    "exp before iat": lambda: signed(claims(iat=NOW, exp=NOW - 1)),
    "exp is true": lambda: signed(claims(iat=0, nbf=0, exp=True)),
    "all times true": lambda: signed(claims(iat=True, nbf=True, exp=True)),
    "exp is text": lambda: signed(claims(exp=str(NOW + 60))),
    "exp is a fraction": lambda: signed(claims(exp=NOW + 59.5)),
    "exp is infinite": lambda: signed(claims(exp=float("inf"))),
    "exp is not a number": lambda: signed(claims(exp=float("nan"))),
    "exp is null": lambda: signed(claims(exp=None)),
    "jti is a number": lambda: signed(claims(jti=1)),
    "jti is no uuid": lambda: signed(claims(jti="x")),
    "sub is no uuid": lambda: signed(claims(sub="root")),
    "epoch 0": lambda: signed(claims(epoch=0)),
    "a claim too many": lambda: signed(claims(admin=True)),
    "account twice": lambda: signed(claims(account_id=str(uuid4()))),
    "unknown permission": lambda: signed(claims(permissions=["publish", "kick"])),
    "unknown topology": lambda: signed(claims(topology="mesh")),
    "unknown ice policy": lambda: signed(claims(ice_policy="none")),
    "no name": lambda: signed(claims(name="")),
    "long name": lambda: signed(claims(name="x" * 121)),
}
for _missing in (
    "iss",
    "aud",
    "sub",
    "jti",
    "iat",
    "nbf",
    "exp",
    "call_id",
    "membership_id",
    "session_id",
    "node",
):
    FORGERIES[f"no {_missing}"] = lambda name=_missing: signed(claims(**{name: ...}))  # type: ignore[misc]


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES.keys())
def test_forgeries_are_refused(forge: Callable[[], str]) -> None:
    with pytest.raises(TokenRefused):
        read(forge())


def test_true_is_not_a_time() -> None:
    """At the beginning of time `True` would be a fine `exp`, were booleans numbers."""
    assert read(signed(claims(iat=0, nbf=0, exp=1)), now=0).epoch == 1
    with pytest.raises(TokenRefused):
        read(signed(claims(iat=0, nbf=0, exp=True)), now=0)


def test_every_changed_byte_is_noticed() -> None:
    token = signed(claims())
    for place in range(0, len(token), 7):
        other = "A" if token[place] != "A" else "B"
        with pytest.raises(TokenRefused):
            read(token[:place] + other + token[place + 1 :] if token[place] != "." else token[:place])


def test_a_jwks_with_a_private_key_or_of_another_kind_is_passed_over() -> None:
    good = public_jwks(PUBLIC)
    assert read_jwks(good).keys() == PUBLIC.keys()
    private = {**good["keys"][0], "d": b64(KEY.private.private_bytes_raw())}
    assert read_jwks({"keys": [private, {"kty": "RSA", "kid": "x"}, {}]}) == {}
    for wrong in ({}, {"keys": 1}):
        with pytest.raises(ValueError, match="JWK Set"):
            read_jwks(wrong)


# At the door


async def entry(world: World, call_id: UUID, ticket: str) -> tuple[str, int]:
    """The error and the close code that a ticket meets."""
    client = await world.open(call_id)
    await client.send("hello", version=1, ticket=ticket, media={"audio": True, "video": True})
    error = await client.next("error")
    return error["code"], await client.closed()


async def test_only_this_door_just_now_and_once(world: World, call_id: UUID) -> None:
    app = world.app
    good = app.ticket(call_id)
    client = await (await world.open(call_id)).hello(ticket=good)
    stranger = SigningKey("key-1", Ed25519PrivateKey.generate())
    wrong = {
        "used": good,
        "expired": app.ticket(call_id, now=time.time() - 61),
        "of the future": app.ticket(call_id, now=time.time() + 30),
        "another call": app.ticket(uuid4()),
        "another node": app.ticket(call_id, node="node-2"),
        "an older epoch": app.ticket(call_id, epoch=1),
        "forged": app.ticket(call_id, key=stranger),
        "unknown key": app.ticket(call_id, key=SigningKey("key-9", stranger.private)),
        "not a ticket": "x" * 40,
    }
    await client.send("leave")
    await client.closed()
    newer = await world.join(call_id, epoch=2)
    answers = {name: await entry(world, call_id, ticket) for name, ticket in wrong.items()}
    assert answers == dict.fromkeys(wrong, ("ticket_refused", 4501))
    await newer.pong()


async def test_a_ticket_that_loses_the_race_is_used_all_the_same(
    world: World, call_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CAPACITY, "forwarded", 2)
    await world.pair(call_id)
    ticket = world.app.ticket(call_id)
    assert await entry(world, call_id, ticket) == ("call_full", 4502)
    assert await entry(world, call_id, ticket) == ("ticket_refused", 4501)


async def test_a_node_that_begins_anew_wants_new_tickets(tmp_path: Path, call_id: UUID) -> None:
    """It does not know which ones its last run has let in, or was told to refuse."""
    exchange, session = Exchange(), uuid4()
    async with running(tmp_path, buses=(MemoryBus(exchange), MemoryBus(exchange))) as world:
        used, worthless = world.app.ticket(call_id), world.app.ticket(call_id, session_id=session)
        await (await world.open(call_id)).hello(ticket=used)
        command = RevokeSession(session_id=session)
        await world.app.command(command)
        await world.app.wait_for(lambda: command.id in world.app.done())
        assert await entry(world, call_id, worthless) == ("removed", 4503)
        await world.node.drain()
        await asyncio.sleep(1.1)
        world.node = Node(settings(tmp_path), MemoryBus(exchange))
        await world.node.start()
        for ticket in (used, worthless):
            assert await entry(world, call_id, ticket) == ("not_ready", 4411)
        await world.join(call_id)
        await world.node.drain()


async def test_used_tickets_are_forgotten_when_they_have_expired(world: World, call_id: UUID) -> None:
    await world.join(call_id)
    admissions = world.node.admissions
    admissions.revoke(uuid4())
    admissions.tidy()
    assert len(admissions._used) == len(admissions._revoked) == 1
    admissions._clock = lambda: time.time() + 121
    admissions.tidy()
    assert len(admissions._used) == len(admissions._revoked) == 0


# Keys


async def test_a_new_key_is_fetched_when_a_ticket_names_it(world: World, call_id: UUID) -> None:
    new = SigningKey("key-new", Ed25519PrivateKey.generate())
    world.app.publish_keys(world.app.key, new)
    world.node.keys._asked_at -= 1.0
    await (await world.open(call_id)).hello(ticket=world.app.ticket(call_id, key=new))


async def test_the_source_is_asked_at_most_once_a_second(tmp_path: Path) -> None:
    now = 100.0
    app = App.__new__(App)
    app.jwks = tmp_path / "jwks.json"
    store = KeyStore(str(app.jwks), monotonic=lambda: now)
    await store.refresh()
    assert not store.loaded
    app.publish_keys(KEY)
    now += 0.2
    await store.refresh()
    assert store.loaded
    app.publish_keys(KEY, OTHER)
    token = signed(claims(), OTHER.private, kid="key-2")
    now += 0.9
    assert "key-2" not in await store.for_token(token)
    now += 0.2
    assert "key-2" in await store.for_token(token)
    # A withdrawn key is forgotten, an unreadable source forgets nothing.
    app.publish_keys(OTHER)
    now += 2
    assert (await store.for_token(signed(claims(), kid="x"))).keys() == {"key-2"}
    for broken in (
        "",
        "[]",
        "{}",
        "[" * 100_000,
        '{"keys": [1]}',
        '{"keys": [{"kty": "OKP", "crv": "Ed25519"}]}',
    ):
        app.jwks.write_text(broken)
        now += 2
        await store.refresh()
        assert store.loaded
    assert (await store.for_token("nonsense")).keys() == {"key-2"}
