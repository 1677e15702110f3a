"""How the web client is served: what browsers get, what they do not, and what they are told they may do."""

import httpx2
import pytest
from fastapi import FastAPI

from app.web import WEB
from tests.world import World

pytestmark = [
    pytest.mark.database,
    pytest.mark.skipif(not (WEB / "node_modules/htm").exists(), reason="run `make run` or `make test` once"),
]


async def fetch(app: FastAPI, path: str, **headers: str) -> httpx2.Response:
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost:8000") as client:
        return await client.get(path, headers=headers)


@pytest.mark.parametrize("path", ["/", "/people", "/pairings/0b6f7e7e-7a39-4b5c-9f6e-0d5f5c8f2a01/book"])
async def test_a_bookmark_is_answered_with_the_page(app: FastAPI, path: str) -> None:
    answer = await fetch(app, path, accept="text/html")
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy


async def test_files_are_compressed_and_asked_about_again(app: FastAPI) -> None:
    answer = await fetch(app, "/web/main.js", **{"accept-encoding": "gzip"})
    assert answer.status_code == 200
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "path",
    [
        "/web/package.json",
        "/web/package-lock.json",
        "/web/node_modules/typescript/package.json",
        "/web/../pyproject.toml",
        "/web/%2e%2e/pyproject.toml",
        "/web/client/../package.json",
        "/web/client/%2e%2e/%2e%2e/pyproject.toml",
        "/web/nothing.js",
    ],
)
async def test_nothing_else_of_the_tree_is_served(app: FastAPI, path: str) -> None:
    answer = await fetch(app, path)
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"


async def test_the_api_is_never_answered_with_the_page(world: World, app: FastAPI) -> None:
    answer = await fetch(app, "/v1/nothing", accept="text/html")
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"
