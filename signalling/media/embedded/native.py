"""Many packets with few calls: pylibsrtp's libsrtp, Linux's `sendmmsg` and `recvmmsg`, by cffi.

cffi reads declarations and needs no compiler. Where this does not work, packets go the plain way, by
pylibsrtp's own functions and one system call for each; the bytes are the same.
"""

import errno
import socket
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

import pylibsrtp
from cffi import FFI  # type: ignore[import-untyped]
from pylibsrtp import _binding

from signalling.media.embedded.addresses import SOCKADDR_BYTES, packed, unpacked
from signalling.media.embedded.ice import Address

SLOTS: Final = 128
SLOT_BYTES: Final = 1600
MOST_PACKET_BYTES: Final = 1452
"""With the 16 bytes of AES-GCM's tag, and more than that to spare, it fits into a slot and a datagram."""
INBOX_SLOTS: Final = 64
"""So many datagrams are read at most before others have their turn."""
_DECLARED: Final = """
struct iovec { void *iov_base; size_t iov_len; };
struct msghdr {
    void *msg_name; unsigned int msg_namelen;
    struct iovec *msg_iov; size_t msg_iovlen;
    void *msg_control; size_t msg_controllen; int msg_flags;
};
struct mmsghdr { struct msghdr msg_hdr; unsigned int msg_len; };
int sendmmsg(int sockfd, struct mmsghdr *msgvec, unsigned int vlen, int flags);
int recvmmsg(int sockfd, struct mmsghdr *msgvec, unsigned int vlen, int flags, void *timeout);
"""

_ffi: Any = FFI()
_ffi.cdef(_DECLARED)
_protect: Any = _binding.lib.srtp_protect
_unprotect: Any = _binding.lib.srtp_unprotect
_unprotect_rtcp: Any = _binding.lib.srtp_unprotect_rtcp


def _library() -> Any:
    """The C library, or None where it has no `sendmmsg` or structures of another shape."""
    if not sys.platform.startswith("linux") or sys.maxsize < 1 << 32 or sys.byteorder != "little":
        return None
    try:
        library = _ffi.dlopen(None)
        library.sendmmsg  # noqa: B018 - cffi looks for it now
        library.recvmmsg  # noqa: B018
    except (OSError, AttributeError):
        return None
    return library


class _Slots:
    """Room for datagrams, and for where each goes or comes from, in one block for the system."""

    def __init__(self, count: int, family: int) -> None:
        """Raises `OSError` where this cannot work."""
        library = _library()
        if library is None:
            raise OSError(errno.ENOSYS, "there is no sendmmsg here")
        self.library = library
        name_bytes = SOCKADDR_BYTES[socket.AddressFamily(family)]
        self._slab = _ffi.new("unsigned char[]", count * SLOT_BYTES)
        self._names = _ffi.new("unsigned char[]", count * name_bytes)
        self._vectors = _ffi.new("struct iovec[]", count)
        self.messages = _ffi.new("struct mmsghdr[]", count)
        self.places = [self._slab + index * SLOT_BYTES for index in range(count)]
        self.datagrams = [_ffi.buffer(place, SLOT_BYTES) for place in self.places]
        self.names = [_ffi.buffer(self._names + index * name_bytes, name_bytes) for index in range(count)]
        self.sizes = [_ffi.cast("int *", _ffi.addressof(each, "iov_len")) for each in self._vectors]
        """To be sent: the lower half of `iov_len`, where libsrtp itself writes the size of what it sealed."""
        for index in range(count):
            vector, header = self._vectors + index, self.messages[index].msg_hdr
            vector.iov_base, vector.iov_len = self.places[index], SLOT_BYTES
            header.msg_name, header.msg_namelen = self._names + index * name_bytes, name_bytes
            header.msg_iov, header.msg_iovlen = vector, 1


class Lane:
    """One path's way through an outbox: called with an RTP packet, it seals and queues it."""

    __slots__ = ("_monotonic", "_session", "outbox", "seal", "to", "unsealed", "until")

    def __init__(self, outbox: "Outbox", monotonic: Callable[[], float] = time.monotonic) -> None:
        """Nothing goes out before there are keys, and `to` and `until` are set."""
        self.outbox = outbox
        self.seal: Any = None
        """What libsrtp knows the session by: good for as long as the session is kept."""
        self._session: pylibsrtp.Session | None = None
        self.to = b""
        """See `Outbox.destination`."""
        self.until = float("-inf")
        """Until then the other side wants what is sent; monotonic seconds."""
        self.unsealed = 0
        """Packets that could not be sealed."""
        self._monotonic = monotonic

    def seal_with(self, session: Any) -> None:
        """These are the keys."""
        self._session = session
        self.seal = session._srtp[0]

    def __call__(self, packet: bytes) -> None:
        self.outbox.put(packet, (self,), self._monotonic())


