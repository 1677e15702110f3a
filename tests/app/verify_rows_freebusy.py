"""What is played for everybody about calendars that are read in: what the worker found, or did not."""

from datetime import timedelta
from typing import Final

from app.core import clock
from app.freebusy import queries, service
from app.freebusy.refreshing import LEASE
from app.freebusy.service import Outcome, Times
from tests.app.verify_action import Stage
from tests.app.verify_rows import PLAYS, Act, play
from tests.app.visibility_rows_freebusy import added


async def due(s: Stage) -> None:
    """The mentee has a calendar, and its time has come."""
    calendar = await added(s.house)
    await s.world.run("UPDATE imported_calendar SET next_try_at = now() WHERE id = :id", id=calendar.id)


def read(outcome: Outcome) -> Act:
    """The worker reads it."""

    async def act(s: Stage) -> None:
        async with s.world.database.transaction() as db:
            taken = await queries.take_due(db, LEASE)
        assert taken is not None
        async with s.world.database.transaction() as db:
            await service.settle(db, taken.calendar, outcome, s.world.door.keys.sealing)

    return act


IN_AN_HOUR: Final = clock.now() + timedelta(hours=1)
SPAN: Final = (IN_AN_HOUR, IN_AN_HOUR + timedelta(hours=1))
FOUND: Final = Outcome(IN_AN_HOUR, memory={"digest": "x"}, times=Times([SPAN], 0, "Europe/London"))
play("worker", "a calendar is read", read(FOUND), before=due)
play("worker", "a calendar is as it was", read(Outcome(IN_AN_HOUR)), before=due)
play("worker", "a calendar is gone", read(Outcome(IN_AN_HOUR, ("gone", "Gone."), failed=True)), before=due)
READ_IN: Final = [str(each) for each in PLAYS if "calendar" in str(each)]
