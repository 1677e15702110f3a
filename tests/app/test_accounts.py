"""Accounts through the front door: sign-up, the proof of an address, signing in, staying in, signing out."""

import asyncio
from typing import Any

import httpx2
import pytest
import time_machine
from fastapi import FastAPI
from sqlalchemy import select

from app.accounts import passwords
from app.accounts.models import Account, SignInSession
from app.accounts.routes import COOKIE
from app.core import clock
from app.organisations.models import Role
from app.settings import Settings
from tests.world import Person, World, mailed_token

pytestmark = pytest.mark.database

PASSWORD = "a long sentence works well"
ADDRESS = "priya@example.org"


def sign_up_body(email: str = ADDRESS, password: str = PASSWORD, **fields: Any) -> dict[str, Any]:
    return {"email": email, "password": password, "name": "Priya Raman", "zone": "Europe/London", **fields}


async def sign_up(world: World, email: str = ADDRESS, password: str = PASSWORD, **fields: Any) -> Any:
    return await world.client.post("/v1/accounts", json=sign_up_body(email, password, **fields))


async def verify(world: World, token: str, password: str = PASSWORD) -> httpx2.Response:
    return await world.client.post("/v1/accounts/verify", json={"token": token, "password": password})


async def sign_in(
    world: World, email: str = ADDRESS, password: str = PASSWORD, refresh: str = "body"
) -> httpx2.Response:
    body = {"email": email, "password": password, "refresh": refresh}
    return await world.client.post("/v1/sessions", json=body)


async def me(world: World, access_token: str) -> httpx2.Response:
    return await world.client.get("/v1/me", headers={"Authorization": f"Bearer {access_token}"})


async def signed_up(world: World, email: str = ADDRESS) -> None:
    """An account whose address is proven."""
    await sign_up(world, email)
    answer = await verify(world, mailed_token((await world.mails(email.lower()))[-1]))
    assert answer.status_code == 204


async def test_from_sign_up_to_signing_out(world: World) -> None:
    answer = await sign_up(world)
    assert answer.status_code == 202
    mail = (await world.mails(ADDRESS))[0]
    assert mail["subject"] == "Confirm your address for Mentorspan"
    assert (await verify(world, mailed_token(mail))).status_code == 204
    session = (await sign_in(world)).json()
    assert session["token_type"] == "Bearer"
    assert session["expires_in"] == 600
    seen = (await me(world, session["access_token"])).json()
    assert seen["account"]["email"] == ADDRESS
    assert seen["account"]["name"] == "Priya Raman"
    assert seen["memberships"] == []
    gone = await world.client.delete(
        "/v1/sessions/current", headers={"Authorization": f"Bearer {session['access_token']}"}
    )
    assert gone.status_code == 204
    refused = await me(world, session["access_token"])
    assert (refused.status_code, refused.json()["code"]) == (401, "session_ended")
    again = await world.client.post("/v1/sessions/refresh", json={"refresh_token": session["refresh_token"]})
    assert (again.status_code, again.json()["code"]) == (401, "refresh_token_refused")


async def test_sign_up_answers_the_same_for_a_known_address_and_tells_by_mail(world: World) -> None:
    await signed_up(world)
    known, unknown = await sign_up(world), await sign_up(world, "nobody.yet@example.org")
    assert known.status_code == unknown.status_code == 202
    assert known.content == unknown.content
    assert dict(known.headers) == dict(unknown.headers)
    assert (await world.mails(ADDRESS))[-1]["subject"] == "You already have a Mentorspan account"
    assert "token=" not in (await world.mails(ADDRESS))[-1]["text"]
    assert "token=" in (await world.mails("nobody.yet@example.org"))[-1]["text"]
    assert len(await world.rows(select(Account))) == 2


@pytest.mark.parametrize("stranger_first", [True, False])
async def test_nobody_gets_an_account_proven_by_the_owner_of_its_address(
    world: World, stranger_first: bool
) -> None:
    """A link counts only with the password of the sign-up it was mailed for, in whatever order they came."""
    strangers = {**sign_up_body(password="chosen by a stranger"), "name": "Mallory"}
    own = sign_up_body(password="chosen by the owner")
    for body in (strangers, own) if stranger_first else (own, strangers):
        await world.client.post("/v1/accounts", json=body)
    mails = await world.mails(ADDRESS)
    links = [mailed_token(mail) for mail in (mails if stranger_first else reversed(mails))]
    confused = await verify(world, links[0], "chosen by the owner")
    assert (confused.status_code, confused.json()["code"]) == (401, "wrong_credentials")
    assert (await verify(world, links[1], "chosen by the owner")).status_code == 204
    assert (await verify(world, links[0], "chosen by a stranger")).status_code == 422, "void from now on"
    assert (await sign_in(world, password="chosen by a stranger")).status_code == 401
    session = await sign_in(world, password="chosen by the owner")
    assert session.json()["account"]["name"] == "Priya Raman"


