"""The anti-ghosting rule: who has not met for weeks is nudged, then their coordinators; each once."""

from collections.abc import Collection
from datetime import timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock
from app.core.db import Database
from app.notifications import due, queries
from app.notifications.models import Kind, Stage
from app.notifications.queries import Occasion, Spell
from app.organisations import queries as organisations
from app.pairings import queries as pairings

COORDINATORS_AFTER = timedelta(weeks=2)
"""So long the two people have to themselves."""
MOST_AT_ONCE = 50


async def nudge_quiet(database: Database, weeks: int) -> int:
    """Look for mentorships that have gone quiet; returns how many somebody is told of."""
    found = 0
    for stage, after in ((Stage.PEOPLE, None), (Stage.COORDINATORS, COORDINATORS_AFTER)):
        claimed = MOST_AT_ONCE
        while claimed == MOST_AT_ONCE:
            async with database.transaction() as db:
                before = clock.now() - timedelta(weeks=weeks)
                spells = await queries.claim_quiet(db, stage, before, after=after, most=MOST_AT_ONCE)
                claimed = len(spells)
                for spell in spells:
                    found += await _nudge(db, spell, stage)
    return found


async def _nudge(db: AsyncSession, spell: Spell, stage: Stage) -> bool:
    """Have everyone told whom this stage is about, each at an hour at which they may be disturbed."""
    if not await queries.note_nudge(db, spell, stage):
        return False
    pairing = await pairings.one(db, spell.pairing_id)
    people = [each for each in pairing.people().values() if each.ended_at is None]
    accounts = {each.account_id for each in people}
    if stage is Stage.COORDINATORS:
        places = {each.organisation_id for each in people}
        coordinating = [await organisations.coordinator_accounts(db, place) for place in places]
        # Whoever is in it has been told already, and with whom.
        accounts = set().union(*coordinating) - {each.account_id for each in pairing.people().values()}
    kind = Kind.NUDGE if stage is Stage.PEOPLE else Kind.COORDINATORS
    await _make(db, spell, kind, accounts)
    return True


async def _make(db: AsyncSession, spell: Spell, kind: Kind, accounts: Collection[UUID]) -> None:
    now = clock.now()
    await queries.make(
        db,
        [
            (
                Occasion(account_id, kind.value, None, spell.pairing_id, 0, spell.quiet_since),
                due.loud_again(now, wishes.zone, wishes.preferences.quiet),
            )
            for account_id, wishes in (await queries.wishes(db, accounts)).items()
        ],
    )
