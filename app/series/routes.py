"""Recurrence rules and series of meetings over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query

from app.accounts.auth import CurrentActor
from app.core.db import Db
from app.core.errors import Unauthenticated, problems
from app.core.schemas import Zone
from app.series import service
from app.series.schemas import RecurrencePreview

router = APIRouter(prefix="/v1", tags=["series"])

Wall = Annotated[str, Query(max_length=19, examples=["1997-09-02T09:00:00"])]


@router.get("/recurrences/preview", response_model=RecurrencePreview, responses=problems(Unauthenticated))
async def preview_recurrence(
    actor: CurrentActor,
    db: Db,
    dtstart: Annotated[Wall, Query(description="From when on, in local time.")],
    zone: Annotated[Zone, Query()],
    rule: Annotated[
        str,
        Query(
            max_length=500,
            description="An RRULE of RFC 5545: DAILY, WEEKLY or MONTHLY with INTERVAL, COUNT or UNTIL, "
            "BYDAY, BYMONTHDAY, BYSETPOS and WKST. Anything else is refused with a reason.",
            examples=["FREQ=MONTHLY;BYDAY=1TU;COUNT=6"],
        ),
    ],
    limit: Annotated[int, Query(ge=1, le=100, description="How many at most.")] = 10,
    exdate: Annotated[
        list[Wall], Query(max_length=100, description="A local time to leave out; may be given again.")
    ] = [],  # noqa: B006 - FastAPI makes a new one for each request
) -> RecurrencePreview:
    """The next times of a rule, so that clients need not expand rules themselves."""
    return service.preview(rule, dtstart, zone, exdate, limit)
