"""Sign-ins: a stolen refresh token is worth one use at most, and the cookie is for our own pages."""

import asyncio
import base64
import hashlib
import hmac
from collections.abc import AsyncIterator
from datetime import timedelta
from http.cookies import SimpleCookie
from typing import Any, Final
from uuid import uuid4

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import update

from app.accounts import passwords, queries, tokens
from app.accounts.models import Account, SignInSession
from app.core import clock
from app.main import create_app
from app.settings import Settings
from tests.app.problems import problem
from tests.world import Person, World

pytestmark = pytest.mark.database
PASSWORD: Final = "a long sentence works well"
ORIGIN: Final = "http://localhost:8000"


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Device:
    """A client with its own cookie jar."""

    def __init__(self, app: FastAPI) -> None:
        transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
        self.client = httpx2.AsyncClient(transport=transport, base_url=ORIGIN)

    async def sign_in(self, email: str, refresh: str) -> httpx2.Response:
        body = {"email": email, "password": PASSWORD, "refresh": refresh}
        return await self.client.post("/v1/sessions", json=body)

    async def refresh(self, token: str | None = None, **headers: str) -> httpx2.Response:
        body = {"refresh_token": token} if token else {}
        return await self.client.post("/v1/sessions/refresh", json=body, headers=headers)

    async def me(self, token: str) -> int:
        answer = await self.client.get("/v1/me", headers={"Authorization": f"Bearer {token}"})
        return answer.status_code


@pytest.fixture
async def device(app: FastAPI) -> AsyncIterator[Device]:
    made = Device(app)
    async with made.client:
        yield made


@pytest.fixture
async def person(world: World) -> Person:
    return await world.person("Priya", password_hash=await passwords.hash_password(PASSWORD))


async def _session(device: Device, person: Person) -> dict[str, Any]:
    answer = await device.sign_in(person.email, "body")
    assert answer.status_code == 201
    assert "set-cookie" not in answer.headers
    found: dict[str, Any] = answer.json()
    return found


async def test_a_refresh_token_works_once(device: Device, person: Person) -> None:
    session = await _session(device, person)
    renewed = (await device.refresh(session["refresh_token"])).json()
    assert renewed["refresh_token"] != session["refresh_token"]
    again = (await device.refresh(renewed["refresh_token"])).json()
    assert await device.me(again["access_token"]) == 200


async def test_a_replay_ends_the_whole_family(device: Device, person: Person) -> None:
    session, other = await _session(device, person), await _session(device, person)
    renewed = (await device.refresh(session["refresh_token"])).json()
    replayed = problem(await device.refresh(session["refresh_token"]), 401)
    assert replayed["code"] == "refresh_token_refused"
    problem(await device.refresh(renewed["refresh_token"]), 401)
    assert await device.me(renewed["access_token"]) == 401
    assert await device.me(other["access_token"]) == 200, "another device is another family"


