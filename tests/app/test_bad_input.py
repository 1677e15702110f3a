"""Whatever is sent: a problem document, nothing half-written, nothing given back that was sent."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from functools import cache
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode
from uuid import uuid4

import httpx2
import pytest
import yaml

from app.core.ids import new_id
from app.main import MAX_BODY_BYTES
from tests.app.house import House
from tests.app.kept import sweep
from tests.app.problems import CANARY, problem
from tests.app.visibility import OPENAPI, Scene, operations, state
from tests.app.visibility_table import FIRST_ROWS
from tests.world import World

pytestmark = pytest.mark.database
JSON: Final = {"Content-Type": "application/json"}


@cache
def _document() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(OPENAPI.read_text(encoding="utf-8"))
    return found


@cache
def _operation(name: str) -> dict[str, Any]:
    method, path = operations()[name]
    found: dict[str, Any] = _document()["paths"][path][method.lower()]
    return found


def _body_schema(name: str) -> dict[str, Any]:
    reference = _operation(name)["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    found: dict[str, Any] = _document()["components"]["schemas"][reference.rpartition("/")[2]]
    return found


WITH_BODY: Final = sorted(name for name in operations() if "requestBody" in _operation(name))
WITH_PATH: Final = sorted(name for name, (_, path) in operations().items() if "{" in path)
WITH_QUERY: Final = sorted(
    name
    for name in operations()
    if any(parameter["in"] == "query" for parameter in _operation(name).get("parameters", []))
)
WITH_KEY: Final = sorted(
    name
    for name in operations()
    if "201" in _operation(name)["responses"]
    and any(one["name"].lower() == "idempotency-key" for one in _operation(name).get("parameters", []))
)


@pytest.fixture
async def world(shared_world: World) -> World:
    """An empty world, in a database that the tests of this module share."""
    await sweep(shared_world)
    return shared_world


class Stage:
    """One operation in its owner's scene."""

    def __init__(self, world: World, name: str, scene: Scene) -> None:
        self.world = world
        self.name = name
        self.scene = scene

    def good_body(self) -> Any:
        body = self.scene.body
        return body(self.scene.caller) if callable(body) else body

    async def send(self, content: Any, query: str = "", **headers: str) -> httpx2.Response:
        method, path = operations()[self.name]
        return await self.world.client.request(
            method,
            path.format(**self.scene.path) + query,
            content=content,
            headers={
                "Authorization": f"Bearer {self.scene.caller.token}",
                **JSON,
                **self.scene.headers,
                **headers,
            },
        )

    async def send_json(self, body: Any, query: str = "", **headers: str) -> httpx2.Response:
        return await self.send(json.dumps(body).encode(), query, **headers)


async def _stage(world: World, name: str) -> Stage:
    stage = Stage(world, name, await FIRST_ROWS[name].scene(await House.build(world)))
    if stage.scene.development:
        world.door.settings.mode = "development"
    return stage


UNREADABLE: Final = {
    "half an object": b'{"' + CANARY.encode(),
    "no value": b'{"a":}',
    "single quotes": b"{'a': 1}",
    "two documents": b"{} {}",
    "invalid UTF-8": b'{"a":"\xff\xfe"}',
    "overlong UTF-8": b'{"a":"\xc0\x80"}',
    "raw control character": b'{"a":"\x00"}',
    "20,000 arrays": b"[" * 20_000 + b"]" * 20_000,
    "20,000 objects": b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
    "a number of 5,000 digits": b'{"a":' + b"9" * 5_000 + b"}",
    "UTF-16": json.dumps({"a": 1}).encode("utf-16")[:-1],
}
WRONG_SHAPE: Final = {
    "nothing": b"",
    "an array": b"[]",
    "an array of objects": b"[{}]",
    "null": b"null",
    "a number": b"1",
    "text": b'"' + CANARY.encode() + b'"',
    "true": b"true",
    "NaN": b"NaN",
    "Infinity": b"-Infinity",
    "1e400": b"1e400",
    "an unknown field": json.dumps({CANARY[:3] + "_unknown": 1}).encode(),
    "a field that is half a surrogate pair": b'{"\\ud800": 1}',
}


@pytest.mark.parametrize("name", WITH_BODY)
async def test_bodies_that_are_not_what_is_asked_for(world: World, name: str) -> None:
    stage = await _stage(world, name)
    before = await state(world)
    for content in UNREADABLE.values():
        assert problem(await stage.send(content), 400)["code"] == "malformed_request"
    for what, content in WRONG_SHAPE.items():
        if what in ("nothing", "null") and not _operation(name)["requestBody"].get("required"):
            continue  # the body may be left out
        assert problem(await stage.send(content), 422)["errors"]
    good = json.dumps(stage.good_body()).encode()
    problem(await stage.send(good, **{"Content-Type": "text/plain"}), 422)
    problem(await stage.send(good, **{"Content-Type": "application/xml"}), 422)
    surprised = problem(await stage.send_json({**stage.good_body(), "is_admin": True}), 422)
    assert [error["pointer"] for error in surprised["errors"]] == ["/is_admin"]
    assert await state(world) == before
    assert (await stage.send(good)).is_success