class Outbox:
    """Packets of many paths on their way through one socket, sealed where they lie and sent together."""

    def __init__(self, bound: socket.socket, later: Callable[[Callable[[], None]], object]) -> None:
        """`later` calls a function soon; raises `OSError` where this cannot work."""
        self.refused = 0
        """Packets that the network did not take."""
        self.held = False
        """Somebody puts many packets, and flushes when they are done."""
        slots = self._slots = _Slots(SLOTS, bound.family)
        self._ready = list(zip(slots.places, slots.datagrams, slots.sizes, slots.names, strict=True))
        self._descriptor, self._family = bound.fileno(), bound.family
        self._later = later
        self._sendmmsg = slots.library.sendmmsg
        self._count = 0

    def destination(self, address: Address) -> bytes:
        """As a lane has it. Raises `ValueError` for an address that this socket cannot reach."""
        return packed(address, self._family)

    def close(self) -> None:
        """Send what is queued, and nothing more: the descriptor may soon be somebody else's."""
        self.flush()
        self._descriptor = -1

    def put(self, packet: bytes, lanes: Iterable[Lane], now: float) -> None:
        """Queue an RTP packet, sealed for each of these; `now`: monotonic seconds."""
        octets = len(packet)
        fits = octets <= MOST_PACKET_BYTES
        ready, protect, count = self._ready, _protect, self._count
        if not count and not self.held:
            self._later(self.flush)
        for lane in lanes:
            if now >= lane.until:
                continue
            place, datagram, size, name = ready[count]
            if fits:
                datagram[0:octets] = packet
                size[0] = octets
            if not fits or protect(lane.seal, place, size):
                lane.unsealed += 1
                continue
            name[:] = lane.to
            count += 1
            if count == SLOTS:
                self._count = count
                self.flush()
                count = 0
        self._count = count

    def flush(self) -> None:
        """Send what is queued. What the network does not take is lost, as on any network."""
        count, self._count = self._count, 0
        sent = 0
        while sent < count:
            messages = self._slots.messages + sent
            taken = self._sendmmsg(self._descriptor, messages, count - sent, socket.MSG_DONTWAIT)
            if taken > 0:
                sent += taken
            elif _ffi.errno == errno.EINTR:
                continue
            elif _ffi.errno in (errno.EAGAIN, errno.ENOBUFS):
                self.refused += count - sent
                return
            else:
                # The first of them has an address that cannot be reached; that is nothing to the others.
                self.refused += 1
                sent += 1


class Slot:
    """A datagram where it lies in an inbox: see `Datagram`. Good until the next ones are read."""

    __slots__ = ("_buffer", "_name", "_place", "_size", "size", "view")

    def __init__(self, place: Any, datagram: Any, name: Any, size: Any) -> None:
        self.view = memoryview(datagram)
        self.size = 0
        self._place, self._buffer, self._name, self._size = place, datagram, name, size

    @property
    def source(self) -> bytes:
        """Where it came from: a `struct sockaddr`."""
        return self._name[:]  # type: ignore[no-any-return]

    @property
    def address(self) -> Address:
        return unpacked(self._name[:])

    def copy(self) -> bytes:
        return self._buffer[0 : self.size]  # type: ignore[no-any-return]

    def unprotect(self, session: pylibsrtp.Session) -> bytes | None:
        return self._opened(_unprotect, session)

    def unprotect_rtcp(self, session: pylibsrtp.Session) -> bytes | None:
        return self._opened(_unprotect_rtcp, session)

    def _opened(self, unprotect: Any, session: Any) -> bytes | None:
        size = self._size
        if unprotect(session._srtp[0], self._place, size):
            return None
        return self._buffer[0 : size[0]]  # type: ignore[no-any-return]


class Inbox:
    """Reads what waits at a socket, many datagrams with one call."""

    def __init__(self, bound: socket.socket) -> None:
        """Raises `OSError` where this cannot work."""
        slots = self._slots = _Slots(INBOX_SLOTS, bound.family)
        self._descriptor = bound.fileno()
        self._recvmmsg = slots.library.recvmmsg
        lengths = [_ffi.addressof(message, "msg_len") for message in slots.messages]
        # libsrtp writes the size of what it opened where the system wrote that of what came.
        sizes = [_ffi.cast("int *", each) for each in lengths]
        self._ready = list(map(Slot, slots.places, slots.datagrams, slots.names, sizes))
        words = memoryview(_ffi.buffer(slots.messages)).cast("B").cast("I")
        step = _ffi.sizeof("struct mmsghdr") // words.itemsize
        self._sizes = words[_ffi.offsetof("struct mmsghdr", "msg_len") // words.itemsize :: step]

    def read(self) -> list[Slot]:
        """The oldest of what waits; what is larger than a slot has its size."""
        count = self._recvmmsg(
            self._descriptor, self._slots.messages, INBOX_SLOTS, socket.MSG_DONTWAIT, _ffi.NULL
        )
        if count <= 0:
            return []
        ready = self._ready[:count]
        for slot, size in zip(ready, self._sizes[:count].tolist(), strict=True):
            slot.size = size
        return ready
