"""What travels about reports."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, model_validator

from app.core.schemas import Body, Prose, Read
from app.organisations.schemas import PersonBrief


class ReportFile(Body):
    """Tell your coordinators; name the person, the meeting, or both."""

    membership_id: UUID | None = Field(default=None, description="The person.")
    meeting_id: UUID | None = None
    text: Annotated[Prose, Field(min_length=1, max_length=8000)]

    @model_validator(mode="after")
    def _about_something(self) -> "ReportFile":
        if self.membership_id is None and self.meeting_id is None:
            raise ValueError("name the person or the meeting")
        return self


class ReportReceipt(Read):
    """What the reporter sees of it."""

    id: UUID
    text: str
    created_at: datetime
    resolved_at: datetime | None


class ReportRead(ReportReceipt):
    """What the coordinators see of it."""

    organisation_id: UUID
    reporter: PersonBrief
    subject: PersonBrief | None
    meeting_id: UUID | None
    resolution: str


class ReportResolve(Body):
    note: Annotated[Prose, Field(min_length=1, max_length=4000)]
