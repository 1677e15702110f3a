"""Access tokens: what is not exactly ours, for this door and now, is refused."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any, Final
from uuid import uuid4

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.accounts import tokens
from app.core import clock
from app.core.crypto import KeyRing
from app.settings import Settings
from signalling.contracts.tickets import SIGNALLING_AUDIENCE, TokenRefused, read_call_ticket
from tests.app.house import House
from tests.app.problems import problem
from tests.world import Person, World

pytestmark = pytest.mark.database


class Forge:
    """Makes tokens around a genuine one."""

    def __init__(self, keys: KeyRing, person: Person, issuer: str) -> None:
        self.keys = keys
        self.genuine = person.token
        now = int(time.time())
        self.claims: dict[str, Any] = {
            "iss": issuer,
            "aud": tokens.AUDIENCE,
            "sub": str(person.account_id),
            "sid": str(person.session_id),
            "jti": str(uuid4()),
            "iat": now,
            "nbf": now,
            "exp": now + 600,
        }
        self.now = now
        self.pem = keys.signing.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def ours(self, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """Signed with the real key; a claim given as `...` is left out."""
        return self.raw(
            self._header(**(header or {})),
            json.dumps({k: v for k, v in {**self.claims, **claims}.items() if v is not ...}).encode(),
        )

    def _header(self, **header: Any) -> dict[str, Any]:
        whole = {"alg": "EdDSA", "typ": tokens.ACCESS_TYPE, "kid": self.keys.signing.kid, **header}
        return {name: value for name, value in whole.items() if value is not ...}

    def raw(self, header: dict[str, Any] | bytes, payload: bytes, sign: Any = None) -> str:
        """A token of these very bytes."""
        head = header if isinstance(header, bytes) else json.dumps(header).encode()
        signed = f"{_b64(head)}.{_b64(payload)}"
        signature = (sign or self.keys.signing.private.sign)(signed.encode())
        return f"{signed}.{_b64(signature)}"

    def hmac(self, algorithm: str, key: bytes, **header: Any) -> str:
        """Signed with a MAC, which anyone can make who knows the public key."""

        def sign(data: bytes) -> bytes:
            return hmac.new(key, data, hashlib.sha256).digest()

        return self.raw(self._header(alg=algorithm, **header), json.dumps(self.claims).encode(), sign)

    def by(self, private: Any, algorithm: str = "EdDSA", **header: Any) -> str:
        """Signed with somebody else's key under our name for ours."""
        headers = self._header(**header)
        return jwt.encode(self.claims, private, algorithm=algorithm, headers=headers)

    def unsigned(self, algorithm: str) -> str:
        return self.raw(self._header(alg=algorithm), json.dumps(self.claims).encode(), lambda _: b"")


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _flipped(token: str) -> str:
    head, payload, signature = token.split(".")
    raw = bytearray(base64.urlsafe_b64decode(signature + "=="))
    raw[5] ^= 1
    return f"{head}.{payload}.{_b64(bytes(raw))}"


def _swapped_payload(forge: Forge) -> str:
    head, _, signature = forge.genuine.split(".")
    payload = _b64(json.dumps({**forge.claims, "sub": str(uuid4())}).encode())
    return f"{head}.{payload}.{signature}"


def _twice(forge: Forge) -> str:
    """Two subjects: whichever a reader takes, no session belongs to the last one."""
    body = json.dumps(forge.claims)[:-1] + f', "sub": "{uuid4()}"}}'
    return forge.raw(forge._header(), body.encode())


def _times(name: str, value: str) -> Callable[[Forge], str]:
    def make(forge: Forge) -> str:
        body = json.dumps({**forge.claims, name: "@"}).replace('"@"', value)
        return forge.raw(forge._header(), body.encode())

    return make


