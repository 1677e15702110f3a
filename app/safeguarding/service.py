"""What can be done when something is wrong."""

from uuid import UUID

from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.auth import Actor
from app.audit import service as audit
from app.blocks import queries as blocks
from app.core import streams
from app.core.db import emit
from app.core.errors import Conflict, Forbidden, NotFound, invalid
from app.core.streams import Address, StreamKind
from app.organisations import news
from app.organisations import queries as organisations
from app.organisations.events import ProfileEdited
from app.organisations.models import Membership
from app.pairings import queries as pairings
from app.safeguarding import queries
from app.safeguarding.events import ReportFiled
from app.safeguarding.models import Report
from app.safeguarding.schemas import ReportFile, ReportResolve
from app.scheduling import queries as meetings


async def file(db: AsyncSession, actor: Actor, body: ReportFile) -> Report:
    """Tell the reporter's own coordinators, and the reported person's.

    One report per organisation that must act; the reporter's own is returned.
    """
    subject = await _subject(db, actor, body)
    met = await _people_met(db, actor, body)
    own = await _reporting_as(db, actor, met, subject)
    about = _about(subject, met, actor.account_id)
    places = [own.organisation_id]
    if subject is not None and subject.organisation_id != own.organisation_id:
        places.append(subject.organisation_id)
    reports = [
        Report(
            reporter_id=actor.account_id,
            organisation_id=place,
            reporter_membership_id=own.id,
            subject_membership_id=subject.id if subject else None,
            meeting_id=body.meeting_id,
            text=body.text,
        )
        for place in places
    ]
    await _must_reach_someone(db, places, about)
    db.add_all(reports)
    await db.flush()
    for report in reports:
        audit.record(db, actor.account_id, "report.filed", report.id)
        await news.tell_coordinators(db, [report.organisation_id], "report.changed", report.id, without=about)
        emit(
            db,
            ReportFiled(
                report_id=report.id,
                organisation_id=report.organisation_id,
                about=frozenset(about),
            ),
        )
    _tell_reporter(db, reports[0])
    return reports[0]


def _about(subject: Membership | None, met: dict[UUID, Membership], reporter_id: UUID) -> set[UUID]:
    """The accounts that a report is about, or may be; `queries.addressed_to` keeps it from them."""
    return {subject.account_id} if subject else {row.account_id for row in met.values()} - {reporter_id}


async def _must_reach_someone(db: AsyncSession, places: list[UUID], about: set[UUID]) -> None:
    """A report that only its subject could read must not look as if it had been heard."""
    for place in places:
        if await organisations.coordinator_accounts(db, place) - about:
            return
    raise Conflict(
        "nobody_to_report_to",
        "Nobody but the person concerned could read this here, so it was not sent. Turn to someone you trust "
        "outside Mentorspan, or to the people who run this service.",
    )


async def _subject(db: AsyncSession, actor: Actor, body: ReportFile) -> Membership | None:
    if body.membership_id is None:
        return None
    try:
        return await blocks.person_known(db, actor, body.membership_id)
    except NotFound:
        raise invalid("/membership_id", "There is nobody here that you can see.", "unknown_person") from None


async def _people_met(db: AsyncSession, actor: Actor, body: ReportFile) -> dict[UUID, Membership]:
    """Everyone who is or was in what is reported, the actor among them; nobody when no meeting is."""
    if body.meeting_id is None:
        return {}
    try:
        meeting = await meetings.known(db, actor, body.meeting_id)
    except NotFound:
        raise invalid(
            "/meeting_id", "There is no meeting here that you can see.", "unknown_meeting"
        ) from None
    return await _ever_in(db, meeting.pairing_id)


async def _ever_in(db: AsyncSession, pairing_id: UUID) -> dict[UUID, Membership]:
    return {part.membership_id: part.person for part in (await pairings.one(db, pairing_id)).participants}


async def _reporting_as(
    db: AsyncSession, actor: Actor, met: dict[UUID, Membership], subject: Membership | None
) -> Membership:
    """The membership through which the actor met what is reported."""
    own = await organisations.all_own(db, actor)
    if not own:
        raise Conflict("no_organisation", "You are in no organisation whose coordinators could act.")
    here = subject.organisation_id if subject and not met else None
    return next((row for row in own if row.id in met or row.organisation_id == here), own[0])


async def addressed_to(db: AsyncSession, actor: Actor, organisation_id: UUID) -> Select[Report]:
    """The reports of an organisation, for its coordinators."""
    own = await organisations.own_in(db, actor, organisation_id)
    if not own.coordinates:
        raise Forbidden("not_coordinator", "Reports are read by coordinators only.")
    return queries.addressed_to(actor, organisation_id)


async def resolve(db: AsyncSession, actor: Actor, report_id: UUID, body: ReportResolve) -> Report:
    """Close a report with a note of what was done."""
    report = await queries.get(db, actor, report_id)
    report.resolve(body.note)
    audit.record(db, actor.account_id, "report.resolved", report.id)
    await _tell_coordinators(db, report)
    if report.organisation_id == report.reporter.organisation_id:
        _tell_reporter(db, report)
    return report


async def profile_edited(db: AsyncSession, event: ProfileEdited) -> None:
    """Reports name who filed them and whom they are about."""
    for report in await queries.naming(db, event.membership_id):
        await _tell_coordinators(db, report)


# News


async def _tell_coordinators(db: AsyncSession, report: Report) -> None:
    """Those who can read it."""
    met: dict[UUID, Membership] = {}
    if report.meeting_id is not None and report.subject is None:
        met = await _ever_in(db, (await meetings.one(db, report.meeting_id)).pairing_id)
    about = _about(report.subject, met, report.reporter_id)
    await news.tell_coordinators(db, [report.organisation_id], "report.changed", report.id, without=about)


def _tell_reporter(db: AsyncSession, report: Report) -> None:
    mine = Address(StreamKind.MEMBERSHIP, report.reporter_membership_id)
    streams.announce(db, mine, "report.changed", report.id)
