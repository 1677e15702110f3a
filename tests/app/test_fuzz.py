"""Schemathesis over every operation: no 5xx, nothing undocumented, no schema break, and a 2xx for each.

Each operation is called inside the first scene of its row in the visibility matrix, by its owner. A call that
changed something gets a new scene, so that what is fuzzed is always there to be reached.
MENTORSPAN_FUZZ_EXAMPLES sets how many requests of each kind are made of each operation.
"""

import asyncio
import os
import threading
from collections import Counter
from collections.abc import Coroutine, Iterator
from functools import cache
from typing import Any, Final, TypeVar

import httpx2
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from app.main import create_app
from app.settings import Settings
from tests.app.house import House
from tests.app.kept import sweep
from tests.app.visibility import OPENAPI, Row, Scene, operations
from tests.app.visibility_table import FIRST_ROWS
from tests.world import World

pytestmark = pytest.mark.database
T = TypeVar("T")
EXAMPLES: Final = int(os.environ.get("MENTORSPAN_FUZZ_EXAMPLES", "6"))
BASE: Final = "http://localhost:8000"
CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
IDS: Final = ("_id", "_ids", "token", "_slug")
"""Members of a body that name something: fuzzed, they would only ever be unknown."""


@cache
def _schema() -> Any:
    return schemathesis.openapi.from_path(OPENAPI)


class Service:
    """The application on an event loop of its own, for tests that are not asynchronous."""

    def __init__(self, settings: Settings) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._settings = settings
        self._stop: asyncio.Event | None = None
        self.world: World

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run one coroutine there."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def __enter__(self) -> "Service":
        self._thread.start()
        ready = threading.Event()
        self._living = asyncio.run_coroutine_threadsafe(self._live(ready), self._loop)
        assert ready.wait(30)
        return self

    async def _live(self, ready: threading.Event) -> None:
        application = create_app(self._settings)
        self._stop = asyncio.Event()
        async with application.router.lifespan_context(application), World(application) as self.world:
            ready.set()
            await self._stop.wait()

    def __exit__(self, *_: object) -> None:
        assert self._stop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._living.result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


@pytest.fixture(scope="module")
def service(shared_settings: Settings) -> Iterator[Service]:
    with Service(shared_settings) as running:
        yield running


class Stage:
    """One operation, its owner's scene, and what was answered there."""

    def __init__(self, service: Service, row: Row) -> None:
        self.service = service
        self.row = row
        self.statuses: Counter[int] = Counter()
        self.scene: Scene
        self.renew()

    def renew(self) -> None:
        """Build the scene anew."""

        async def build() -> Scene:
            return await self.row.scene(await House.build(self.service.world))

        self.scene = self.service.run(build())

    def body(self) -> Any:
        """The owner's body."""
        body = self.scene.body
        return body(self.scene.caller) if callable(body) else body

    def send(self, case: schemathesis.Case[Any]) -> httpx2.Response:
        """Send the case as the owner, in a world that is whole."""
        headers = {**self.scene.headers, **(case.headers or {})}
        headers["Authorization"] = f"Bearer {self.scene.caller.token}"
        case.headers = headers  # type: ignore[assignment]
        prepared = requests.Request(**_known(case.as_transport_kwargs(base_url=BASE))).prepare()
        world = self.service.world
        world.door.settings.mode = "development" if self.scene.development else "production"
        sent_headers = {name: str(value) for name, value in prepared.headers.items()}
        body = prepared.body
        assert body is None or isinstance(body, str | bytes)
        answer = self.service.run(
            world.client.request(str(prepared.method), str(prepared.url), headers=sent_headers, content=body)
        )
        self.statuses[answer.status_code] += 1
        return answer


def _known(options: dict[str, Any]) -> dict[str, Any]:
    names = ("method", "url", "headers", "files", "data", "params", "cookies", "json")
    return {name: options[name] for name in names if options.get(name) is not None}


def _real(stage: Stage, case: schemathesis.Case[Any], real_ids: bool) -> None:
    """Aim the case at what is there: always its path, and if asked what its body names."""
    if stage.scene.path:
        case.path_parameters = {name: str(value) for name, value in stage.scene.path.items()}
    if real_ids and isinstance(case.body, dict) and isinstance(stage.body(), dict):
        ours = {name: value for name, value in stage.body().items() if name.endswith(IDS)}
        case.body = {**case.body, **ours}


@pytest.mark.parametrize("operation_id", sorted(operations()))
def test_every_operation_under_fuzz(
    service: Service, operation_id: str, request: pytest.FixtureRequest
) -> None:
    operation = _schema().find_operation_by_id(operation_id)
    service.run(sweep(service.world))
    stage = Stage(service, FIRST_ROWS[operation_id])

    case = operation.Case(
        path_parameters={name: str(value) for name, value in stage.scene.path.items()},
        **({} if stage.body() is None else {"body": stage.body(), "media_type": "application/json"}),
    )
    answer = stage.send(case)
    assert answer.is_success, answer.text
    case.validate_response(answer, checks=CHECKS)

    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
        _fuzz(stage, operation, mode)
    request.node.user_properties.append(("statuses", dict(stage.statuses)))
    assert any(200 <= status < 300 for status in stage.statuses)


def _fuzz(stage: Stage, operation: Any, mode: GenerationMode) -> None:
    if mode is GenerationMode.NEGATIVE and not (operation.body or operation.query):
        return
    checks = CHECKS
    if mode is GenerationMode.NEGATIVE and operation.body:
        # Not without a body: a query that we do not know is passed over, as everywhere on the web.
        checks = [*CHECKS, negative_data_rejection]

    @seed(20261124)
    @hypothesis_settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), real_ids=st.booleans())
    def run(case: schemathesis.Case[Any], real_ids: bool) -> None:
        _real(stage, case, real_ids and mode is GenerationMode.POSITIVE)
        answer = stage.send(case)
        case.validate_response(answer, checks=checks)
        if answer.is_success and operation.method.upper() != "GET":
            stage.renew()

    stage.renew()
    run()
