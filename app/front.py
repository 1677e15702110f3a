"""What stands around the rooms: configuration, health, public keys, the mailbox."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import Field
from sqlalchemy import text

from app.accounts.auth import Door
from app.core import mailbox
from app.core.db import Database, Db
from app.core.errors import NotFound, Unavailable, problems
from app.core.paging import Page, Paging, fetch
from app.core.schemas import Read
from app.demo import DEMO_SIGN_INS

router = APIRouter(tags=["service"])


class DemoSignIn(Read):
    name: str
    email: str
    password: str
    what: str


class ConfigRead(Read):
    mode: Literal["production", "development"]
    open_registration: bool
    mailbox: bool = Field(description="Whether /v1/mailbox exists here.")
    demo: list[DemoSignIn]


class MailRead(Read):
    id: UUID
    to: str
    subject: str
    text: str
    created_at: datetime


class Health(Read):
    status: Literal["ok"] = "ok"


@router.get("/v1/config", response_model=ConfigRead)
async def read_config(door: Door) -> ConfigRead:
    """What a client needs to know before anyone signs in."""
    settings = door.settings
    demo = DEMO_SIGN_INS if settings.development else ()
    return ConfigRead(
        mode=settings.mode,
        open_registration=bool(settings.open_registration),
        mailbox=settings.development and not settings.smtp_url,
        demo=[DemoSignIn.model_validate(row) for row in demo],
    )


@router.get("/v1/mailbox", response_model=Page[MailRead], responses=problems(NotFound))
async def list_mailbox(door: Door, db: Db, paging: Paging) -> Page[MailRead]:
    """Every mail that was sent here, in development mode; elsewhere there is no such page."""
    if not door.settings.development:
        raise NotFound()
    rows, cursor = await fetch(db, mailbox.messages(), mailbox.MailboxMessage.id, paging)
    return Page(items=[MailRead.model_validate(row) for row in rows], next_cursor=cursor)


@router.get("/healthz", response_model=Health)
async def healthz() -> Health:
    """The process answers."""
    return Health()


@router.get("/readyz", response_model=Health, responses=problems(Unavailable))
async def readyz(request: Request) -> Health:
    """The database and the bus answer, too."""
    database: Database = request.app.state.database
    try:
        async with database.engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
    except Exception:
        raise Unavailable("database_unavailable", "The database does not answer.") from None
    try:
        await request.app.state.bus.ping()
    except Exception:
        raise Unavailable("bus_unavailable", "The bus does not answer.") from None
    return Health()


@router.get("/.well-known/jwks.json", include_in_schema=False)
async def read_jwks(door: Door) -> JSONResponse:
    """The public keys that our tokens are signed with (RFC 7517)."""
    return JSONResponse(door.keys.jwks(), headers={"Cache-Control": "max-age=300"})
