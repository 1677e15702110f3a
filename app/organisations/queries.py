"""Reading organisations: the wall between tenants stands here."""

from collections.abc import Callable, Collection, Sequence
from uuid import UUID

from sqlalchemy import CompoundSelect, Select, and_, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from app.accounts.auth import Actor
from app.core import crypto
from app.core.errors import NotFound
from app.organisations.models import Invitation, Membership, Organisation, Partnership, Visibility

_apart: list[Callable[[UUID], CompoundSelect[UUID]]] = []


def also_apart(account_ids: Callable[[UUID], CompoundSelect[UUID]]) -> None:
    """Let a room above name the accounts that a plain member is not to find among their colleagues."""
    if account_ids not in _apart:
        _apart.append(account_ids)


def own_ids(actor: Actor) -> Select[UUID]:
    """The actor's memberships."""
    return select(Membership.id).where(
        Membership.account_id == actor.account_id, Membership.ended_at.is_(None)
    )


async def live_accounts(db: AsyncSession, membership_ids: Sequence[UUID]) -> dict[UUID, UUID]:
    """The accounts of those of these memberships that have not ended."""
    rows = await db.execute(
        select(Membership.id, Membership.account_id).where(
            Membership.id.in_(membership_ids), Membership.ended_at.is_(None)
        )
    )
    return {membership_id: account_id for membership_id, account_id in rows}


def own_organisation_ids(actor: Actor) -> Select[UUID]:
    """The organisations that the actor is in."""
    return select(Membership.organisation_id).where(
        Membership.account_id == actor.account_id, Membership.ended_at.is_(None)
    )


def coordinated_ids(actor: Actor) -> Select[UUID]:
    """The organisations that the actor coordinates or administers."""
    return own_organisation_ids(actor).where(Membership.roles.overlap(["coordinator", "administrator"]))


def _partner_ids(organisation_ids: Select[UUID]) -> CompoundSelect[UUID]:
    accepted = Partnership.status == "accepted"
    return (
        select(Partnership.partner_id)
        .where(accepted, Partnership.organisation_id.in_(organisation_ids))
        .union(
            select(Partnership.organisation_id).where(accepted, Partnership.partner_id.in_(organisation_ids))
        )
    )


def visible_to(actor: Actor, *, through: UUID | None = None) -> Select[Membership]:
    """Memberships the actor may find: their own organisations' people, and partners' mentors.

    A partner's member who does not mentor is nobody's to find, and a mentor may keep to their organisation.

    `through` narrows that to what one of the actor's memberships can see.
    """
    own = own_organisation_ids(actor)
    if through is not None:
        own = own.where(Membership.id == through)
    own_here = own.correlate(None)
    return (
        select(Membership)
        .where(
            Membership.ended_at.is_(None),
            or_(
                Membership.organisation_id.in_(own_here),
                and_(
                    Membership.organisation_id.in_(_partner_ids(own_here)),
                    Membership.visibility == Visibility.PARTNERS.value,
                    Membership.capacity > 0,
                ),
            ),
        )
        .options(joinedload(Membership.organisation))
    )


async def organisation(db: AsyncSession, actor: Actor, organisation_id: UUID) -> Organisation:
    """An organisation that the actor is in."""
    found = await db.scalar(
        select(Organisation).where(
            Organisation.id == organisation_id, Organisation.id.in_(own_organisation_ids(actor))
        )
    )
    if found is None:
        raise NotFound()
    return found


def organisations(actor: Actor) -> Select[Organisation]:
    """Every organisation that the actor is in."""
    return select(Organisation).where(Organisation.id.in_(own_organisation_ids(actor)))


async def organisation_by_slug(db: AsyncSession, slug: str) -> Organisation | None:
    """Any organisation: a slug is public, as a way to propose a partnership."""
    return await db.scalar(select(Organisation).where(Organisation.slug == slug))


async def slugs_like(db: AsyncSession, stem: str) -> set[str]:
    """Slugs in use that begin with `stem`."""
    return set(await db.scalars(select(Organisation.slug).where(Organisation.slug.startswith(stem))))


async def own_in(db: AsyncSession, actor: Actor, organisation_id: UUID) -> Membership:
    """The actor's own membership in an organisation."""
    found = await db.scalar(
        select(Membership)
        .where(
            Membership.organisation_id == organisation_id,
            Membership.account_id == actor.account_id,
            Membership.ended_at.is_(None),
        )
        .options(joinedload(Membership.organisation))
    )
    if found is None:
        raise NotFound()
    return found


async def own(db: AsyncSession, actor: Actor, membership_id: UUID) -> Membership:
    """One of the actor's own memberships, locked."""
    found = await db.scalar(
        select(Membership)
        .where(Membership.id == membership_id, Membership.id.in_(own_ids(actor)))
        .options(joinedload(Membership.organisation))
        .with_for_update(of=Membership, key_share=True)
    )
    if found is None:
        raise NotFound()
    return found


async def all_own(db: AsyncSession, actor: Actor) -> list[Membership]:
    """All of the actor's memberships, oldest first."""
    rows = await db.scalars(
        select(Membership)
        .where(Membership.id.in_(own_ids(actor)))
        .options(joinedload(Membership.organisation))
        .order_by(Membership.id)
    )
    return list(rows)


async def member(db: AsyncSession, actor: Actor, membership_id: UUID, *, lock: bool = False) -> Membership:
    """A membership in one of the actor's organisations, locked for change if asked."""
    statement = members(actor).where(Membership.id == membership_id)
    if lock:
        statement = statement.with_for_update(of=Membership, key_share=True)
    found = await db.scalar(statement)
    if found is None:
        raise NotFound()
    return found


