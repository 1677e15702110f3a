"""What an organisation calls late and absent."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.auth import Actor
from app.audit import service as audit
from app.core.errors import Forbidden
from app.organisations import queries as organisations
from app.scheduling import particulars
from app.scheduling.models import MeetingPolicy
from app.scheduling.schemas import PolicySet


async def read(db: AsyncSession, actor: Actor, organisation_id: UUID) -> MeetingPolicy:
    """The policy of one of my organisations, its own or the usual one."""
    await organisations.own_in(db, actor, organisation_id)
    return (await particulars.policies(db, [organisation_id]))[organisation_id]


async def write(db: AsyncSession, actor: Actor, organisation_id: UUID, body: PolicySet) -> MeetingPolicy:
    """Set the policy of an organisation that I coordinate; what was cancelled before stays as it was."""
    own = await organisations.own_in(db, actor, organisation_id)
    if not own.coordinates:
        raise Forbidden("not_coordinator", "Coordinators and administrators say what is late and absent.")
    policy = MeetingPolicy(organisation_id=organisation_id, **body.model_dump())
    await particulars.set_policy(db, policy)
    audit.record(db, actor.account_id, "meeting_policy.set", organisation_id)
    return policy
