"""Who is calling: the signed-in account behind a request."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from app.accounts import queries, tokens
from app.core.crypto import KeyRing
from app.core.db import Db
from app.core.errors import Unauthenticated
from app.core.limits import TRIES_PER_CLIENT, Limits
from app.settings import Settings

_bearer = HTTPBearer(
    auto_error=False, scheme_name="access_token", description="The access token of a sign-in session."
)


@dataclass(frozen=True, slots=True)
class Actor:
    """A signed-in person. Which membership acts follows from the thing acted on."""

    account_id: UUID
    session_id: UUID


@dataclass(frozen=True, slots=True)
class Doorkeeper:
    """What signing in needs of this installation."""

    settings: Settings
    keys: KeyRing
    limits: Limits


# Not a plain function: FastAPI would run that in a thread.
async def _door(request: Request) -> Doorkeeper:
    door: Doorkeeper = request.app.state.door
    return door


Door = Annotated[Doorkeeper, Depends(_door)]


async def _few_tries(door: Door, request: Request) -> None:
    """Before any work for someone who is not signed in."""
    client = request.client.host if request.client else "unknown"
    await door.limits.spend(TRIES_PER_CLIENT, "client", client)


FEW_TRIES = [Depends(_few_tries)]
"""`dependencies=` of every operation that strangers may call and that costs more than reading."""


async def _current(
    door: Door, db: Db, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Actor:
    if credentials is None:
        raise Unauthenticated()
    claims = tokens.read_access(credentials.credentials, keys=door.keys, issuer=door.settings.issuer)
    if await queries.live_session(db, claims.session_id, claims.account_id) is None:
        raise Unauthenticated("session_ended", "You were signed out. Sign in again.")
    return Actor(account_id=claims.account_id, session_id=claims.session_id)


CurrentActor = Annotated[Actor, Depends(_current)]
