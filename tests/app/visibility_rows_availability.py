"""Rows of the visibility matrix: hours, absences, holidays, and the slots and holds made of them."""

from datetime import timedelta
from typing import Any, Final

from sqlalchemy.dialects.postgresql import Range

from app.availability.models import Absence, Holiday
from app.core import clock
from app.scheduling.models import HeldTime, Hold
from tests.app.house import House
from tests.app.visibility import Principal, Scene
from tests.app.visibility_rows import A, F, H, S, cells, organisation, row, row_with, shown
from tests.app.visibility_rows_together import CIRCLE, PAIR, _active, _circle

OWN: Final = cells(S, S, gone=A)
"""Everybody has their own."""
MINE: Final = cells(H, H, gone=A)
SCHEDULE: Final[dict[str, Any]] = {
    "name": "Evenings",
    "zone": "America/Toronto",
    "hours": [{"weekday": "TU", "start": "18:00", "end": "21:30"}],
    "overrides": [{"date": "2030-12-24", "hours": []}],
    "is_default": True,
}


def _schedule(house: House, body: Any = None) -> Scene:
    return Scene(house.mentee, {"schedule_id": house.schedule.id}, body, other=house.mentor)


row("create_schedule", OWN, lambda h: Scene(h.mentee, body=SCHEDULE, other=h.mentor))
row(
    "list_schedules",
    cells(S, S, gone=A),
    lambda h: Scene(h.mentee, other=h.mentor, hidden=shown(h.schedule.id, h.schedule.name)),
)
row("read_schedule", MINE, _schedule)
row("replace_schedule", MINE, lambda h: _schedule(h, {**SCHEDULE, "version": 1}))
row("delete_schedule", MINE, _schedule)


def _choice(house: House) -> dict[str, str]:
    return {"schedule_id": str(house.schedule.id)}


row("choose_schedule", PAIR, lambda h: _active(h, _choice(h)))
row(
    "choose_schedule",
    {**CIRCLE, Principal.WRONG_SIDE: F},
    lambda h: _circle(h, {"pairing_id": h.circle.id}, _choice(h)),
    "circle",
)


async def _absence(house: House) -> Scene:
    made = Absence(
        account_id=house.mentee.account_id,
        starts_at=clock.now() + timedelta(days=90),
        note=house.text("Away"),
    )
    await house.world.save(made)
    return Scene(house.mentee, {"absence_id": made.id}, other=house.mentor, hidden=shown(made.id, made.note))


async def _absences(house: House) -> Scene:
    scene = await _absence(house)
    scene.path = {}
    return scene


async def _absence_alone(house: House) -> Scene:
    scene = await _absence(house)
    scene.hidden = frozenset()
    return scene


row_with("list_absences", cells(S, S, gone=A), _absences)
row(
    "create_absence",
    OWN,
    lambda h: Scene(
        h.mentee, body={"starts_at": (clock.now() + timedelta(days=3)).isoformat()}, other=h.mentor
    ),
)
row_with("delete_absence", MINE, _absence_alone)


async def _holidays(house: House) -> Scene:
    day = (clock.now() + timedelta(days=40)).date()
    holiday = Holiday(organisation_id=house.north.id, day=day, name=house.text("Founders' day"))
    await house.world.save(holiday)
    return organisation(house, house.mentee, hidden=shown(house.text("Founders' day")))


row_with("read_holidays", cells(H, A), _holidays)
row(
    "set_holidays",
    cells(H, F),
    lambda h: organisation(
        h, h.coordinator, {"items": [{"date": "2030-12-26", "name": h.text("Boxing Day")}]}
    ),
)


# Slots and holds

_WRONG_SIDE: Final = {Principal.WRONG_SIDE: F}


def _soon() -> dict[str, Any]:
    return {"starts_at": (clock.now() + timedelta(days=2)).isoformat(), "duration_minutes": 45}


row("read_slots", PAIR, _active)
row(
    "read_slots",
    {**cells(H, H, blocked=S, ended=PAIR[Principal.PAIRING_ENDED], left=H), **_WRONG_SIDE},
    lambda h: _circle(h, {"pairing_id": h.circle.id}, hidden=shown(h.mentor.membership_id, h.mentor.name)),
    "circle",
)
row(
    "read_my_slots",
    cells(S, S, gone=A),
    lambda h: Scene(h.mentee, other=h.mentor, hidden=shown(h.mentee.name)),
)
row("hold_slot", PAIR, lambda h: _active(h, _soon()))
row(
    "hold_slot",
    {**CIRCLE, **_WRONG_SIDE},
    lambda h: _circle(h, {"pairing_id": h.circle.id}, _soon()),
    "circle",
)


async def _hold(house: House) -> Scene:
    starts, now = clock.now() + timedelta(days=2), clock.now()
    held = Hold(
        account_id=house.mentee.account_id,
        pairing_id=house.active.id,
        starts_at=starts,
        ends_at=starts + timedelta(minutes=45),
        expires_at=now + timedelta(minutes=5),
    )
    await house.world.save(held)
    during = Range(held.starts_at, held.ends_at, bounds="[)")
    await house.world.save(
        *(
            HeldTime(hold_id=held.id, account_id=who.account_id, during=during)
            for who in (house.mentee, house.mentor)
        )
    )
    return Scene(house.mentee, {"hold_id": held.id}, other=house.mentor)


row_with("release_hold", MINE, _hold)
