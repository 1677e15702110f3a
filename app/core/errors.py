"""What can go wrong, as one tree; every leaf travels as `application/problem+json` (RFC 9457).

    Problem
     +-- BadRequest        400   the request cannot be read
     +-- Unauthenticated   401   sign in (again)
     +-- Forbidden         403   seen, but not yours to do
     +-- NotFound          404   unknown, or not for your eyes: the two answers are the same
     +-- Conflict          409   the state of things does not allow it
     +-- ChangedMeanwhile  412   it is not as it was when you read it; nothing was changed
     +-- TooLarge          413   the body is over the limit
     +-- NotSatisfiable    416   the file has no such part
     +-- Invalid           422   readable, but not acceptable; `errors` says where and why
     +-- MustSayWhich      428   say which state you have seen
     +-- TooManyRequests   429   slow down
     +-- Unavailable       503   not now; try again

`code` is for programs and never changes its meaning; `detail` is for people and says what to do.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from uuid import UUID

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionLeft
from starlette.exceptions import HTTPException

MEDIA_TYPE = "application/problem+json"

log = structlog.get_logger()


class FieldError(BaseModel):
    """One fault in the request."""

    pointer: str = Field(
        description="JSON Pointer (RFC 6901) into the body, or `/query/name`, `/path/name`, `/header/name`.",
        examples=["/starts_at"],
    )
    detail: str = Field(examples=["Give a time that lies ahead."])


class ProblemDocument(BaseModel):
    """A problem document (RFC 9457)."""

    type: str = Field(examples=["about:blank"])
    title: str = Field(examples=["Not found"])
    status: int = Field(examples=[404])
    code: str = Field(examples=["not_found"], description="Stable; for programs.")
    detail: str = Field(description="For people: what happened and what to do.")
    errors: list[FieldError] = Field(default_factory=list)
    successor: UUID | None = Field(
        default=None, description="Where something has taken the place of what was asked about: its id."
    )


class Problem(Exception):
    """The root: something that the caller is told about."""

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Problem"
    code: str = "internal_error"
    detail: str = "Something went wrong on our side. Nothing was changed; please try again."

    def __init__(
        self,
        code: str | None = None,
        detail: str | None = None,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, str] | None = None,
    ) -> None:
        self.code = code or type(self).code
        self.detail = detail or type(self).detail
        self.errors = list(errors)
        self.headers = dict(headers or {})
        self.members = dict(members or {})
        super().__init__(f"{self.code}: {self.detail}")

    def document(self) -> dict[str, Any]:
        """The body as it travels."""
        return {
            "type": "about:blank",
            "title": self.title,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            "errors": [error.model_dump() for error in self.errors],
            **self.members,
        }


class BadRequest(Problem):
    status = 400
    title = "Bad request"
    code = "malformed_request"
    detail = "The request could not be read. Send well-formed JSON."


class Unauthenticated(Problem):
    status = 401
    title = "Not signed in"
    code = "not_signed_in"
    detail = "Sign in to continue."

    def __init__(self, code: str | None = None, detail: str | None = None) -> None:
        super().__init__(code, detail, headers={"WWW-Authenticate": "Bearer"})


class Forbidden(Problem):
    status = 403
    title = "Not allowed"
    code = "not_allowed"
    detail = "You can see this, but your role does not let you do it."


class NotFound(Problem):
    status = 404
    title = "Not found"
    code = "not_found"
    detail = "There is nothing here that you can see."


class Conflict(Problem):
    status = 409
    title = "Conflict"
    code = "conflict"
    detail = "The current state does not allow this."


class ChangedMeanwhile(Problem):
    status = 412
    title = "Changed meanwhile"
    code = "changed_meanwhile"
    detail = (
        "This was changed since you read it, and nothing of what you sent was done. "
        "Read it again and decide anew; its entity tag is the new `If-Match`."
    )


class TooLarge(Problem):
    status = 413
    title = "Too large"
    code = "body_too_large"
    detail = "The request body is over the limit of 256 KiB."


class NotSatisfiable(Problem):
    status = 416
    title = "Range not satisfiable"
    code = "range_not_satisfiable"
    detail = "The file is shorter than that. `Content-Range` says how long it is."


class Invalid(Problem):
    status = 422
    title = "Not acceptable"
    code = "invalid"
    detail = "Some of what was sent cannot be accepted; see `errors`."


class MustSayWhich(Problem):
    status = 428
    title = "Precondition required"
    code = "precondition_required"
    detail = "Send `If-Match` with the entity tag of what you read, so that nobody's change is lost."


class TooManyRequests(Problem):
    status = 429
    title = "Too many requests"
    code = "too_many_requests"
    detail = "Too many tries. Wait a little and try again."


class Unavailable(Problem):
    status = 503
    title = "Not available now"
    code = "unavailable"
    detail = "This is not available at the moment. Please try again soon."


def invalid(pointer: str, detail: str, code: str = "invalid") -> Invalid:
    """One field that is not acceptable."""
    return Invalid(code, detail, errors=[FieldError(pointer=pointer, detail=detail)])


def problems(*kinds: type[Problem]) -> dict[int | str, dict[str, Any]]:
    """`responses=` of a route: the problems it may answer with (`core.openapi` describes them)."""
    return {kind.status: {"description": kind.title} for kind in kinds}


def answer(problem: Problem) -> Response:
    """The response that carries `problem`."""
    return JSONResponse(
        problem.document(), status_code=problem.status, media_type=MEDIA_TYPE, headers=problem.headers
    )


def install(app: FastAPI) -> None:
    """Make every error of `app` a problem document."""
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    for kind in (OperationalError, InterfaceError, NoConnectionLeft):
        app.add_exception_handler(kind, _on_database)
    app.add_exception_handler(Exception, _on_fault)


async def _on_problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return answer(error)


async def _on_invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults = error.errors()
    if any(fault["type"] == "json_invalid" for fault in faults):
        return answer(BadRequest())
    return answer(Invalid(errors=[_field_error(fault) for fault in faults[:20]]))


def _field_error(fault: Mapping[str, Any]) -> FieldError:
    place = [str(part) for part in fault["loc"]]
    if place and place[0] == "body":
        place = place[1:]
    pointer = "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in place)
    # Never the input itself: it may hold a password, and it comes back in logs.
    return FieldError(
        pointer=pointer[:200].encode("utf-8", "replace").decode(), detail=str(fault["msg"])[:300]
    )


_BY_STATUS = {kind.status: kind for kind in (BadRequest, Forbidden, NotFound, TooLarge, Invalid)}


class _Other(Problem):
    """A refusal by the framework that has no leaf of its own (405, 415 ...)."""

    def __init__(self, error: HTTPException) -> None:
        super().__init__("http_error", str(error.detail), headers=error.headers)
        self.__dict__["status"] = error.status_code
        self.__dict__["title"] = str(error.detail)


async def _on_http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    kind = _BY_STATUS.get(error.status_code)
    return answer(kind() if kind else _Other(error))


async def _on_database(_: Request, error: Exception) -> Response:
    """The database is away, or too busy: one line, not a stack trace for everybody who asks meanwhile."""
    reason = type(getattr(error, "orig", None) or error).__name__
    log.warning("database_unavailable", reason=reason)
    detail = "The database does not answer at the moment. Please try again."
    return answer(Unavailable("database_unavailable", detail, headers={"Retry-After": "1"}))


async def _on_fault(_: Request, error: Exception) -> Response:
    del error  # logged by the server's error middleware; its words are not for the caller
    # This answer leaves outside of the middleware that gives all others these headers.
    return answer(Problem(headers={"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}))


__all__ = [
    "BadRequest",
    "ChangedMeanwhile",
    "Conflict",
    "Forbidden",
    "Invalid",
    "MustSayWhich",
    "NotFound",
    "NotSatisfiable",
    "Problem",
    "ProblemDocument",
    "TooLarge",
    "TooManyRequests",
    "Unauthenticated",
    "Unavailable",
    "install",
    "invalid",
    "problems",
]
