"""A bad network in userspace: a UDP relay that loses, delays and cuts, the same way for the same seed."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from typing_extensions import override

from signalling.media.embedded.ice import Address

QUEUE_SECONDS = 0.3


@dataclass(slots=True)
class Weather:
    """How bad it is, in both directions; may be changed at any time."""

    loss: float = 0.0
    """0 to 1."""
    jitter: float = 0.0
    """Each datagram is delayed by anything from 0 to so many seconds."""
    bitrate: float | None = None
    """What clients get at most, in bits per second; what would wait longer than `QUEUE_SECONDS` is lost."""
    cut: bool = False
    checks: bool = True
    """Whether STUN gets through to the server."""


class Relay(asyncio.DatagramProtocol):
    """Stands before a server's UDP port; each client gets an upstream socket of its own."""

    def __init__(self, server: Address, seed: int) -> None:
        self.weather = Weather()
        self.lost = self.passed = 0
        self.sent: Counter[str] = Counter()
        """What the server was sent from each of the addresses that it sees clients at, in datagrams."""
        self.returned: Counter[str] = Counter()
        """What it sent there."""
        self.outside = "127.0.0.1"
        """The address that it sees clients at, from the next `rebind` on."""
        self._closed = False
        self._free_at = 0.0
        """When all that waits for the bottleneck is through; of the loop's clock."""
        self._server = server
        self._dice = random.Random(seed)
        self._upstream: dict[Address, asyncio.DatagramTransport] = {}
        self._opening: dict[Address, asyncio.Task[None]] = {}
        self._transport: asyncio.DatagramTransport

    @override
    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    @property
    def port(self) -> int:
        number: int = self._transport.get_extra_info("sockname")[1]
        return number

    @override
    def datagram_received(self, data: bytes, addr: Any) -> None:
        client = addr[:2]
        upstream = self._upstream.get(client)
        if upstream is not None and (self.weather.checks or data[0] >= 4):
            self.sent[upstream.get_extra_info("sockname")[0]] += 1
            self._pass(lambda: upstream.sendto(data))
        elif upstream is not None:
            self.lost += 1
        elif client not in self._opening:
            self._opening[client] = asyncio.create_task(self._open(client))

    async def rebind(self, outside: str) -> None:
        """Forget where clients went out, as a NAT may: from here on they are seen at another address."""
        self.outside = outside
        for client, old in list(self._upstream.items()):
            await self._open(client)
            old.close()

    async def _open(self, client: Address) -> None:
        relay, outside = self, self.outside

        class Back(asyncio.DatagramProtocol):
            @override
            def datagram_received(self, data: bytes, addr: Any) -> None:
                relay.returned[outside] += 1
                relay._pass(lambda: relay._transport.sendto(data, client), len(data))

        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            Back, local_addr=(outside, 0), remote_addr=self._server
        )
        self._upstream[client] = transport

    def _pass(self, send: Any, octets: int = 0) -> None:
        """`octets`: how many go through the bottleneck."""
        waits = self._queued(octets)
        if self.weather.cut or self._dice.random() < self.weather.loss or waits > QUEUE_SECONDS:
            self.lost += 1
            return
        self.passed += 1
        delay = waits + self._dice.uniform(0, self.weather.jitter)
        if delay:
            asyncio.get_running_loop().call_later(delay, lambda: None if self._closed else send())
        else:
            send()

    def _queued(self, octets: int) -> float:
        """For how long it waits for the bottleneck, in seconds."""
        if self.weather.bitrate is None or not octets:
            return 0.0
        now = asyncio.get_running_loop().time()
        waits = max(0.0, self._free_at - now)
        if waits <= QUEUE_SECONDS:
            self._free_at = now + waits + octets * 8 / self.weather.bitrate
        return waits

    def close(self) -> None:
        self._closed = True
        for transport in (self._transport, *self._upstream.values()):
            transport.close()


@asynccontextmanager
async def relayed(server: Address, seed: int = 1) -> AsyncIterator[Relay]:
    """A relay on loopback before that address."""
    _, relay = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Relay(server, seed), local_addr=("127.0.0.1", 0)
    )
    try:
        yield relay
    finally:
        relay.close()
