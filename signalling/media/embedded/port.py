"""One UDP port for all participants: who a datagram is for, and whether it is let in at all.

A guard stands first. What is empty, too long or of no kind that belongs here is dropped, and so is whatever
comes from an address that has not proved itself, unless it is a check that proves it now. What is dropped is
counted, never logged.
"""

import asyncio
import contextlib
import socket
import time
from collections import Counter
from collections.abc import Callable, Hashable
from typing import Any, Final, Protocol

import pylibsrtp
import structlog
from typing_extensions import override

from signalling.media.embedded.addresses import for_python, of_python, packed
from signalling.media.embedded.ice import Address, IceLite, ufrag_asked_for
from signalling.media.embedded.native import Inbox, Outbox

MAX_DATAGRAM_BYTES: Final = 1500
RECEIVE_BUFFER_BYTES: Final = 1 << 20
"""Asked of the system, which may give less: about a tenth of a second of a full node. What comes when it is
full is lost, and asked for again; what waited for longer would be of no use."""
SEND_BUFFER_BYTES: Final = 1 << 20

log = structlog.get_logger()


class Datagram(Protocol):
    """A datagram that has come, wherever it lies."""

    size: int

    @property
    def view(self) -> bytes | memoryview:
        """Its bytes, and maybe others behind them."""

    @property
    def source(self) -> Hashable:
        """Where it came from: cheap to compare."""

    @property
    def address(self) -> Address:
        """Where it came from."""

    def copy(self) -> bytes:
        """Its bytes."""

    def unprotect(self, session: pylibsrtp.Session) -> bytes | None:
        """The RTP packet in it, None when it is refused. To be asked once, as the next one."""

    def unprotect_rtcp(self, session: pylibsrtp.Session) -> bytes | None:
        """The compound RTCP packet in it, None when it is refused."""


class Receiver(Protocol):
    """Whoever a participant's datagrams are for."""

    ice: IceLite

    def receive(self, datagram: Datagram) -> None:
        """DTLS or SRTP (RFC 7983) from an address that has proved itself; 13 to 1500 bytes."""

    def proved(self) -> None:
        """A check has been answered: where to send, and how long, may have changed."""


