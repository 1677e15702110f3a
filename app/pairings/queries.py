"""Reading mentorships: the participants see them, and a circle's coordinators do."""

from collections.abc import Collection, Sequence
from typing import NamedTuple, cast
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased, joinedload, selectinload

from app.accounts.auth import Actor
from app.blocks import queries as blocks
from app.core.errors import NotFound
from app.organisations import queries as organisations
from app.organisations.models import Membership
from app.pairings.models import Goal, Kind, Pairing, Part, Participant, Status

_whole = (
    selectinload(Pairing.participants).joinedload(Participant.person).joinedload(Membership.organisation),
    selectinload(Pairing.goals),
)

_other = aliased(Participant)
"""Made once: SQLAlchemy learns each alias anew, which costs half a millisecond of every request."""


def participating(actor: Actor) -> Select[UUID]:
    """Pairings the actor is in, except those of two whose other person is kept apart."""
    apart = exists(
        select(_other.id)
        .join(Membership, Membership.id == _other.membership_id)
        .where(
            _other.pairing_id == Pairing.id,
            Membership.account_id.in_(blocks.kept_apart(actor.account_id)),
        )
    )
    return (
        select(Pairing.id)
        .join(Participant, Participant.pairing_id == Pairing.id)
        .where(
            Participant.left_at.is_(None),
            Participant.membership_id.in_(organisations.own_ids(actor)),
            or_(Pairing.kind == Kind.CIRCLE.value, ~apart),
        )
    )


def visible_to(actor: Actor) -> Select[Pairing]:
    """Pairings the actor is in, and circles of organisations the actor coordinates."""
    return select(Pairing).where(_is_visible_to(actor)).options(*_whole)


def _is_visible_to(actor: Actor) -> ColumnElement[bool]:
    return or_(
        Pairing.id.in_(participating(actor)),
        Pairing.organisation_id.in_(organisations.coordinated_ids(actor)),
    )


async def get(db: AsyncSession, actor: Actor, pairing_id: UUID, *, lock: bool = True) -> Pairing:
    """A pairing visible to the actor, locked for change."""
    statement = visible_to(actor).where(Pairing.id == pairing_id)
    if lock:
        statement = statement.with_for_update(of=Pairing, key_share=True)
    found = await db.scalar(statement.execution_options(populate_existing=True))
    if found is None:
        raise NotFound()
    return found


class Person(NamedTuple):
    """Someone who is in a pairing now."""

    membership_id: UUID
    account_id: UUID
    name: str


async def party(db: AsyncSession, actor: Actor, pairing_id: UUID) -> tuple[Pairing, list[Person]]:
    """A pairing visible to the actor and who is in it, in one statement and without all the rest of it."""
    rows = await db.execute(
        select(Pairing, Participant.membership_id, Membership.account_id, Membership.name)
        .outerjoin(Participant, and_(Participant.pairing_id == Pairing.id, Participant.left_at.is_(None)))
        .outerjoin(Membership, Membership.id == Participant.membership_id)
        .where(Pairing.id == pairing_id, _is_visible_to(actor))
        .order_by(Participant.id)
    )
    found = cast("Sequence[tuple[Pairing, UUID | None, UUID, str]]", rows.all())
    if not found:
        raise NotFound()
    people = {
        membership_id: Person(membership_id, account_id, name)
        for _, membership_id, account_id, name in found
        if membership_id is not None  # whom everybody has left holds nobody
    }
    return found[0][0], list(people.values())


async def one(db: AsyncSession, pairing_id: UUID) -> Pairing:
    """A pairing whoever asks: only for reactions and for ids that a room above has checked."""
    return (
        await db.scalars(
            select(Pairing)
            .where(Pairing.id == pairing_id)
            .options(*_whole)
            .execution_options(populate_existing=True)
        )
    ).one()


async def by_ids(db: AsyncSession, ids: set[UUID]) -> dict[UUID, Pairing]:
    """Pairings by id, for ids that a room above has checked."""
    rows = await db.scalars(
        select(Pairing).where(Pairing.id.in_(ids)).options(*_whole).execution_options(populate_existing=True)
    )
    return {row.id: row for row in rows}


async def goal(db: AsyncSession, actor: Actor, goal_id: UUID) -> Goal:
    """A goal of a pairing visible to the actor, locked."""
    found = await db.scalar(
        select(Goal)
        .where(Goal.id == goal_id, Goal.pairing_id.in_(participating(actor)))
        .with_for_update(key_share=True)
    )
    if found is None:
        raise NotFound()
    return found


async def goals(db: AsyncSession, pairing_id: UUID) -> int:
    """How many goals a pairing has."""
    return await db.scalar(select(func.count()).select_from(Goal).where(Goal.pairing_id == pairing_id)) or 0


async def open_between(db: AsyncSession, left: UUID, right: UUID, kind: Kind) -> Pairing | None:
    """A proposed or active pairing of this kind between two memberships."""
    first, second = aliased(Participant), aliased(Participant)
    return await db.scalar(
        select(Pairing)
        .join(first, and_(first.pairing_id == Pairing.id, first.membership_id == left))
        .join(second, and_(second.pairing_id == Pairing.id, second.membership_id == right))
        .where(Pairing.kind == kind.value, Pairing.status.in_((Status.PROPOSED, Status.ACTIVE)))
        .limit(1)
    )


