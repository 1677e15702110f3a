"""Entity tags: a change that is meant for one state of a thing is not made to another (RFC 9110, 13)."""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Final, Protocol, TypeVar

from fastapi import Depends, Header, Response

from app.core.errors import ChangedMeanwhile, MustSayWhich

_TAG: Final = re.compile(r'(W/)?"([^"]*)"')
_TAG_PATTERN: Final = r'(W/)?"[!#-~]{0,60}"'


class Versioned(Protocol):
    """Something whose version rises with every change."""

    @property
    def version(self) -> int: ...


T = TypeVar("T", bound=Versioned)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the caller says they have seen; null is any state, `*` says so."""

    said: str | None = None

    def must_be(self, version: int, *, needed: bool = False) -> None:
        """412 unless this is the state that the caller has seen; 428 when they had to say and did not."""
        if self.said is None:
            if needed:
                raise MustSayWhich()
            return
        # The comparison is the strong one: a weak tag names no exact state.
        tags = {tag for weak, tag in _TAG.findall(self.said) if not weak}
        if self.said != "*" and str(version) not in tags:
            raise ChangedMeanwhile()


ANY: Final = Seen()


async def _seen(
    said: Annotated[
        str | None,
        Header(
            alias="If-Match",
            max_length=400,
            pattern=rf"^(\*|{_TAG_PATTERN}( ?, ?{_TAG_PATTERN})*)$",
            description="The entity tag that was read: if it has changed since, nothing is done (412).",
            examples=['"3"'],
        ),
    ] = None,
) -> Seen:
    return Seen(said)


IfMatch = Annotated[Seen, Depends(_seen)]


class Tagging:
    """Gives an answer its entity tag."""

    def __init__(self, response: Response) -> None:
        self._response = response

    def __call__(self, made: T) -> T:
        self._response.headers["ETag"] = f'"{made.version}"'
        return made


Tagged = Annotated[Tagging, Depends()]


def tagged(status: int = 200) -> dict[int | str, dict[str, Any]]:
    """`responses=` of a route whose answer carries an entity tag."""
    header = {"description": "The version, for `If-Match`.", "schema": {"type": "string"}, "example": '"3"'}
    return {status: {"headers": {"ETag": header}}}
