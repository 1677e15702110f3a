"""What is played for everybody about reminders: how somebody wants them concerns nobody else."""

from typing import Any, Final

from tests.app.verify_action import Stage
from tests.app.verify_rows import PLAYS, Act, play
from tests.app.visibility_rows_reminders import WISHES


def wish(who: str, **fields: Any) -> Act:
    """Somebody says how they want to be reminded."""
    return lambda s: s.person(who).ok("PUT", "/v1/reminder-preferences", {**WISHES, **fields})


async def defaults(s: Stage) -> None:
    """Says what held without it."""
    said = await s.house.mentee.ok("GET", "/v1/reminder-preferences")
    del said["zone"]
    await s.house.mentee.ok("PUT", "/v1/reminder-preferences", said)


play("set_reminder_preferences", "to what it is", wish("mentee"), before=wish("mentee"))
play("set_reminder_preferences", "to the defaults", defaults)
play("set_reminder_preferences", "of a lead", wish("mentor", lead_minutes=[5]))
REMINDED: Final = [str(each) for each in PLAYS if "reminder" in str(each)]
