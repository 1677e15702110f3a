"""What travels about reminders."""

from datetime import time
from typing import Annotated, TypeVar

from pydantic import AfterValidator, Field, StrictBool, StrictInt, model_validator

from app.core.schemas import Body, Read, Zone
from app.notifications.models import Channel, ReminderPreferences

_T = TypeVar("_T")
WallTime = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", examples=["22:00"])]


def _distinct(values: list[_T]) -> list[_T]:
    if len(set(values)) != len(values):
        raise ValueError("names the same twice; give each once")
    return values


class QuietHours(Body):
    """By the clock on my wall; over midnight when the end is earlier than the start."""

    start: WallTime
    end: Annotated[WallTime, Field(examples=["07:00"])]

    @model_validator(mode="after")
    def _differ(self) -> "QuietHours":
        if self.start == self.end:
            raise ValueError("start and end are the same; to be left alone always, choose no channel")
        return self


Channels = Annotated[
    list[Channel], Field(max_length=2, examples=[["mail", "page"]]), AfterValidator(_distinct)
]
Leads = Annotated[
    list[Annotated[StrictInt, Field(ge=5, le=20160)]],
    Field(max_length=5, examples=[[1440, 60, 10]]),
    AfterValidator(_distinct),
]


class ReminderPreferencesEdit(Body):
    """All of them: what is there is replaced."""

    channels: Channels = Field(description="None: no reminders at all.")
    lead_minutes: Leads = Field(description="How long before a meeting, up to two weeks.")
    quiet_hours: QuietHours | None = Field(
        description="Reminders that would come then come before, but those of 30 minutes or less stay."
    )
    agenda: StrictBool = Field(description="A mail at 17:00 with the meetings of the next day, if any.")
    nudges: StrictBool = Field(description="Whether to be told when a mentorship has been quiet for weeks.")


class ReminderPreferencesRead(Read):
    channels: Channels
    lead_minutes: list[int] = Field(examples=[[1440, 60, 10]])
    quiet_hours: QuietHours | None
    agenda: bool
    nudges: bool
    zone: Zone = Field(description="Mine, in which these hours are meant; it is changed with my account.")

    @classmethod
    def of(cls, row: ReminderPreferences, zone: str) -> "ReminderPreferencesRead":
        """What the row says, in its owner's zone."""
        quiet = row.quiet
        return cls(
            channels=[Channel(each) for each in row.channels],
            lead_minutes=sorted(row.lead_minutes, reverse=True),
            quiet_hours=quiet and QuietHours(start=f"{quiet.start:%H:%M}", end=f"{quiet.end:%H:%M}"),
            agenda=row.agenda,
            nudges=row.nudges,
            zone=zone,
        )


def wall(value: str) -> time:
    """A wall time as it is stored."""
    return time.fromisoformat(value)
