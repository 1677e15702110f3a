"""What can be done about organisations, memberships and partnerships."""

import re
import unicodedata
from typing import Final
from uuid import UUID

from sqlalchemy import Select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts import queries as account_queries
from app.accounts import service as accounts
from app.accounts.auth import Actor, Doorkeeper
from app.accounts.schemas import SignUp
from app.audit import service as audit
from app.core import crypto, mail, streams
from app.core.db import emit
from app.core.errors import Conflict, Forbidden, NotFound, invalid
from app.core.limits import INVITATIONS_PER_PERSON, MAIL_PER_ADDRESS
from app.core.locks import lock
from app.core.streams import Address, StreamKind
from app.organisations import news, queries
from app.organisations.events import PartnershipProposed, ProfileEdited, Rejoined
from app.organisations.models import Invitation, Membership, Organisation, Partnership, Role
from app.organisations.schemas import (
    InvitationCreate,
    OrganisationCreate,
    PartnershipPropose,
    PartnershipRead,
    PartnershipVerb,
    ProfileEdit,
    RolesEdit,
)

NAMESPACE: Final = UUID(int=0)
"""All slugs are one namespace, so they share one lock."""
_BRIEF: Final = {"name", "headline", "zone"}
"""What others are shown of a person wherever they meet them."""


async def sign_up(db: AsyncSession, door: Doorkeeper, body: SignUp) -> None:
    """Open an account; an invitation for this address opens the door where registration is closed."""
    invited = False
    if body.invitation_token is not None:
        invitation = await queries.invitation_by_secret(db, body.invitation_token)
        invited = (
            invitation is not None
            and invitation.status == "pending"
            and invitation.email == body.email.lower()
        )
    await accounts.sign_up(db, door, body, invited=invited)


async def create(db: AsyncSession, actor: Actor, body: OrganisationCreate) -> Organisation:
    """Found an organisation; the founder administers it."""
    account = await account_queries.by_id(db, actor.account_id)
    stem = _slug(body.name)
    await lock(db, "slug", NAMESPACE)  # founding is rare: one at a time, and every slug is free when taken
    organisation = Organisation(name=body.name, slug=await _free_slug(db, stem))
    db.add(organisation)
    await db.flush()
    membership = Membership(
        organisation_id=organisation.id,
        account_id=account.id,
        name=account.name,
        zone=account.zone,
        roles=[role.value for role in Role],
    )
    db.add(membership)
    news.tell_joined(db, membership)
    audit.record(db, actor.account_id, "organisation.created", organisation.id)
    return organisation


def _slug(name: str) -> str:
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", ascii_name).strip("-")[:60].strip("-") or "organisation"


async def _free_slug(db: AsyncSession, stem: str) -> str:
    taken = await queries.slugs_like(db, stem)
    number = 1
    while (slug := stem if number == 1 and len(stem) > 1 else f"{stem}-{number}") in taken:
        number += 1
    return slug


async def _coordinating(db: AsyncSession, actor: Actor, organisation_id: UUID, *roles: Role) -> Membership:
    """The actor's membership, when it may coordinate here (404 for outsiders, 403 for others)."""
    own = await queries.own_in(db, actor, organisation_id)
    if not own.has(*(roles or (Role.COORDINATOR, Role.ADMINISTRATOR))):
        raise Forbidden()
    return own


async def edit_profile(db: AsyncSession, actor: Actor, membership_id: UUID, body: ProfileEdit) -> Membership:
    """Change my profile in one organisation."""
    await queries.member(db, actor, membership_id)
    try:
        membership = await queries.own(db, actor, membership_id)
    except NotFound:
        raise Forbidden("not_your_profile", "Only the person themselves edits a profile.") from None
    asked = body.model_dump(exclude_unset=True, exclude_none=True, mode="json")
    changed = {name for name, value in asked.items() if value != getattr(membership, name)}
    for name in changed:
        setattr(membership, name, asked[name])
    if changed:
        news.tell_owner(db, membership)
    if changed & _BRIEF:
        emit(db, ProfileEdited(membership_id=membership.id, account_id=actor.account_id))
    return membership


