"""Reading reports: their reporter's own, and those addressed to an organisation that one coordinates."""

from uuid import UUID

from sqlalchemy import Select, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from app.accounts.auth import Actor
from app.core.errors import NotFound
from app.organisations import queries as organisations
from app.organisations.models import Membership
from app.safeguarding.models import Report
from app.scheduling import queries as meetings

_people = (
    joinedload(Report.reporter).joinedload(Membership.organisation),
    joinedload(Report.subject).joinedload(Membership.organisation),
)


def addressed_to(actor: Actor, organisation_id: UUID | None = None) -> Select[Report]:
    """Reports to organisations the actor coordinates, except those about the actor.

    A report that names a meeting and nobody may be about anyone who was in it.
    """
    about_me = select(Membership.id).where(Membership.account_id == actor.account_id)
    found = (
        select(Report)
        .options(*_people)
        .where(
            Report.organisation_id.in_(organisations.coordinated_ids(actor)),
            or_(Report.subject_membership_id.is_(None), Report.subject_membership_id.not_in(about_me)),
            or_(
                Report.subject_membership_id.is_not(None),
                Report.meeting_id.is_(None),
                Report.reporter_id == actor.account_id,
                Report.meeting_id.not_in(meetings.with_actor(actor)),
            ),
        )
    )
    return found if organisation_id is None else found.where(Report.organisation_id == organisation_id)


async def get(db: AsyncSession, actor: Actor, report_id: UUID) -> Report:
    """A report addressed to the actor, locked."""
    found = await db.scalar(
        addressed_to(actor).where(Report.id == report_id).with_for_update(of=Report, key_share=True)
    )
    if found is None:
        raise NotFound()
    return found


async def naming(db: AsyncSession, membership_id: UUID) -> list[Report]:
    """Reports that show a person's name, to whoever reads them: only for reactions."""
    named = or_(Report.reporter_membership_id == membership_id, Report.subject_membership_id == membership_id)
    return list(await db.scalars(select(Report).options(*_people).where(named)))


def own(actor: Actor) -> Select[Report]:
    """Reports the actor filed, once each: the copies to other organisations are for those to handle."""
    return (
        select(Report)
        .join(Membership, Membership.id == Report.reporter_membership_id)
        .where(Report.reporter_id == actor.account_id, Report.organisation_id == Membership.organisation_id)
    )


async def own_one(db: AsyncSession, actor: Actor, report_id: UUID) -> Report:
    """A report the actor filed."""
    found = await db.scalar(own(actor).where(Report.id == report_id))
    if found is None:
        raise NotFound()
    return found
