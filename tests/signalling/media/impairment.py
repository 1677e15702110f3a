"""A bad network in userspace: a UDP relay that loses, delays and cuts, the same way for the same seed."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from typing_extensions import override

from signalling.media.embedded.ice import Address


@dataclass(slots=True)
class Weather:
    """How bad it is, in both directions; may be changed at any time."""

    loss: float = 0.0
    """0 to 1."""
    jitter: float = 0.0
    """Each datagram is delayed by anything from 0 to so many seconds."""
    cut: bool = False


class Relay(asyncio.DatagramProtocol):
    """Stands before a server's UDP port; each client gets an upstream socket of its own."""

    def __init__(self, server: Address, seed: int) -> None:
        self.weather = Weather()
        self.lost = self.passed = 0
        self._closed = False
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
        if upstream is not None:
            self._pass(lambda: upstream.sendto(data))
        elif client not in self._opening:
            self._opening[client] = asyncio.create_task(self._open(client))

    async def _open(self, client: Address) -> None:
        relay = self

        class Back(asyncio.DatagramProtocol):
            @override
            def datagram_received(self, data: bytes, addr: Any) -> None:
                relay._pass(lambda: relay._transport.sendto(data, client))

        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            Back, local_addr=("127.0.0.1", 0), remote_addr=self._server
        )
        self._upstream[client] = transport

    def _pass(self, send: Any) -> None:
        if self.weather.cut or self._dice.random() < self.weather.loss:
            self.lost += 1
            return
        self.passed += 1
        if self.weather.jitter:
            delay = self._dice.uniform(0, self.weather.jitter)
            asyncio.get_running_loop().call_later(delay, lambda: None if self._closed else send())
        else:
            send()

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
