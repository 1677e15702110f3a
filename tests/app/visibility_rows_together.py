"""Rows of the visibility matrix: what people have together, in pairings, meetings and reports."""

from typing import Any, Final

from app.core import clock
from tests.app.house import House
from tests.app.visibility import Principal, Scene
from tests.app.visibility_rows import A, C, F, H, S, about, cells, organisation, row, shown
from tests.world import Person, meeting

# Pairings


def _ask(house: House) -> Scene:
    def body(who: Person) -> dict[str, str]:
        own = who.membership_id or house.mentee.membership_id
        return {"membership_id": str(own), "counterpart_id": str(house.fresh.membership_id)}

    return Scene(house.mentee, body=body, other=house.fresh)


row("ask_for_pairing", cells(H, A, blocked=H, parted=H), _ask)
row(
    "ask_for_pairing",
    cells(H, H, blocked=H, parted=H),
    lambda h: Scene(
        h.mentee,
        body={"membership_id": str(h.mentee.membership_id), "counterpart_id": str(h.fresh.membership_id)},
        other=h.fresh,
    ),
    "through the owner's membership",
)
row(
    "list_pairings",
    cells(S, S, blocked=S, gone=S),
    lambda h: Scene(h.mentee, other=h.mentor, hidden=shown(h.active.id, h.asked.id)),
)
row(
    "list_pairings",
    cells(S, S, left=S, gone=S),
    lambda h: Scene(h.mentee, other=h.mentor, hidden=shown(h.circle.id, h.circle.title)),
    "circles",
)
row(
    "create_circle",
    cells(H, F, blocked=H, parted=H),
    lambda h: organisation(
        h,
        h.coordinator,
        {
            "title": "New circle",
            "lead_ids": [str(h.fresh.membership_id)],
            "mentee_ids": [str(h.mentee.membership_id)],
        },
        other=h.fresh,
    ),
)
PAIR: Final = cells(H, H, blocked=H, ended=C)
"""What the two people of a pair do together."""
CIRCLE: Final = cells(H, H, ended=C, left=H)


def _pair(house: House, caller: Person, path: dict[str, Any], body: Any = None, **more: Any) -> Scene:
    other = house.mentor if caller is house.mentee else house.mentee
    seen_at = f"/v1/pairings/{house.active.id}"
    return Scene(caller, path, body, **{"other": other, "seen_at": seen_at, **more})


def _active(house: House, body: Any = None, **more: Any) -> Scene:
    return _pair(house, house.mentee, {"pairing_id": house.active.id}, body, **more)


def _circle(house: House, path: dict[str, Any], body: Any = None, **more: Any) -> Scene:
    async def ending() -> None:
        await house.coordinator.ok("POST", f"/v1/pairings/{house.circle.id}/end")

    settled: dict[str, Any] = {
        "ending": ending,
        "side": house.coordinator,
        "seen_at": f"/v1/pairings/{house.circle.id}",
    }
    return _pair(house, house.mentee, path, body, **{**settled, **more})


def _asked(house: House, caller: Person, side: Person) -> Scene:
    async def ending() -> None:
        await house.mentee.ok("POST", f"/v1/pairings/{house.asked.id}/withdraw")

    path = {"pairing_id": house.asked.id}
    seen_at = f"/v1/pairings/{house.asked.id}"
    return _pair(house, caller, path, ending=ending, side=side, seen_at=seen_at)


ASKED: Final = cells(H, H, blocked=H, ended=C, side=F)
row("read_pairing", cells(H, H, blocked=H), _active)
row(
    "read_pairing",
    cells(H, H, blocked=S, left=H),
    lambda h: _circle(h, {"pairing_id": h.circle.id}, hidden=shown(h.mentor.membership_id, h.mentor.name)),
    "circle",
)
row("accept_pairing", {**ASKED, Principal.PARTNERSHIP_ENDED: C}, lambda h: _asked(h, h.mentor, h.mentee))
row("decline_pairing", ASKED, lambda h: _asked(h, h.mentor, h.mentee))
row("withdraw_pairing", ASKED, lambda h: _asked(h, h.mentee, h.mentor))
row("end_pairing", PAIR, _active)


def _end_circle(house: House) -> Scene:
    scene = _circle(house, {"pairing_id": house.circle.id}, side=house.mentee)
    scene.caller, scene.other = house.coordinator, house.colleague
    return scene


row("end_pairing", cells(H, H, ended=C, side=F), _end_circle, "circle")
row("leave_circle", {**CIRCLE, Principal.WRONG_SIDE: F}, lambda h: _circle(h, {"pairing_id": h.circle.id}))

