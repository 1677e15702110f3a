"""Who is told of calendars that are kept elsewhere: only whose they are."""

from sqlalchemy.ext.asyncio import AsyncSession

from app.core import streams
from app.core.streams import Address, StreamKind
from app.freebusy.models import ImportedCalendar


def calendar_changed(db: AsyncSession, calendar: ImportedCalendar) -> None:
    """It came, went, or was read."""
    stream = Address(StreamKind.ACCOUNT, calendar.account_id)
    streams.announce(db, stream, "imported_calendar.changed", calendar.id)
