"""Reminders over HTTP."""

from fastapi import APIRouter

from app.accounts.auth import CurrentActor
from app.core.db import Db
from app.core.errors import Unauthenticated, problems
from app.notifications import reminding
from app.notifications.schemas import ReminderPreferencesEdit, ReminderPreferencesRead

router = APIRouter(prefix="/v1", tags=["notifications"])


@router.get(
    "/reminder-preferences",
    response_model=ReminderPreferencesRead,
    responses=problems(Unauthenticated),
)
async def read_reminder_preferences(actor: CurrentActor, db: Db) -> ReminderPreferencesRead:
    """How I want to be reminded of meetings."""
    return await reminding.preferences(db, actor)


@router.put(
    "/reminder-preferences",
    response_model=ReminderPreferencesRead,
    responses=problems(Unauthenticated),
)
async def set_reminder_preferences(
    body: ReminderPreferencesEdit, actor: CurrentActor, db: Db
) -> ReminderPreferencesRead:
    """Say how I want to be reminded; it holds at once, also for what is booked already."""
    return await reminding.set_preferences(db, actor, body)
