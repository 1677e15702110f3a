"""The whole visibility matrix. An operation without a row in it fails the build."""

from typing import Final

import tests.app.visibility_rows_availability
import tests.app.visibility_rows_calendars
import tests.app.visibility_rows_chat
import tests.app.visibility_rows_freebusy
import tests.app.visibility_rows_live
import tests.app.visibility_rows_meetings
import tests.app.visibility_rows_recordings
import tests.app.visibility_rows_reminders
import tests.app.visibility_rows_together  # noqa: F401 - they add their rows
from tests.app.visibility_rows import ROWS

FIRST_ROWS: Final = {row.operation: row for row in reversed(ROWS)}
"""The plainest scene of each operation."""

__all__ = ["FIRST_ROWS", "ROWS"]
