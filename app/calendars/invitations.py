"""Who is sent which calendar object when something happens to a meeting (RFC 5546 by RFC 6047)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from email.utils import parseaddr
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts import queries as accounts
from app.blocks import queries as blocks
from app.calendars import addresses, ics, queries
from app.calendars.models import Answer, MeetingInvitation
from app.calendars.queries import Said
from app.core import clock, mail
from app.core.crypto import KeyRing
from app.organisations.models import Membership
from app.pairings.models import Kind, Pairing
from app.scheduling.models import Meeting, MeetingStatus
from app.settings import get_settings

_PARTSTAT: Final[dict[str, ics.PartStat]] = {
    Answer.ACCEPTED: "ACCEPTED",
    Answer.DECLINED: "DECLINED",
    Answer.TENTATIVE: "TENTATIVE",
}


class Happening(StrEnum):
    """What calendars are told of."""

    BOOKED = "booked"
    MOVED = "moved"
    RETITLED = "retitled"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Invitation:
    """What one person's mail about a meeting carries; a plain mail carries nothing."""

    calendar: mail.Calendar | None = None
    message_id: str | None = None
    reply_to: str | None = None


async def write(
    db: AsyncSession, meeting: Meeting, pairing: Pairing, happening: Happening
) -> dict[UUID, Invitation]:
    """The objects for everyone in it whose calendar is to be told, by account.

    Who was invited is told of every change, also when they do not want invitations any more: what stands in
    their calendar must not be wrong. The meeting is locked, so numbers are given in order.
    """
    people = {row.account_id: row for row in pairing.people().values()}
    told = await queries.invitations(db, meeting.id)
    wanting = set(people) & told.keys()
    if happening is not Happening.CANCELLED:
        wanting |= set(people) - await queries.without_invitations(db, set(people))
        wanting -= {row.account_id for row in people.values() if row.ended_at is not None}
    if not wanting:
        return {}
    sequence = max([meeting.sequence, *(row.sequence + 1 for row in told.values())])
    said = await queries.replies(db, meeting.id) if happening is Happening.RETITLED else {}
    said = {account_id: one for account_id, one in said.items() if not one.outdated}
    emails = await accounts.emails_of(db, wanting)
    made = {}
    for account_id in sorted(wanting):
        known = told.get(account_id)
        if known is None:
            known = MeetingInvitation(
                meeting_id=meeting.id, account_id=account_id, sequence=sequence, asked=sequence
            )
            db.add(known)
        known.sequence = sequence
        if happening in (Happening.BOOKED, Happening.MOVED):
            known.asked = sequence
        about = _About(
            meeting, pairing, people[account_id], emails[account_id],
            await blocks.apart_from(db, account_id), said,
        )  # fmt: skip
        made[account_id] = _invitation(db.info.get("keys"), about, sequence, happening)
    return made


@dataclass(frozen=True, slots=True)
class _About:
    meeting: Meeting
    pairing: Pairing
    reader: Membership
    email: str
    apart: Collection[UUID]
    said: Mapping[UUID, Said]
    """Answers that still count."""


def _invitation(keys: KeyRing | None, about: _About, sequence: int, happening: Happening) -> Invitation:
    settings = get_settings()
    name, plain = parseaddr(settings.mail_from)
    host = plain.rpartition("@")[2]
    reply_to = None
    if keys is not None and settings.calendar_address:
        token = addresses.token(keys.refresh, about.meeting.id, about.reader.account_id)
        reply_to = addresses.reply_address(settings.calendar_address, token)
    organiser = ics.Organiser(reply_to or plain, name or "Mentorspan")
    shown = entry(about.meeting, about.pairing, about.reader.account_id, about.apart)
    cancelled = happening is Happening.CANCELLED
    method: ics.Method = "CANCEL" if cancelled else "REQUEST"
    full = replace(
        shown,
        sequence=sequence,
        stamp=clock.now(),
        organiser=organiser,
        attendees=_attendees(about, host, asks=reply_to is not None and not cancelled),
    )
    text = ics.message(method, [full])
    message_id = addresses.message_id(about.meeting.id, sequence, about.reader.account_id, host)
    return Invitation(mail.Calendar(method, text), message_id, reply_to)


def _attendees(about: _About, host: str, *, asks: bool) -> list[ics.Attendee]:
    """Everyone in it: the reader by their own address, and nobody else by one that mail reaches."""
    made = []
    for row in about.pairing.people().values():
        if row.account_id in about.apart:
            continue
        status = _status(about, row)
        if row.account_id == about.reader.account_id:
            waits = asks and row.account_id not in about.said
            made.append(ics.Attendee(about.email, row.name, "NEEDS-ACTION" if waits else status, waits))
        else:
            made.append(ics.Attendee(addresses.opaque(row.id, host), row.name, status))
    return made


def _status(about: _About, row: Membership) -> ics.PartStat:
    """What somebody's calendar said, or else that they agreed to the time here, as both of a pair have."""
    said = about.said.get(row.account_id)
    if said is not None:
        return _PARTSTAT[said.reply.status]
    agreed = about.pairing.kind != Kind.CIRCLE or row.id == about.meeting.proposed_by_id
    return "ACCEPTED" if agreed else "NEEDS-ACTION"


def entry(meeting: Meeting, pairing: Pairing, me: UUID, apart: Collection[UUID]) -> ics.Entry:
    """A meeting as the account `me` sees it, as it stands in a feed."""
    settings = get_settings()
    others = [
        row.name for row in pairing.people().values() if row.account_id != me and row.account_id not in apart
    ]
    circle = pairing.title if pairing.kind == Kind.CIRCLE else None
    link = f"{settings.public_url}/meetings/{meeting.id}"
    status: dict[str, ics.Status] = {
        MeetingStatus.BOOKED: "CONFIRMED",
        MeetingStatus.PROPOSED: "TENTATIVE",
        MeetingStatus.CANCELLED: "CANCELLED",
    }
    return ics.Entry(
        uid=addresses.uid(meeting.id, urlsplit(settings.public_url).hostname or "localhost"),
        sequence=meeting.sequence,
        stamp=max(at for at in (meeting.created_at, meeting.decided_at, meeting.cancelled_at) if at),
        start=meeting.starts_at,
        end=meeting.ends_at,
        summary=meeting.title or circle or (f"Meeting with {' and '.join(others)}" if others else "Meeting"),
        link=link,
        description=f"With {', '.join(others)}" if others else "",
        status=status[meeting.status],
    )
