"""Organisations, memberships, invitations and partnerships over HTTP."""

from uuid import UUID

from fastapi import APIRouter

from app.accounts import queries as account_queries
from app.accounts import service as accounts
from app.accounts.auth import FEW_TRIES, CurrentActor, Door
from app.accounts.schemas import Accepted, AccountEdit, AccountRead, SignUp
from app.core.db import Db
from app.core.errors import (
    Conflict,
    Forbidden,
    NotFound,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
    problems,
)
from app.core.idempotency import OnceOnly
from app.core.paging import Page, Paging, fetch
from app.organisations import queries, service
from app.organisations.models import Invitation, Membership, Organisation, Partnership
from app.organisations.schemas import (
    InvitationAccept,
    InvitationCreate,
    InvitationRead,
    Me,
    MembershipRead,
    OrganisationCreate,
    OrganisationRead,
    PartnershipPropose,
    PartnershipRead,
    ProfileEdit,
    RolesEdit,
)

router = APIRouter(prefix="/v1")
_seen = problems(Unauthenticated, NotFound)
_done = problems(Unauthenticated, Forbidden, NotFound, Conflict)


@router.post(
    "/accounts",
    status_code=202,
    response_model=Accepted,
    tags=["accounts"],
    dependencies=FEW_TRIES,
    responses=problems(Forbidden, TooManyRequests, Unavailable),
)
async def sign_up(body: SignUp, door: Door, db: Db) -> Accepted:
    """Open an account. The answer does not tell whether the address was known: the mail does."""
    await service.sign_up(db, door, body)
    return Accepted()


@router.get("/me", response_model=Me, tags=["accounts"], responses=problems(Unauthenticated))
async def read_me(actor: CurrentActor, db: Db) -> Me:
    """Me: my account and my memberships."""
    account = await account_queries.by_id(db, actor.account_id)
    memberships = await queries.all_own(db, actor)
    return Me(
        account=AccountRead.model_validate(account),
        memberships=[MembershipRead.model_validate(row) for row in memberships],
    )


@router.patch("/me", response_model=AccountRead, tags=["accounts"], responses=problems(Unauthenticated))
async def edit_me(body: AccountEdit, actor: CurrentActor, db: Db) -> object:
    """Change my name, my time zone, or whether others see me online."""
    return await accounts.edit(db, actor, body)


tagged = APIRouter(tags=["organisations"])


@tagged.post(
    "/organisations", status_code=201, response_model=OrganisationRead, responses=problems(Unauthenticated)
)
async def create_organisation(
    body: OrganisationCreate, actor: CurrentActor, db: Db, once: OnceOnly
) -> Organisation:
    """Found an organisation; you become its administrator."""

    async def make() -> tuple[UUID, Organisation]:
        made = await service.create(db, actor, body)
        return made.id, made

    return await once.create(db, actor.account_id, make, lambda made: queries.organisation(db, actor, made))


@tagged.get("/organisations", response_model=Page[OrganisationRead], responses=problems(Unauthenticated))
async def list_organisations(actor: CurrentActor, db: Db, paging: Paging) -> Page[OrganisationRead]:
    """The organisations I am in."""
    rows, cursor = await fetch(db, queries.organisations(actor), Organisation.id, paging)
    return Page(items=[OrganisationRead.model_validate(row) for row in rows], next_cursor=cursor)


@tagged.get("/organisations/{organisation_id}", response_model=OrganisationRead, responses=_seen)
async def read_organisation(organisation_id: UUID, actor: CurrentActor, db: Db) -> Organisation:
    """One of my organisations."""
    return await queries.organisation(db, actor, organisation_id)


@tagged.get(
    "/organisations/{organisation_id}/memberships", response_model=Page[MembershipRead], responses=_seen
)
async def list_memberships(
    organisation_id: UUID, actor: CurrentActor, db: Db, paging: Paging
) -> Page[MembershipRead]:
    """The people of one of my organisations."""
    await queries.organisation(db, actor, organisation_id)
    statement = queries.members(actor).where(Membership.organisation_id == organisation_id)
    rows, cursor = await fetch(db, statement, Membership.id, paging)
    return Page(items=[MembershipRead.model_validate(row) for row in rows], next_cursor=cursor)


@tagged.get("/memberships/{membership_id}", response_model=MembershipRead, responses=_seen)
async def read_membership(membership_id: UUID, actor: CurrentActor, db: Db) -> Membership:
    """A membership in one of my organisations."""
    return await queries.member(db, actor, membership_id)


@tagged.patch(
    "/memberships/{membership_id}",
    response_model=MembershipRead,
    responses=problems(Unauthenticated, Forbidden, NotFound),
)
async def edit_profile(membership_id: UUID, body: ProfileEdit, actor: CurrentActor, db: Db) -> Membership:
    """Edit my profile in one organisation."""
    return await service.edit_profile(db, actor, membership_id, body)


