"""Rows of the visibility matrix: what becomes of meetings, and what their organisations say about it."""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from app.core import clock
from app.scheduling.models import Meeting, MeetingMove
from tests.app.house import House, member
from tests.app.visibility import Principal, Scene
from tests.app.visibility_rows import A, C, F, H, S, cells, organisation, row, row_with, shown
from tests.world import Person, meeting

PAIR: Final = cells(H, H, blocked=H, ended=C)
"""What the two people of a pair do together."""
CIRCLE: Final = {**cells(H, H, ended=C, left=H), Principal.WRONG_SIDE: H}
"""Coordinators see the circle, and none of its meetings."""
EDIT: Final = {"title": "Second meeting", "agenda": "What we learned."}
NOW: Final = {"If-Match": "*"}


async def _ahead(house: House, which: str = "booked", **columns: Any) -> Meeting:
    """A meeting of the house, put off to tomorrow: it has not begun and is not about to."""
    found: Meeting = getattr(house, which)
    at = clock.now() + timedelta(hours=30)
    columns = {"starts_at": at, "ends_at": at + timedelta(minutes=6), **columns}
    sets = ", ".join(f"{name} = :{name}" for name in columns)
    await house.world.run(f"UPDATE meeting SET {sets} WHERE id = :id", id=found.id, **columns)
    return found


def asked(row: Meeting, by: UUID, **columns: Any) -> MeetingMove:
    """A wish to move a meeting by two days, not saved yet."""
    to = clock.now() + timedelta(days=3)
    times = {"from_starts_at": row.starts_at, "from_ends_at": row.ends_at, "to_starts_at": to}
    return MeetingMove(
        meeting_id=row.id,
        proposed_by_id=by,
        zone="Europe/London",
        **{**times, "to_ends_at": to + timedelta(minutes=6), **columns},
    )


async def _asked(house: House, which: str, by: Person, **columns: Any) -> Meeting:
    """A meeting of the house that someone asks to move."""
    move = asked(getattr(house, which), member(by), reason=house.text("Reason"), **columns)
    await house.world.save(move)
    return await _ahead(house, which, move_id=move.id)


def _scene(house: House, which: str, body: Any = None, **more: Any) -> Scene:
    found: Meeting = getattr(house, which)
    settled = {"other": house.mentor, "seen_at": f"/v1/meetings/{found.id}"}
    if which.startswith("circle"):

        async def ending() -> None:
            await house.coordinator.ok("POST", f"/v1/pairings/{house.circle.id}/end")

        settled |= {"ending": ending, "side": house.coordinator}
    return Scene(house.mentee, {"meeting_id": found.id}, body, **{**settled, **more})


for _which, _cells, _label in (("booked", PAIR, ""), ("circle_booked", CIRCLE, "circle")):
    row(
        "edit_meeting",
        _cells,
        lambda h, which=_which: _scene(h, which, EDIT, headers=NOW),  # type: ignore[misc]
        _label,
    )

    async def _reschedule(house: House, which: str = _which) -> Scene:
        await _ahead(house, which)
        return _scene(house, which, {**meeting(clock.now() + timedelta(days=4)), "reason": "I travel."})

    row_with("reschedule_meeting", _cells, _reschedule, _label)

    async def _begun(house: House, which: str = _which) -> Scene:
        at = clock.now() - timedelta(minutes=5)
        await _ahead(house, which, starts_at=at)
        return _scene(house, which, {"held": True, "note": "We met."})

    row_with("tell_outcome", _cells, _begun, _label)


async def _to_accept(house: House) -> Scene:
    await _asked(house, "booked", house.mentor)
    return _scene(house, "booked", {}, side=house.mentor)


async def _to_decline(house: House) -> Scene:
    await _asked(house, "booked", house.mentor)
    return _scene(house, "booked")


async def _of_circle(house: House, caller: Person, by: Person, side: Person, body: Any = None) -> Scene:
    await _asked(house, "circle_booked", by)
    scene = _scene(house, "circle_booked", body, side=side)
    scene.caller, scene.other = caller, house.colleague
    return scene


LEAD: Final = {**cells(H, H, ended=C), Principal.WRONG_SIDE: F}
row_with("accept_move", {**PAIR, Principal.WRONG_SIDE: F}, _to_accept)
row_with("accept_move", LEAD, lambda h: _of_circle(h, h.mentor, h.mentee, h.mentee, {}), "circle")
row_with("decline_move", PAIR, _to_decline)
row_with("decline_move", CIRCLE, lambda h: _of_circle(h, h.mentee, h.mentee, h.coordinator), "circle")


async def _history(house: House) -> Scene:
    await _asked(house, "booked", house.mentor)
    return _scene(house, "booked", hidden=shown(house.text("Reason")))


async def _circle_history(house: House) -> Scene:
    await _asked(house, "circle_booked", house.mentor)
    return _scene(house, "circle_booked", hidden=shown(house.text("Reason"), house.mentor.name))


async def _read(house: House) -> Scene:
    """In a circle nobody reads the reason, nor learns the absence, of someone they are kept apart from."""
    await _asked(house, "circle_booked", house.mentor)
    return _scene(house, "circle_booked", hidden=shown(house.text("Reason")))


async def _missed(house: House) -> Scene:
    await _ahead(
        house,
        "circle_booked",
        starts_at=clock.now() - timedelta(hours=2),
        ends_at=clock.now() - timedelta(hours=1),
        held=False,
        outcome_from="attendance",
        absent=[house.mentor.membership_id],
    )
    await house.world.run("UPDATE meeting SET proposed_by_id = :id", id=house.mentee.membership_id)
    return _scene(house, "circle_booked", hidden=shown(house.mentor.membership_id))


SEEN: Final = cells(H, H, blocked=H)
SEEN_IN_CIRCLE: Final = {**cells(H, H, blocked=S, left=H), Principal.WRONG_SIDE: H}
row_with("read_meeting_history", SEEN, _history)
row_with("read_meeting_history", SEEN_IN_CIRCLE, _circle_history, "circle")
row_with("read_meeting", SEEN_IN_CIRCLE, _read, "a move in a circle")
row_with("read_meeting", SEEN_IN_CIRCLE, _missed, "an absence in a circle")


def _once_more(house: House) -> Scene:
    body = {**meeting(clock.now() + timedelta(days=9)), "instead_of": str(house.proposed.id)}
    return Scene(house.mentee, {"pairing_id": house.active.id}, body, other=house.mentor)


async def _replacing(house: House) -> Scene:
    await _ahead(house, "proposed", status="cancelled")
    return _once_more(house)


row_with("propose_meeting", PAIR, _replacing, "instead of one")
POLICY: Final = {"late_cancel_hours": 48, "no_show_minutes": 15}
row("read_meeting_policy", cells(H, A), lambda h: organisation(h, h.mentee))
row(
    "set_meeting_policy",
    {**cells(H, F), Principal.WRONG_SIDE: F},
    lambda h: organisation(
        h, h.coordinator, POLICY, side=h.mentee, seen_at=f"/v1/organisations/{h.north.id}/meeting-policy"
    ),
)
