"""The one internal door: signalling nodes ask how things stand.

It has a port of its own that the world must not reach.
"""

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Iterator
from typing import Annotated

import uvicorn
from fastapi import Depends, FastAPI
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from typing_extensions import override

from app import edge
from app.core import errors
from app.core.db import Db, open_database
from app.core.errors import Unauthenticated
from app.live import standing
from app.settings import Settings
from signalling.contracts.standing import PATH, StandingAsk, StandingRead

MAX_BODY_BYTES = 128 * 1024
_bearer = HTTPBearer(auto_error=False)


async def read_standing(
    ask: StandingAsk, db: Db, token: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> StandingRead:
    """How streams and sessions stand now, told to a node that signs its question."""
    if token is None:
        raise Unauthenticated("node_refused", "This door is for signalling nodes.")
    await standing.must_be_a_node(db, token.credentials)
    return await standing.read(db, ask)


def create_internal_app(settings: Settings) -> FastAPI:
    """The application behind the internal port."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        assert settings.database_url
        app.state.database = open_database(settings.database_url, pool=3)
        try:
            yield
        finally:
            await app.state.database.close()

    app = FastAPI(lifespan=lifespan, openapi_url=None, docs_url=None, redoc_url=None)
    errors.install(app)
    app.add_middleware(edge.BodyLimit, most=MAX_BODY_BYTES)
    app.post(PATH, response_model=StandingRead)(read_standing)
    return app


class InternalServer(uvicorn.Server):
    """Runs beside the public server, which is the one that hears signals."""

    @contextlib.contextmanager
    @override
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve_both(public: uvicorn.Config, settings: Settings) -> None:
    """Serve the world and, on its own port, the nodes, until a signal ends it."""
    internal = _server(settings)
    gc.collect()
    gc.freeze()  # what is loaded now stays; to look through it now and then would hold up a request
    beside = asyncio.create_task(internal.serve())
    try:
        await uvicorn.Server(public).serve()
    finally:
        internal.should_exit = True
        await beside


def _server(settings: Settings) -> InternalServer:
    return InternalServer(
        uvicorn.Config(
            create_internal_app(settings),
            host=settings.internal_host,
            port=settings.internal_port,
            server_header=False,
            ws="none",
            access_log=False,
            log_config=None,
        )
    )
