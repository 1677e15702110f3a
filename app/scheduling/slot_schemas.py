"""What travels about slots and holds."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StrictInt

from app.core.schemas import Body, Instant, Read, Zone


class SlotsAsk(BaseModel):
    """Which slots."""

    model_config = ConfigDict(frozen=True)

    start: Instant | None = Field(
        default=None,
        alias="from",
        description="Starting at this instant or later; what has passed is left out.",
    )
    end: Instant | None = Field(
        default=None, alias="to", description="Starting before this instant, at most 35 days later."
    )
    duration_minutes: int | None = Field(
        default=None, ge=5, le=480, description="One of the lengths that are offered; 45 where that is one."
    )
    zone: Zone | None = Field(
        default=None, description="On whose wall clocks the starts are round; without it, my own zone."
    )
    order: Literal["time", "best"] = Field(
        default="time", description="The best first: those that suit the most people."
    )


class SlotRead(Read):
    starts_at: datetime
    ends_at: datetime
    available: int = Field(description="How many it suits.", examples=[2])
    of: int = Field(description="Of how many who are shown to me.", examples=[2])


class SlotPerson(Read):
    membership_id: UUID | None = Field(description="Null in my own slots, which belong to no mentorship.")
    name: str
    zone: str = Field(description="Of the schedule that holds here.")
    assumed: bool = Field(description="They made no schedule: weekdays from nine to five are assumed.")
    paused: bool = Field(description="They have stopped meeting until further notice.")
    confirm: bool = Field(description="What others book waits for their yes.")
    is_me: bool


class SlotsRead(Read):
    zone: str
    duration_minutes: int
    step_minutes: int = Field(examples=[15])
    slots: list[SlotRead]
    next_available: datetime | None = Field(
        description="The first of them; after an empty window, the next within twenty weeks."
    )
    people: list[SlotPerson]


class HoldCreate(Body):
    starts_at: Instant
    duration_minutes: Annotated[StrictInt, Field(ge=5, le=480, examples=[45])]


class HoldRead(Read):
    """A time that nobody else gets until it expires."""

    id: UUID
    starts_at: datetime
    ends_at: datetime
    expires_at: datetime
