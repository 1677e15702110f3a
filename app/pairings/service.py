"""What can be done about mentorships."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.auth import Actor
from app.audit import service as audit
from app.blocks import queries as blocks
from app.blocks.events import Blocked
from app.core import clock
from app.core.db import emit
from app.core.errors import Conflict, Forbidden, NotFound, invalid
from app.core.locks import lock
from app.organisations import queries as organisations
from app.organisations.models import Membership
from app.pairings import news, queries
from app.pairings.events import (
    PairingAccepted,
    PairingDeclined,
    PairingEnded,
    PairingProposed,
    ParticipantWentAway,
)
from app.pairings.models import Goal, Kind, Pairing, Part, Participant, Status
from app.pairings.schemas import (
    AgreementEdit,
    CircleCreate,
    GoalCreate,
    GoalEdit,
    PairingAsk,
    PairingRead,
    verbs,
)

MOST_GOALS = 50


async def present(db: AsyncSession, actor: Actor, pairings: Sequence[Pairing]) -> list[PairingRead]:
    """The pairings as the actor sees them."""
    apart = await blocks.apart_from(db, actor.account_id)
    own = await organisations.roles_by_organisation(db, actor)
    coordinated = {place for place, row in own.items() if row.coordinates}
    return [
        PairingRead.of(row, me=actor.account_id, apart=apart, coordinated=row.organisation_id in coordinated)
        for row in pairings
    ]


async def read(db: AsyncSession, actor: Actor, pairing_id: UUID) -> PairingRead:
    """One pairing as the actor sees it."""
    return (await present(db, actor, [await queries.get(db, actor, pairing_id, lock=False)]))[0]


async def ask(db: AsyncSession, actor: Actor, body: PairingAsk) -> PairingRead:
    """Propose a mentorship to someone visible to the membership that asks."""
    try:
        own = await organisations.own(db, actor, body.membership_id)
    except NotFound:
        raise invalid("/membership_id", "Name one of your own memberships.", "not_your_membership") from None
    other = await blocks.person(db, actor, body.counterpart_id, through=own.id)
    roles = _roles(body)
    await lock(db, "pairing", own.id, other.id)
    if await queries.open_between(db, own.id, other.id, body.kind) is not None:
        raise Conflict(
            "pairing_exists", f"There is a mentorship, or a request, between you and {other.name}."
        )
    pairing = Pairing(kind=body.kind.value, note=body.note, proposed_by_id=own.id)
    for person, parts in ((own, roles[0]), (other, roles[1])):
        pairing.participants += [Participant(membership_id=person.id, role=part.value) for part in parts]
        if Part.MENTOR in parts:
            await _must_have_place(db, person)
    db.add(pairing)
    await db.flush()
    audit.record(db, actor.account_id, "pairing.proposed", pairing.id)
    await news.tell(db, pairing.id)
    emit(db, PairingProposed(pairing_id=pairing.id, proposed_by_id=own.id))
    return await read(db, actor, pairing.id)


def _roles(body: PairingAsk) -> tuple[list[Part], list[Part]]:
    """What the asking and the asked person are."""
    if body.kind is Kind.PEERS:
        allowed, roles = {None, Part.PEER}, ([Part.PEER], [Part.PEER])
    elif body.kind is Kind.RECIPROCAL:
        both = [Part.MENTOR, Part.MENTEE]
        allowed, roles = {None}, (both, both)
    elif body.role is Part.MENTOR:
        allowed, roles = {Part.MENTOR}, ([Part.MENTOR], [Part.MENTEE])
    else:
        allowed, roles = {None, Part.MENTEE}, ([Part.MENTEE], [Part.MENTOR])
    if body.role not in allowed:
        raise invalid(
            "/role", f"This part does not exist in a {body.kind.value} mentorship.", "role_not_in_kind"
        )
    return roles


async def _must_have_place(db: AsyncSession, mentor: Membership) -> None:
    if mentor.capacity == 0:
        raise Conflict("not_mentoring", f"{mentor.name} is not taking mentees at the moment.")
    taken = await queries.mentees_by_mentor(db, [mentor.id])
    if taken.get(mentor.id, 0) >= mentor.capacity:
        raise Conflict("mentor_full", f"{mentor.name} has no place for another mentee at the moment.")


async def accept(db: AsyncSession, actor: Actor, pairing_id: UUID) -> PairingRead:
    """Say yes to a proposal. A mentor's capacity holds under concurrency."""
    pairing = await queries.get(db, actor, pairing_id)
    await _must(db, actor, pairing, "accept", Status.PROPOSED)
    left, right = pairing.people().values()
    if not await organisations.linked(db, left.organisation_id, right.organisation_id):
        raise Conflict("no_longer_partners", "Your organisations are no longer partners.")
    await lock(db, "mentor", *pairing.mentors())
    for membership_id in pairing.mentors():
        await _must_have_place(db, pairing.people()[membership_id])
    pairing.move("accept")
    audit.record(db, actor.account_id, "pairing.accepted", pairing.id)
    await news.tell(db, pairing.id)
    emit(db, PairingAccepted(pairing_id=pairing.id, proposed_by_id=pairing.proposed_by_id))
    return await read(db, actor, pairing.id)


