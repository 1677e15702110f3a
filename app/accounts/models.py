"""What is stored of people who sign in."""

from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.core import clock
from app.core.db import Base, identity, instant

SESSION_DAYS = 30


class Account(Base):
    """A person who signs in. In each organisation the same person is a membership."""

    __tablename__ = "account"

    id: Mapped[UUID] = identity()
    email: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    zone: Mapped[str]
    password_hash: Mapped[str]
    show_presence: Mapped[bool] = mapped_column(default=True)
    """Whether others see when this person is there."""
    show_presence_version: Mapped[int] = mapped_column(default=0)
    """Rises whenever `show_presence` changes."""
    verified_at: Mapped[datetime | None] = instant(default=None)
    created_at: Mapped[datetime] = instant(default_factory=clock.now)


class SignInSession(Base):
    """One sign-in on one device: the family of its refresh tokens, of which only `generation` is alive."""

    __tablename__ = "sign_in_session"
    __table_args__ = (
        Index("ix_sign_in_session_open", "expires_at", postgresql_where=text("ended_at IS NULL")),
    )

    id: Mapped[UUID] = identity()
    account_id: Mapped[UUID] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"), index=True)
    seed: Mapped[bytes]
    generation: Mapped[int] = mapped_column(default=1)
    attempt: Mapped[bytes | None] = mapped_column(default=None)
    created_at: Mapped[datetime] = instant(default_factory=clock.now)
    expires_at: Mapped[datetime] = instant(default_factory=lambda: clock.now() + timedelta(days=SESSION_DAYS))
    ended_at: Mapped[datetime | None] = instant(default=None)
    end_reason: Mapped[str | None] = mapped_column(default=None)

    @property
    def live(self) -> bool:
        """Still signed in."""
        return self.ended_at is None and self.expires_at > clock.now()

    def end(self, reason: str) -> None:
        """Sign this device out; ending twice keeps the first reason."""
        if self.ended_at is None:
            self.ended_at = clock.now()
            self.end_reason = reason


class Purpose(StrEnum):
    """What a mailed secret is good for."""

    VERIFY_EMAIL = "verify_email"


class MailedSecret(Base):
    """A secret that was mailed to prove that an address is read by its owner, and what its sign-up entered.

    Used once.
    """

    __tablename__ = "mailed_secret"
    __table_args__ = (Index("ix_mailed_secret_account_id_purpose", "account_id", "purpose"),)

    id: Mapped[UUID] = identity()
    account_id: Mapped[UUID] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"))
    purpose: Mapped[str]
    digest: Mapped[bytes] = mapped_column(unique=True)
    expires_at: Mapped[datetime] = instant()
    name: Mapped[str]
    zone: Mapped[str]
    password_hash: Mapped[str]
    used_at: Mapped[datetime | None] = instant(default=None)

    @property
    def usable(self) -> bool:
        """Neither used nor expired."""
        return self.used_at is None and self.expires_at > clock.now()