async def set_roles(db: AsyncSession, actor: Actor, membership_id: UUID, body: RolesEdit) -> Membership:
    """Give and take roles; an organisation keeps at least one administrator."""
    membership = await queries.member(db, actor, membership_id, lock=True)
    # Before the actor's own roles are read: two administrators may be removing each other.
    await lock(db, "administrators", membership.organisation_id)
    await _coordinating(db, actor, membership.organisation_id, Role.ADMINISTRATOR)
    steps_down = membership.has(Role.ADMINISTRATOR) and Role.ADMINISTRATOR not in body.roles
    if steps_down and await queries.administrators(db, membership.organisation_id) < 2:
        raise Conflict(
            "last_administrator", "An organisation needs an administrator. Name another one first."
        )
    roles = [role.value for role in body.roles]
    if roles != membership.roles:
        membership.roles = roles
        news.tell_owner(db, membership)
    audit.record(db, actor.account_id, "membership.roles_set", membership.id)
    return membership


async def invite(
    db: AsyncSession, actor: Actor, door: Doorkeeper, organisation_id: UUID, body: InvitationCreate
) -> Invitation:
    """Mail an invitation. Only administrators invite coordinators and administrators."""
    own = await _coordinating(db, actor, organisation_id)
    if body.roles != [Role.MEMBER] and not own.has(Role.ADMINISTRATOR):
        raise Forbidden("not_administrator", "Only an administrator gives roles.")
    email = body.email.lower()
    await door.limits.spend(MAIL_PER_ADDRESS, "invitation", email)
    await door.limits.spend(INVITATIONS_PER_PERSON, "invitation", str(actor.account_id))
    secret = crypto.new_secret()
    invitation = Invitation(
        organisation_id=organisation_id,
        email=email,
        roles=[role.value for role in body.roles],
        digest=crypto.digest(secret),
        invited_by_id=own.id,
    )
    db.add(invitation)
    await db.flush()
    audit.record(db, actor.account_id, "invitation.sent", invitation.id)
    await news.tell_coordinators(db, [organisation_id], "invitation.changed", invitation.id)
    await mail.send(
        db,
        to=email,
        subject=f"{own.organisation.name} invites you to Mentorspan",
        text=f"{own.name} invites you to join {own.organisation.name}:\n\n"
        f"{door.settings.public_url}/invitation#token={secret}\n\nThe link works once, for 14 days.\n",
    )
    return await queries.invitation(db, actor, invitation.id)


async def invitations(db: AsyncSession, actor: Actor, organisation_id: UUID) -> Select[Invitation]:
    """The invitations of an organisation that the actor coordinates."""
    await _coordinating(db, actor, organisation_id)
    return queries.invitations(organisation_id)


async def revoke_invitation(db: AsyncSession, actor: Actor, invitation_id: UUID) -> None:
    """Take a pending invitation back."""
    invitation = await queries.invitation(db, actor, invitation_id)
    invitation.revoke()
    audit.record(db, actor.account_id, "invitation.revoked", invitation.id)
    await news.tell_coordinators(db, [invitation.organisation_id], "invitation.changed", invitation.id)


async def accept_invitation(db: AsyncSession, actor: Actor, secret: str) -> Membership:
    """Join with an invitation that was mailed to my verified address."""
    invitation = await queries.invitation_by_secret(db, secret)
    account = await account_queries.by_id(db, actor.account_id)
    if invitation is None or invitation.email != account.email:
        raise NotFound("invitation_not_found", "This invitation is not for the address you signed in with.")
    await lock(db, "membership", account.id)  # two invitations, one membership
    existing = await queries.membership_of(db, invitation.organisation_id, account.id)
    if existing is not None and existing.ended_at is None:
        if invitation.status == "pending":
            await _accept(db, actor, invitation)
            existing.grant(invitation.roles)
            news.tell_owner(db, existing)
        return existing
    await _accept(db, actor, invitation)
    if existing is not None:
        existing.rejoin(invitation.roles)
        streams.change_roster(db, Address(StreamKind.MEMBERSHIP, existing.id))
        news.tell_joined(db, existing)
        emit(db, Rejoined(membership_id=existing.id, account_id=account.id))
        return existing
    membership = Membership(
        organisation_id=invitation.organisation_id,
        account_id=account.id,
        name=account.name,
        zone=account.zone,
        roles=list(invitation.roles),
    )
    db.add(membership)
    await db.flush()
    news.tell_joined(db, membership)
    return await queries.own(db, actor, membership.id)


