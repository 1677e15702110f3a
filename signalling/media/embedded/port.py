"""One UDP port for all participants: who a datagram is for, and whether it is let in at all.

A guard stands first. What is empty, too long or of no kind that belongs here is dropped, and so is whatever
comes from an address that has not proved itself, unless it is a check that proves it now. What is dropped is
counted, never logged.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable
from typing import Final, Protocol

from typing_extensions import override

from signalling.media.embedded.ice import Address, IceLite, ufrag_asked_for
from signalling.media.embedded.native import Outbox

MAX_DATAGRAM_BYTES: Final = 1500


class Receiver(Protocol):
    """Whoever a participant's datagrams are for."""

    ice: IceLite

    def receive(self, data: bytes) -> None:
        """A datagram of DTLS or SRTP (RFC 7983) from an address that has proved itself; 13 to 1500 bytes."""


class MediaPort(asyncio.DatagramProtocol):
    """The socket, and whom each datagram is for."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.dropped: Counter[str] = Counter()
        """How many datagrams were not let in, by reason."""
        self._monotonic = monotonic
        self._by_ufrag: dict[str, Receiver] = {}
        self._by_address: dict[Address, Receiver] = {}
        self._admitted: dict[Receiver, tuple[frozenset[str], frozenset[Address]]] = {}
        self._transport: asyncio.DatagramTransport | None = None
        self.outbox: Outbox | None = None
        """For many packets at once, where the system has that."""

    @classmethod
    async def open(cls, host: str, port: int = 0) -> "MediaPort":
        """Bind; port 0 takes any that is free. Raises `OSError` when it is taken."""
        _, protocol = await asyncio.get_running_loop().create_datagram_endpoint(cls, local_addr=(host, port))
        return protocol

    @property
    def address(self) -> Address:
        """Where it is bound."""
        assert self._transport is not None
        host, port = self._transport.get_extra_info("sockname")[:2]
        return host, port

    def close(self) -> None:
        """Stop receiving."""
        if self.outbox is not None:
            self.outbox.flush()
            self.outbox = None
        if self._transport is not None:
            self._transport.close()

    def attach(self, receiver: Receiver) -> None:
        """Let checks for this one in; again after a restart, whose credentials are new."""
        self._admit(receiver)

    def detach(self, receiver: Receiver) -> None:
        """Nothing is for this one any more."""
        ufrags, addresses = self._admitted.pop(receiver, (frozenset[str](), frozenset[Address]()))
        for ufrag in ufrags:
            del self._by_ufrag[ufrag]
        for address in addresses:
            # Somebody else may have proved since that it is theirs.
            if self._by_address.get(address) is receiver:
                del self._by_address[address]

    def send(self, data: bytes, to: Address) -> None:
        """Send one datagram; it may be lost."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(data, to)

    # asyncio.DatagramProtocol

    @override
    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport
        with contextlib.suppress(OSError):
            descriptor = transport.get_extra_info("socket").fileno()
            self.outbox = Outbox(descriptor, asyncio.get_running_loop().call_soon)

    @override
    def error_received(self, exc: Exception) -> None:
        # An ICMP answer to something that was sent: its receiver is gone, and its consent will lapse.
        self.dropped["unreachable"] += 1

    @override
    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        source = addr[:2]
        if not 0 < len(data) <= MAX_DATAGRAM_BYTES:
            self.dropped["size"] += 1
            return
        first = data[0]
        if first < 4:
            self._check(data, source)
        elif 20 <= first < 64 or 128 <= first < 192:
            receiver = self._by_address.get(source)
            if receiver is None:
                self.dropped["stranger"] += 1
            elif len(data) < 13:
                self.dropped["size"] += 1
            else:
                receiver.receive(data)
        else:
            self.dropped["kind"] += 1

    def _check(self, data: bytes, source: Address) -> None:
        ufrag = ufrag_asked_for(data)
        receiver = self._by_ufrag.get(ufrag) if ufrag is not None else None
        if receiver is None:
            self.dropped["check for nobody"] += 1
            return
        answer = receiver.ice.check(data, source, self._monotonic())
        if answer is None:
            self.dropped["check refused"] += 1
            return
        self.send(answer, source)
        self._admit(receiver)

    def _admit(self, receiver: Receiver) -> None:
        """Let in what has proved itself since, and no longer what has been left."""
        now = (frozenset(receiver.ice.ufrags), receiver.ice.addresses)
        if self._admitted.get(receiver) == now:
            return
        self.detach(receiver)
        self._admitted[receiver] = now
        self._by_ufrag.update(dict.fromkeys(now[0], receiver))
        self._by_address.update(dict.fromkeys(now[1], receiver))