@tagged.put("/memberships/{membership_id}/roles", response_model=MembershipRead, responses=_done)
async def set_roles(membership_id: UUID, body: RolesEdit, actor: CurrentActor, db: Db) -> Membership:
    """Set the roles of a person in an organisation that I administer."""
    return await service.set_roles(db, actor, membership_id, body)


@tagged.post(
    "/organisations/{organisation_id}/invitations",
    status_code=201,
    response_model=InvitationRead,
    responses=problems(Unauthenticated, Forbidden, NotFound, TooManyRequests),
)
async def invite(
    organisation_id: UUID, body: InvitationCreate, actor: CurrentActor, door: Door, db: Db, once: OnceOnly
) -> Invitation:
    """Invite someone by mail."""

    async def make() -> tuple[UUID, Invitation]:
        made = await service.invite(db, actor, door, organisation_id, body)
        return made.id, made

    return await once.create(db, actor.account_id, make, lambda made: queries.invitation(db, actor, made))


@tagged.get(
    "/organisations/{organisation_id}/invitations",
    response_model=Page[InvitationRead],
    responses=problems(Unauthenticated, Forbidden, NotFound),
)
async def list_invitations(
    organisation_id: UUID, actor: CurrentActor, db: Db, paging: Paging
) -> Page[InvitationRead]:
    """The invitations of an organisation that I coordinate."""
    statement = await service.invitations(db, actor, organisation_id)
    rows, cursor = await fetch(db, statement, Invitation.id, paging)
    return Page(items=[InvitationRead.model_validate(row) for row in rows], next_cursor=cursor)


@tagged.delete(
    "/invitations/{invitation_id}", status_code=204, responses=problems(Unauthenticated, NotFound, Conflict)
)
async def revoke_invitation(invitation_id: UUID, actor: CurrentActor, db: Db) -> None:
    """Take a pending invitation back."""
    await service.revoke_invitation(db, actor, invitation_id)


@tagged.post(
    "/invitations/accept",
    status_code=201,
    response_model=MembershipRead,
    responses=problems(Unauthenticated, NotFound, Conflict),
)
async def accept_invitation(body: InvitationAccept, actor: CurrentActor, db: Db) -> Membership:
    """Join an organisation with the token from the mail; repeating it changes nothing."""
    return await service.accept_invitation(db, actor, body.token)


@tagged.post(
    "/organisations/{organisation_id}/partnerships",
    status_code=201,
    response_model=PartnershipRead,
    responses=_done,
)
async def propose_partnership(
    organisation_id: UUID, body: PartnershipPropose, actor: CurrentActor, db: Db, once: OnceOnly
) -> PartnershipRead:
    """Propose a partnership to another organisation, named by its short name (slug)."""

    async def make() -> tuple[UUID, PartnershipRead]:
        made = await service.propose_partnership(db, actor, organisation_id, body)
        return made.id, made

    async def again(made: UUID) -> PartnershipRead:
        return await service.present_partnership(db, actor, await queries.partnership(db, actor, made))

    return await once.create(db, actor.account_id, make, again)


@tagged.get(
    "/organisations/{organisation_id}/partnerships", response_model=Page[PartnershipRead], responses=_seen
)
async def list_partnerships(
    organisation_id: UUID, actor: CurrentActor, db: Db, paging: Paging
) -> Page[PartnershipRead]:
    """The partnerships of one of my organisations, in every state."""
    await queries.organisation(db, actor, organisation_id)
    rows, cursor = await fetch(db, queries.partnerships(organisation_id), Partnership.id, paging)
    items = [await service.present_partnership(db, actor, row) for row in rows]
    return Page(items=items, next_cursor=cursor)


@tagged.post("/partnerships/{partnership_id}/accept", response_model=PartnershipRead, responses=_done)
async def accept_partnership(partnership_id: UUID, actor: CurrentActor, db: Db) -> PartnershipRead:
    """Accept a partnership that was proposed to us."""
    return await service.decide_partnership(db, actor, partnership_id, accept=True)


@tagged.post("/partnerships/{partnership_id}/decline", response_model=PartnershipRead, responses=_done)
async def decline_partnership(partnership_id: UUID, actor: CurrentActor, db: Db) -> PartnershipRead:
    """Decline a partnership that was proposed to us."""
    return await service.decide_partnership(db, actor, partnership_id, accept=False)


@tagged.post("/partnerships/{partnership_id}/end", response_model=PartnershipRead, responses=_done)
async def end_partnership(partnership_id: UUID, actor: CurrentActor, db: Db) -> PartnershipRead:
    """End a partnership, or take back its proposal."""
    return await service.end_partnership(db, actor, partnership_id)


router.include_router(tagged)
