"""What tests of recurrence rules and of series are made with."""

import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from app.core import clock
from app.series.recurrence import Recurrence
from app.series.rules import WEEKDAYS, Frequency
from tests.world import Person

FULL: Final = os.environ.get("MENTORSPAN_FULL") == "1"
NEW_YORK: Final = "America/New_York"
UTC_ZONE: Final = ZoneInfo("UTC")
LONDON: Final = ZoneInfo("Europe/London")
FIRST: Final = "1997-09-02T09:00:00"
"""Of most examples of RFC 5545."""
WEEKLY: Final = "FREQ=WEEKLY"


def times(
    rule: str,
    dtstart: str,
    zone: str = NEW_YORK,
    *exdates: str,
    limit: int = 200,
    since: datetime | None = None,
) -> list[str]:
    """The first times of a rule, as text without what never changes."""
    found = Recurrence.of(rule, dtstart, zone, exdates).occurrences(since)
    return [each.local.isoformat() for each in islice(found, limit)]


@st.composite
def rules(draw: st.DrawFn) -> str:
    frequency = draw(st.sampled_from(list(Frequency)))
    parts = [f"FREQ={frequency}"]
    parts.append(f"INTERVAL={draw(st.integers(1, 30))}") if draw(st.booleans()) else None
    counted = frequency is Frequency.MONTHLY and draw(st.booleans())
    # Not both kinds in one list: dateutil then takes the days that are in both, the RFC those in either.
    ordinals = [*range(-5, 0), *range(1, 6)] if counted else [0]
    named = st.tuples(st.sampled_from(ordinals), st.sampled_from(WEEKDAYS))
    by_day = draw(st.lists(named, max_size=4))
    by_month_day = draw(st.lists(st.integers(-31, 31).filter(bool), max_size=5))
    if by_day:
        parts.append("BYDAY=" + ",".join(f"{nth or ''}{weekday}" for nth, weekday in by_day))
    if by_month_day and frequency is not Frequency.WEEKLY:
        parts.append(f"BYMONTHDAY={','.join(map(str, by_month_day))}")
    if parts[-1].startswith("BY") and frequency is Frequency.MONTHLY and draw(st.booleans()):
        places = draw(st.lists(st.integers(-6, 6).filter(bool), min_size=1, max_size=3))
        parts.append(f"BYSETPOS={','.join(map(str, places))}")
    if draw(st.booleans()):
        parts.append(f"WKST={draw(st.sampled_from(WEEKDAYS))}")
    if draw(st.booleans()):
        parts.append(f"COUNT={draw(st.integers(1, 40))}")
    return ";".join(draw(st.permutations(parts)))


def soon(days: int = 2, hour: int = 18) -> datetime:
    """A time on a wall in London."""
    local = (clock.now() + timedelta(days=days)).astimezone(LONDON)
    return local.replace(hour=hour, minute=0, second=0, microsecond=0, tzinfo=None)


def instant(wall: datetime) -> datetime:
    return wall.replace(tzinfo=LONDON)


def body(rule: str = WEEKLY, at: datetime | None = None, **more: Any) -> dict[str, Any]:
    at = at or soon()
    return {
        "dtstart": at.isoformat(), "zone": "Europe/London", "rule": rule, "duration_minutes": 45, **more
    }  # fmt: skip


async def propose(
    who: Person, pairing: Any, rule: str = WEEKLY, at: datetime | None = None, **more: Any
) -> Any:
    return await who.ok("POST", f"/v1/pairings/{pairing['id']}/series", body(rule, at, **more))


async def agree(
    who: Person, other: Person, pairing: Any, rule: str = WEEKLY, at: datetime | None = None, **more: Any
) -> Any:
    made = await propose(who, pairing, rule, at, **more)
    return await other.ok("POST", f"/v1/series/{made['id']}/accept")


async def meetings(who: Person, *states: str) -> list[Any]:
    """Somebody's meetings in these states, the first first."""
    rows = (await who.ok("GET", "/v1/meetings?limit=100"))["items"]
    return sorted((row for row in rows if row["status"] in states), key=lambda row: row["starts_at"])


def starts(rows: Sequence[Any]) -> list[datetime]:
    return [datetime.fromisoformat(row["starts_at"]) for row in rows]
