"""The calls of this node: lets sockets in, carries out what the core decides, obeys app's commands."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import replace
from uuid import UUID, uuid4

import structlog

from signalling.admissions import Admissions
from signalling.contracts.calls import (
    Command,
    CommandDone,
    EndCall,
    RemoveFromCall,
    RevokeSession,
)
from signalling.contracts.tickets import CallTicket
from signalling.engines import Engines
from signalling.facts import FactKeeper
from signalling.media.port import Admission, MediaEngine, Outlet, Recording, TakeEnd
from signalling.protocol.codes import CloseCode, ErrorCode
from signalling.protocol.effects import (
    CarriedOver,
    Close,
    Effect,
    Entered,
    Left,
    Refused,
    Send,
)
from signalling.protocol.messages import ClientMessage, Hello, Told
from signalling.protocol.parts import VERSION, Resume
from signalling.protocol.peer import Entrant
from signalling.protocol.room import Room
from signalling.reports import Reports
from signalling.settings import Settings
from signalling.stays import Link, Stay, Stays

REMEMBERED_COMMANDS = 10_000
BROKEN_OFF: dict[TakeEnd | None, str] = {
    "too_long": "The recording has reached its greatest length. Begin another one if you need it.",
    "disk_full": "The recording has ended, as there is no room left for it. What was recorded is kept.",
    "disk_slow": "The recording has ended, as the disk was too slow. What was recorded is kept.",
    "disk_failed": "The recording has ended, as it could not be written. What was recorded is kept.",
}
EngineFactory = Callable[[Outlet], MediaEngine]

log = structlog.get_logger()


class Hub:
    """All calls of this node."""

    def __init__(
        self,
        settings: Settings,
        admissions: Admissions,
        facts: FactKeeper,
        engines: Iterable[EngineFactory],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.rooms: dict[UUID, Room] = {}
        self._settings = settings
        self._admissions = admissions
        self._facts = facts
        self._reports = Reports(settings.node, facts, clock)
        self._stays = Stays()
        self._engines = Engines(
            [make(self._deliver) for make in engines],
            self._stays,
            self._reports,
            self._send,
            self._recorded,
        )
        self._obeyed: OrderedDict[UUID, None] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Make the engines ready. Raises `OSError` when a port of theirs is taken."""
        await self._engines.open()

    async def close(self) -> None:
        """Let go of what the engines hold."""
        await self._engines.close()

    # What sockets do

    async def enter(self, call_id: UUID, hello: Hello, link: Link) -> Stay:
        """Let a socket in by ticket or resume token. Raises `Refused`."""
        if hello.version != VERSION:
            detail = f"This server speaks version {VERSION}."
            raise Refused(ErrorCode.UNSUPPORTED_VERSION, CloseCode.PROTOCOL_ERROR, detail)
        if hello.resume is not None:
            return await self._resume(call_id, hello, hello.resume, link)
        ticket = await self._admissions.admit(hello.ticket or "", call_id)
        return await self._admit(ticket, hello, link)

    async def receive(self, stay: Stay, link: Link, message: ClientMessage) -> None:
        """Take one message from a socket."""
        room = self._heard(stay, link)
        if room is not None:
            await self._carry_out(room, room.receive(stay.participant_id, message))

    async def invalid(self, stay: Stay, link: Link, detail: str, about: str | None) -> None:
        """Take something from a socket that is no message."""
        room = self._heard(stay, link)
        if room is not None:
            await self._carry_out(room, room.invalid(stay.participant_id, detail, about))

    async def lost(self, stay: Stay, link: Link) -> None:
        """A socket is gone without a goodbye."""
        room = self.rooms.get(stay.call_id)
        if room is None or stay.link is not link:
            return
        loop = asyncio.get_running_loop()
        await self._carry_out(room, room.lost(stay.participant_id, loop.time()))
        loop.call_later(room.grace + 0.01, self._expire, room)

    async def left(self, stay: Stay, link: Link) -> None:
        """A socket was closed with a goodbye."""
        room = self.rooms.get(stay.call_id)
        if room is not None and stay.link is link:
            await self._carry_out(room, room.leave(stay.participant_id))

    async def drop(self, stay: Stay, link: Link, code: CloseCode) -> None:
        """A socket broke the rules."""
        room = self.rooms.get(stay.call_id)
        if room is not None and stay.link is link:
            await self._carry_out(room, room.drop(stay.participant_id, code))

    # What app commands

    async def obey(self, command: Command) -> None:
        """Carry out a command once, and answer it every time."""
        if command.id not in self._obeyed:
            await self._act(command)
            self._obeyed[command.id] = None
            if len(self._obeyed) > REMEMBERED_COMMANDS:
                self._obeyed.popitem(last=False)
        self._facts.keep(CommandDone(node=self._settings.node, command_id=command.id, at=self._reports.now()))

    def sessions(self) -> set[UUID]:
        """The sign-in sessions by which people are in calls here."""
        return {peer.who.session_id for room in self.rooms.values() for peer in room.peers.values()}

    async def revoke(self, session_id: UUID) -> None:
        """A sign-in session has ended: put out whoever entered with it, and refuse its tickets."""
        self._admissions.revoke(session_id)
        for room in list(self.rooms.values()):
            await self._carry_out(room, room.revoke(session_id))

    async def stop(self) -> None:
        """End every stay here because the node is going away."""
        for room in list(self.rooms.values()):
            await self._carry_out(room, room.stop())

    def report_quality(self) -> None:
        """Tell app how well everybody is connected."""
        for room in self.rooms.values():
            self._engines.report_quality(room)

    def tidy(self) -> None:
        """Forget calls that nobody is in."""
        now = asyncio.get_running_loop().time()
        for room in list(self.rooms.values()):
            self._forget_room(room, now)

    async def _act(self, command: Command) -> None:
        now = asyncio.get_running_loop().time()
        match command:
            case RemoveFromCall():
                room = self._room(command.call_id)
                await self._carry_out(room, room.remove(command.membership_ids, now))
            case EndCall():
                room = self._room(command.call_id)
                await self._carry_out(room, room.end(now))
            case RevokeSession():
                await self.revoke(command.session_id)

    # Coming in

    async def _admit(self, ticket: CallTicket, hello: Hello, link: Link) -> Stay:
        if not self._engines.carry(ticket.topology):
            detail = f"This node does not carry {ticket.topology} calls."
            raise Refused(ErrorCode.TICKET_REFUSED, CloseCode.TICKET_REFUSED, detail)
        room = self._room(ticket.call_id)
        if ticket.epoch < room.epoch:
            detail = "The ticket is older than the call."
            raise Refused(ErrorCode.TICKET_REFUSED, CloseCode.TICKET_REFUSED, detail)
        who = Entrant(
            participant_id=uuid4(),
            membership_id=ticket.membership_id,
            session_id=ticket.session_id,
            name=ticket.name,
            organisation=ticket.organisation,
            role=ticket.role,
            may_publish="publish" in ticket.permissions,
            may_moderate="moderate" in ticket.permissions,
        )
        terms = Admission(ticket.call_id, who.participant_id, who.may_publish, ticket.ice_policy)
        token = Stays.new_token()
        now = asyncio.get_running_loop().time()
        try:
            effects = room.admit(who, hello.media, token, now, topology=ticket.topology)
        finally:
            self._forget_room(room, now)
        room.epoch = ticket.epoch
        stay = Stay(terms, link, token)
        self._stays.begin(stay)
        await self._carry_out(room, effects)
        return stay

    async def _resume(self, call_id: UUID, hello: Hello, resume: Resume, link: Link) -> Stay:
        stay = self._stays.resumable(resume.token)
        room = self.rooms.get(call_id)
        # Between the end of a stay in its room and ours there may be a moment.
        if stay is None or room is None or stay.participant_id not in room.peers:
            detail = "The resume token is unknown, spent or lapsed."
            raise Refused(ErrorCode.RESUME_REFUSED, CloseCode.RESUME_REFUSED, detail)
        if not room.can_replay(stay.participant_id, resume.last_seq):
            return await self._begin_again(room, stay, hello, link)
        token = Stays.new_token()
        effects = room.resume(stay.participant_id, hello.media, resume.last_seq, token)
        stay.link.cut(CloseCode.REPLACED)
        self._stays.move(stay, link, resume.token, token)
        await self._carry_out(room, effects)
        return stay

    async def _begin_again(self, room: Room, earlier: Stay, hello: Hello, link: Link) -> Stay:
        """Too much was missed to resume: on the same terms, a new stay follows the old one."""
        terms = replace(earlier.terms, participant_id=uuid4())
        stay = Stay(terms, link, Stays.new_token())
        effects = room.begin_again(earlier.participant_id, terms.participant_id, hello.media, stay.token)
        self._stays.begin(stay)
        await self._carry_out(room, effects)
        return stay

    def _heard(self, stay: Stay, link: Link) -> Room | None:
        """The stay's call, when `link` still is its socket."""
        if stay.link is not link:
            return None
        self._stays.heard(stay)
        return self.rooms.get(stay.call_id)

    # Carrying out

    async def _carry_out(self, room: Room, effects: list[Effect]) -> None:
        """Write first and without a pause, so that numbers leave in order; then tell the engine."""
        self._write(room, effects)
        await self._engines.tell(room, effects)

    def _write(self, room: Room, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Send():
                    self._send(effect)
                case Close():
                    self._close(effect)
                case Entered() | Left() | CarriedOver():
                    self._reports.stay(room, effect)
                case _:
                    pass

    def _deliver(self, call_id: UUID, to: UUID, told: Told) -> None:
        """What engines say."""
        room = self.rooms.get(call_id)
        for send in room.deliver(to, told) if room is not None else ():
            self._send(send)

    def _recorded(self, call_id: UUID, recording: Recording) -> None:
        """A take is over. When nobody wanted it to be, they are told."""
        self._reports.recording(recording)
        room = self.rooms.get(call_id)
        self._engines.broke_off(room, recording.take_id, BROKEN_OFF.get(recording.ended))

    def _send(self, effect: Send) -> None:
        stay = self._stays.get(effect.to)
        if stay is not None:
            stay.link.push(effect.frame)

    def _close(self, effect: Close) -> None:
        stay = self._stays.end(effect.to)
        if stay is not None:
            stay.link.cut(effect.code)

    # Small things

    def _expire(self, room: Room) -> None:
        effects = room.expire(asyncio.get_running_loop().time())
        self._write(room, effects)
        task = asyncio.create_task(self._engines.tell(room, effects))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _room(self, call_id: UUID) -> Room:
        room = self.rooms.get(call_id)
        if room is None:
            room = self.rooms[call_id] = Room(
                call_id,
                grace=self._settings.resume_grace_seconds,
                heartbeat=self._settings.heartbeat_seconds,
                may_be_recorded=self._settings.recordings is not None,
            )
        return room

    def _forget_room(self, room: Room, now: float) -> None:
        if room.forgettable(now) and self.rooms.get(room.call_id) is room:
            del self.rooms[room.call_id]
