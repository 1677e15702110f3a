"""People with hours, and the moments that their slots begin at: for the tests of slots."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.core import clock
from tests.world import Person

Travel = Callable[[str], datetime]
ALWAYS = [
    {"weekday": day, "start": "00:00", "end": "24:00"} for day in ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
]


def weekdays(start: str, end: str, days: str = "MO TU WE TH FR") -> list[dict[str, str]]:
    """The same hours on each of these days."""
    return [{"weekday": day, "start": start, "end": end} for day in days.split()]


def traveller(monkeypatch: pytest.MonkeyPatch) -> Travel:
    """Lets it be another moment; whoever was signed in needs a new token then."""

    def travel(moment: str) -> datetime:
        now = datetime.fromisoformat(moment).astimezone(UTC)
        monkeypatch.setattr(clock, "now", lambda: now)
        return now

    return travel


async def keeps(person: Person, zone: str, hours: list[dict[str, str]], **fields: Any) -> Any:
    """Somebody makes a schedule; their first is their default."""
    body = {"name": "Hours", "zone": zone, "hours": hours, **fields}
    return await person.ok("POST", "/v1/schedules", body)


async def asked(person: Person, pairing_id: Any = None, **query: Any) -> Any:
    """Slots of a mentorship, or of one's own."""
    query = {name.rstrip("_"): str(value) for name, value in query.items()}
    path = f"/v1/pairings/{pairing_id}/slots" if pairing_id else "/v1/me/slots"
    return await person.ok("GET", path, params=query)


def walls(answer: Any, zone: str | None = None) -> list[str]:
    """When each slot starts on the wall of a zone, without one of the zone that was asked for."""
    shown = ZoneInfo(zone or answer["zone"])
    starts = (datetime.fromisoformat(slot["starts_at"]).astimezone(shown) for slot in answer["slots"])
    return [f"{start:%a %d %b %H:%M}" for start in starts]


def first_of_each_day(answer: Any, zone: str | None = None) -> dict[str, str]:
    """The first start of each day, on the wall."""
    found: dict[str, str] = {}
    for wall in walls(answer, zone):
        found.setdefault(wall[:-6], wall[-5:])
    return found


def in_days(moment: datetime, days: float) -> str:
    """So long after a moment, as it travels."""
    return (moment + timedelta(days=days)).isoformat()
