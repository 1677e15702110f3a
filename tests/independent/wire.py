"""What passes on the loopback interface: who sends UDP to whom."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator

import pytest

ETH_P_ALL = 3


class Wire:
    """The pairs of ports that UDP was seen between."""

    def __init__(self) -> None:
        self.flows: set[frozenset[int]] = set()

    def see(self, frame: bytes) -> None:
        """Take an Ethernet frame; only UDP over IPv4 counts."""
        packet = frame[14:]
        if len(packet) < 28 or packet[0] >> 4 != 4 or packet[9] != socket.IPPROTO_UDP:
            return
        source, destination = struct.unpack_from("!HH", packet, (packet[0] & 15) * 4)
        self.flows.add(frozenset((source, destination)))

    def between(self, ports: set[int]) -> set[frozenset[int]]:
        """Flows whose ends are both among these."""
        return {flow for flow in self.flows if flow <= ports}


@contextlib.asynccontextmanager
async def watching() -> AsyncIterator[Wire]:
    """Everything on loopback, from now on; needs the right to open packet sockets."""
    try:
        tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    except (PermissionError, AttributeError):
        pytest.skip("watching the wire needs Linux and CAP_NET_RAW")
    with tap:
        tap.bind(("lo", 0))
        tap.setblocking(False)
        wire, loop = Wire(), asyncio.get_running_loop()

        def read() -> None:
            with contextlib.suppress(BlockingIOError):
                for _ in range(64):
                    wire.see(tap.recv(96))

        loop.add_reader(tap, read)
        try:
            yield wire
        finally:
            loop.remove_reader(tap)
