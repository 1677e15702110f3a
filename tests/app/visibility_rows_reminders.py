"""Rows of the visibility matrix: how somebody wants to be reminded is theirs alone."""

from typing import Any, Final

from app.notifications.models import ReminderPreferences
from tests.app.house import House
from tests.app.visibility import Scene
from tests.app.visibility_rows import OWN, row, row_with, shown

WISHES: Final[dict[str, Any]] = {
    "channels": ["mail"],
    "lead_minutes": [19_997, 30],
    "quiet_hours": {"start": "21:30", "end": "06:30"},
    "agenda": False,
    "nudges": False,
}


async def _said(house: House) -> Scene:
    mine = ReminderPreferences(account_id=house.mentee.account_id, lead_minutes=[19_997])
    await house.world.save(mine)
    return Scene(house.mentee, other=house.mentor, hidden=shown(19_997))


row_with("read_reminder_preferences", OWN, _said)
row("set_reminder_preferences", OWN, lambda h: Scene(h.mentee, body=WISHES, other=h.mentor))
