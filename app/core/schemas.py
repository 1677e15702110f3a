"""The types that travel: what every room's schemas are made of, and what they refuse."""

import re
import zoneinfo
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u2028\u2029\ufeff]")
_NUMBER = re.compile(r"\s*[-+]?[0-9._]+\s*")
_BREAKS = re.compile(r"[\t\n\r]")
# Characters that reorder or hide what people read; a name that carries them can imitate another.
_DECEIVING = re.compile(r"[\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069]")


class Body(BaseModel):
    """What a client sends: unknown fields are refused, so that a typing error is not silently ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Read(BaseModel):
    """What a client is sent."""

    model_config = ConfigDict(from_attributes=True, frozen=True)


def _encodable(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("holds half of a surrogate pair, which is not text") from None
    return value


def _prose(value: str) -> str:
    _encodable(value)
    if _CONTROL.search(value):
        raise ValueError("holds control characters")
    return value


def _line(value: str) -> str:
    _prose(value)
    if _BREAKS.search(value) or _DECEIVING.search(value):
        raise ValueError("must be one line of visible text")
    return value


def _not_number(value: Any) -> Any:
    """Pydantic would read 0 as a moment in 1970, also in a query, where it is text."""
    if not isinstance(value, str | datetime) or (isinstance(value, str) and _NUMBER.fullmatch(value)):
        raise ValueError("give an RFC 3339 time with an offset, such as 2026-11-24T18:00:00Z")
    return value


def _instant(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("give the offset from UTC, such as 2026-11-24T18:00:00Z")
    try:
        value = value.astimezone(UTC)
    except (OverflowError, ValueError):
        raise ValueError("lies outside the calendar") from None
    if not 2000 <= value.year <= 2200:
        raise ValueError("lies too far away")
    return value


@lru_cache
def _zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones()) - {"localtime", "Factory"}


def _zone(value: str) -> str:
    if value not in _zones():
        raise ValueError("is not an IANA time zone, such as Europe/London")
    return value


def _language(value: str) -> str:
    return value.lower()


def _unique(values: list[str]) -> list[str]:
    seen: dict[str, str] = {}
    for value in values:
        seen.setdefault(value.casefold(), value)
    return list(seen.values())


Line = Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(_line)]
"""One line of visible text."""
Prose = Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(_prose)]
"""Text that may have line breaks."""
Name = Annotated[Line, Field(min_length=1, max_length=80)]
Note = Annotated[Prose, Field(max_length=2000)]
Password = Annotated[str, Field(min_length=10, max_length=128), AfterValidator(_encodable)]
Secret = Annotated[str, Field(min_length=20, max_length=200, pattern=r"^[A-Za-z0-9_.-]+$")]
"""A token from a mail link."""
Zone = Annotated[str, Field(max_length=64, examples=["Europe/London"]), AfterValidator(_zone)]
Instant = Annotated[
    datetime,
    BeforeValidator(_not_number, json_schema_input_type=datetime),
    AfterValidator(_instant),
    Field(examples=["2026-11-24T18:00:00Z"]),
]
Skills = Annotated[
    list[Annotated[Line, Field(min_length=1, max_length=60)]], Field(max_length=20), AfterValidator(_unique)
]
Languages = Annotated[
    list[
        Annotated[
            str,
            Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$", max_length=35),
            AfterValidator(_language),
        ]
    ],
    Field(max_length=10),
    AfterValidator(_unique),
]
"""BCP 47 language tags, such as en or pt-BR."""