async def decline(db: AsyncSession, actor: Actor, pairing_id: UUID) -> PairingRead:
    """Say no to a proposal; no reason is asked."""
    pairing = await queries.get(db, actor, pairing_id)
    await _must(db, actor, pairing, "decline", Status.PROPOSED)
    pairing.move("decline")
    audit.record(db, actor.account_id, "pairing.declined", pairing.id)
    await news.tell(db, pairing.id)
    emit(db, PairingDeclined(pairing_id=pairing.id, proposed_by_id=pairing.proposed_by_id))
    return await read(db, actor, pairing.id)


async def withdraw(db: AsyncSession, actor: Actor, pairing_id: UUID) -> PairingRead:
    """Take my own proposal back."""
    pairing = await queries.get(db, actor, pairing_id)
    await _must(db, actor, pairing, "withdraw", Status.PROPOSED)
    await _finish(db, actor.account_id, pairing)
    return await read(db, actor, pairing.id)


async def end(db: AsyncSession, actor: Actor, pairing_id: UUID) -> PairingRead:
    """End an active mentorship; its booked meetings are cancelled."""
    pairing = await queries.get(db, actor, pairing_id)
    await _must(db, actor, pairing, "end", Status.ACTIVE)
    await _finish(db, actor.account_id, pairing)
    return await read(db, actor, pairing.id)


async def leave(db: AsyncSession, actor: Actor, pairing_id: UUID) -> None:
    """Leave a circle."""
    pairing = await queries.get(db, actor, pairing_id)
    if pairing.kind != Kind.CIRCLE:
        raise Conflict("not_a_circle", "A mentorship of two is ended, not left.")
    await _must(db, actor, pairing, "leave", Status.ACTIVE)
    mine = [part for part in pairing.current() if part.person.account_id == actor.account_id]
    for part in mine:
        part.left_at = clock.now()
    audit.record(db, actor.account_id, "pairing.left", pairing.id)
    ids = tuple(sorted({part.membership_id for part in mine}))
    await news.tell(db, pairing.id, also=ids)
    emit(
        db,
        ParticipantWentAway(pairing_id=pairing.id, account_id=actor.account_id, membership_ids=ids),
    )


async def _finish(db: AsyncSession, actor_id: UUID, pairing: Pairing) -> None:
    """Withdraw what is proposed, end what is active."""
    pairing.move("withdraw" if pairing.status == Status.PROPOSED else "end")
    audit.record(db, actor_id, f"pairing.{pairing.status}", pairing.id)
    await news.tell(db, pairing.id)
    emit(db, PairingEnded(pairing_id=pairing.id))


async def _must(db: AsyncSession, actor: Actor, pairing: Pairing, verb: str, needed: Status) -> None:
    """409 unless the pairing is in the state that the verb needs; 403 unless the actor may do it then."""
    if pairing.status != needed:
        raise Conflict(f"pairing_{pairing.status}", f"This mentorship is {pairing.status}.")
    mine = {part.membership_id for part in pairing.current() if part.person.account_id == actor.account_id}
    own = await organisations.roles_by_organisation(db, actor)
    place = own.get(pairing.organisation_id) if pairing.organisation_id else None
    if verb not in verbs(pairing, mine, coordinated=place is not None and place.coordinates):
        raise Forbidden("not_yours_to_decide", "This is for someone else in this mentorship to do.")


