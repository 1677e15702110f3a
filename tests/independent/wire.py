"""What passes on the loopback interface: who sends UDP to whom."""

import asyncio
import contextlib
import ctypes
import socket
import struct
from collections.abc import AsyncIterator

import pytest

ETH_P_ALL, ETH_P_IP, ETH_P_IPV6 = 3, 0x0800, 0x86DD
SO_ATTACH_FILTER = 26
BUFFER_BYTES = 8 << 20
# Classic BPF. The rest of what is on loopback would crowd it out.
_UDP_ONLY = [
    (0x28, 0, 0, 12),  # the type of the frame
    (0x15, 0, 2, ETH_P_IP),
    (0x30, 0, 0, 23),  # the protocol of IPv4
    (0x05, 0, 0, 2),
    (0x15, 0, 3, ETH_P_IPV6),
    (0x30, 0, 0, 20),  # the next header of IPv6
    (0x15, 0, 1, socket.IPPROTO_UDP),
    (0x06, 0, 0, 0xFFFF),
    (0x06, 0, 0, 0),
]


class Wire:
    """The pairs of ports that UDP was seen between."""

    def __init__(self) -> None:
        self.flows: set[frozenset[int]] = set()

    def see(self, frame: bytes) -> None:
        """Take an Ethernet frame with UDP over IPv4 or IPv6."""
        packet = frame[14:]
        begins = 40 if packet[0] >> 4 == 6 else (packet[0] & 15) * 4
        source, destination = struct.unpack_from("!HH", packet, begins)
        self.flows.add(frozenset((source, destination)))

    def of(self, ports: set[int]) -> set[frozenset[int]]:
        """Flows with an end among these."""
        return {flow for flow in self.flows if flow & ports}


@contextlib.asynccontextmanager
async def watching() -> AsyncIterator[Wire]:
    """Everything on loopback, from now on; needs the right to open packet sockets."""
    try:
        tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    except (PermissionError, AttributeError):
        pytest.skip("watching the wire needs Linux and CAP_NET_RAW")
    with tap:
        program = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *each) for each in _UDP_ONLY))
        filter_ = struct.pack("HL", len(_UDP_ONLY), ctypes.addressof(program))
        tap.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, filter_)
        tap.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        tap.bind(("lo", 0))
        tap.setblocking(False)
        wire, loop = Wire(), asyncio.get_running_loop()

        def read() -> None:
            with contextlib.suppress(BlockingIOError):
                while True:
                    wire.see(tap.recv(96))

        loop.add_reader(tap, read)
        try:
            yield wire
        finally:
            loop.remove_reader(tap)
            read()
