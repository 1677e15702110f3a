"""Rows of the visibility matrix: series are for those who take part in their mentorship."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, Final

from app.core import clock
from app.pairings.models import Pairing
from app.series.models import Series, SeriesOccurrence, SeriesStatus
from tests.app.house import House, member
from tests.app.visibility import Principal, Scene
from tests.app.visibility_rows import A, C, F, H, S, cells, row, row_with, shown
from tests.world import Person

PAIR: Final = cells(H, H, blocked=H, ended=C)
CIRCLE: Final = cells(H, H, ended=C, left=H)


def in_a_year() -> datetime:
    return clock.now().replace(hour=18, minute=0, second=0, microsecond=0, tzinfo=None) + timedelta(days=360)


def series_body(at: datetime | None = None, rule: str = "FREQ=WEEKLY;COUNT=2") -> dict[str, Any]:
    """The body that proposes a series."""
    return {
        "dtstart": (at or in_a_year()).isoformat(),
        "zone": "Europe/London",
        "rule": rule,
        "duration_minutes": 45,
    }


async def series_of(
    house: House, pairing: Pairing, by: Person, status: SeriesStatus = SeriesStatus.ACTIVE
) -> Series:
    """A series of a pairing of the house, straight into the database; an active one has one skipped time."""
    made = Series(
        pairing_id=pairing.id,
        proposed_by_id=member(by),
        dtstart=in_a_year(),
        zone="Europe/London",
        rule="FREQ=WEEKLY;COUNT=2",
        duration_minutes=45,
        title=house.text("Series"),
        status=status.value,
        made_until=clock.now() + timedelta(weeks=26) if status is SeriesStatus.ACTIVE else None,
    )
    await house.world.save(made)
    if status is SeriesStatus.ACTIVE:
        at = made.recurrence().occurrences()
        first = next(at)
        occurrence = SeriesOccurrence(
            series_id=made.id,
            recurrence_id=first.recurrence_id,
            starts_at=first.instant,
            skipped="holiday",
        )
        await house.world.save(occurrence)
    return made


def _of_pair(
    status: SeriesStatus, body: Any = None, *, listed: bool = False
) -> Callable[[House], Awaitable[Scene]]:
    """The mentee with a series of the pair, which the mentor proposed."""

    async def scene(house: House) -> Scene:
        made = await series_of(house, house.active, house.mentor, status)
        path = {"pairing_id": house.active.id} if listed else {"series_id": made.id}
        return Scene(
            house.mentee,
            path,
            body,
            other=house.mentor,
            side=house.mentor if status is SeriesStatus.PROPOSED else None,
            seen_at=f"/v1/series/{made.id}",
            hidden=shown(made.id, made.title),
        )

    return scene


def _of_circle(body: Any = None, *, listed: bool = False) -> Callable[[House], Awaitable[Scene]]:
    """The mentee with a series of the circle that they proposed themselves."""

    async def scene(house: House) -> Scene:
        made = await series_of(house, house.circle, house.mentee)
        path = {"pairing_id": house.circle.id} if listed else {"series_id": made.id}

        async def ending() -> None:
            await house.coordinator.ok("POST", f"/v1/pairings/{house.circle.id}/end")

        return Scene(
            house.mentee,
            path,
            body,
            other=house.mentor,
            side=house.coordinator,
            seen_at=f"/v1/pairings/{house.circle.id}",
            ending=ending,
            hidden=shown(made.id, made.title),
        )

    return scene


def _ask(house: House) -> Scene:
    query = "?dtstart=1997-09-02T09:00:00&zone=America/New_York&rule=FREQ%3DDAILY&limit=3"
    return Scene(house.mentee, query=query, other=house.mentor)


def _propose(house: House, pairing: Pairing, **more: Any) -> Scene:
    return Scene(
        house.mentee,
        {"pairing_id": pairing.id},
        series_body(),
        other=house.mentor,
        seen_at=f"/v1/pairings/{pairing.id}",
        **more,
    )


async def _propose_in_circle(house: House) -> Scene:
    async def ending() -> None:
        await house.coordinator.ok("POST", f"/v1/pairings/{house.circle.id}/end")

    return _propose(house, house.circle, side=house.coordinator, ending=ending)


row("preview_recurrence", cells(A, A, gone=A), _ask)
row("propose_series", PAIR, lambda h: _propose(h, h.active))
row_with("propose_series", {**CIRCLE, Principal.WRONG_SIDE: F}, _propose_in_circle, "circle")
row_with("list_series", cells(H, H, blocked=H), _of_pair(SeriesStatus.ACTIVE, listed=True))
row_with(
    "list_series",
    {**cells(H, H, left=H), Principal.WRONG_SIDE: S},
    _of_circle(listed=True),
    "circle",
)
row_with("read_series", cells(H, H, blocked=H), _of_pair(SeriesStatus.ACTIVE))
row_with("read_series", {**cells(H, H, left=H), Principal.WRONG_SIDE: H}, _of_circle(), "circle")
for _operation in ("accept_series", "decline_series"):
    row_with(_operation, {**PAIR, Principal.WRONG_SIDE: F}, _of_pair(SeriesStatus.PROPOSED))
for _operation, _body in (("change_series", {"duration_minutes": 60}), ("cancel_series", {})):
    row_with(_operation, PAIR, _of_pair(SeriesStatus.ACTIVE, _body))
    row_with(_operation, {**CIRCLE, Principal.WRONG_SIDE: H}, _of_circle(_body), "circle")
