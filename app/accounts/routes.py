"""Accounts and sign-in sessions over HTTP."""

from fastapi import APIRouter, Request, Response

from app.accounts import service
from app.accounts.auth import FEW_TRIES, CurrentActor, Door, Doorkeeper
from app.accounts.models import SESSION_DAYS
from app.accounts.schemas import (
    Accepted,
    RefreshSession,
    ResendVerification,
    SessionRead,
    SignIn,
    VerifyEmail,
)
from app.core.db import Db
from app.core.errors import Forbidden, TooManyRequests, Unauthenticated, Unavailable, answer, problems
from app.core.idempotency import IdempotencyKeyHeader

router = APIRouter(prefix="/v1", tags=["accounts"])

COOKIE = "mentorspan_refresh"
_COOKIE_PATH = "/v1/sessions"


@router.post(
    "/accounts/verify",
    status_code=204,
    dependencies=FEW_TRIES,
    responses=problems(Unauthenticated, TooManyRequests, Unavailable),
)
async def verify_email(body: VerifyEmail, db: Db) -> None:
    """Confirm an e-mail address with the token from the mail and the password that was chosen for it."""
    await service.verify_email(db, body)


@router.post(
    "/accounts/verification",
    status_code=202,
    response_model=Accepted,
    dependencies=FEW_TRIES,
    responses=problems(TooManyRequests),
)
async def resend_verification(body: ResendVerification, door: Door, db: Db) -> Accepted:
    """Send the confirmation mail again."""
    await service.resend_verification(db, door, body.email)
    return Accepted()


@router.post(
    "/sessions",
    status_code=201,
    dependencies=FEW_TRIES,
    response_model=SessionRead,
    responses=problems(Unauthenticated, Forbidden, TooManyRequests, Unavailable),
)
async def sign_in(body: SignIn, door: Door, db: Db, response: Response) -> SessionRead:
    """Sign in."""
    session, token = await service.sign_in(db, door, body)
    return _hand_over(response, door, session, token, by_cookie=body.refresh == "cookie")


@router.post(
    "/sessions/refresh",
    response_model=SessionRead,
    dependencies=FEW_TRIES,
    responses=problems(Unauthenticated, Forbidden, TooManyRequests),
)
async def refresh_session(
    body: RefreshSession,
    door: Door,
    db: Db,
    request: Request,
    response: Response,
    attempt: IdempotencyKeyHeader = None,
) -> SessionRead | Response:
    """Exchange the refresh token for new tokens.

    Each refresh token works once; a replay ends the session. Only the same try, named by its
    `Idempotency-Key`, gets the same answer again: send a fresh key with each token, and keep both until the
    answer has arrived.
    """
    by_cookie = body.refresh_token is None
    if by_cookie:
        _same_site(request, door)
    token = request.cookies.get(cookie_name(door)) if by_cookie else body.refresh_token
    renewed = await service.refresh(db, door, token, attempt)
    if renewed is None:
        # Answered, not raised: an exception would roll back the ending of a replayed session.
        return answer(Unauthenticated("refresh_token_refused", "Your sign-in has ended. Sign in again."))
    return _hand_over(response, door, *renewed, by_cookie=by_cookie)


@router.delete("/sessions/current", status_code=204, responses=problems(Unauthenticated))
async def sign_out(actor: CurrentActor, door: Door, db: Db, response: Response) -> None:
    """Sign this device out."""
    await service.sign_out(db, actor)
    response.delete_cookie(
        cookie_name(door), path=_COOKIE_PATH, secure=door.settings.secure, samesite="strict"
    )


def cookie_name(door: Doorkeeper) -> str:
    """With HTTPS the prefix makes browsers refuse a cookie that an insecure page planted (RFC 6265bis)."""
    return f"__Secure-{COOKIE}" if door.settings.secure else COOKIE


def _same_site(request: Request, door: Doorkeeper) -> None:
    """SameSite keeps other sites out; the Origin check keeps out sister hosts of the same site, too."""
    origin = request.headers.get("origin")
    if origin is not None and origin not in door.settings.origins:
        raise Forbidden("foreign_origin", "This page may not use your sign-in.")


def _hand_over(
    response: Response, door: Doorkeeper, session: SessionRead, token: str, *, by_cookie: bool
) -> SessionRead:
    response.headers["Cache-Control"] = "no-store"
    if not by_cookie:
        return session.model_copy(update={"refresh_token": token})
    response.set_cookie(
        cookie_name(door),
        token,
        max_age=SESSION_DAYS * 86400,
        path=_COOKIE_PATH,
        secure=door.settings.secure,
        httponly=True,
        samesite="strict",
    )
    return session
