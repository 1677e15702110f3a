"""Calls: tickets and commands go out to signalling, facts come back and become attendance."""

import base64
import hashlib
import hmac
from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.auth import Actor, Doorkeeper
from app.accounts.events import SessionEnded
from app.blocks import queries as blocks
from app.core import clock, nodes
from app.core.db import emit
from app.core.errors import Conflict, Unavailable
from app.core.nodes import Node
from app.pairings import queries as pairings
from app.pairings.models import Kind, Pairing, Part
from app.scheduling import news, noshows, queries
from app.scheduling.events import CallWasRecorded
from app.scheduling.models import Attendance, AttendanceQuality, Call, Meeting, MeetingStatus
from app.scheduling.schemas import IceServer, TicketRead
from app.settings import Settings
from signalling.contracts.calls import (
    CallForwarded,
    CallRecorded,
    CommandDone,
    EndCall,
    Fact,
    NodeAlive,
    ParticipantJoined,
    ParticipantLeft,
    ParticipantQuality,
    ParticipantsPresent,
    RemoveFromCall,
    RevokeSession,
)
from signalling.contracts.tickets import (
    TICKET_SECONDS,
    CallTicket,
    IcePolicy,
    Permission,
    Topology,
    issue_call_ticket,
)

log = structlog.get_logger()
TURN_AFTER = timedelta(hours=1)


async def ticket(db: AsyncSession, actor: Actor, door: Doorkeeper, meeting_id: UUID) -> TicketRead:
    """Leave to enter the meeting's call now. Raises `Conflict` when it is not the time, `Unavailable`."""
    meeting = await queries.get(db, actor, meeting_id)
    pairing = await pairings.one(db, meeting.pairing_id)
    pairing.must_be_active()
    _must_be_joinable(meeting)
    people = pairing.people()
    accounts = {row.account_id for row in people.values()}
    own = next(row for row in people.values() if row.account_id == actor.account_id)
    if accounts & await blocks.apart_from(db, actor.account_id):
        # The same words for whoever blocked and whoever is blocked; neither learns more from them.
        raise Conflict("nobody_to_call", "You cannot join this meeting's call.")
    call, node = await _place(db, meeting)
    organisations = {row.organisation_id for row in people.values()}
    wanted, ice_policy = way_of(pairing.kind, across=len(organisations) > 1, settings=door.settings)
    topology, ice_policy = _way(call, wanted, ice_policy)
    permissions = permissions_in(pairing, own.id)
    issued = clock.now()
    signed = issue_call_ticket(
        CallTicket(
            account_id=actor.account_id,
            session_id=actor.session_id,
            membership_id=own.id,
            call_id=call.id,
            epoch=call.epoch,
            node=node.name,
            name=own.name,
            organisation=own.organisation.name,
            role=_role(pairing, own.id),
            permissions=permissions,
            topology=topology,
            ice_policy=ice_policy,
        ),
        key=door.keys.signing,
        issuer=door.settings.issuer,
        now=issued.timestamp(),
    )
    return TicketRead(
        ticket=signed,
        expires_at=issued + timedelta(seconds=TICKET_SECONDS),
        call_id=call.id,
        socket_url=f"{node.url}/calls/{call.id}",
        ice_servers=ice_servers(door.settings, actor.account_id, meeting.join_closes_at + TURN_AFTER),
        ice_policy=ice_policy,
        topology=topology,
        permissions=list(permissions),
    )


def way_of(kind: str, *, across: bool, settings: Settings) -> tuple[Topology, IcePolicy]:
    """How media travel in the calls of a pairing, unless the call has been promoted since.

    A circle's go through the server, however few are in it. Across organisations people do not learn each
    other's address: they, too, meet at the server, or at a relay where the operator prefers that.
    """
    if kind == Kind.CIRCLE:
        return "forwarded", "all"
    if not across:
        return "direct", "all"
    relayed = settings.calls_across_organisations == "relayed" and settings.has_relay
    return ("direct", "relay") if relayed else ("forwarded", "all")


def _way(call: Call, wanted: Topology, ice_policy: IcePolicy) -> tuple[Topology, IcePolicy]:
    """What is wanted, unless the call is forwarded already: it stays so, and needs no relay."""
    if wanted == "forwarded":
        call.topology = wanted
    return call.topology, "all" if call.topology == "forwarded" else ice_policy


def _must_be_joinable(meeting: Meeting) -> None:
    if meeting.status != MeetingStatus.BOOKED:
        raise meeting.refusal(f"meeting_{meeting.status}", f"This meeting is {meeting.status}.")
    if clock.now() < meeting.join_opens_at:
        raise Conflict("too_early", "The call opens 15 minutes before the meeting starts.")
    if clock.now() > meeting.join_closes_at:
        raise Conflict("meeting_over", "The call has closed: the meeting is over.")


def _role(pairing: Pairing, membership_id: UUID) -> str:
    return next(part.role for part in pairing.current() if part.membership_id == membership_id)


