"""Who may: who hears a conversation, who writes in it, whom a message can name."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.auth import Actor
from app.chat import queries
from app.chat.models import Message
from app.chat.queries import Place
from app.chat.schemas import ConversationVerb
from app.core.errors import Conflict, FieldError, Forbidden, Invalid
from app.pairings.models import Status
from app.scheduling.models import MeetingStatus


async def rosters(db: AsyncSession, ids: Collection[UUID]) -> dict[UUID, dict[UUID, UUID | None]]:
    """Who hears each of these conversations: accounts, and the membership that others know each by.

    Someone who is in it by two memberships is there once, by the older one. Two who are kept apart hear
    nothing of what they had together.
    """
    found: dict[UUID, dict[UUID, UUID | None]] = {identity: {} for identity in ids}
    for conversation_id, account_id, membership_id in await queries.hearers(db, ids):
        found[conversation_id].setdefault(account_id, membership_id)
    return found


def may(pairing: str, meeting: str | None) -> list[ConversationVerb]:
    """What someone who reads a conversation can do in it, as its pairing and its meeting stand."""
    if pairing == Status.ACTIVE and meeting in (None, MeetingStatus.BOOKED):
        return ["write"]
    return []


def must_be_open(place: Place) -> None:
    """409 when nothing can be said there any more."""
    if may(place.pairing_status, place.meeting_status):
        return
    if place.pairing_status != Status.ACTIVE:
        raise Conflict(
            f"pairing_{place.pairing_status}",
            f"This mentorship is {place.pairing_status}. What was said can be read, but not added to.",
        )
    raise Conflict(
        f"meeting_{place.meeting_status}",
        f"This meeting is {place.meeting_status}. What was said can be read; write in the mentorship itself.",
    )


def must_be_author(message: Message, actor: Actor) -> None:
    """People change and take back their own words only."""
    if message.author_account_id != actor.account_id:
        raise Forbidden("not_your_message", "Only the person who wrote a message changes it.")


async def people_named(db: AsyncSession, actor: Actor, place: Place, mentions: Sequence[UUID]) -> list[UUID]:
    """`mentions`, each once; 422 when one of them is not there to be named."""
    if not mentions:
        return []
    there = await queries.people_to_name(db, actor, place.pairing_id)
    unknown = [number for number, membership_id in enumerate(mentions) if membership_id not in there]
    if unknown:
        detail = "Name people who are in this conversation now, by their membership."
        errors = [FieldError(pointer=f"/mentions/{number}", detail=detail) for number in unknown]
        raise Invalid("unknown_person", detail, errors=errors)
    return list(dict.fromkeys(mentions))