async def create_circle(
    db: AsyncSession, actor: Actor, organisation_id: UUID, body: CircleCreate
) -> PairingRead:
    """Bring people together whom the coordinator can see; everyone may leave again."""
    own = await organisations.own_in(db, actor, organisation_id)
    if not own.coordinates:
        raise Forbidden("not_coordinator", "A coordinator creates circles.")
    everyone = [*body.lead_ids, *body.mentee_ids]
    if len(set(everyone)) != len(everyone):
        raise invalid("/mentee_ids", "Name each person once.", "named_twice")
    pairing = Pairing(
        kind=Kind.CIRCLE.value,
        status=Status.ACTIVE.value,
        title=body.title,
        note=body.note,
        proposed_by_id=own.id,
        organisation_id=organisation_id,
        decided_at=clock.now(),
    )
    for part, ids in ((Part.LEAD, body.lead_ids), (Part.MENTEE, body.mentee_ids)):
        for membership_id in ids:
            if membership_id != own.id:
                await blocks.person(db, actor, membership_id, through=own.id)
            pairing.participants.append(Participant(membership_id=membership_id, role=part.value))
    db.add(pairing)
    await db.flush()
    audit.record(db, actor.account_id, "pairing.circle_created", pairing.id)
    await news.tell(db, pairing.id)
    emit(db, PairingAccepted(pairing_id=pairing.id, proposed_by_id=own.id))
    return await read(db, actor, pairing.id)


async def _editable(db: AsyncSession, actor: Actor, pairing_id: UUID) -> tuple[Pairing, UUID]:
    """An active pairing and the actor's membership in it."""
    pairing = await queries.get(db, actor, pairing_id)
    mine = [part.membership_id for part in pairing.current() if part.person.account_id == actor.account_id]
    if not mine:
        raise Forbidden("not_a_participant", "Only its participants change what they agreed.")
    pairing.must_be_active()
    return pairing, mine[0]


async def edit_agreement(
    db: AsyncSession, actor: Actor, pairing_id: UUID, body: AgreementEdit
) -> PairingRead:
    """Rewrite what the mentorship is for, unless someone else did since it was read."""
    pairing, mine = await _editable(db, actor, pairing_id)
    pairing.rewrite_agreement(body.text, body.version, mine)
    audit.record(db, actor.account_id, "pairing.agreement_edited", pairing.id)
    await news.tell(db, pairing.id)
    return await read(db, actor, pairing.id)


async def add_goal(db: AsyncSession, actor: Actor, pairing_id: UUID, body: GoalCreate) -> Goal:
    """Add a goal."""
    pairing, _ = await _editable(db, actor, pairing_id)
    if await queries.goals(db, pairing.id) >= MOST_GOALS:
        raise Conflict("too_many_goals", f"A mentorship has at most {MOST_GOALS} goals. Remove one first.")
    goal = Goal(pairing_id=pairing.id, text=body.text)
    db.add(goal)
    await db.flush()
    await news.tell(db, pairing.id)
    return goal


async def edit_goal(db: AsyncSession, actor: Actor, goal_id: UUID, body: GoalEdit) -> Goal:
    """Reword a goal or tick it off."""
    goal = await queries.goal(db, actor, goal_id)
    await _editable(db, actor, goal.pairing_id)
    for name, value in body.model_dump(exclude_unset=True).items():
        if value is not None:
            setattr(goal, name, value)
    goal.updated_at = clock.now()
    await news.tell(db, goal.pairing_id)
    return goal


async def remove_goal(db: AsyncSession, actor: Actor, goal_id: UUID) -> None:
    """Remove a goal."""
    goal = await queries.goal(db, actor, goal_id)
    await _editable(db, actor, goal.pairing_id)
    await db.delete(goal)
    await news.tell(db, goal.pairing_id)


async def keep_apart(db: AsyncSession, event: Blocked) -> None:
    """A block ends whatever two people have together."""
    for pairing in await queries.of_two(db, event.blocker_id, event.blocked_id):
        await _finish(db, event.blocker_id, pairing)