async def test_the_same_try_at_refreshing_gets_the_same_answer_and_nobody_else_does(world: World) -> None:
    """An answer that was lost must not look like theft; theft must not look like a lost answer."""
    await signed_up(world)
    first = (await sign_in(world)).json()["refresh_token"]

    async def refresh(token: str, attempt: str | None) -> httpx2.Response:
        headers = {"Idempotency-Key": attempt} if attempt else {}
        return await world.client.post("/v1/sessions/refresh", json={"refresh_token": token}, headers=headers)

    answers = await asyncio.gather(*(refresh(first, "attempt-one") for _ in range(5)))
    assert {answer.status_code for answer in answers} == {200}
    (second,) = {answer.json()["refresh_token"] for answer in answers}
    third = (await refresh(second, "attempt-two")).json()["refresh_token"]
    stolen = await refresh(second, "attempt-of-a-thief")
    assert stolen.status_code == 401
    assert (await refresh(third, "attempt-three")).status_code == 401, "the family has ended"


async def test_a_known_account_keeps_its_password_when_someone_signs_up_with_its_address(
    world: World,
) -> None:
    await signed_up(world)
    await sign_up(world, password="chosen by a stranger")
    assert (await sign_in(world, password="chosen by a stranger")).status_code == 401
    assert (await sign_in(world)).status_code == 201


async def test_racing_sign_ups_make_one_account(world: World) -> None:
    answers = await asyncio.gather(*(sign_up(world, email) for email in (ADDRESS, ADDRESS.upper(), ADDRESS)))
    assert [answer.status_code for answer in answers] == [202, 202, 202]
    assert [row.email for row in await world.rows(select(Account))] == [ADDRESS]


async def test_the_case_of_an_address_does_not_matter(world: World) -> None:
    await signed_up(world, "Priya@Example.ORG")
    for email in (ADDRESS, "PRIYA@EXAMPLE.ORG", "pRiya@example.org"):
        assert (await sign_in(world, email)).status_code == 201


async def test_a_proof_works_once(world: World) -> None:
    await sign_up(world)
    token = mailed_token((await world.mails(ADDRESS))[0])
    racing = await asyncio.gather(*(verify(world, token) for _ in range(4)))
    assert sorted(answer.status_code for answer in racing) == [204, 422, 422, 422]
    assert (await verify(world, token)).json()["code"] == "link_not_usable"


async def test_a_proof_expires_and_an_unknown_one_is_answered_alike(world: World) -> None:
    await sign_up(world)
    token = mailed_token((await world.mails(ADDRESS))[0])
    with time_machine.travel(clock.now().timestamp() + 24 * 3600 + 1):
        expired = await verify(world, token)
    unknown = await verify(world, "x" * 43)
    assert expired.status_code == unknown.status_code == 422
    assert expired.json() == unknown.json()


async def test_the_proof_is_mailed_again_on_request_without_telling_who_has_an_account(world: World) -> None:
    await sign_up(world)
    answers = [
        await world.client.post("/v1/accounts/verification", json={"email": email})
        for email in (ADDRESS.upper(), "nobody@example.org")
    ]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].content == answers[1].content
    assert len(await world.mails(ADDRESS)) == 2
    assert await world.mails("nobody@example.org") == []
    assert (await verify(world, mailed_token((await world.mails(ADDRESS))[1]))).status_code == 204
    await world.client.post("/v1/accounts/verification", json={"email": ADDRESS})
    assert len(await world.mails(ADDRESS)) == 2, "a proven address gets no more of them"


async def test_signing_in_before_the_proof_needs_the_right_password_to_learn_that(world: World) -> None:
    await sign_up(world)
    right, wrong = await sign_in(world), await sign_in(world, password="not the password")
    assert (right.status_code, right.json()["code"]) == (403, "email_not_verified")
    assert (wrong.status_code, wrong.json()["code"]) == (401, "wrong_credentials")