async def _accept(db: AsyncSession, actor: Actor, invitation: Invitation) -> None:
    invitation.accept()
    audit.record(db, actor.account_id, "invitation.accepted", invitation.id)
    await news.tell_coordinators(db, [invitation.organisation_id], "invitation.changed", invitation.id)


async def propose_partnership(
    db: AsyncSession, actor: Actor, organisation_id: UUID, body: PartnershipPropose
) -> PartnershipRead:
    """Offer another organisation a partnership."""
    await _coordinating(db, actor, organisation_id, Role.ADMINISTRATOR)
    partner = await queries.organisation_by_slug(db, body.partner_slug)
    if partner is None:
        raise invalid(
            "/partner_slug", "No organisation has this short name. Ask them for it.", "unknown_partner"
        )
    if partner.id == organisation_id:
        raise invalid("/partner_slug", "This is your own organisation.", "own_organisation")
    if await queries.open_partnership(db, organisation_id, partner.id) is not None:
        raise Conflict("partnership_exists", "There is a partnership, or a proposal, between you already.")
    partnership = Partnership(organisation_id=organisation_id, partner_id=partner.id, note=body.note)
    db.add(partnership)
    try:
        await db.flush()
    except IntegrityError:
        raise Conflict(
            "partnership_exists", "There is a partnership, or a proposal, between you already."
        ) from None
    audit.record(db, actor.account_id, "partnership.proposed", partnership.id)
    await news.tell_both_sides(db, partnership)
    emit(
        db,
        PartnershipProposed(
            partnership_id=partnership.id, organisation_id=organisation_id, partner_id=partner.id
        ),
    )
    return await present_partnership(db, actor, await queries.partnership(db, actor, partnership.id))


async def decide_partnership(
    db: AsyncSession, actor: Actor, partnership_id: UUID, *, accept: bool
) -> PartnershipRead:
    """Answer a proposal; an administrator of the invited organisation does."""
    partnership = await queries.partnership(db, actor, partnership_id)
    own = (await queries.roles_by_organisation(db, actor)).get(partnership.partner_id)
    if own is None or not own.has(Role.ADMINISTRATOR):
        raise Forbidden("not_administrator", "An administrator of the invited organisation answers this.")
    partnership.decide(accept=accept)
    audit.record(db, actor.account_id, f"partnership.{partnership.status}", partnership.id)
    await news.tell_both_sides(db, partnership)
    return await present_partnership(db, actor, partnership)


async def end_partnership(db: AsyncSession, actor: Actor, partnership_id: UUID) -> PartnershipRead:
    """End it, from either side: nobody new is visible across; running pairings go on."""
    partnership = await queries.partnership(db, actor, partnership_id)
    own = await queries.roles_by_organisation(db, actor)
    sides = [own.get(partnership.organisation_id), own.get(partnership.partner_id)]
    if not any(side is not None and side.has(Role.ADMINISTRATOR) for side in sides):
        raise Forbidden("not_administrator", "An administrator of either organisation ends this.")
    partnership.end()
    audit.record(db, actor.account_id, "partnership.ended", partnership.id)
    await news.tell_both_sides(db, partnership)
    return await present_partnership(db, actor, partnership)


async def present_partnership(db: AsyncSession, actor: Actor, partnership: Partnership) -> PartnershipRead:
    """A partnership as the actor sees it."""
    own = await queries.roles_by_organisation(db, actor)
    return PartnershipRead.model_validate(partnership).model_copy(
        update={"may": _partnership_verbs(partnership, own)}
    )


def _partnership_verbs(partnership: Partnership, own: dict[UUID, Membership]) -> list[PartnershipVerb]:
    administers = {place for place, row in own.items() if row.has(Role.ADMINISTRATOR)}
    verbs: list[PartnershipVerb] = []
    if partnership.status == "proposed" and partnership.partner_id in administers:
        verbs += ["accept", "decline"]
    either_side = administers & {partnership.organisation_id, partnership.partner_id}
    if either_side and partnership.status in ("proposed", "accepted"):
        verbs.append("end")
    return verbs