@pytest.mark.parametrize("name", WITH_BODY)
async def test_bodies_over_the_limit(world: World, name: str) -> None:
    stage = await _stage(world, name)
    before = await state(world)

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(MAX_BODY_BYTES // 4096 + 1):
            yield b" " * 4096

    announced = await stage.send(b" " * (MAX_BODY_BYTES + 1))
    assert problem(announced, 413)["code"] == "body_too_large"
    assert problem(await stage.send(chunks()), 413)["code"] == "body_too_large"
    good = json.dumps(stage.good_body()).encode()
    assert await state(world) == before
    padded = good + b" " * (MAX_BODY_BYTES - len(good))
    assert (await stage.send(padded)).is_success


def _fits(shape: dict[str, Any], value: Any) -> bool:
    kinds = {one.get("type") for one in (shape, *shape.get("anyOf", []))}
    if shape.get("$ref"):
        kinds = {"string"}
    if value is None:
        return "null" in kinds
    if isinstance(value, bool):
        return "boolean" in kinds
    return isinstance(value, list) and "array" in kinds and not shape.get("minItems")


def _hostile(shape: dict[str, Any]) -> Iterator[Any]:
    """Values that no field of this shape takes."""
    texts = [f"{CANARY}\x00", f"{CANARY}\ud800", "\udfff" + CANARY, f"{CANARY}\x1b[31m", CANARY * 7000]
    others = [
        None,
        True,
        -1,
        1.5,
        10**30,
        float("nan"),
        float("inf"),
        {},
        {CANARY: 1},
        [],
        [None],
        [[CANARY]],
    ]
    yield from texts
    yield from (value for value in others if not _fits(shape, value))
    for inner in (shape, *shape.get("anyOf", [])):
        if "maxItems" in inner:
            yield [str(uuid4()) for _ in range(inner["maxItems"] + 1)]
        if "maxLength" in inner:
            yield "x" * (inner["maxLength"] + 1)
        if "maximum" in inner:
            yield from (inner["maximum"] + 1, inner.get("minimum", 0) - 1, "1")


FREE: Final = {
    ("sign_in", "password"),
    ("sign_up", "password"),
    ("verify_email", "password"),
    ("refresh_session", "refresh_token"),
}
"""Secrets: any text of their length is one, though perhaps not the right one."""


@pytest.mark.parametrize("name", WITH_BODY)
async def test_every_field_refuses_what_it_cannot_be(world: World, name: str) -> None:
    stage = await _stage(world, name)
    before = await state(world)
    schema = _body_schema(name)
    for field, shape in schema["properties"].items():
        for value in _hostile(shape):
            if (name, field) in FREE and isinstance(value, str) and value.isascii() and len(value) < 100:
                continue
            answer = await stage.send_json({**stage.good_body(), field: value})
            pointers = {error["pointer"] for error in problem(answer, 422)["errors"]}
            assert all(pointer.startswith(f"/{field}") for pointer in pointers), (field, value, pointers)
    for field in schema.get("required", []):
        body = {key: value for key, value in stage.good_body().items() if key != field}
        problem(await stage.send_json(body), 422)
    assert await state(world) == before


DECEIVING: Final = ("\u202e", "\u200b", "\u2066", "\u2028", "\ufeff", "\n", "\t", "\x7f")
LINES: Final = (
    ("edit_me", "name"),
    ("sign_up", "name"),
    ("create_organisation", "name"),
    ("create_circle", "title"),
    ("edit_profile", "name"),
    ("edit_profile", "headline"),
    ("add_goal", "text"),
    ("edit_goal", "text"),
    ("propose_meeting", "title"),
    ("edit_meeting", "title"),
)


@pytest.mark.parametrize(("name", "field"), LINES, ids=lambda one: one)
async def test_a_name_cannot_imitate_another(world: World, name: str, field: str) -> None:
    stage = await _stage(world, name)
    for character in DECEIVING:
        body = {**stage.good_body(), field: f"Amara{character}Okafor"}
        assert problem(await stage.send_json(body), 422)["errors"][0]["pointer"] == f"/{field}"
    if name not in ("edit_profile", "propose_meeting", "edit_meeting") or field == "name":
        problem(await stage.send_json({**stage.good_body(), field: " \u00a0 "}), 422)


@pytest.mark.parametrize("name", WITH_PATH)
async def test_ids_that_are_none(world: World, name: str) -> None:
    stage = await _stage(world, name)
    before = await state(world)
    method, template = operations()[name]
    own = dict(stage.scene.path)
    for bad in ("0", "null", CANARY, "%00", "%F0%9F", "x" * 3000, f"{uuid4()}x", "%27%20OR%201=1--", "{}"):
        path = re.sub(r"\{\w+\}", lambda _, bad=bad: bad, template)  # type: ignore[misc]
        answer = await stage.scene.caller.call(method, path, stage.good_body())
        # A secret in the path may be any text, and one that is wrong is like one that is unknown.
        problem(answer, 404 if name == "fetch_calendar" else 422)
    stage.scene.path = dict.fromkeys(own, new_id())
    problem(await stage.send_json(stage.good_body()), 404)
    assert await state(world) == before


QUERIES: Final = {
    "limit": ("0", "-1", "101", "x", "1.5", "1e3", "9" * 400, "%00", "", "NaN"),
    "cursor": ("x", "!!!!", "%00", CANARY, "A" * 22 + "B", "=" * 40, "A" * 41, "..%2F..", "AAAA"),
    "from": (
        "x",
        "0",
        "2026-11-24",
        "2026-11-24T18:00:00",
        "9999-12-31T23:59:59-14:00",
        "0001-01-01T00:00:00Z",
    ),
    "to": ("%00", "tomorrow", "2026-02-30T00:00:00Z", "2026-11-24T18:00:60Z"),
    "q": ("x" * 101, "a%00b", "a%0Ab", "%E2%80%AE"),
    "skill": ("x" * 61, "a%00b"),
    "language": ("english-please", "%00", "e"),
    "membership_id": ("x", "1", ""),
    "pairing_id": ("x", "1", "", "%00", "null"),
    "meeting_id": ("x", "1", "", "%00", "null"),
    "before": ("-1", "x", "1.5", "9007199254740992", "9" * 400, "%00", "", "NaN"),
    "after": ("-1", "x", "1.5", "9007199254740992", "9" * 400, "%00", "", "NaN"),
    "mentors_only": ("maybe", "2", ""),
    "status": ("x", "ACTIVE", "%00"),
    "zone": ("Mars/Olympus", "localtime", "%00", "", "../../etc/passwd"),
    "duration_minutes": ("0", "4", "481", "x", "1.5", "9" * 400, "%00", ""),
    "order": ("worst", "", "%00"),
    "dtstart": ("x", "1997-09-02", "1997-02-30T09:00:00", "1997-09-02T09:00:00Z", "%00", ""),
    "rule": ("x", "FREQ=YEARLY", "FREQ=DAILY;COUNT=0", "FREQ=DAILY;COUNT=1;UNTIL=20300101", "%00", ""),
    "exdate": ("x", "1997-02-30T09:00:00", "%00", ""),
}


@pytest.mark.parametrize("name", WITH_QUERY)
async def test_queries_that_make_no_sense(world: World, name: str) -> None:
    stage = await _stage(world, name)
    names = [one["name"] for one in _operation(name)["parameters"] if one["in"] == "query"]
    good = dict(parse_qsl(stage.scene.query.removeprefix("?")))
    for parameter in names:
        others = urlencode({key: value for key, value in good.items() if key != parameter})
        for value in (*QUERIES[parameter], CANARY * 4000):
            answer = await stage.send(b"", f"?{others}&{parameter}={value}")
            [error, *_] = problem(answer, 422)["errors"]
            assert error["pointer"].removesuffix("/0") == f"/query/{parameter}", "or the first of several"
    assert (await stage.send(b"", f"?{urlencode(good)}&limit=100")).is_success


@pytest.mark.parametrize("name", WITH_KEY)
async def test_an_idempotency_key_creates_once(world: World, name: str) -> None:
    stage = await _stage(world, name)
    before = await state(world)
    for bad in ("short", "x" * 101, "has a space", "semi;colon", CANARY + '"quoted"'):
        answer = await _with_key(stage, {"Idempotency-Key": bad})
        assert problem(answer, 422)["errors"][0]["pointer"].lower() == "/header/idempotency-key"
    assert await state(world) == before
    key = {"Idempotency-Key": f"key-{uuid4()}"}
    answers = await asyncio.gather(*(_with_key(stage, key) for _ in range(4)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    changed = await stage.send(json.dumps(stage.good_body()).encode() + b" ", **key)
    assert problem(changed, 422)["code"] == "idempotency_key_reused"


async def _with_key(stage: Stage, headers: dict[str, str]) -> httpx2.Response:
    return await stage.send_json(stage.good_body(), **headers)


async def test_the_last_of_two_fields_of_one_name_counts(world: World) -> None:
    person = await world.person()
    headers = {"Authorization": f"Bearer {person.token}", **JSON}
    twice = b'{"name": "First", "name": "Second"}'
    answer = await world.client.patch("/v1/me", content=twice, headers=headers)
    assert answer.json()["name"] == "Second"
