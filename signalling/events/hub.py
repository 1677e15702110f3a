"""The events sockets of this node: lets them in, takes what they say, obeys app's commands."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Protocol
from uuid import UUID

from signalling.admissions import Admissions
from signalling.connection import Connection
from signalling.contracts.bus import Bus
from signalling.contracts.calls import Command, RevokeSession, RosterChanged, ShowPresence
from signalling.events.delivery import Delivery
from signalling.events.doorbell import Doorbell
from signalling.events.hearing import Hearing
from signalling.events.listeners import Listener, Listeners, Pass
from signalling.events.people import People
from signalling.events.rosters import NO_AUDIENCE, Known, Rosters
from signalling.events.writing import Writer
from signalling.protocol.codes import CloseCode, ErrorCode
from signalling.protocol.effects import Refused
from signalling.protocol.events import (
    PONG_TEXT,
    VERSION,
    ClientMessage,
    Hello,
    Ping,
    Presence,
    Typing,
    Watch,
    Welcome,
    text,
)
from signalling.settings import Settings

# One look at all sockets instead of a timer for each.
LOOK_SECONDS = 0.5
LOOK_AT_SOCKETS_SECONDS = 2.0
PORTION = 500
MOST_STRIKES = 10


class Calls(Protocol):
    """The calls of this node, as far as sign-in sessions are concerned."""

    def sessions(self) -> set[UUID]:
        """By which sessions people are in calls."""

    async def revoke(self, session_id: UUID) -> None:
        """Put out whoever entered by a session that has ended."""


class EventsHub:
    """All events sockets of this node."""

    def __init__(
        self,
        settings: Settings,
        admissions: Admissions,
        bus: Bus,
        doorbell: Doorbell,
        calls: Calls,
        *,
        known: Callable[[], bool],
    ) -> None:
        self.listeners = Listeners(settings.resume_grace_seconds)
        self.rosters = Rosters(doorbell)
        writer = Writer()
        self.people = People(bus, settings.node, self.listeners, self.rosters, writer)
        self.delivery = Delivery(self.listeners, self.rosters, writer)
        self.hearing = Hearing(
            bus,
            self.listeners,
            self.rosters,
            self.delivery,
            self.people,
            writer,
            doorbell,
            known=known,
            sessions=lambda: self.listeners.sessions() | calls.sessions(),
            revoke=self._revoke_everywhere,
            veil=self._veil,
            doubt=admissions.doubt_events_tickets,
            part=self._part,
        )
        self.rosters.arrived = self._arrived
        self._settings = settings
        self._admissions = admissions
        self._calls = calls

    @property
    def parts(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """What runs for as long as the node does."""
        return {
            "hints": self.hearing.hear,
            "standing": self.hearing.check,
            "rosters": self.rosters.ask,
            "people": self.people.publish,
            "look": self._look_for_ever,
        }

    # What sockets do

    async def enter(self, hello: Hello, link: Connection) -> Listener:
        """Let a socket in by ticket or resume token. Raises `Refused`."""
        if hello.version != VERSION:
            detail = f"This server speaks version {VERSION}."
            raise Refused(ErrorCode.UNSUPPORTED_VERSION, CloseCode.PROTOCOL_ERROR, detail)
        if hello.resume is not None:
            entry = self._resume(hello.resume.token)
        else:
            ticket = await self._admissions.admit_to_events(hello.ticket or "")
            self._veil(ticket.account_id, ticket.shown_version, veiled=not ticket.shown)
            entry = Pass(ticket.account_id, ticket.session_id)
        state = "hidden" if entry.hidden else hello.state or "online"
        listener = self.listeners.add(entry, link, state)
        welcome = Welcome(
            resume_token=listener.token,
            heartbeat_seconds=self._settings.events_heartbeat_seconds,
            grace_seconds=self._settings.resume_grace_seconds,
            live=self.hearing.live,
        )
        link.push(text(welcome))
        self.people.changed(listener.account_id)
        return listener

    def receive(self, listener: Listener, message: ClientMessage) -> None:
        """Take one message from a socket."""
        if not self.listeners.has(listener):
            return
        match message:
            case Ping():
                listener.link.push(PONG_TEXT)
            case Typing():
                self.people.type(listener, message)
            case Presence():
                listener.state = message.state
                self.people.changed(listener.account_id)
            case Watch():
                self.people.watch(listener, message)
            case Hello():
                self._strike(listener, ErrorCode.UNEXPECTED_MESSAGE, "You are in already.", "hello")

    def invalid(self, listener: Listener, detail: str, about: str | None) -> None:
        """Take something from a socket that is no message."""
        if self.listeners.has(listener):
            self._strike(listener, ErrorCode.INVALID_MESSAGE, detail, about)

    def lost(self, listener: Listener) -> None:
        """A socket is gone without a goodbye."""
        self.listeners.lose(listener, time.monotonic())
        self._parted(listener)

    def end(self, listener: Listener, code: CloseCode | None = None) -> None:
        """A socket said goodbye, or broke the rules."""
        self.listeners.end(listener, code)
        self._parted(listener)

    # What app commands

    def obey(self, command: Command) -> None:
        """Carry out what a command means for events sockets; doing it again changes nothing."""
        match command:
            case RevokeSession():
                self._revoke(command.session_id)
            case RosterChanged():
                known = self.rosters.forget(command.stream, command.version)
                if known is not None and known.hearers(self.listeners) is not NO_AUDIENCE:
                    self.rosters.renew(known, command.version)
            case ShowPresence():
                self._veil(command.account_id, command.version, veiled=not command.shown)
            case _:
                pass

    def stop(self) -> None:
        """The node is going away: everybody is to come back elsewhere."""
        self.people.farewell()
        for listener in self.listeners.everyone():
            self.end(listener, CloseCode.GOING_AWAY)

    # Within

    def _resume(self, token: str) -> Pass:
        self._admissions.must_be_ready()
        entry = self.listeners.resume(token, time.monotonic())
        if entry is None:
            detail = "The resume token is unknown, spent or lapsed."
            raise Refused(ErrorCode.RESUME_REFUSED, CloseCode.RESUME_REFUSED, detail)
        return entry

    def _strike(self, listener: Listener, code: ErrorCode, detail: str, about: str | None) -> None:
        listener.refuse(code, detail, about)
        listener.strikes += 1
        if listener.strikes >= MOST_STRIKES:
            self.end(listener, CloseCode.PROTOCOL_ERROR)

    def _parted(self, listener: Listener) -> None:
        self.people.left(listener)
        self.people.changed(listener.account_id)

    def _revoke(self, session_id: UUID) -> None:
        self._admissions.revoke(session_id)
        sockets, accounts = self.listeners.revoke(session_id)
        for listener in sockets:
            self._parted(listener)
        for account_id in accounts:
            self.people.changed(account_id)

    async def _revoke_everywhere(self, session_id: UUID) -> None:
        self._revoke(session_id)
        await self._calls.revoke(session_id)

    def _veil(self, account_id: UUID, version: int, *, veiled: bool = True) -> None:
        self.listeners.veil(account_id, version, veiled=veiled, now=time.monotonic())
        self.people.changed(account_id)

    def _arrived(self, known: Known, obsolete: Known | None) -> None:
        if obsolete is not None:
            self._keep_from(obsolete, known)
        self.delivery.arrived(known)
        self.people.arrived(known)

    def _keep_from(self, obsolete: Known, known: Known) -> None:
        """What still waits here for somebody who may not hear it any more must not reach them."""
        for account_id in obsolete.members:
            removed = account_id not in known.members
            if removed or known.apart_from(account_id) - obsolete.apart_from(account_id):
                for listener in list(self.listeners.of(account_id)):
                    if listener.link.waiting:
                        self._part(listener)

    def _part(self, listener: Listener) -> None:
        """Cut somebody off from what still waits for them; they may come back."""
        self.lost(listener)
        listener.link.cut_off(CloseCode.TOO_SLOW)

    async def _look_for_ever(self) -> None:
        sockets_at = 0.0
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self.hearing.look()
            self.people.look()
            for stream in self.rosters.give_up():
                self.delivery.drop(stream)
                self.people.drop(stream)
            now = time.monotonic()
            for account_id in self.listeners.lapse(now):
                self.people.changed(account_id)
            if now >= sockets_at:
                sockets_at = now + LOOK_AT_SOCKETS_SECONDS
                self.listeners.tidy(now)
                await self._look_at_sockets()

    async def _look_at_sockets(self) -> None:
        for number, listener in enumerate(self.listeners.everyone()):
            if number % PORTION == PORTION - 1:
                await asyncio.sleep(0)
            listener.link.look(listener.link.loop.time())