AGREEMENT: Final = {"text": "We meet monthly.", "version": 0}
GOAL: Final = {"text": "Write a plan."}
row("edit_agreement", PAIR, lambda h: _active(h, AGREEMENT))
row(
    "edit_agreement",
    {**CIRCLE, Principal.WRONG_SIDE: F},
    lambda h: _circle(h, {"pairing_id": h.circle.id}, AGREEMENT),
    "circle",
)
row("add_goal", PAIR, lambda h: _active(h, GOAL))
row(
    "add_goal",
    {**CIRCLE, Principal.WRONG_SIDE: F},
    lambda h: _circle(h, {"pairing_id": h.circle.id}, GOAL),
    "circle",
)
row("edit_goal", PAIR, lambda h: _pair(h, h.mentee, {"goal_id": h.goal.id}, GOAL))
row("edit_goal", CIRCLE, lambda h: _circle(h, {"goal_id": h.circle_goal.id}, GOAL), "circle")
row("remove_goal", PAIR, lambda h: _pair(h, h.mentee, {"goal_id": h.goal.id}))
row("remove_goal", CIRCLE, lambda h: _circle(h, {"goal_id": h.circle_goal.id}), "circle")


# Scheduling


def _later() -> dict[str, Any]:
    return meeting(clock.now().replace(microsecond=0, year=clock.now().year + 1))


row("propose_meeting", PAIR, lambda h: _active(h, _later()))
row(
    "propose_meeting",
    {**CIRCLE, Principal.WRONG_SIDE: F},
    lambda h: _circle(h, {"pairing_id": h.circle.id}, _later()),
    "circle",
)
row("list_pairing_meetings", cells(H, H, blocked=H), lambda h: _active(h, hidden=shown(h.booked.id)))
row(
    "list_pairing_meetings",
    {**cells(H, H, blocked=A, left=H), Principal.WRONG_SIDE: S},
    lambda h: _circle(h, {"pairing_id": h.circle.id}, hidden=shown(h.circle_booked.id)),
    "circle",
)
row(
    "list_meetings",
    cells(S, S, blocked=S, gone=S),
    lambda h: Scene(h.mentee, other=h.mentor, hidden=shown(h.booked.id, h.proposed.id)),
)
row(
    "list_meetings",
    cells(S, S, left=S, gone=S),
    lambda h: Scene(h.mentee, other=h.mentor, hidden=shown(h.circle_booked.id)),
    "circles",
)
BODIES: Final[dict[str, dict[str, Any]]] = {"accept_meeting": {}, "cancel_meeting": {"reason": "I travel."}}
"""Where there may be one."""
for _operation, _which, _expect in (
    ("read_meeting", "booked", cells(H, H, blocked=H)),
    ("accept_meeting", "proposed", {**PAIR, Principal.WRONG_SIDE: F}),
    ("decline_meeting", "proposed", {**PAIR, Principal.WRONG_SIDE: F}),
    ("cancel_meeting", "booked", PAIR),
    ("issue_ticket", "booked", PAIR),
    ("read_attendance", "booked", cells(H, H, blocked=H)),
):
    row(
        _operation,
        _expect,
        lambda h, which=_which, operation=_operation: _pair(  # type: ignore[misc]
            h,
            h.mentee,
            {"meeting_id": getattr(h, which).id},
            BODIES.get(operation),
            side=h.mentor,
            seen_at=f"/v1/meetings/{getattr(h, which).id}",
        ),
    )
row(
    "read_meeting",
    {**cells(H, H, blocked=S, left=H), Principal.WRONG_SIDE: H},
    lambda h: _circle(h, {"meeting_id": h.circle_booked.id}, hidden=shown(h.mentor.name)),
    "circle",
)
row(
    "cancel_meeting",
    {**CIRCLE, Principal.WRONG_SIDE: H},
    lambda h: _circle(h, {"meeting_id": h.circle_booked.id}),
    "circle",
)
row(
    "issue_ticket",
    {**CIRCLE, Principal.BLOCKED: C, Principal.BLOCKER: C, Principal.WRONG_SIDE: H},
    lambda h: _circle(h, {"meeting_id": h.circle_booked.id}),
    "circle",
)
row(
    "read_attendance",
    {**cells(H, H, blocked=S, left=H), Principal.WRONG_SIDE: H},
    lambda h: _circle(
        h, {"meeting_id": h.circle_booked.id}, hidden=shown(h.mentor.name, h.mentor.membership_id)
    ),
    "circle",
)


# Safeguarding

row("file_report", cells(H, H), lambda h: about(h, h.mentee, h.hermit, text="Something is wrong."))
row(
    "file_report",
    cells(H, H),
    lambda h: Scene(
        h.mentee, body={"meeting_id": str(h.booked.id), "text": "Something is wrong."}, other=h.mentor
    ),
    "about a meeting",
)
row(
    "list_my_reports",
    cells(S, S, gone=A),
    lambda h: Scene(h.mentee, other=h.mentor, hidden=shown(h.report.id, h.report.text)),
)
row(
    "list_reports",
    {**cells(H, F), Principal.WRONG_SIDE: S},
    lambda h: organisation(h, h.coordinator, side=h.admin, hidden=shown(h.report_on_admin.id)),
)
row(
    "resolve_report",
    {**cells(H, H), Principal.WRONG_SIDE: H},
    lambda h: Scene(h.coordinator, {"report_id": h.report_on_admin.id}, {"note": "Done."}, side=h.admin),
)
