"""The REST service: one application made of rooms."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import APIRouter, FastAPI

from app import edge, front, web
from app.accounts.auth import Doorkeeper
from app.accounts.routes import router as accounts
from app.availability.routes import router as availability
from app.blocks.routes import router as blocks
from app.calendars.routes import INBOUND
from app.calendars.routes import router as calendars
from app.chat.routes import router as chat
from app.core import errors, logging
from app.core.crypto import load_keys, publish_jwks
from app.core.db import open_database
from app.core.limits import open_limits
from app.core.openapi import TAGS, describe, operation_id
from app.core.outbox import Relay
from app.freebusy.routes import router as freebusy
from app.live.routes import router as live
from app.notifications.routes import router as notifications
from app.organisations.routes import router as organisations
from app.pairings.routes import router as pairings
from app.people.routes import router as people
from app.reactions import REACTIONS
from app.recordings.routes import router as recordings
from app.safeguarding.routes import router as safeguarding
from app.scheduling.routes import router as scheduling
from app.series.routes import router as series
from app.settings import Settings, get_settings
from signalling.contracts.bus_open import open_bus

VERSION: Final = "0.1.0"
MAX_BODY_BYTES: Final = 256 * 1024
ROOMS: Final[tuple[APIRouter, ...]] = (
    accounts,
    organisations,
    blocks,
    people,
    pairings,
    availability,
    freebusy,
    scheduling,
    series,
    recordings,
    chat,
    safeguarding,
    calendars,
    notifications,
    live,
)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    if not settings.database_url:
        raise RuntimeError("DATABASE_URL is not set. `mentorspan serve` starts a private database.")
    keys = load_keys(settings.keys_dir)
    publish_jwks(keys, settings.state_dir / "jwks.json")
    bus = open_bus(settings.valkey_url)
    database = open_database(settings.database_url, pool=settings.database_pool, reactions=REACTIONS)
    database.context["bus"] = bus
    database.context["keys"] = keys
    relay = database.context["publisher"] = Relay(database, bus)
    app.state.database = database
    app.state.bus = bus
    app.state.door = Doorkeeper(settings=settings, keys=keys, limits=open_limits(settings.valkey_url))
    relaying, marking = asyncio.create_task(relay.run()), asyncio.create_task(relay.mark())
    try:
        yield
    finally:
        relaying.cancel()
        relay.stop()
        await asyncio.gather(relaying, marking, return_exceptions=True)
        await bus.close()
        await database.close()


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application. It connects when its lifespan starts, so making one needs no database."""
    settings = settings or get_settings()
    logging.configure(settings.log_level, pretty=settings.development)
    app = FastAPI(
        title="Mentorspan",
        version=VERSION,
        summary="Virtual mentorship between organisations.",
        description=(
            "Sign in with `POST /v1/sessions` and send the access token as a bearer token. Errors are "
            "problem documents (RFC 9457): `code` is for programs, `detail` for people. Lists come in pages: "
            "follow `next_cursor`. What is not for your eyes is answered like what does not exist."
        ),
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        openapi_tags=TAGS,
        servers=[{"url": "/", "description": "This server."}],
        generate_unique_id_function=operation_id,
        lifespan=_lifespan,
        docs_url=None,
        redoc_url=None,
        telemetry={"logs": False},
        separate_input_output_schemas=False,
    )
    app.state.settings = settings
    errors.install(app)
    app.add_middleware(edge.BodyLimit, most=MAX_BODY_BYTES, spared=[INBOUND])
    app.add_middleware(edge.SafeHeaders, secure=settings.secure)
    for room in ROOMS:
        app.include_router(room)
    app.include_router(front.router)
    web.serve_web(app, settings)
    describe(app)
    return app
