"""What is played for everybody about recordings: what nodes say of them, and what the worker ends."""

from datetime import timedelta
from typing import Final
from uuid import NAMESPACE_OID, UUID, uuid5

from sqlalchemy import select

from app.core import clock
from app.recordings import expiry
from app.recordings.storage import Take
from app.scheduling import calls
from app.scheduling.models import Attendance, Call
from signalling.contracts.calls import CallRecorded, RecordedPart
from tests.app.house import member
from tests.app.verify_action import Stage
from tests.app.verify_rows import APART, JOINED, PLAYS, Act, block, first, in_circle, play, says
from tests.world import NODE

TAKE: Final = uuid5(NAMESPACE_OID, "a take")


def recorded(which: str, *names: str) -> Act:
    """A node has recorded these people in the call of a meeting of the house."""

    async def act(s: Stage) -> None:
        meeting_id = getattr(s.house, which).id
        (call_id,) = await s.world.rows(select(Call.id).where(Call.meeting_id == meeting_id))
        parts = tuple([await _part(s, call_id, name) for name in names])
        fact = CallRecorded(
            id=TAKE, node=NODE, call_id=call_id, started_at=clock.now(), duration_ms=5_000, ended="stopped",
            files=parts, at=clock.now(),
        )  # fmt: skip
        async with s.world.database.transaction() as db:
            await calls.apply(db, fact)

    return act


async def _part(s: Stage, call_id: UUID, name: str) -> RecordedPart:
    whose = member(s.person(name))
    stays = await s.world.rows(
        select(Attendance.id).where(Attendance.call_id == call_id, Attendance.membership_id == whose)
    )
    stay = stays[0] if stays else uuid5(NAMESPACE_OID, f"{name} {call_id}")
    return RecordedPart(
        name=f"{name}-camera-1.webm", participant_id=stay, sources=("camera",), codecs=("opus", "vp8"),
        offset_ms=0, duration_ms=5_000, bytes=5,
    )  # fmt: skip


async def expire(s: Stage) -> None:
    """The worker deletes what has been kept for long enough."""
    await expiry.end_old(s.world.database, s.world.door.settings)


async def long_ago(s: Stage) -> None:
    root = s.world.door.settings.recordings
    assert root is not None
    Take(s.house.recorded.call_id, s.house.recorded.id).below(root).mkdir(parents=True, exist_ok=True)
    await s.world.run(
        "UPDATE recording SET started_at = :at WHERE id = :id",
        at=clock.now() - timedelta(days=100),
        id=s.house.recorded.id,
    )


BOTH: Final = recorded("booked", "mentee", "mentor")
IN_CIRCLE: Final = recorded("circle_booked", "mentee", "mentor")
play("fact", "recorded", BOTH)
play("fact", "recorded, told twice", BOTH, before=BOTH)
play("fact", "recorded in a circle", IN_CIRCLE)
play("fact", "recorded in a circle, kept apart", IN_CIRCLE, before=block("mentee", "mentor"))
play("fact", "recorded, after a block", BOTH, before=block("mentee", "mentor"))
play("fact", "recorded, after leaving the circle", IN_CIRCLE, before=in_circle("mentee", "POST", "leave"))
play(
    "fact",
    "joined, after the recording was told",
    says(JOINED, "colleague", "circle_booked"),
    before=first(APART, recorded("circle_booked", "colleague", "mentor", "mentee")),
)
play("worker", "recordings end", expire, before=long_ago)
RECORDED: Final = [str(each) for each in PLAYS if "record" in str(each)]