async def test_a_wrong_password_and_an_unknown_address_are_answered_alike(world: World) -> None:
    await signed_up(world)
    wrong = await sign_in(world, password="not the password")
    unknown = await sign_in(world, "nobody@example.org")
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.content == unknown.content
    assert dict(wrong.headers) == dict(unknown.headers)


async def test_ten_tries_in_ten_minutes_whoever_tries(world: World) -> None:
    account = await world.person(password_hash=await passwords.hash_password(PASSWORD))
    tries = [await sign_in(world, account.email.upper(), "not the password") for _ in range(10)]
    assert {answer.status_code for answer in tries} == {401}
    limited = await sign_in(world, account.email)
    assert (limited.status_code, limited.json()["code"]) == (429, "too_many_requests")
    assert 590 <= int(limited.headers["retry-after"]) <= 600
    other = await sign_in(world, "nobody@example.org")
    assert other.status_code == 401, "one address being attacked stops nobody else"
    with time_machine.travel(clock.now().timestamp() + 601, tick=True):
        assert (await sign_in(world, account.email)).status_code == 201


async def test_a_stranger_cannot_fill_someones_letter_box(world: World) -> None:
    answers = [await sign_up(world) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [202] * 5 + [429]
    assert len(await world.mails(ADDRESS)) == 5
    again = [await world.client.post("/v1/accounts/verification", json={"email": ADDRESS}) for _ in range(6)]
    assert again[-1].status_code == 429


async def test_registration_is_by_invitation_where_it_is_closed(app: FastAPI, world: World) -> None:
    settings: Settings = app.state.settings
    settings.open_registration = False
    coordinator = await world.member(await world.organisation(), "Ruth Bell", roles=(Role.COORDINATOR,))
    assert (await world.client.get("/v1/config")).json()["open_registration"] is False
    closed = await sign_up(world)
    assert (closed.status_code, closed.json()["code"]) == (403, "registration_by_invitation")
    path = f"/v1/organisations/{coordinator.organisation_id}/invitations"
    sent = await coordinator.ok("POST", path, {"email": "Priya@example.org"})
    token = mailed_token((await world.mails(ADDRESS))[0])
    for email, invitation in (("other@example.org", token), (ADDRESS, "y" * 43)):
        assert (await sign_up(world, email, invitation_token=invitation)).status_code == 403
    assert (await sign_up(world, ADDRESS.title(), invitation_token=token)).status_code == 202
    await coordinator.ok("DELETE", f"/v1/invitations/{sent['id']}")
    assert (await sign_up(world, ADDRESS, invitation_token=token)).status_code == 403, "it was taken back"


async def test_refreshing_by_body_rotates_and_a_replay_ends_the_session(world: World) -> None:
    await signed_up(world)
    first = (await sign_in(world)).json()

    async def refresh(token: str) -> httpx2.Response:
        return await world.client.post("/v1/sessions/refresh", json={"refresh_token": token})

    second = (await refresh(first["refresh_token"])).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert (await me(world, second["access_token"])).status_code == 200
    assert (await refresh(first["refresh_token"])).status_code == 401
    assert (await refresh(second["refresh_token"])).status_code == 401, "the whole family has ended"
    assert (await me(world, second["access_token"])).status_code == 401
    (session,) = await world.rows(select(SignInSession))
    assert session.end_reason == "refresh_token_replayed"


async def test_a_token_of_an_ended_session_ends_nothing_a_second_time(world: World) -> None:
    await world.node()
    await signed_up(world)
    session = (await sign_in(world)).json()
    await world.client.delete(
        "/v1/sessions/current", headers={"Authorization": f"Bearer {session['access_token']}"}
    )
    for _ in range(3):
        body = {"refresh_token": session["refresh_token"]}
        assert (await world.client.post("/v1/sessions/refresh", json=body)).status_code == 401
    (row,) = await world.rows(select(SignInSession))
    assert row.end_reason == "signed_out"
    assert len(await world.run("SELECT * FROM node_command")) == 1
    assert await world.run("SELECT * FROM audit_entry WHERE action = 'session.refresh_token_replayed'") == []


async def test_racing_refreshes_hand_out_one_token(world: World) -> None:
    await signed_up(world)
    token = (await sign_in(world)).json()["refresh_token"]
    answers = await asyncio.gather(
        *(world.client.post("/v1/sessions/refresh", json={"refresh_token": token}) for _ in range(4))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401]


async def test_a_browser_keeps_the_refresh_token_in_a_cookie_scripts_cannot_read(world: World) -> None:
    await signed_up(world)
    answer = await sign_in(world, refresh="cookie")
    assert answer.json()["refresh_token"] is None
    assert answer.headers["cache-control"] == "no-store"
    attributes = {part.strip().lower() for part in answer.headers["set-cookie"].split(";")[1:]}
    assert {"httponly", "samesite=strict", "path=/v1/sessions", "max-age=2592000"} <= attributes
    before = world.client.cookies[COOKIE]
    renewed = await world.client.post("/v1/sessions/refresh", json={})
    assert renewed.status_code == 200
    assert renewed.json()["refresh_token"] is None
    assert world.client.cookies[COOKIE] != before
    foreign = await world.client.post(
        "/v1/sessions/refresh", json={}, headers={"Origin": "https://evil.example"}
    )
    assert (foreign.status_code, foreign.json()["code"]) == (403, "foreign_origin")
    own = await world.client.post(
        "/v1/sessions/refresh", json={}, headers={"Origin": "http://localhost:8000"}
    )
    assert own.status_code == 200, "the foreign try spent nothing"
    await world.client.delete(
        "/v1/sessions/current", headers={"Authorization": f"Bearer {own.json()['access_token']}"}
    )
    assert COOKIE not in world.client.cookies


async def test_a_cookie_demands_https_where_there_is_https(app: FastAPI, world: World) -> None:
    app.state.settings.public_url = "https://mentorspan.example"
    await signed_up(world)
    answer = await sign_in(world, refresh="cookie")
    assert "secure" in answer.headers["set-cookie"].lower()


async def test_a_session_ends_after_thirty_days(world: World) -> None:
    await signed_up(world)
    session = (await sign_in(world)).json()
    with time_machine.travel(clock.now().timestamp() + 30 * 86400 + 1, tick=True):
        body = {"refresh_token": session["refresh_token"]}
        assert (await world.client.post("/v1/sessions/refresh", json=body)).status_code == 401


async def test_signing_out_ends_one_device_only(world: World) -> None:
    await signed_up(world)
    laptop, phone = [(await sign_in(world)).json()["access_token"] for _ in range(2)]
    await world.client.delete("/v1/sessions/current", headers={"Authorization": f"Bearer {laptop}"})
    assert (await me(world, laptop)).status_code == 401
    assert (await me(world, phone)).status_code == 200


async def test_signing_out_tells_every_node_that_may_hold_a_call(world: World) -> None:
    person = await world.person()
    await world.node()
    now = clock.now()
    for name, draining, age in (("draining", True, 0), ("quiet", False, 600), ("stopped", True, 600)):
        await world.run(
            "INSERT INTO node (name, url, draining, calls, public_key, seen_at) VALUES "
            "(:name, 'ws://x', :draining, 1, '', CAST(:now AS timestamptz) - make_interval(secs => :age))",
            name=name, draining=draining, age=age, now=now,
        )  # fmt: skip
    await person.ok("DELETE", "/v1/sessions/current")
    rows = await world.run("SELECT node, payload FROM node_command ORDER BY node")
    assert [row.node for row in rows] == ["draining", "quiet", "test-node"]
    assert {row.payload["session_id"] for row in rows} == {str(person.session_id)}


async def test_my_name_and_zone_change_and_nothing_else(world: World) -> None:
    person: Person = await world.person("Priya Raman")
    changed = await person.ok("PATCH", "/v1/me", {"zone": "Pacific/Auckland"})
    assert (changed["name"], changed["zone"]) == ("Priya Raman", "Pacific/Auckland")
    assert (await person.call("PATCH", "/v1/me", {"email": "new@example.org"})).status_code == 422
    assert (await person.ok("PATCH", "/v1/me", {"name": "Priya R."}))["zone"] == "Pacific/Auckland"


async def test_a_mailed_secret_and_a_password_are_stored_as_digests_only(world: World) -> None:
    await sign_up(world)
    token = mailed_token((await world.mails(ADDRESS))[0])
    (dump,) = (await world.run("SELECT string_agg(x::text, ' ') FROM mailed_secret x"))[0]
    assert token not in dump
    (account,) = await world.rows(select(Account))
    assert account.password_hash.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
