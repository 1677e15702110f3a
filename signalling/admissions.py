"""Whether a ticket lets its bearer in here, now, for the first and only time."""

import time
from collections.abc import Callable
from uuid import UUID

from signalling.contracts.tickets import (
    TICKET_SECONDS,
    CallTicket,
    EventsTicket,
    TokenRefused,
    read_call_ticket,
    read_events_ticket,
)
from signalling.keys import KeyStore
from signalling.protocol.codes import CloseCode, ErrorCode
from signalling.protocol.effects import Refused
from signalling.settings import Settings

# By then every ticket that was signed before has expired, whatever two clocks make of it.
REMEMBER_SECONDS = 2.0 * TICKET_SECONDS


class Admissions:
    """Verifies tickets; remembers the used ones and the sign-in sessions that have ended."""

    def __init__(
        self,
        settings: Settings,
        keys: KeyStore,
        why_not: Callable[[], str | None],
        known_since: Callable[[], float],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._keys = keys
        self._why_not = why_not
        self._known_since = known_since
        self._clock = clock
        self._began_at = clock()
        """What an earlier process had used up, or refused, this one does not know."""
        self._doubted_at = float("-inf")
        self._used: dict[UUID, float] = {}
        self._revoked: dict[UUID, float] = {}

    async def admit(self, token: str, call_id: UUID) -> CallTicket:
        """The ticket, which is used up now. Raises `Refused`."""
        try:
            keys = await self._keys.for_token(token)
            ticket = read_call_ticket(token, keys=keys, issuer=self._settings.issuer, now=self._clock())
        except TokenRefused as refusal:
            raise _refused(str(refusal)) from refusal
        if ticket.call_id != call_id or ticket.node != self._settings.node:
            raise _refused("The ticket is for another door.")
        self._use_up(ticket, since=self._began_at)
        return ticket

    async def admit_to_events(self, token: str) -> EventsTicket:
        """The ticket, which is used up now. Raises `Refused`."""
        try:
            keys = await self._keys.for_token(token)
            ticket = read_events_ticket(token, keys=keys, issuer=self._settings.issuer, now=self._clock())
        except TokenRefused as refusal:
            raise _refused(str(refusal)) from refusal
        self._use_up(ticket, since=max(self._known_since(), self._doubted_at))
        return ticket

    def doubt_events_tickets(self) -> None:
        """Admit no events ticket from before now: that its sign-in session has ended may have gone by."""
        self._doubted_at = self._clock()

    def must_be_ready(self) -> None:
        """Raise `Refused` when nobody may come in now."""
        if why_not := self._why_not():
            raise _not_ready(why_not)

    def _use_up(self, ticket: CallTicket | EventsTicket, *, since: float) -> None:
        now = self._clock()
        if now < self._revoked.get(ticket.session_id, now):
            raise Refused(ErrorCode.REMOVED, CloseCode.REMOVED, "This sign-in session has ended.")
        if ticket.jti in self._used:
            raise _refused("The ticket has been used.")
        self.must_be_ready()
        if ticket.issued_at < since:
            # What has made it worthless since, this server might not know.
            raise _not_ready("The ticket is older than what this server knows. Come back with a new one.")
        self._used[ticket.jti] = now + REMEMBER_SECONDS

    def revoke(self, session_id: UUID) -> None:
        """Refuse the tickets that this sign-in session may still hold."""
        self._revoked[session_id] = self._clock() + REMEMBER_SECONDS

    def tidy(self) -> None:
        """Forget what has expired anyway."""
        now = self._clock()
        self._used = {jti: until for jti, until in self._used.items() if until > now}
        self._revoked = {session: until for session, until in self._revoked.items() if until > now}


def _refused(detail: str) -> Refused:
    return Refused(ErrorCode.TICKET_REFUSED, CloseCode.TICKET_REFUSED, detail)


def _not_ready(detail: str) -> Refused:
    return Refused(ErrorCode.NOT_READY, CloseCode.NOT_READY, detail)
