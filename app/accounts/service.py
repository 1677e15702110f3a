"""What can be done about accounts: sign up, verify, sign in, refresh, sign out."""

import secrets
from datetime import timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts import passwords, queries, tokens
from app.accounts.auth import Actor, Doorkeeper
from app.accounts.events import SessionEnded, ZoneChanged
from app.accounts.models import Account, MailedSecret, Purpose, SignInSession
from app.accounts.schemas import AccountEdit, AccountRead, SessionRead, SignIn, SignUp, VerifyEmail
from app.audit import service as audit
from app.core import clock, crypto, mail, nodes, streams
from app.core.db import emit
from app.core.errors import Forbidden, Unauthenticated, invalid
from app.core.limits import MAIL_PER_ADDRESS, SIGN_IN_PER_ACCOUNT
from app.core.locks import lock
from app.core.streams import Address, StreamKind
from signalling.contracts.calls import ShowPresence

VERIFY_HOURS = 24


async def sign_up(db: AsyncSession, door: Doorkeeper, body: SignUp, *, invited: bool) -> None:
    """Open an unverified account and mail its proof; a known address is told by mail, not by us.

    `invited` says that a live invitation for this very address was shown. Raises `Forbidden` where
    registration is by invitation only, `TooManyRequests`.
    """
    if not (invited or door.settings.open_registration):
        raise Forbidden(
            "registration_by_invitation",
            "Accounts are opened by invitation here. Ask your coordinator to invite you.",
        )
    email = body.email.lower()
    await door.limits.spend(MAIL_PER_ADDRESS, "sign_up", email)
    password_hash = await passwords.hash_password(body.password)
    account = Account(email=email, name=body.name, zone=body.zone, password_hash=password_hash)
    if await queries.add_unless_known(db, account):
        audit.record(db, account.id, "account.opened", account.id)
        await _mail_verification(db, door, account, account.id)
        return
    known = await queries.by_email(db, email)
    if known is not None and known.verified_at is None:
        # Perhaps a stranger was first: what counts is which link is opened, with which password.
        await _mail_verification(db, door, account, known.id)
        return
    await mail.send(
        db,
        to=email,
        subject="You already have a Mentorspan account",
        text=f"Someone, probably you, tried to open an account with this address. You already have one:\n\n"
        f"{door.settings.public_url}/sign-in\n\nIf it was not you, you need not do anything.\n",
    )


async def _mail_verification(db: AsyncSession, door: Doorkeeper, wanted: Account, account_id: UUID) -> None:
    """Mail a link that proves the address for this very sign-up: the link carries what was entered."""
    secret = crypto.new_secret()
    db.add(
        MailedSecret(
            account_id=account_id,
            purpose=Purpose.VERIFY_EMAIL,
            digest=crypto.digest(secret),
            expires_at=clock.now() + timedelta(hours=VERIFY_HOURS),
            name=wanted.name,
            zone=wanted.zone,
            password_hash=wanted.password_hash,
        )
    )
    await mail.send(
        db,
        to=wanted.email,
        subject="Confirm your address for Mentorspan",
        text=f"Hello {wanted.name},\n\nplease confirm that this is your address:\n\n"
        f"{door.settings.public_url}/verify#token={secret}\n\n"
        f"You will be asked for the password that you chose. The link works once, for {VERIFY_HOURS} hours. "
        "If you did not ask for it, ignore this mail.\n",
    )


async def verify_email(db: AsyncSession, body: VerifyEmail) -> None:
    """Accept the proof from the mail, from whoever knows the password of the sign-up that it was mailed for.

    The link alone proves who reads the address, not who chose the password: a stranger who signs up with
    someone's address must not get an account verified by its owner. Raises `Invalid` for a link that is
    unknown, used or expired, `Unauthenticated` for another password.
    """
    row = await queries.mailed_secret(db, body.token, Purpose.VERIFY_EMAIL)
    if row is None or not row.usable:
        raise invalid(
            "/token", "This link has been used or has expired. Ask for a new one.", "link_not_usable"
        )
    if not await passwords.matches(body.password, row.password_hash):
        raise Unauthenticated("wrong_credentials", "This is not the password that was chosen for this link.")
    account = await queries.by_id(db, row.account_id)
    account.name, account.zone, account.password_hash = row.name, row.zone, row.password_hash
    account.verified_at = clock.now()
    await queries.void_mailed_secrets(db, account.id, Purpose.VERIFY_EMAIL)
    audit.record(db, account.id, "account.verified", account.id)


