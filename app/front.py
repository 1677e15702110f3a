"""What stands around the rooms: configuration, health, public keys, the mailbox, the web client."""

from datetime import datetime
from pathlib import Path
from typing import Literal
from uuid import UUID

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from pydantic import Field
from sqlalchemy import text
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.accounts.auth import Door
from app.core import mailbox
from app.core.db import Database, Db
from app.core.errors import NotFound, Unavailable, answer, problems
from app.core.paging import Page, Paging, fetch
from app.core.schemas import Read
from app.demo import DEMO_SIGN_INS
from app.settings import Settings

WEB = Path(__file__).resolve().parent.parent / "web"

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


def serve_web(app: FastAPI, settings: Settings) -> None:
    """Serve the web client: its files under /web, its one page wherever a person may have bookmarked it."""
    if not (WEB / "index.html").exists():
        return
    app.mount("/web", StaticFiles(directory=WEB), name="web")
    headers = page_headers(settings)

    @app.get("/{path:path}", include_in_schema=False)
    async def page(path: str, request: Request) -> Response:
        if path.startswith(("v1/", "web/", ".well-known/")) or "text/html" not in request.headers.get(
            "accept", ""
        ):
            return answer(NotFound())
        return FileResponse(WEB / "index.html", headers=headers)


def page_headers(settings: Settings) -> dict[str, str]:
    """What a browser may do on our pages: run our own files, and talk to us and to signalling."""
    socket = settings.signalling_public_url
    sockets = {socket, socket.replace("//localhost", "//127.0.0.1")} if settings.development else {socket}
    policy = {
        "default-src": "'self'",
        "img-src": "'self' data: blob:",
        "media-src": "'self' blob: mediastream:",
        "connect-src": " ".join(["'self'", *sorted(sockets)]),
        "object-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Permissions-Policy": "camera=(self), microphone=(self), display-capture=(self)",
        "Cache-Control": "no-cache",
    }


class SafeHeaders:
    """Headers that every answer carries."""

    def __init__(self, app: ASGIApp, *, secure: bool) -> None:
        self._app = app
        self._headers = [
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"no-referrer"),
            (b"cross-origin-opener-policy", b"same-origin"),
        ]
        if secure:
            self._headers.append((b"strict-transport-security", b"max-age=31536000"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        private = scope["path"].startswith("/v1/")

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *self._headers]
                if private and b"cache-control" not in present:
                    message["headers"].append((b"cache-control", b"no-store"))
            await send(message)

        await self._app(scope, receive, send_with_headers)
