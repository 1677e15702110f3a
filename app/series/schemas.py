"""What travels about recurrence rules and series."""

from datetime import datetime

from pydantic import Field

from app.core.schemas import Read
from app.series.recurrence import Occurrence


class PreviewItem(Read):
    local: str = Field(description="What the clock on the wall shows then.", examples=["1997-09-02T09:00:00"])
    instant: datetime
    shifted: bool = Field(
        description="The clocks leave out the time of the rule on that day, so it comes later on the clock."
    )

    @classmethod
    def of(cls, found: Occurrence) -> "PreviewItem":
        return cls(local=found.local.isoformat(), instant=found.instant, shifted=found.shifted)


class RecurrencePreview(Read):
    items: list[PreviewItem] = Field(description="The first times, in order.")
    ends: bool = Field(description="Whether this rule comes to an end, or goes on for ever.")