def members(actor: Actor) -> Select[Membership]:
    """The people of the actor's organisations; those kept apart only where the actor coordinates."""
    near = [Membership.account_id.not_in(apart(actor.account_id)) for apart in _apart]
    return (
        select(Membership)
        .where(
            Membership.organisation_id.in_(own_organisation_ids(actor).correlate(None)),
            Membership.ended_at.is_(None),
            or_(Membership.organisation_id.in_(coordinated_ids(actor).correlate(None)), and_(true(), *near)),
        )
        .options(joinedload(Membership.organisation))
    )


async def by_ids(db: AsyncSession, ids: set[UUID]) -> dict[UUID, Membership]:
    """Memberships by id, whoever they belong to: only for ids that the caller was already shown."""
    rows = await db.scalars(
        select(Membership).where(Membership.id.in_(ids)).options(joinedload(Membership.organisation))
    )
    return {row.id: row for row in rows}


async def administrators(db: AsyncSession, organisation_id: UUID) -> int:
    """How many administrators an organisation has; the caller holds the lock that keeps the number true."""
    rows = await db.scalars(
        select(Membership.id).where(
            Membership.organisation_id == organisation_id,
            Membership.ended_at.is_(None),
            Membership.roles.contains(["administrator"]),
        )
    )
    return len(list(rows))


async def coordinator_accounts(db: AsyncSession, organisation_id: UUID) -> set[UUID]:
    """The accounts of an organisation's coordinators and administrators."""
    rows = await db.scalars(
        select(Membership.account_id).where(
            Membership.organisation_id == organisation_id,
            Membership.ended_at.is_(None),
            Membership.roles.overlap(["coordinator", "administrator"]),
        )
    )
    return set(rows)


async def coordinators(
    db: AsyncSession, organisation_ids: Collection[UUID], *, without: Collection[UUID] = ()
) -> list[UUID]:
    """The memberships of organisations' coordinators and administrators, except of these accounts."""
    rows = await db.scalars(
        select(Membership.id).where(
            Membership.organisation_id.in_(organisation_ids),
            Membership.ended_at.is_(None),
            Membership.roles.overlap(["coordinator", "administrator"]),
            Membership.account_id.not_in(without),
        )
    )
    return list(rows)


def invitations(organisation_id: UUID) -> Select[Invitation]:
    """An organisation's invitations; the caller has checked that the actor coordinates it."""
    return (
        select(Invitation)
        .where(Invitation.organisation_id == organisation_id)
        .options(joinedload(Invitation.organisation))
    )


async def invitation(db: AsyncSession, actor: Actor, invitation_id: UUID) -> Invitation:
    """An invitation of an organisation that the actor is in, locked."""
    found = await db.scalar(
        select(Invitation)
        .where(
            Invitation.id == invitation_id,
            Invitation.organisation_id.in_(coordinated_ids(actor)),
        )
        .options(joinedload(Invitation.organisation))
        .with_for_update(of=Invitation, key_share=True)
    )
    if found is None:
        raise NotFound()
    return found


async def invitation_by_secret(db: AsyncSession, secret: str) -> Invitation | None:
    """The invitation that a mail carried, locked."""
    return await db.scalar(
        select(Invitation)
        .where(Invitation.digest == crypto.digest(secret))
        .options(joinedload(Invitation.organisation))
        .with_for_update(of=Invitation, key_share=True)
    )


async def membership_of(db: AsyncSession, organisation_id: UUID, account_id: UUID) -> Membership | None:
    """Someone's membership of an organisation, ended or not."""
    return await db.scalar(
        select(Membership)
        .where(Membership.organisation_id == organisation_id, Membership.account_id == account_id)
        .options(joinedload(Membership.organisation))
    )


def partnerships(organisation_id: UUID) -> Select[Partnership]:
    """An organisation's partnerships; the caller has checked that the actor is in it."""
    return (
        select(Partnership)
        .where(or_(Partnership.organisation_id == organisation_id, Partnership.partner_id == organisation_id))
        .options(joinedload(Partnership.organisation), joinedload(Partnership.partner))
    )


async def partnership(db: AsyncSession, actor: Actor, partnership_id: UUID) -> Partnership:
    """A partnership of an organisation that the actor is in, locked."""
    own = own_organisation_ids(actor)
    found = await db.scalar(
        select(Partnership)
        .where(
            Partnership.id == partnership_id,
            or_(Partnership.organisation_id.in_(own), Partnership.partner_id.in_(own)),
        )
        .options(joinedload(Partnership.organisation), joinedload(Partnership.partner))
        .with_for_update(of=Partnership, key_share=True)
    )
    if found is None:
        raise NotFound()
    return found


async def roles_by_organisation(db: AsyncSession, actor: Actor) -> dict[UUID, Membership]:
    """The actor's membership in each of their organisations."""
    return {row.organisation_id: row for row in await all_own(db, actor)}


async def linked(db: AsyncSession, left: UUID, right: UUID) -> bool:
    """Whether people of two organisations may begin something together."""
    if left == right:
        return True
    found = await open_partnership(db, left, right)
    return found is not None and found.status == "accepted"


async def open_partnership(db: AsyncSession, left: UUID, right: UUID) -> Partnership | None:
    """The proposed or accepted partnership between two organisations."""
    pair = func.least(Partnership.organisation_id, Partnership.partner_id)
    other = func.greatest(Partnership.organisation_id, Partnership.partner_id)
    return await db.scalar(
        select(Partnership).where(
            pair == func.least(left, right),
            other == func.greatest(left, right),
            Partnership.status.in_(("proposed", "accepted")),
        )
    )
