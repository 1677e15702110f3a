"""The development mailbox: mail that went nowhere else, for anyone at the machine to read."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Mapped

from app.core import clock
from app.core.db import Base, Database, identity, instant
from app.core.mail import Mail


class MailboxMessage(Base):
    """A mail of the development mailbox."""

    __tablename__ = "mailbox_message"

    id: Mapped[UUID] = identity()
    to: Mapped[str]
    subject: Mapped[str]
    text: Mapped[str]
    created_at: Mapped[datetime] = instant(default_factory=clock.now)


class Mailbox:
    """Keeps mail in the database for the mailbox page."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def deliver(self, mail: Mail) -> None:
        async with self._database.transaction() as db:
            db.add(MailboxMessage(to=mail.to, subject=mail.subject, text=mail.text))


def messages() -> Select[MailboxMessage]:
    """Everything in the mailbox."""
    return select(MailboxMessage)