async def resend_verification(db: AsyncSession, door: Doorkeeper, email: str) -> None:
    """Mail the proof again, if there is an account that needs it; the answer does not tell."""
    await door.limits.spend(MAIL_PER_ADDRESS, "verification", email.lower())
    account = await queries.by_email(db, email)
    if account is not None and account.verified_at is None:
        await _mail_verification(db, door, account, account.id)


async def sign_in(db: AsyncSession, door: Doorkeeper, body: SignIn) -> tuple[SessionRead, str]:
    """Start a sign-in session; returns it and its refresh token.

    Raises `Unauthenticated` (the same for an unknown address and a wrong password), `Forbidden` for a right
    password whose address is not verified yet, `TooManyRequests`.
    """
    email = body.email.lower()
    await door.limits.spend(SIGN_IN_PER_ACCOUNT, "sign_in", email)
    account = await queries.by_email(db, email)
    if not await passwords.matches(body.password, account.password_hash if account else None) or not account:
        raise Unauthenticated("wrong_credentials", "The e-mail address or the password is not right.")
    await door.limits.forgive(SIGN_IN_PER_ACCOUNT, "sign_in", email)
    if account.verified_at is None:
        raise Forbidden(
            "email_not_verified", "Confirm your address first: we sent you a link. You can ask for a new one."
        )
    session = SignInSession(account_id=account.id, seed=secrets.token_bytes(32))
    db.add(session)
    audit.record(db, account.id, "session.started", session.id)
    return _read(door, account, session), tokens.refresh_token(session, keys=door.keys)


async def refresh(
    db: AsyncSession, door: Doorkeeper, token: str | None, attempt: str | None
) -> tuple[SessionRead, str] | None:
    """The next tokens of a session; its old refresh token is spent.

    `attempt` names this try: when its answer was lost, the same try with the same token gets the same answer.
    Someone else who replays the token does not know it.

    None when the token is not good: unknown, forged, expired, or replayed, in which case the whole family has
    been ended. (Not an exception: ending the family must be committed.)
    """
    parts = tokens.read_refresh(token or "")
    session = await queries.session(db, parts[0]) if parts else None
    if parts is None or session is None or not tokens.is_genuine(session, *parts[1:], keys=door.keys):
        return None
    digest = crypto.digest(attempt) if attempt else None
    rotated = await queries.rotate(db, session.id, parts[1], digest)
    if rotated is None and digest is not None:
        rotated = await queries.same_attempt(db, session.id, parts[1], digest)
    if rotated is None:
        if session.live:
            await _end(db, session, "refresh_token_replayed")
        return None
    account = await queries.by_id(db, rotated.account_id)
    return _read(door, account, rotated), tokens.refresh_token(rotated, keys=door.keys)


async def sign_out(db: AsyncSession, actor: Actor) -> None:
    """End the session of this access token at once, on REST and on every socket it opened."""
    session = await queries.session(db, actor.session_id)
    if session is not None:
        await _end(db, session, "signed_out")


async def edit(db: AsyncSession, actor: Actor, body: AccountEdit) -> Account:
    """Change my own account."""
    await lock(db, "account", actor.account_id)  # of two edits at once, the second goes on from the first
    account = await queries.by_id(db, actor.account_id)
    for name, value in body.model_dump(exclude_unset=True).items():
        if value is not None and value != getattr(account, name):
            setattr(account, name, value)
            streams.announce(db, Address(StreamKind.ACCOUNT, account.id), "account.changed", account.id)
            if name == "zone":
                emit(db, ZoneChanged(account_id=account.id))
            if name == "show_presence":
                account.show_presence_version += 1
                version = account.show_presence_version
                await nodes.command_all(db, ShowPresence, account_id=account.id, shown=value, version=version)
    return account


async def _end(db: AsyncSession, session: SignInSession, reason: str) -> None:
    session.end(reason)
    audit.record(db, session.account_id, f"session.{reason}", session.id)
    emit(db, SessionEnded(session_id=session.id, account_id=session.account_id))


def _read(door: Doorkeeper, account: Account, session: SignInSession) -> SessionRead:
    access = tokens.issue_access(account.id, session.id, keys=door.keys, issuer=door.settings.issuer)
    return SessionRead(
        access_token=access,
        expires_in=tokens.ACCESS_SECONDS,
        account=AccountRead.model_validate(account),
    )