async def mentees_by_mentor(db: AsyncSession, membership_ids: Sequence[UUID]) -> dict[UUID, int]:
    """How many active one-to-one mentorships each of these has as a mentor; those without are left out."""
    rows = await db.execute(
        select(Participant.membership_id, func.count(func.distinct(Participant.pairing_id)))
        .join(Pairing, Pairing.id == Participant.pairing_id)
        .where(
            Participant.membership_id.in_(membership_ids),
            Participant.role == Part.MENTOR.value,
            Participant.left_at.is_(None),
            Pairing.status == Status.ACTIVE.value,
            Pairing.kind != Kind.CIRCLE.value,
        )
        .group_by(Participant.membership_id)
    )
    return {membership_id: count for membership_id, count in rows}


async def counterpart(db: AsyncSession, actor: Actor, membership_id: UUID) -> Membership:
    """Someone the actor has an open request or a mentorship with, whether or not they can be found."""
    mine = participating(actor).where(Pairing.status.in_((Status.PROPOSED, Status.ACTIVE)))
    found = await db.scalar(
        select(Membership)
        .where(
            Membership.id == membership_id,
            Membership.id.in_(select(Participant.membership_id).where(Participant.pairing_id.in_(mine))),
            Membership.account_id != actor.account_id,
            Membership.account_id.not_in(blocks.kept_apart(actor.account_id)),
        )
        .options(joinedload(Membership.organisation))
    )
    if found is None:
        raise NotFound()
    return found


def counterparts(actor: Actor) -> Select[UUID]:
    """The memberships of everyone the actor has ever been paired with or was asked by."""
    return select(Participant.membership_id).where(Participant.pairing_id.in_(ever_in(actor)))


def ever_in(actor: Actor) -> Select[UUID]:
    """Pairings the actor takes or took part in, whoever is kept apart by now."""
    return select(Participant.pairing_id).where(Participant.membership_id.in_(organisations.own_ids(actor)))


def with_account(account_id: UUID) -> Select[UUID]:
    """Pairings that a person takes or took part in."""
    return (
        select(Participant.pairing_id)
        .join(Membership, Membership.id == Participant.membership_id)
        .where(Membership.account_id == account_id)
    )


class Onlooker(NamedTuple):
    """Someone who is shown a pairing: who takes part in it now, and who coordinates its circle."""

    pairing_id: UUID
    membership_id: UUID
    account_id: UUID


async def onlookers(db: AsyncSession, pairing_ids: Collection[UUID] | Select[UUID]) -> list[Onlooker]:
    """Everyone who is shown these pairings, by the membership that tells them: for reactions and news."""
    taking_part = (
        select(Participant.pairing_id, Membership.id, Membership.account_id)
        .join(Membership, Membership.id == Participant.membership_id)
        .where(Participant.pairing_id.in_(pairing_ids), Participant.left_at.is_(None))
        .where(Membership.ended_at.is_(None))
    )
    coordinating = (
        select(Pairing.id, Membership.id, Membership.account_id)
        .join(Membership, Membership.organisation_id == Pairing.organisation_id)
        .where(Pairing.id.in_(pairing_ids), Membership.ended_at.is_(None))
        .where(Membership.roles.overlap(["coordinator", "administrator"]))
    )
    return [Onlooker(*row) for row in await db.execute(taking_part.union(coordinating))]


async def taking_part(db: AsyncSession, pairing_id: UUID) -> list[UUID]:
    """The memberships that are in a pairing now: for reactions and news."""
    rows = await db.scalars(
        select(Membership.id)
        .distinct()
        .join(Participant, Participant.membership_id == Membership.id)
        .where(Participant.pairing_id == pairing_id, Participant.left_at.is_(None))
        .where(Membership.ended_at.is_(None))
    )
    return list(rows)


def naming(membership_id: UUID) -> Select[UUID]:
    """Pairings in which a membership's name stands, also when it has left."""
    return select(Participant.pairing_id).where(Participant.membership_id == membership_id)


async def circles_of_both(db: AsyncSession, left_account: UUID, right_account: UUID) -> list[UUID]:
    """Active circles that these two people are in."""
    rows = await db.scalars(
        select(Pairing.id)
        .where(
            Pairing.id.in_(with_account(left_account)),
            Pairing.id.in_(with_account(right_account)),
            Pairing.kind == Kind.CIRCLE.value,
            Pairing.status == Status.ACTIVE.value,
        )
        .order_by(Pairing.id)
    )
    return list(rows)


async def of_two(db: AsyncSession, left_account: UUID, right_account: UUID) -> list[Pairing]:
    """Open pairings of exactly these two people, locked."""
    rows = await db.scalars(
        select(Pairing)
        .where(
            Pairing.id.in_(with_account(left_account)),
            Pairing.id.in_(with_account(right_account)),
            Pairing.kind != Kind.CIRCLE.value,
            Pairing.status.in_((Status.PROPOSED, Status.ACTIVE)),
        )
        .order_by(Pairing.id)
        .with_for_update(key_share=True)
    )
    return list(rows)
