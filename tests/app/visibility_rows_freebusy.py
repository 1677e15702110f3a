"""Rows of the visibility matrix: calendars that somebody keeps elsewhere are theirs alone."""

from datetime import timedelta
from typing import Any

from app.core import clock
from app.freebusy.models import ImportedCalendar
from app.freebusy.schemas import Kind
from tests.app.house import House
from tests.app.visibility import Principal, Scene
from tests.app.visibility_rows import A, H, S, cells, row, row_with, shown

BODY: dict[str, Any] = {"name": "Work", "kind": "ics", "url": "https://calendar.example.org/private/3f0c.ics"}
MINE = {**cells(H, H, gone=A), Principal.WRONG_SIDE: H}


async def added(house: House) -> ImportedCalendar:
    """The mentee's calendar, which is read again in half an hour."""
    calendar = ImportedCalendar(
        account_id=house.mentee.account_id,
        name=house.text("Work"),
        kind=Kind.ICS.value,
        host="calendar.example.org",
        next_try_at=clock.now() + timedelta(minutes=30),
        fetched_at=clock.now(),
    )
    await house.world.save(calendar)
    return calendar


async def _mine(house: House) -> Scene:
    calendar = await added(house)
    path = {"imported_calendar_id": calendar.id}
    return Scene(house.mentee, path, other=house.mentor, side=house.mentor)


async def _list(house: House) -> Scene:
    calendar = await added(house)
    return Scene(house.mentee, other=house.mentor, hidden=shown(calendar.id, calendar.name))


row("add_imported_calendar", cells(A, A, gone=A), lambda h: Scene(h.mentee, body=BODY, other=h.mentor))
row_with("list_imported_calendars", cells(S, S, gone=A), _list)
row_with("remove_imported_calendar", MINE, _mine)
row_with("refresh_imported_calendar", MINE, _mine)
