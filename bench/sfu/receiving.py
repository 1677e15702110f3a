"""Reads many sockets cheaply: one system call for up to 64 datagrams, and the kernel's time of each."""

import ctypes
import struct
from typing import Final

from pylibsrtp import Error

from bench.sfu.publisher import Publisher
from bench.sfu.subscriber import Subscriber

BATCH: Final = 64
_SLOT: Final = 2048
_CONTROL: Final = 64
_WORDS: Final = 8
"""Words of 8 bytes in a `struct mmsghdr`."""
_DONT_WAIT: Final = 0x40
_RTP: Final = struct.Struct("!BBHII")
_TIME: Final = struct.Struct("@qq")


class Batch:
    """Room for datagrams, and the system call that fills it."""

    def __init__(self) -> None:
        self.data = bytearray(BATCH * _SLOT)
        self._control = bytearray(BATCH * _CONTROL)
        self._vectors = bytearray(BATCH * 16)
        self._heads = bytearray(BATCH * _WORDS * 8)
        data, control, vectors, heads = (
            ctypes.addressof((ctypes.c_char * len(each)).from_buffer(each))
            for each in (self.data, self._control, self._vectors, self._heads)
        )
        for place in range(BATCH):
            struct.pack_into("@QQ", self._vectors, place * 16, data + place * _SLOT, _SLOT)
            # struct msghdr: name, its length, vectors, their number, control, its length, flags; then len.
            struct.pack_into(
                "@8Q",
                self._heads,
                place * _WORDS * 8,
                *(0, 0, vectors + place * 16, 1, control + place * _CONTROL, _CONTROL, 0, 0),
            )
        self._address = heads
        self._words = memoryview(self._heads).cast("Q")
        self._call = ctypes.CDLL(None).recvmmsg
        self._call.argtypes = [
            ctypes.c_int,
            ctypes.c_void_p,
            ctypes.c_uint,
            ctypes.c_int,
            ctypes.c_void_p,
        ]

    def receive(self, descriptor: int) -> list[int]:
        """The lengths of the datagrams that were there."""
        count = self._call(descriptor, self._address, BATCH, _DONT_WAIT, None)
        words, lengths = self._words, []
        for place in range(count):
            at = place * _WORDS
            lengths.append(words[at + 7] & 0xFFFF_FFFF)
            words[at + 5] = _CONTROL
        return lengths

    def arrived(self, place: int) -> float:
        """When the datagram came, in seconds since 1970."""
        seconds, nanoseconds = _TIME.unpack_from(self._control, place * _CONTROL + 16)
        return float(seconds) + float(nanoseconds) / 1e9

    def datagram(self, place: int, length: int) -> bytes:
        """A copy of it."""
        return bytes(self.data[place * _SLOT : place * _SLOT + length])


def read_subscriber(batch: Batch, subscriber: Subscriber) -> None:
    """Count everything that waits."""
    descriptor, data, unpack = subscriber.peer.socket.fileno(), batch.data, _RTP.unpack_from
    while True:
        lengths = batch.receive(descriptor)
        for place, length in enumerate(lengths):
            first, second, number, _, ssrc = unpack(data, place * _SLOT)
            # RFC 7983 and RFC 5761: neither a check, nor DTLS, nor RTCP.
            if first < 128 or 64 <= second & 0x7F < 96:
                subscriber.peer.answer(batch.datagram(place, length))
                continue
            if subscriber.count(ssrc, number):
                subscriber.open(batch.datagram(place, length), batch.arrived(place))
        if len(lengths) < BATCH:
            return


def read_publisher(batch: Batch, publisher: Publisher) -> None:
    """Hear what is asked for."""
    for place, length in enumerate(batch.receive(publisher.peer.socket.fileno())):
        data = batch.datagram(place, length)
        if data[0] < 128:
            publisher.peer.answer(data)
        else:
            try:
                publisher.take_rtcp(data)
            except (Error, ValueError):
                continue
