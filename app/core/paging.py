"""Long lists in pages, by keyset: stable under insertion, and no page costs more than the first."""

import base64
import binascii
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

from fastapi import Depends, Query
from pydantic import BaseModel, Field
from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.errors import invalid

T = TypeVar("T")
Row = TypeVar("Row")


class Page(BaseModel, Generic[T]):
    """One page, the newest first; follow `next_cursor` until it is null."""

    items: list[T]
    next_cursor: str | None = Field(default=None, examples=[None])


@dataclass(frozen=True, slots=True)
class Window:
    """Which page is asked for: at most `limit` rows, newest first, older than `before`."""

    limit: int
    before: UUID | None


async def _window(
    limit: Annotated[int, Query(ge=1, le=100, description="How many at most.")] = 50,
    cursor: Annotated[
        str | None, Query(max_length=40, description="`next_cursor` of the page before.")
    ] = None,
) -> Window:
    return Window(limit=limit, before=_decode(cursor) if cursor else None)


Paging = Annotated[Window, Depends(_window)]


def _decode(cursor: str) -> UUID:
    try:
        return UUID(bytes=base64.urlsafe_b64decode(cursor + "=="))
    except (ValueError, binascii.Error):
        raise invalid("/query/cursor", "Use the next_cursor of the page before, unchanged.") from None


def _encode(identity: UUID) -> str:
    return base64.urlsafe_b64encode(identity.bytes).rstrip(b"=").decode()


async def fetch(
    db: AsyncSession, rows: Select[Row], key: Any, window: Window
) -> tuple[list[Row], str | None]:
    """The rows of one page and the cursor of the next. `key` is the primary key column, a UUIDv7."""
    if window.before is not None:
        rows = rows.where(key < window.before)
    found = list((await db.scalars(rows.order_by(key.desc()).limit(window.limit + 1))).unique())
    if len(found) <= window.limit:
        return found, None
    page = found[: window.limit]
    last: Any = page[-1]
    return page, _encode(last.id)