async def test_only_the_same_try_gets_the_same_answer_again(device: Device, person: Person) -> None:
    token = (await _session(device, person))["refresh_token"]
    attempt = {"Idempotency-Key": "try-one-of-this-device"}
    answers = await asyncio.gather(*(device.refresh(token, **attempt) for _ in range(5)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1
    thief = await device.refresh(token, **{"Idempotency-Key": "try-one-of-a-thief"})
    problem(thief, 401)
    problem(await device.refresh(answers[0].json()["refresh_token"]), 401)
    assert await device.me(answers[0].json()["access_token"]) == 401


async def test_of_twenty_replays_at_once_one_wins_and_the_family_ends(device: Device, person: Person) -> None:
    session = await _session(device, person)
    answers = await asyncio.gather(*(device.refresh(session["refresh_token"]) for _ in range(20)))
    winners = [answer for answer in answers if answer.status_code == 200]
    assert len(winners) == 1
    assert {answer.status_code for answer in answers} == {200, 401}
    problem(await device.refresh(winners[0].json()["refresh_token"]), 401)
    assert await device.me(winners[0].json()["access_token"]) == 401


async def test_noise_ends_no_family(device: Device, person: Person, world: World) -> None:
    session = await _session(device, person)
    raw = base64.urlsafe_b64decode(session["refresh_token"] + "==")
    head, mac = raw[:20], raw[20:]
    noise = [
        head + bytes(32),
        head + mac[:-1] + bytes([mac[-1] ^ 1]),
        head[:16] + (0).to_bytes(4, "big") + mac,
        head[:16] + (2).to_bytes(4, "big") + mac,
        head[:16] + b"\xff" * 4 + mac,
        uuid4().bytes + head[16:] + mac,
        head + mac[:-1],
        raw + b"x",
    ]
    for token in [
        *(_b64(one) for one in noise),
        "x",
        "A" * 200,
        "%%%",
        "\u00e9" * 30,
        "." * 50,
        session["access_token"][:200],
    ]:
        assert problem(await device.refresh(token), 401)["code"] == "refresh_token_refused"
    assert (await device.refresh(session["refresh_token"])).status_code == 200


async def test_an_expired_session_is_not_renewed(device: Device, person: Person, world: World) -> None:
    session = await _session(device, person)
    async with world.database.transaction() as db:
        expired = clock.now() - timedelta(seconds=1)
        await db.execute(update(SignInSession).values(expires_at=expired))
    problem(await device.refresh(session["refresh_token"]), 401)
    assert await device.me(session["access_token"]) == 401


async def test_the_database_alone_makes_no_refresh_token(
    device: Device, person: Person, world: World
) -> None:
    session = await _session(device, person)
    raw = base64.urlsafe_b64decode(session["refresh_token"] + "==")
    async with world.database.transaction() as db:
        row = await queries.session(db, tokens.read_refresh(session["refresh_token"])[0])  # type: ignore[index]
        assert row is not None
        forged = raw[:20] + hmac.new(row.seed, raw[:20] + row.seed, hashlib.sha256).digest()
    problem(await device.refresh(_b64(forged)), 401)


async def test_the_cookie_is_for_the_browser_alone(device: Device, person: Person) -> None:
    answer = await device.sign_in(person.email, "cookie")
    assert answer.json()["refresh_token"] is None
    [cookie] = SimpleCookie(answer.headers["set-cookie"]).values()
    assert cookie["httponly"] is True
    assert cookie["samesite"].lower() == "strict"
    assert cookie["path"] == "/v1/sessions"
    assert int(cookie["max-age"]) == 30 * 86400
    assert not cookie["domain"]
    assert cookie.value not in answer.text
    assert answer.headers["cache-control"] == "no-store"
    renewed = await device.refresh(Origin=ORIGIN)
    assert renewed.status_code == 200
    assert renewed.json()["refresh_token"] is None
    assert SimpleCookie(renewed.headers["set-cookie"])[cookie.key].value != cookie.value


async def test_over_https_the_cookie_is_secure(settings: Settings, person: Person) -> None:
    secure = create_app(settings.model_copy(update={"public_url": "https://mentorspan.example"}))
    async with secure.router.lifespan_context(secure):
        device = Device(secure)
        async with device.client:
            answer = await device.sign_in(person.email, "cookie")
    [cookie] = SimpleCookie(answer.headers["set-cookie"]).values()
    assert cookie["secure"] is True
    assert "max-age" in answer.headers["strict-transport-security"]


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example", "null", "http://localhost:8000.evil.example", "http://evil-localhost:8000",
        "http://localhost:8001", "https://localhost:8000", "http://LOCALHOST:8000", "http://localhost:8000/",
        "", "http://localhost", "http://localhost:8000, https://evil.example",
    ],
)  # fmt: skip
async def test_a_foreign_page_cannot_use_the_cookie(device: Device, person: Person, origin: str) -> None:
    await device.sign_in(person.email, "cookie")
    assert problem(await device.refresh(Origin=origin), 403)["code"] == "foreign_origin"
    assert (await device.refresh(Origin=ORIGIN)).status_code == 200, "the refused attempt spent nothing"


async def test_signing_out_ends_access_at_once(device: Device, person: Person) -> None:
    session = (await device.sign_in(person.email, "cookie")).json()
    headers = {"Authorization": f"Bearer {session['access_token']}"}
    out = await device.client.delete("/v1/sessions/current", headers=headers)
    assert out.status_code == 204
    [cookie] = SimpleCookie(out.headers["set-cookie"]).values()
    assert cookie.value == ""
    assert await device.me(session["access_token"]) == 401
    problem(await device.client.delete("/v1/sessions/current", headers=headers), 401)
    problem(await device.refresh(Origin=ORIGIN), 401)


async def test_nobody_learns_who_has_an_account(device: Device, person: Person, world: World) -> None:
    body = {"password": "not this one", "refresh": "body"}
    known = await device.client.post("/v1/sessions", json={**body, "email": person.email})
    unknown = await device.client.post("/v1/sessions", json={**body, "email": "nobody@example.org"})
    assert known.content == unknown.content
    problem(known, 401)
    up = {"password": PASSWORD, "name": "Nia"}
    answers = [
        await device.client.post("/v1/accounts", json={**up, "email": email})
        for email in (person.email, "fresh@example.org")
    ]
    assert answers[0].content == answers[1].content
    again = [
        await device.client.post("/v1/accounts/verification", json={"email": email})
        for email in (person.email, "nobody@example.org")
    ]
    assert again[0].content == again[1].content


async def test_an_unverified_account_does_not_sign_in(device: Device, person: Person, world: World) -> None:
    async with world.database.transaction() as db:
        await db.execute(update(Account).values(verified_at=None))
    assert problem(await device.sign_in(person.email, "body"), 403)["code"] == "email_not_verified"


async def test_guessing_a_password_is_slowed_down(device: Device, person: Person) -> None:
    body = {"email": person.email, "password": "not this one"}
    answers = [await device.client.post("/v1/sessions", json=body) for _ in range(11)]
    assert [answer.status_code for answer in answers] == [401] * 10 + [429]
    problem(answers[-1], 429)
    assert answers[-1].headers["retry-after"]
    right = await device.sign_in(person.email.upper(), "body")
    problem(right, 429)