_stranger = Ed25519PrivateKey.generate()
_jwk: dict[str, Any] = jwt.algorithms.OKPAlgorithm.to_jwk(_stranger.public_key(), as_dict=True)
ATTACKS: Final[dict[str, Callable[[Forge], str]]] = {
    "alg none": lambda f: f.unsigned("none"),
    "alg None": lambda f: f.unsigned("None"),
    "alg nOnE": lambda f: f.unsigned("nOnE"),
    "alg empty": lambda f: f.unsigned(""),
    "alg missing": lambda f: f.ours({"alg": ...}),
    "alg a number": lambda f: f.ours({"alg": 1}),
    "alg a list": lambda f: f.ours({"alg": ["EdDSA"]}),
    "alg in other case": lambda f: f.ours({"alg": "eddsa"}),
    "HS256 with the public key": lambda f: f.hmac("HS256", f.pem),
    "HS256 with an empty key": lambda f: f.hmac("HS256", b""),
    "HS256 with the key id": lambda f: f.hmac("HS256", f.keys.signing.kid.encode()),
    "MAC that says EdDSA": lambda f: f.hmac("EdDSA", f.pem),
    "another Ed25519 key": lambda f: f.by(_stranger),
    "RSA": lambda f: f.by(rsa.generate_private_key(65537, 2048), "RS256", alg="RS256"),
    "EC": lambda f: f.by(ec.generate_private_key(ec.SECP256R1()), "ES256", alg="ES256"),
    "embedded jwk": lambda f: f.by(_stranger, jwk=_jwk),
    "jku": lambda f: f.by(_stranger, jku="https://evil.example/jwks.json"),
    "x5u": lambda f: f.by(_stranger, x5u="https://evil.example/cert.pem"),
    "x5c": lambda f: f.by(_stranger, x5c=["MIIB"]),
    "crit unknown": lambda f: f.ours({"crit": ["exp-but-not-really"]}),
    "kid missing": lambda f: f.ours({"kid": ...}),
    "kid unknown": lambda f: f.ours({"kid": "unknown"}),
    "kid a path": lambda f: f.ours({"kid": "../../../../dev/null"}),
    "kid SQL": lambda f: f.ours({"kid": "x' UNION SELECT 'key' --"}),
    "kid a list": lambda f: f.ours({"kid": [f.keys.signing.kid]}),
    "kid null": lambda f: f.ours({"kid": None}),
    "typ missing": lambda f: f.ours({"typ": ...}),
    "typ JWT": lambda f: f.ours({"typ": "JWT"}),
    "typ of a call ticket": lambda f: f.ours({"typ": "call-ticket+jwt"}),
    "aud missing": lambda f: f.ours(aud=...),
    "aud of signalling": lambda f: f.ours(aud=SIGNALLING_AUDIENCE),
    "aud a list": lambda f: f.ours(aud=[tokens.AUDIENCE]),
    "aud a list with more": lambda f: f.ours(aud=[tokens.AUDIENCE, SIGNALLING_AUDIENCE]),
    "iss missing": lambda f: f.ours(iss=...),
    "iss another": lambda f: f.ours(iss="https://evil.example"),
    "iss a list": lambda f: f.ours(iss=[f.claims["iss"]]),
    "iss with a slash": lambda f: f.ours(iss=f.claims["iss"] + "/"),
    "sub missing": lambda f: f.ours(sub=...),
    "sub a number": lambda f: f.ours(sub=1),
    "sub nobody": lambda f: f.ours(sub=str(uuid4())),
    "sub SQL": lambda f: f.ours(sub="' OR 1=1 --"),
    "sid missing": lambda f: f.ours(sid=...),
    "sid unknown": lambda f: f.ours(sid=str(uuid4())),
    "sid null": lambda f: f.ours(sid=None),
    "jti missing": lambda f: f.ours(jti=...),
    "iat missing": lambda f: f.ours(iat=...),
    "nbf missing": lambda f: f.ours(nbf=...),
    "exp missing": lambda f: f.ours(exp=...),
    "expired": lambda f: f.ours(iat=f.now - 700, nbf=f.now - 700, exp=f.now - 100),
    "expired this second": lambda f: f.ours(iat=f.now - 600, nbf=f.now - 600, exp=f.now),
    "not yet": lambda f: f.ours(iat=f.now + 60, nbf=f.now + 60, exp=f.now + 120),
    "nbf ahead": lambda f: f.ours(nbf=f.now + 60),
    "lives too long": lambda f: f.ours(exp=f.now + 601),
    "lives for ever": lambda f: f.ours(exp=10**30),
    "ends before it began": lambda f: f.ours(iat=f.now + 1, exp=f.now),
    "exp NaN": _times("exp", "NaN"),
    "exp Infinity": _times("exp", "Infinity"),
    "exp 1e400": _times("exp", "1e400"),
    "exp true": lambda f: f.ours(exp=True),
    "exp text": lambda f: f.ours(exp=str(f.now + 600)),
    "exp fraction": lambda f: f.ours(exp=f.now + 300.5),
    "exp null": lambda f: f.ours(exp=None),
    "iat text": lambda f: f.ours(iat=str(f.now)),
    "two subjects": _twice,
    "signature stripped": lambda f: f.genuine.rpartition(".")[0] + ".",
    "signature missing": lambda f: f.genuine.rpartition(".")[0],
    "signature flipped": lambda f: _flipped(f.genuine),
    "signature twice": lambda f: f.genuine + f.genuine.rpartition(".")[2],
    "payload swapped": _swapped_payload,
    "four parts": lambda f: f.genuine + ".e30",
    "five parts (JWE)": lambda f: ".".join(["e30"] * 5),
    "claims an array": lambda f: f.raw(f._header(), b"[]"),
    "claims null": lambda f: f.raw(f._header(), b"null"),
    "claims 20,000 deep": lambda f: f.raw(f._header(), b'{"a":' * 20_000 + b"1" + b"}" * 20_000),
    "header an array": lambda f: f.raw(b"[]", json.dumps(f.claims).encode()),
    "header 20,000 deep": lambda f: f.raw(b"[" * 20_000 + b"]" * 20_000, b"{}"),
    "header of 100 KB": lambda f: f.ours({"alg": "A" * 100_000}),
    "not base64": lambda _: "%%%.%%%.%%%",
    "empty parts": lambda _: "..",
    "a dot": lambda _: ".",
    "a UUID": lambda f: f.claims["sid"],
}


