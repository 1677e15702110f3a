"""Mentorships over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from app.accounts.auth import CurrentActor
from app.core.db import Db
from app.core.errors import Conflict, Forbidden, NotFound, Unauthenticated, problems
from app.core.idempotency import OnceOnly
from app.core.paging import Page, Paging, fetch
from app.pairings import queries, service
from app.pairings.models import Goal, Pairing, Status
from app.pairings.schemas import (
    AgreementEdit,
    CircleCreate,
    GoalCreate,
    GoalEdit,
    GoalRead,
    PairingAsk,
    PairingRead,
)

router = APIRouter(prefix="/v1", tags=["pairings"])
_done = problems(Unauthenticated, Forbidden, NotFound, Conflict)


@router.post(
    "/pairings",
    status_code=201,
    response_model=PairingRead,
    responses=problems(Unauthenticated, NotFound, Conflict),
)
async def ask_for_pairing(body: PairingAsk, actor: CurrentActor, db: Db, once: OnceOnly) -> PairingRead:
    """Ask someone to be my mentor, mentee or peer."""

    async def make() -> tuple[UUID, PairingRead]:
        made = await service.ask(db, actor, body)
        return made.id, made

    return await once.create(db, actor.account_id, make, lambda made: service.read(db, actor, made))


@router.post(
    "/organisations/{organisation_id}/circles",
    status_code=201,
    response_model=PairingRead,
    responses=problems(Unauthenticated, Forbidden, NotFound),
)
async def create_circle(
    organisation_id: UUID, body: CircleCreate, actor: CurrentActor, db: Db, once: OnceOnly
) -> PairingRead:
    """Bring a group together, as its organisation's coordinator."""

    async def make() -> tuple[UUID, PairingRead]:
        made = await service.create_circle(db, actor, organisation_id, body)
        return made.id, made

    return await once.create(db, actor.account_id, make, lambda made: service.read(db, actor, made))


@router.get("/pairings", response_model=Page[PairingRead], responses=problems(Unauthenticated))
async def list_pairings(
    actor: CurrentActor, db: Db, paging: Paging, status: Annotated[Status | None, Query()] = None
) -> Page[PairingRead]:
    """My mentorships, and the circles of organisations that I coordinate."""
    statement = queries.visible_to(actor)
    if status is not None:
        statement = statement.where(Pairing.status == status.value)
    rows, cursor = await fetch(db, statement, Pairing.id, paging)
    return Page(items=await service.present(db, actor, rows), next_cursor=cursor)


@router.get(
    "/pairings/{pairing_id}", response_model=PairingRead, responses=problems(Unauthenticated, NotFound)
)
async def read_pairing(pairing_id: UUID, actor: CurrentActor, db: Db) -> PairingRead:
    """One mentorship."""
    return await service.read(db, actor, pairing_id)


@router.post("/pairings/{pairing_id}/accept", response_model=PairingRead, responses=_done)
async def accept_pairing(pairing_id: UUID, actor: CurrentActor, db: Db) -> PairingRead:
    """Accept a proposed mentorship."""
    return await service.accept(db, actor, pairing_id)


@router.post("/pairings/{pairing_id}/decline", response_model=PairingRead, responses=_done)
async def decline_pairing(pairing_id: UUID, actor: CurrentActor, db: Db) -> PairingRead:
    """Decline a proposed mentorship; no reason is asked."""
    return await service.decline(db, actor, pairing_id)


@router.post("/pairings/{pairing_id}/withdraw", response_model=PairingRead, responses=_done)
async def withdraw_pairing(pairing_id: UUID, actor: CurrentActor, db: Db) -> PairingRead:
    """Take my proposal back."""
    return await service.withdraw(db, actor, pairing_id)


@router.post("/pairings/{pairing_id}/end", response_model=PairingRead, responses=_done)
async def end_pairing(pairing_id: UUID, actor: CurrentActor, db: Db) -> PairingRead:
    """End a mentorship; its booked meetings are cancelled."""
    return await service.end(db, actor, pairing_id)


@router.post("/pairings/{pairing_id}/leave", status_code=204, responses=_done)
async def leave_circle(pairing_id: UUID, actor: CurrentActor, db: Db) -> None:
    """Leave a circle."""
    await service.leave(db, actor, pairing_id)


@router.put("/pairings/{pairing_id}/agreement", response_model=PairingRead, responses=_done)
async def edit_agreement(pairing_id: UUID, body: AgreementEdit, actor: CurrentActor, db: Db) -> PairingRead:
    """Rewrite what the mentorship is for; refused when someone else did since `version` was read."""
    return await service.edit_agreement(db, actor, pairing_id, body)


@router.post("/pairings/{pairing_id}/goals", status_code=201, response_model=GoalRead, responses=_done)
async def add_goal(pairing_id: UUID, body: GoalCreate, actor: CurrentActor, db: Db, once: OnceOnly) -> Goal:
    """Add a goal."""

    async def make() -> tuple[UUID, Goal]:
        made = await service.add_goal(db, actor, pairing_id, body)
        return made.id, made

    return await once.create(db, actor.account_id, make, lambda made: queries.goal(db, actor, made))


@router.patch(
    "/goals/{goal_id}", response_model=GoalRead, responses=problems(Unauthenticated, NotFound, Conflict)
)
async def edit_goal(goal_id: UUID, body: GoalEdit, actor: CurrentActor, db: Db) -> Goal:
    """Reword a goal or tick it off."""
    return await service.edit_goal(db, actor, goal_id, body)


@router.delete("/goals/{goal_id}", status_code=204, responses=problems(Unauthenticated, NotFound, Conflict))
async def remove_goal(goal_id: UUID, actor: CurrentActor, db: Db) -> None:
    """Remove a goal."""
    await service.remove_goal(db, actor, goal_id)
