"""Reading accounts and sign-in sessions."""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from uuid import UUID

from sqlalchemy import Select, bindparam, delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.models import Account, MailedSecret, Purpose, SignInSession
from app.core import clock, crypto


async def by_id(db: AsyncSession, account_id: UUID) -> Account:
    """The account of someone who is signed in."""
    return await db.get_one(Account, account_id)


async def by_email(db: AsyncSession, email: str) -> Account | None:
    """Whoever signs in with this address."""
    return await db.scalar(select(Account).where(Account.email == email.lower()))


async def add_unless_known(db: AsyncSession, account: Account) -> bool:
    """Store a new account; False when its address is known, also to a sign-up at the same moment."""
    columns = {column.name: getattr(account, column.name) for column in Account.__table__.columns}
    made = insert(Account).values(columns).on_conflict_do_nothing(index_elements=["email"])
    return (await db.scalar(made.returning(Account.id))) is not None


async def emails_of(db: AsyncSession, account_ids: set[UUID]) -> dict[UUID, str]:
    """Where to write to each of these people."""
    rows = await db.execute(select(Account.id, Account.email).where(Account.id.in_(account_ids)))
    return {account_id: email for account_id, email in rows}


async def live_session(db: AsyncSession, session_id: UUID, account_id: UUID) -> UUID | None:
    """The session if it is still signed in."""
    given = {"session": session_id, "account": account_id, "now": clock.now()}
    return await db.scalar(_live_session(), given)


@cache
def _live_session() -> Select[UUID]:
    """Every request asks this, so it is made once."""
    return select(SignInSession.id).where(
        SignInSession.id == bindparam("session"),
        SignInSession.account_id == bindparam("account"),
        SignInSession.ended_at.is_(None),
        SignInSession.expires_at > bindparam("now"),
    )


async def hold_session(db: AsyncSession, session_id: UUID) -> bool:
    """Whether the session is still signed in, and stays so until this transaction ends."""
    found = await db.scalar(
        select(SignInSession.id)
        .where(SignInSession.id == session_id, SignInSession.ended_at.is_(None))
        .with_for_update(read=True)
    )
    return found is not None


async def live_sessions(db: AsyncSession, ids: Sequence[UUID]) -> set[UUID]:
    """Those of these sessions that are still signed in."""
    rows = await db.scalars(
        select(SignInSession.id).where(
            SignInSession.id.in_(ids),
            SignInSession.ended_at.is_(None),
            SignInSession.expires_at > clock.now(),
        )
    )
    return set(rows)


async def session(db: AsyncSession, session_id: UUID) -> SignInSession | None:
    """A session by the id that its refresh token carries."""
    return await db.get(SignInSession, session_id)


async def rotate(
    db: AsyncSession, session_id: UUID, generation: int, attempt: bytes | None
) -> SignInSession | None:
    """Compare-and-swap to the next generation; None when `generation` is not the one alive."""
    return await db.scalar(
        update(SignInSession)
        .where(
            SignInSession.id == session_id,
            SignInSession.generation == generation,
            SignInSession.ended_at.is_(None),
            SignInSession.expires_at > clock.now(),
        )
        .values(generation=generation + 1, attempt=attempt)
        .returning(SignInSession)
        .execution_options(populate_existing=True)
    )


async def same_attempt(
    db: AsyncSession, session_id: UUID, generation: int, attempt: bytes
) -> SignInSession | None:
    """The live session, if `attempt` is what took it on from `generation`."""
    return await db.scalar(
        select(SignInSession)
        .where(
            SignInSession.id == session_id,
            SignInSession.generation == generation + 1,
            SignInSession.attempt == attempt,
            SignInSession.ended_at.is_(None),
            SignInSession.expires_at > clock.now(),
        )
        .execution_options(populate_existing=True)
    )


async def end_expired(db: AsyncSession, most: int) -> list[SignInSession]:
    """End sessions whose time is over, so many of them; returns those."""
    now = clock.now()
    over = (
        select(SignInSession.id)
        .where(SignInSession.ended_at.is_(None), SignInSession.expires_at <= now)
        .order_by(SignInSession.expires_at)
        .limit(most)
        .with_for_update(skip_locked=True, key_share=True)
    )
    rows = await db.scalars(
        update(SignInSession)
        .where(SignInSession.id.in_(over))
        .values(ended_at=now, end_reason="expired")
        .returning(SignInSession)
        .execution_options(synchronize_session=False)
    )
    return list(rows)


async def mailed_secret(db: AsyncSession, secret: str, purpose: Purpose) -> MailedSecret | None:
    """The locked row of a mailed secret."""
    return await db.scalar(
        select(MailedSecret)
        .where(MailedSecret.digest == crypto.digest(secret), MailedSecret.purpose == purpose)
        .with_for_update(key_share=True)
    )


async def clear_away(db: AsyncSession, before: datetime) -> None:
    """Forget mailed secrets and sign-ins that were over before then."""
    await db.execute(delete(MailedSecret).where(MailedSecret.expires_at < before))
    await db.execute(delete(SignInSession).where(SignInSession.ended_at < before))


async def void_mailed_secrets(db: AsyncSession, account_id: UUID, purpose: Purpose) -> None:
    """Make what was mailed so far useless."""
    await db.execute(
        update(MailedSecret)
        .where(
            MailedSecret.account_id == account_id,
            MailedSecret.purpose == purpose,
            MailedSecret.used_at.is_(None),
        )
        .values(used_at=clock.now())
    )
