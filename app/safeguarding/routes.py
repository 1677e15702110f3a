"""Reports over HTTP."""

from uuid import UUID

from fastapi import APIRouter

from app.accounts.auth import CurrentActor
from app.core.db import Db
from app.core.errors import Conflict, Forbidden, NotFound, Unauthenticated, problems
from app.core.idempotency import OnceOnly
from app.core.paging import Page, Paging, fetch
from app.safeguarding import queries, service
from app.safeguarding.models import Report
from app.safeguarding.schemas import ReportFile, ReportRead, ReportReceipt, ReportResolve

router = APIRouter(prefix="/v1", tags=["safeguarding"])
_done = problems(Unauthenticated, Forbidden, NotFound, Conflict)


@router.post(
    "/reports", status_code=201, response_model=ReportReceipt, responses=problems(Unauthenticated, Conflict)
)
async def file_report(body: ReportFile, actor: CurrentActor, db: Db, once: OnceOnly) -> Report:
    """Report a person or a meeting to the coordinators; the reported person does not learn who did."""

    async def make() -> tuple[UUID, Report]:
        made = await service.file(db, actor, body)
        return made.id, made

    return await once.create(db, actor.account_id, make, lambda made: queries.own_one(db, actor, made))


@router.get("/reports", response_model=Page[ReportReceipt], responses=problems(Unauthenticated))
async def list_my_reports(actor: CurrentActor, db: Db, paging: Paging) -> Page[ReportReceipt]:
    """The reports I filed."""
    rows, cursor = await fetch(db, queries.own(actor), Report.id, paging)
    return Page(items=[ReportReceipt.model_validate(row) for row in rows], next_cursor=cursor)


@router.get(
    "/organisations/{organisation_id}/reports",
    response_model=Page[ReportRead],
    responses=problems(Unauthenticated, Forbidden, NotFound),
)
async def list_reports(
    organisation_id: UUID, actor: CurrentActor, db: Db, paging: Paging
) -> Page[ReportRead]:
    """The reports to an organisation that I coordinate; never those about me."""
    statement = await service.addressed_to(db, actor, organisation_id)
    rows, cursor = await fetch(db, statement, Report.id, paging)
    return Page(items=[ReportRead.model_validate(row) for row in rows], next_cursor=cursor)


@router.post(
    "/reports/{report_id}/resolve",
    response_model=ReportRead,
    responses=problems(Unauthenticated, NotFound, Conflict),
)
async def resolve_report(report_id: UUID, body: ReportResolve, actor: CurrentActor, db: Db) -> Report:
    """Close a report with a note of what was done."""
    return await service.resolve(db, actor, report_id, body)