class MediaPort:
    """The socket, and whom each datagram is for."""

    def __init__(self, bound: socket.socket, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Nothing is read before `open`, which makes this."""
        self.dropped: Counter[str] = Counter()
        """How many datagrams were not let in, by reason."""
        self.outbox: Outbox | None = None
        """For many packets at once, where the system has that."""
        self.address: Address = of_python(bound.getsockname())
        """Where it is bound."""
        self._socket = bound
        self._monotonic = monotonic
        self._by_ufrag: dict[str, Receiver] = {}
        self._by_source: dict[Hashable, Receiver] = {}
        self._admitted: dict[Receiver, tuple[frozenset[str], frozenset[Hashable]]] = {}
        self._inbox: Inbox | None = None
        self._transport: asyncio.DatagramTransport | None = None

    @classmethod
    async def open(cls, host: str, port: int = 0, *, batched: bool = True) -> "MediaPort":
        """Bind; port 0 takes any that is free, `::` also takes IPv4. Raises `OSError` when it is taken.

        `batched`: read and send many packets with one call where the system has that.
        """
        made = cls(await _bound(host, port))
        await made._begin(batched=batched)
        return made

    async def _begin(self, *, batched: bool) -> None:
        loop = asyncio.get_running_loop()
        if batched:
            with contextlib.suppress(OSError):
                self._inbox, self.outbox = Inbox(self._socket), Outbox(self._socket, loop.call_soon)
                loop.add_reader(self._socket, self._read, self._inbox, self.outbox)
                return
        self._transport, _ = await loop.create_datagram_endpoint(lambda: _Plain(self), sock=self._socket)

    def close(self) -> None:
        """Stop receiving."""
        if self.outbox is not None:
            self.outbox.close()
            self.outbox = None
        if self._transport is not None:
            self._transport.close()
        elif self._socket.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()

    def attach(self, receiver: Receiver) -> None:
        """Let checks for this one in; again after a restart, whose credentials are new."""
        self._admit(receiver)

    def detach(self, receiver: Receiver) -> None:
        """Nothing is for this one any more."""
        ufrags, sources = self._admitted.pop(receiver, (frozenset[str](), frozenset[Hashable]()))
        for ufrag in ufrags:
            del self._by_ufrag[ufrag]
        for source in sources:
            # Somebody else may have proved since that it is theirs.
            if self._by_source.get(source) is receiver:
                del self._by_source[source]

    def send(self, data: bytes, to: Address) -> None:
        """Send one datagram; it may be lost."""
        if self._transport is not None and self._transport.is_closing():
            return
        try:
            self._socket.sendto(data, for_python(to, self._socket.family))
        except BlockingIOError:
            self.dropped["full"] += 1
        except OSError:
            # Nobody is there, as an ICMP answer said: consent will lapse. Or the port is closed.
            self.dropped["unreachable"] += 1

    # What comes

    def _read(self, inbox: Inbox, outbox: Outbox) -> None:
        """Take what waits, and send together what follows from it."""
        outbox.held = True
        try:
            for datagram in inbox.read():
                self.take(datagram)
        finally:
            outbox.held = False
            outbox.flush()

    def take(self, datagram: Datagram) -> None:
        """A datagram has come."""
        try:
            self._take(datagram)
        except Exception:  # of one participant; it is not to end what others sent
            if not self.dropped["failed"]:
                log.exception("datagram_failed")
            self.dropped["failed"] += 1

    def _take(self, datagram: Datagram) -> None:
        if not 0 < datagram.size <= MAX_DATAGRAM_BYTES:
            self.dropped["size"] += 1
            return
        first = datagram.view[0]
        if first < 4:
            self._check(datagram)
        elif 20 <= first < 64 or 128 <= first < 192:
            receiver = self._by_source.get(datagram.source)
            if receiver is None:
                self.dropped["stranger"] += 1
            elif datagram.size < 13:
                self.dropped["size"] += 1
            else:
                receiver.receive(datagram)
        else:
            self.dropped["kind"] += 1

    def _check(self, datagram: Datagram) -> None:
        data = datagram.copy()
        ufrag = ufrag_asked_for(data)
        receiver = self._by_ufrag.get(ufrag) if ufrag is not None else None
        if receiver is None:
            self.dropped["check for nobody"] += 1
            return
        source = datagram.address
        answer = receiver.ice.check(data, source, self._monotonic())
        if answer is None:
            self.dropped["check refused"] += 1
            return
        self.send(answer, source)
        self._admit(receiver)
        receiver.proved()

    def _admit(self, receiver: Receiver) -> None:
        """Let in what has proved itself since, and no longer what has been left."""
        now = (frozenset(receiver.ice.ufrags), self._sources(receiver.ice.addresses))
        # Somebody else may have proved one of the addresses since, and lost it again.
        if self._admitted.get(receiver) == now and all(
            self._by_source.get(source) is receiver for source in now[1]
        ):
            return
        self.detach(receiver)
        self._admitted[receiver] = now
        self._by_ufrag.update(dict.fromkeys(now[0], receiver))
        self._by_source.update(dict.fromkeys(now[1], receiver))

    def _sources(self, addresses: frozenset[Address]) -> frozenset[Hashable]:
        """As what comes from there has them."""
        if self._inbox is None:
            return addresses
        return frozenset(packed(address, self._socket.family) for address in addresses)


class _Held:
    """A datagram as the event loop gives it."""

    __slots__ = ("address", "size", "source", "view")

    def __init__(self, data: bytes, source: Address) -> None:
        self.view, self.size = data, len(data)
        self.source = self.address = source

    def copy(self) -> bytes:
        return self.view

    def unprotect(self, session: pylibsrtp.Session) -> bytes | None:
        with contextlib.suppress(pylibsrtp.Error):
            return session.unprotect(self.view)
        return None

    def unprotect_rtcp(self, session: pylibsrtp.Session) -> bytes | None:
        with contextlib.suppress(pylibsrtp.Error):
            return session.unprotect_rtcp(self.view)
        return None


class _Plain(asyncio.DatagramProtocol):
    """Reads where the system has no better way."""

    def __init__(self, port: MediaPort) -> None:
        self._port = port

    @override
    def error_received(self, exc: Exception) -> None:
        self._port.dropped["unreachable"] += 1

    @override
    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        self._port.take(_Held(data, of_python(addr)))


async def _bound(host: str, port: int) -> socket.socket:
    """A UDP socket that does not block, with buffers for many packets."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE)
    family, kind, protocol, _, address = found[0]
    made = socket.socket(family, kind, protocol)
    try:
        made.setblocking(False)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        made.bind(address)
    except BaseException:
        made.close()
        raise
    return made