def permissions_in(pairing: Pairing, membership_id: UUID) -> tuple[Permission, ...]:
    """Everybody may speak and listen; whoever leads a circle may also mute."""
    leads = pairing.kind == Kind.CIRCLE and _role(pairing, membership_id) in (Part.LEAD, Part.MENTOR)
    return ("publish", "subscribe", "moderate") if leads else ("publish", "subscribe")


async def _place(db: AsyncSession, meeting: Meeting) -> tuple[Call, Node]:
    """The call and the live node that holds it; the meeting's row is locked, so only one caller decides."""
    found = {node.name: node for node in await nodes.live(db)}
    if not found:
        raise Unavailable("no_call_server", "No call server is reachable at the moment. Try again shortly.")
    call = await queries.call_of_meeting(db, meeting.id)
    if call is None:
        call = Call(meeting_id=meeting.id, node=next(iter(found)))
        db.add(call)
        await db.flush()
    elif call.node not in found:
        call.node = next(iter(found))
        call.epoch += 1
    return call, found[call.node]


def ice_servers(settings: Settings, account_id: UUID, until: datetime) -> list[IceServer]:
    """STUN as configured, TURN with credentials that expire (coturn's `use-auth-secret`).

    They must outlast the call: a phone that changes networks asks the relay anew, long after it entered.
    """
    found = [IceServer(urls=list(settings.stun_urls))] if settings.stun_urls else []
    if settings.has_relay:
        username = f"{int(until.timestamp())}:{account_id}"
        # The TURN REST scheme prescribes HMAC-SHA1.
        mac = hmac.new(settings.turn_secret.encode(), username.encode(), hashlib.sha1).digest()
        credential = base64.b64encode(mac).decode()
        found.append(IceServer(urls=list(settings.turn_urls), username=username, credential=credential))
    return found


# Commands


async def end(db: AsyncSession, call: Call) -> None:
    """End a call for everybody, at once and for good, also on the nodes that it has moved away from."""
    await nodes.command_all(db, EndCall, call_id=call.id)


async def remove(db: AsyncSession, call: Call, membership_ids: tuple[UUID, ...]) -> None:
    """Put these people out of a call, at once, wherever it has been held."""
    await nodes.command_all(db, RemoveFromCall, call_id=call.id, membership_ids=membership_ids)


async def session_ended(db: AsyncSession, event: SessionEnded) -> None:
    """A device that was signed out leaves its calls."""
    await nodes.command_all(db, RevokeSession, session_id=event.session_id)


# Facts


async def apply(db: AsyncSession, fact: Fact) -> None:
    """Take in what a node reports. Facts may come twice and out of order."""
    match fact:
        case NodeAlive() | CommandDone():
            await nodes.apply(db, fact)
        case ParticipantJoined() | ParticipantLeft():
            if not await queries.known_call_member(db, fact.call_id, fact.membership_id):
                log.warning("fact_about_unknown_call", call_id=str(fact.call_id), node=fact.node)
                return
            began = isinstance(fact, ParticipantJoined)
            if await (queries.stay_began if began else queries.stay_ended)(db, _stay(fact)):
                await _attended(db, [news.Stay(fact.call_id, fact.membership_id)])
        case ParticipantQuality():
            if await queries.known_call_member(db, fact.call_id, fact.membership_id):
                await queries.measured(db, _measured(fact))
        case CallForwarded():
            await queries.forwarded(db, fact.call_id)
        case CallRecorded():
            await _recorded(db, fact)
        case ParticipantsPresent():
            found = await queries.renew(db, fact.call_id, fact.participant_ids, fact.at)
            await _attended(db, [news.Stay(fact.call_id, membership_id) for membership_id in found])


async def _attended(db: AsyncSession, stays: Collection[news.Stay]) -> None:
    """Attendance is not what it was: who is shown it hears so, and how the meeting went may be another."""
    await news.tell_of_stays(db, stays)
    if stays:
        await noshows.correct(db, {stay.call_id for stay in stays})


async def _recorded(db: AsyncSession, fact: CallRecorded) -> None:
    if await queries.known_call(db, fact.call_id):
        emit(db, CallWasRecorded(fact=fact))
    else:
        log.warning("fact_about_unknown_call", call_id=str(fact.call_id), node=fact.node)


def _stay(fact: ParticipantJoined | ParticipantLeft) -> Attendance:
    return Attendance(
        id=fact.participant_id,
        call_id=fact.call_id,
        membership_id=fact.membership_id,
        joined_at=fact.at,
        seen_at=fact.at,
        left_at=fact.at if isinstance(fact, ParticipantLeft) else None,
        reason=fact.reason if isinstance(fact, ParticipantLeft) else None,
    )


def _measured(fact: ParticipantQuality) -> AttendanceQuality:
    return AttendanceQuality(
        attendance_id=fact.participant_id,
        call_id=fact.call_id,
        membership_id=fact.membership_id,
        at=fact.at,
        **fact.quality.model_dump(),
    )


async def lapse(db: AsyncSession, settings: Settings) -> int:
    """Close the stays of everyone whose node has been silent for too long."""
    closed = await queries.lapse(db, clock.now() - timedelta(seconds=settings.lease_lapse_seconds))
    await _attended(db, [news.Stay(*stay) for stay in closed])
    return len(closed)
