"""Sign-ins end by themselves: what they opened must close then, as when somebody signs out."""

from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts import queries
from app.accounts.events import SessionEnded
from app.core.db import emit

MOST_AT_ONCE = 100


async def end_expired(db: AsyncSession) -> None:
    """End the sign-in sessions whose time is over, or as many as one transaction should."""
    for session in await queries.end_expired(db, MOST_AT_ONCE):
        emit(db, SessionEnded(session_id=session.id, account_id=session.account_id))
