"""`mentorspan worker`, impatient and perhaps at fault: `python -m tests.app.reminder_worker SECONDS FAULT`.

With SECONDS it looks that often, and takes silence of three times as long for death; with 0 it is the product
as it is. Each fault is a mistake that a reasonable person could make, planted before the program starts.
"""

import os
import signal
import sys
from email.utils import make_msgid
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app import worker
from app.core import clock, jobs, mail
from app.core.db import Database
from app.notifications import sending
from app.notifications.models import Reminder


def id_when_sent() -> None:
    """The mail gets its id when it is handed over, not when it is written."""
    honest = mail.Smtp.deliver

    async def deliver(self: mail.Smtp, letter: mail.Mail) -> None:
        fresh = make_msgid(domain="localhost")
        await honest(
            self, mail.Mail(letter.to, letter.subject, letter.text, fresh, letter.calendar, letter.reply_to)
        )

    mail.Smtp.deliver = deliver  # type: ignore[method-assign, assignment]


def marked_first() -> None:
    """It is marked as sent in one transaction, and its mail made in the next; the worker dies between."""
    honest, later = sending._tell, list[tuple[Any, ...]]()
    flag = Path(os.environ["MENTORSPAN_STATE_DIR"]) / "died.once"
    some = sending.send_due

    async def mark(db: AsyncSession, row: Reminder, *rest: Any) -> None:
        del db
        row.sent_at = clock.now()
        later.append((row, *rest))

    async def in_two(database: Database, refused: Any = None) -> int:
        done = await some(database, refused)
        if later and not flag.exists():
            flag.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        while later:
            async with database.transaction() as db:
                await honest(db, *later.pop())
        return done

    sending._tell = mark  # type: ignore[assignment]
    sending.send_due = in_two


FAULTS = {"none": lambda: None, "id_when_sent": id_when_sent, "marked_first": marked_first}


def main() -> None:
    seconds, fault = float(sys.argv[1]), sys.argv[2]
    if seconds:
        worker.REMINDER_SECONDS = jobs.HEARTBEAT_SECONDS = seconds  # type: ignore[misc]
        jobs.SILENT_SECONDS = 3 * seconds  # type: ignore[misc]
    FAULTS[fault]()
    worker.main()


if __name__ == "__main__":
    main()
