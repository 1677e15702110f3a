"""An ICE-lite agent (RFC 8445, sections 2.5 and 7.3): checks and the time go in, answers come out. No I/O.

It answers the other side's checks and sends none itself, and it answers only those that prove that they know
our password. So nothing is ever sent to an address that has not proved itself; not even an error.
"""

import secrets
import string
import struct
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from aioice import stun

from signalling.media.embedded.rate import Allowance

Address: TypeAlias = tuple[str, int]
"""An IP address and a port."""

CONSENT_SECONDS: Final = 30.0
"""So long after its last check an address may still be sent to (RFC 7675, section 5.1)."""
MOST_ADDRESSES: Final = 16
"""Of one participant; whoever shows more loses the one that was silent longest."""
MOST_TRANSACTIONS: Final = 256
CHECKS_PER_SECOND: Final = 50
"""One stack checks every 20 ms while it looks for a way (RFC 8445, section 14.2); later once in seconds."""
CHECKS_AT_ONCE: Final = 200

_ALPHABET: Final = string.ascii_letters + string.digits + "+/"
_HEADER_BYTES: Final = 20
_REQUEST: Final = b"\x00\x01"
_COOKIE: Final = stun.COOKIE.to_bytes(4, "big")
_USERNAME: Final = 0x0006
_FINGERPRINT: Final = b"\x80\x28\x00\x04"
"""The head of what every check ends with (RFC 8445, section 7.1)."""
_MOST_STUN_BYTES: Final = 548


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user name fragment and a password (RFC 8839, section 5.4)."""

    ufrag: str
    password: str = field(repr=False)

    @classmethod
    def fresh(cls) -> "Credentials":
        """Some that nobody can guess: 48 and 144 bits."""
        return cls(_random(8), _random(24))


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def ufrag_asked_for(data: bytes) -> str | None:
    """Whom a Binding request is for, without reading all of it; None when it is none.

    What nobody is behind is to cost as little as possible: strangers can send as much of it as they like.
    """
    if not _HEADER_BYTES < len(data) <= _MOST_STUN_BYTES or data[:2] != _REQUEST or data[4:8] != _COOKIE:
        return None
    if int.from_bytes(data[2:4], "big") != len(data) - _HEADER_BYTES:
        return None
    at = _HEADER_BYTES
    while at + 4 <= len(data):
        kind, length = int.from_bytes(data[at : at + 2], "big"), int.from_bytes(data[at + 2 : at + 4], "big")
        if kind == _USERNAME:
            ours, colon, _ = data[at + 4 : at + 4 + length].partition(b":")
            return ours.decode("ascii", "replace") if colon else None
        at += 4 + length + -length % 4
    return None


@dataclass(slots=True)
class _Generation:
    """One set of credentials, and who has proved to know them."""

    ours: Credentials
    their_ufrag: str | None = None
    heard: OrderedDict[Address, float] = field(default_factory=OrderedDict)
    """When each address last proved itself; the one that was silent longest comes first."""
    nominated: Address | None = None


class IceLite:
    """One participant's side of the port.

    After `restart` both sets of credentials count until the other side nominates an address by the new ones:
    make before break.
    """

    def __init__(self) -> None:
        self._generations = [_Generation(Credentials.fresh())]
        self._transactions: OrderedDict[bytes, Address] = OrderedDict()
        self._allowances = [Allowance(CHECKS_PER_SECOND, CHECKS_AT_ONCE) for _ in range(2)]
        """For checks from addresses that have not proved themselves, and for those that have."""
        self.destination: Address | None = None
        """`selected`, kept for the many packets between two checks."""
        self.consent_until = float("-inf")
        """Until then it may be sent to; monotonic seconds."""

    @property
    def credentials(self) -> Credentials:
        """The newest of ours: for the next description."""
        return self._generations[-1].ours

    @property
    def ufrags(self) -> list[str]:
        """All that count at this moment."""
        return [each.ours.ufrag for each in self._generations]

    @property
    def selected(self) -> Address | None:
        """Where to send: the address that was nominated, or else the one that was heard last."""
        for generation in reversed(self._generations):
            if generation.nominated is not None:
                return generation.nominated
        for generation in reversed(self._generations):
            if generation.heard:
                return next(reversed(generation.heard))
        return None

    @property
    def addresses(self) -> frozenset[Address]:
        """All that have proved themselves: datagrams from there are let in."""
        return frozenset(address for generation in self._generations for address in generation.heard)

    def _settle(self) -> None:
        """Find out anew where to send, and until when."""
        self.destination = self.selected
        heard = [
            each.heard.get(self.destination) for each in self._generations if self.destination is not None
        ]
        known = [at for at in heard if at is not None]
        self.consent_until = max(known) + CONSENT_SECONDS if known else float("-inf")

    def expect(self, their_ufrag: str) -> None:
        """The other side's description has come: from here on its checks must name this."""
        self._generations[-1].their_ufrag = their_ufrag

    def restart(self) -> Credentials:
        """Begin again with new credentials (RFC 8445, section 9); the path in use stays until another is."""
        # The first is the one in use: whoever nominates by a newer one makes that the first.
        self._generations = [self._generations[0], _Generation(Credentials.fresh())]
        return self.credentials

    def has_consent(self, now: float) -> bool:
        """Whether the other side still wants what is sent to `destination`; `now`: monotonic seconds."""
        return now < self.consent_until

    def check(self, data: bytes, source: Address, now: float) -> bytes | None:
        """Take a Binding request; returns what to send back, or None when it is not to be answered."""
        is_known = any(source in each.heard for each in self._generations)
        if data[-8:-4] != _FINGERPRINT or not self._allowances[is_known].take(1, now):
            return None
        try:
            request = stun.parse_message(data)
        except (ValueError, struct.error):
            return None
        generation = self._generation_of(request)
        if generation is None or self._is_replayed(request, source):
            return None
        if "ICE-CONTROLLED" in request.attributes:
            return self._refusal(request, generation, 487, "Role Conflict")
        self._heard(generation, source, now, nominated="USE-CANDIDATE" in request.attributes)
        answer = stun.Message(
            stun.Method.BINDING,
            stun.Class.RESPONSE,
            request.transaction_id,
            {"XOR-MAPPED-ADDRESS": (source[0].partition("%")[0], source[1])},
        )
        return _signed(answer, generation)

    def _generation_of(self, request: stun.Message) -> _Generation | None:
        """Whose password the request proves to know."""
        if (request.message_method, request.message_class) != (stun.Method.BINDING, stun.Class.REQUEST):
            return None
        ours, _, theirs = str(request.attributes.get("USERNAME", "")).partition(":")
        for generation in self._generations:
            if generation.ours.ufrag == ours and generation.their_ufrag in (None, theirs):
                key = generation.ours.password.encode()
                return generation if request.check_message_integrity(key) else None
        return None

    def _is_replayed(self, request: stun.Message, source: Address) -> bool:
        """Somebody on the way could send on, from an address of their own, what another has signed."""
        known = self._transactions.setdefault(request.transaction_id, source)
        if len(self._transactions) > MOST_TRANSACTIONS:
            self._transactions.popitem(last=False)
        return known != source

    def _heard(self, generation: _Generation, source: Address, now: float, *, nominated: bool) -> None:
        generation.heard[source] = now
        generation.heard.move_to_end(source)
        if nominated:
            generation.nominated = source
            # Whoever nominates by the new credentials has left the old ones.
            if generation is self._generations[-1]:
                self._generations = [generation]
        for oldest in list(generation.heard)[: max(0, len(generation.heard) - MOST_ADDRESSES)]:
            if oldest != generation.nominated:
                del generation.heard[oldest]
        self._settle()

    def _refusal(self, request: stun.Message, generation: _Generation, code: int, reason: str) -> bytes:
        answer = stun.Message(
            stun.Method.BINDING, stun.Class.ERROR, request.transaction_id, {"ERROR-CODE": (code, reason)}
        )
        return _signed(answer, generation)


def _signed(message: stun.Message, generation: _Generation) -> bytes:
    message.add_message_integrity(generation.ours.password.encode())
    return bytes(message)
