"""Sealing and sending many packets with few calls: pylibsrtp's libsrtp and Linux's `sendmmsg`, by cffi.

cffi reads declarations and needs no compiler. Where this does not work, packets go the plain way, by
pylibsrtp's own functions and one system call for each; the bytes are the same.
"""

import errno
import ipaddress
import socket
import sys
from collections.abc import Callable
from typing import Any, Final

import pylibsrtp
from cffi import FFI  # type: ignore[import-untyped]
from pylibsrtp import _binding

from signalling.media.embedded.ice import Address

SLOTS: Final = 128
SLOT_BYTES: Final = 1600
MOST_PACKET_BYTES: Final = 1452
"""With the 16 bytes of AES-GCM's tag, and more than that to spare, it fits into a slot and a datagram."""
_DECLARED: Final = """
struct iovec { void *iov_base; size_t iov_len; };
struct msghdr {
    void *msg_name; unsigned int msg_namelen;
    struct iovec *msg_iov; size_t msg_iovlen;
    void *msg_control; size_t msg_controllen; int msg_flags;
};
struct mmsghdr { struct msghdr msg_hdr; unsigned int msg_len; };
int sendmmsg(int sockfd, struct mmsghdr *msgvec, unsigned int vlen, int flags);
"""

_ffi: Any = FFI()
_ffi.cdef(_DECLARED)


def _library() -> Any:
    """The C library, or None where it has no `sendmmsg` or structures of another shape."""
    if not sys.platform.startswith("linux") or sys.maxsize < 1 << 32:
        return None
    try:
        library = _ffi.dlopen(None)
        library.sendmmsg  # noqa: B018 - cffi looks for it now
    except (OSError, AttributeError):
        return None
    return library


class Destination:
    """An address as the system takes it."""

    def __init__(self, address: Address) -> None:
        host, port = address[0].partition("%")[0], address[1]
        packed = ipaddress.ip_address(host).packed
        if len(packed) == 4:
            data = socket.AF_INET.to_bytes(2, sys.byteorder) + port.to_bytes(2, "big") + packed + bytes(8)
        else:
            family = socket.AF_INET6.to_bytes(2, sys.byteorder)
            data = family + port.to_bytes(2, "big") + bytes(4) + packed + bytes(4)
        self.size = len(data)
        self.pointer: Any = _ffi.new("unsigned char[]", data)


class Outbox:
    """Packets of many paths on their way through one socket, sealed where they lie and sent together."""

    def __init__(self, descriptor: int, later: Callable[[Callable[[], None]], object]) -> None:
        """`later` calls a function soon; raises `OSError` where this cannot work."""
        library = _library()
        if library is None:
            raise OSError(errno.ENOSYS, "there is no sendmmsg here")
        self.refused = 0
        """Packets that the network did not take."""
        self._descriptor = descriptor
        self._later = later
        self._sendmmsg = library.sendmmsg
        self._slab = _ffi.new("unsigned char[]", SLOTS * SLOT_BYTES)
        self._lengths = _ffi.new("int[]", SLOTS)
        self._vectors = _ffi.new("struct iovec[]", SLOTS)
        self._messages = _ffi.new("struct mmsghdr[]", SLOTS)
        self._slots: list[tuple[Any, Any, Any, Any]] = []
        self._to: list[Destination | None] = [None] * SLOTS
        """Kept until they are sent to: the system is given their addresses only."""
        self._count = 0
        for index in range(SLOTS):
            place, vector = self._slab + index * SLOT_BYTES, self._vectors + index
            message = _ffi.addressof(self._messages[index], "msg_hdr")
            vector.iov_base = place
            message.msg_iov, message.msg_iovlen = vector, 1
            self._slots.append((place, self._lengths + index, vector, message))

    def put(self, packet: bytes, seal: Any, to: Destination) -> bool:
        """Seal an RTP packet (`seal`: see `handle_of`) and queue it; False when it cannot be sealed."""
        size = len(packet)
        if size > MOST_PACKET_BYTES:
            return False
        place, length, vector, message = self._slots[self._count]
        _ffi.memmove(place, packet, size)
        length[0] = size
        if _binding.lib.srtp_protect(seal, place, length):
            return False
        vector.iov_len = length[0]
        message.msg_name, message.msg_namelen = to.pointer, to.size
        self._to[self._count] = to
        self._count += 1
        if self._count == 1:
            self._later(self.flush)
        elif self._count == SLOTS:
            self.flush()
        return True

    def flush(self) -> None:
        """Send what is queued. What the network does not take is lost, as on any network."""
        count, self._count = self._count, 0
        sent = 0
        while sent < count:
            taken = self._sendmmsg(self._descriptor, self._messages + sent, count - sent, socket.MSG_DONTWAIT)
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


def handle_of(session: pylibsrtp.Session) -> Any:
    """What libsrtp knows a session by: good for as long as the session is kept."""
    return session._srtp[0]