@pytest.fixture
async def forge(world: World) -> Forge:
    return Forge(world.door.keys, await world.person(), world.door.settings.issuer)


async def _me(world: World, token: str) -> httpx2.Response:
    return await world.client.get("/v1/me", headers={"Authorization": f"Bearer {token}"})


async def test_forged_access_tokens(world: World, forge: Forge) -> None:
    assert len(ATTACKS) >= 46
    for genuine in (forge.genuine, forge.ours()):  # the control: the forge makes good tokens, too
        assert (await _me(world, genuine)).status_code == 200
    for name, attack in ATTACKS.items():
        token = attack(forge)
        began = time.monotonic()
        answer = await _me(world, token)
        assert answer.status_code == 401, name
        assert time.monotonic() - began < 1, name
        document = problem(answer, 401)
        assert document["code"] in ("access_token_refused", "session_ended", "not_signed_in"), name
        assert answer.headers["www-authenticate"].startswith("Bearer")
    assert (await _me(world, forge.genuine)).status_code == 200


async def test_other_ways_to_carry_a_token(world: World, forge: Forge) -> None:
    token = forge.genuine
    for header in ("", "Bearer", "Bearer ", f"Basic {token}", token, f"Token {token}", f"Bearer {token} x"):
        problem(await world.client.get("/v1/me", headers={"Authorization": header}), 401)
    problem(await world.client.get(f"/v1/me?access_token={token}"), 401)
    cookies = f"access_token={token}; mentorspan_refresh={token}"
    problem(await world.client.get("/v1/me", headers={"Cookie": cookies}), 401)


async def test_tickets_and_access_tokens_are_not_exchangeable(world: World) -> None:
    house = await House.build(world)
    made = await house.mentee.ok("POST", f"/v1/meetings/{house.booked.id}/ticket")
    reading: dict[str, Any] = {
        "keys": world.door.keys.public,
        "issuer": world.door.settings.issuer,
        "now": clock.now().timestamp(),
    }
    assert read_call_ticket(made["ticket"], **reading).account_id == house.mentee.account_id
    problem(await _me(world, made["ticket"]), 401)
    with pytest.raises(TokenRefused):
        read_call_ticket(house.mentee.token, **reading)
    refused = await world.client.post(
        "/v1/sessions/refresh", json={"refresh_token": house.mentee.token[:200]}
    )
    problem(refused, 401)


async def test_a_token_of_another_installation(world: World, settings: Settings, forge: Forge) -> None:
    other = Ed25519PrivateKey.generate()
    problem(await _me(world, forge.by(other)), 401)
    elsewhere = tokens.issue_access(
        uuid4(), uuid4(), keys=world.door.keys, issuer=f"{settings.issuer}.evil.example"
    )
    problem(await _me(world, elsewhere), 401)
