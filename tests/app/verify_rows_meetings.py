"""Plays about what becomes of meetings: whoever is shown it learns of it, and nobody else."""

from datetime import timedelta
from typing import Any, Final

from app.core import clock
from app.scheduling import noshows
from tests.app.house import member
from tests.app.verify_action import Stage
from tests.app.verify_rows import APART, JOINED, PLAYS, Act, block, first, play, says
from tests.app.visibility_rows_meetings import asked
from tests.world import meeting

Fields = dict[str, Any]


def does(who: str, method: str, rest: str = "", body: Any = None, which: str = "booked") -> Act:
    """Someone does something with a meeting of the house."""
    headers = {"If-Match": "*"} if method == "PATCH" else {}
    return lambda s: s.person(who).ok(
        method, f"/v1/meetings/{getattr(s.house, which).id}{rest}", body, headers=headers
    )


def ahead(which: str = "booked", days: float = 1) -> Act:
    """It takes place on another day than in a minute."""

    async def act(s: Stage) -> None:
        at = clock.now() + timedelta(days=days)
        await s.world.run(
            "UPDATE meeting SET starts_at = :at, ends_at = :end WHERE id = :id",
            at=at,
            end=at + timedelta(minutes=6),
            id=getattr(s.house, which).id,
        )

    return act


def wish(by: str, which: str = "booked") -> Act:
    """Someone has asked to move it."""

    async def act(s: Stage) -> None:
        await ahead(which)(s)
        move = asked(getattr(s.house, which), member(s.person(by)), reason="I travel.")
        await s.world.save(move)
        await s.world.run(
            "UPDATE meeting SET move_id = :move WHERE id = :id",
            move=move.id,
            id=getattr(s.house, which).id,
        )

    return act


def later(days: int = 5) -> Fields:
    return {**meeting(clock.now() + timedelta(days=days)), "reason": "I travel."}


async def settle(s: Stage) -> None:
    """The worker looks at what is over."""
    async with s.world.database.transaction() as db:
        assert await noshows.settle(db)


OVER: Final = ahead(days=-0.1)
CIRCLE_OVER: Final = ahead("circle_booked", days=-0.1)

play("cancel_meeting", "with a move that waits", does("mentee", "POST", "/cancel"), before=wish("mentor"))
play("edit_meeting", "to what it is", does("mentee", "PATCH", "", {"agenda": None}))
play("edit_meeting", "the title of a proposal", does("mentee", "PATCH", "", {"title": "T"}, "proposed"))
play(
    "edit_meeting",
    "kept apart",
    does("mentor", "PATCH", "", {"title": "Other"}, "circle_booked"),
    before=APART,
)
play(
    "reschedule_meeting",
    "again",
    lambda s: does("mentor", "POST", "/reschedule", later())(s),
    before=wish("mentee"),
)
play(
    "reschedule_meeting",
    "by the lead",
    lambda s: does("mentor", "POST", "/reschedule", later(), "circle_booked")(s),
    before=first(APART, wish("mentee", "circle_booked")),
)
play("decline_move", "taken back", does("mentor", "POST", "/move/decline"), before=wish("mentor"))
play("block_person", "who asks for a move", block("mentee", "mentor"), before=wish("mentor"))
play("worker", "nobody came", settle, before=OVER)
play("worker", "nobody came, after a block", settle, before=first(OVER, block("mentee", "mentor")))
play("worker", "someone came to the circle", settle, before=first(APART, CIRCLE_OVER))
play(
    "fact",
    "joined, late news of what is over",
    says(JOINED, "colleague", "circle_booked"),
    before=first(APART, CIRCLE_OVER, settle),
)
PLAYED: Final = [str(each) for each in PLAYS if str(each).startswith(("worker-nobody", "reschedule_meeting"))]
