"""What attendance shows of how meetings went: the worker's verbs, not a caller's."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock
from app.pairings import queries as pairings
from app.pairings.models import Pairing
from app.scheduling import news, particulars
from app.scheduling.models import Meeting, MeetingPolicy
from app.scheduling.particulars import Presence

SETTLED_AFTER: Final = timedelta(minutes=1)
"""What was being committed when the meeting ended has been committed by then, or comes as a late fact."""
SETTLED_WITHIN: Final = timedelta(days=14)
AT_A_TIME: Final = 50


class Outcome(NamedTuple):
    """Whether at least two people met, and which memberships did not come in time."""

    held: bool
    absent: list[UUID]


def judge(
    starts_at: datetime,
    people: Mapping[UUID, tuple[UUID, timedelta]],
    stays: Iterable[tuple[UUID, datetime, datetime | None]],
) -> Outcome:
    """How a meeting went: `people` by membership (account, patience), `stays` (account, joined, left).

    Whoever looked in and left before it began was not there; whoever came late was there, and absent.
    """
    came: dict[UUID, datetime] = {}
    for account_id, joined_at, left_at in stays:
        if left_at is None or left_at > starts_at:
            came[account_id] = min(joined_at, came.get(account_id, joined_at))
    absent = [
        membership_id
        for membership_id, (account_id, patience) in people.items()
        if account_id not in came or came[account_id] > starts_at + patience
    ]
    return Outcome(held=len(came) >= 2, absent=sorted(absent))


async def settle(db: AsyncSession) -> int:
    """Mark how some meetings went that are over and of which nobody has said it; returns how many."""
    now = clock.now()
    found = await particulars.unsettled(db, (now - SETTLED_WITHIN, now - SETTLED_AFTER), AT_A_TIME)
    await _mark(db, found)
    return len(found)


async def correct(db: AsyncSession, call_ids: Collection[UUID]) -> None:
    """News of stays came in after their meeting was over: what they showed until now may be wrong.

    The rows are locked also where nothing is marked yet: whoever marks them meanwhile would not see these.
    """
    found = await particulars.ended_of_calls(db, call_ids)
    await _mark(db, [meeting for meeting in found if meeting.outcome_from == "attendance"])


async def _mark(db: AsyncSession, meetings: Sequence[Meeting]) -> None:
    if not meetings:
        return
    of = await pairings.by_ids(db, {meeting.pairing_id for meeting in meetings})
    places = {row.organisation_id for pairing in of.values() for row in pairing.people().values()}
    policies = await particulars.policies(db, places)
    stays = await particulars.presences(db, [meeting.id for meeting in meetings])
    for meeting in meetings:
        outcome = _outcome(meeting, of[meeting.pairing_id], policies, stays)
        if (meeting.outcome_from, meeting.held, meeting.absent) != ("attendance", *outcome):
            meeting.went(outcome.held, outcome.absent, "attendance")
            await news.tell_who_sees(db, meeting, of[meeting.pairing_id])


def _outcome(
    meeting: Meeting, pairing: Pairing, policies: Mapping[UUID, MeetingPolicy], stays: Iterable[Presence]
) -> Outcome:
    people = {
        row.id: (row.account_id, policies[row.organisation_id].patience) for row in pairing.people().values()
    }
    there = [
        (stay.account_id, stay.joined_at, stay.left_at) for stay in stays if stay.meeting_id == meeting.id
    ]
    return judge(meeting.starts_at, people, there)
