"""Both ends of the media port: ours, and a participant with checks by hand and keys by aiortc."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from aioice import stun
from aiortc import RTCCertificate, RTCDtlsFingerprint, RTCDtlsParameters, RTCDtlsTransport
from typing_extensions import override

from signalling.media.embedded.ice import Address, Credentials
from signalling.media.embedded.port import MediaPort
from signalling.media.embedded.secure import Fingerprint, SecurePath

SECONDS = 5


def fingerprints(certificate: RTCCertificate) -> list[Fingerprint]:
    """As a description gives them."""
    return [Fingerprint(each.algorithm, each.value) for each in certificate.getFingerprints()]


class Wire(asyncio.DatagramProtocol):
    """One UDP socket on loopback; what comes in waits to be read."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[bytes] = asyncio.Queue()
        self.transport: asyncio.DatagramTransport

    @classmethod
    async def to(cls, address: Address) -> "Wire":
        """Bound to any free port of the same host and sending there."""
        _, wire = await asyncio.get_running_loop().create_datagram_endpoint(
            cls, local_addr=(address[0], 0), remote_addr=address
        )
        return wire

    @override
    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self.transport = transport

    @override
    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.heard.put_nowait(data)

    @property
    def address(self) -> Address:
        host, port = self.transport.get_extra_info("sockname")[:2]
        return host, port

    def send(self, data: bytes) -> None:
        self.transport.sendto(data)

    async def read(self) -> bytes:
        return await asyncio.wait_for(self.heard.get(), SECONDS)


class Caller:
    """Proves itself, shakes hands as the client, and then seals and opens packets."""

    role = "controlling"
    state = "completed"

    def __init__(self, wire: Wire, credentials: Credentials) -> None:
        self.wire = wire
        self.credentials = credentials
        self.certificate = RTCCertificate.generateCertificate()
        me: Any = self
        self.dtls = RTCDtlsTransport(me, [self.certificate])
        self.dtls._set_role("client")

    async def _recv(self) -> bytes:
        while True:
            data = await self.wire.heard.get()
            if data[0] >= 20:
                return data

    async def _send(self, data: bytes) -> None:
        self.wire.send(data)

    def check(self, *, nominate: bool = True) -> bytes:
        """A Binding request that is ours."""
        attributes = {"USERNAME": f"{self.credentials.ufrag}:them", "PRIORITY": 1, "ICE-CONTROLLING": 1}
        if nominate:
            attributes["USE-CANDIDATE"] = None
        request = stun.Message(stun.Method.BINDING, stun.Class.REQUEST, attributes=attributes)
        request.add_message_integrity(self.credentials.password.encode())
        return bytes(request)

    async def prove(self, wire: Wire | None = None) -> None:
        """Check and be answered, on this wire from now on if another is given."""
        self.wire = wire or self.wire
        self.wire.send(self.check())
        answer = stun.parse_message(await self.wire.read())
        assert answer.message_class == stun.Class.RESPONSE
        assert answer.attributes["XOR-MAPPED-ADDRESS"] == self.wire.address

    async def shake_hands(self, theirs: Sequence[Fingerprint]) -> None:
        """The client's part of DTLS; afterwards media are read with `open`."""
        parameters = RTCDtlsParameters([RTCDtlsFingerprint(each.algorithm, each.value) for each in theirs])
        await asyncio.wait_for(self.dtls.start(parameters), SECONDS)
        if self.dtls._task is not None:
            self.dtls._task.cancel()

    async def say_goodbye(self) -> None:
        """Close the connection as DTLS does."""
        assert self.dtls._ssl is not None
        self.dtls._ssl.shutdown()
        await self.dtls._write_ssl()

    @property
    def cipher(self) -> bytes:
        """What was agreed to seal media with."""
        assert self.dtls._ssl is not None
        return self.dtls._ssl.get_selected_srtp_profile()

    def seal(self, packet: bytes) -> bytes:
        return bytes(self.dtls._tx_srtp.protect(packet))

    def seal_rtcp(self, packet: bytes) -> bytes:
        return bytes(self.dtls._tx_srtp.protect_rtcp(packet))

    async def open(self) -> bytes:
        """The next packet of media, opened."""
        return bytes(self.dtls._rx_srtp.unprotect(await self.wire.read()))


class Path(SecurePath):
    """Remembers what came out of it."""

    def __init__(self, port: MediaPort, certificate: RTCCertificate) -> None:
        self.rtp: list[bytes] = []
        self.rtcp: list[bytes] = []
        self.closed: list[bool] = []
        super().__init__(
            port,
            certificate,
            on_rtp=self.rtp.append,
            on_rtcp=self.rtcp.append,
            on_close=lambda: self.closed.append(True),
        )


@dataclass(slots=True)
class Stage:
    """A port, those who come to it, and everything to be closed in the end."""

    port: MediaPort
    certificate: RTCCertificate
    paths: list[Path] = field(default_factory=list)
    wires: list[Wire] = field(default_factory=list)

    def path(self) -> Path:
        self.paths.append(Path(self.port, self.certificate))
        return self.paths[-1]

    async def wire(self, host: str = "127.0.0.1") -> Wire:
        self.wires.append(await Wire.to((host, self.port.address[1])))
        return self.wires[-1]

    async def arrived(self, path: Path, host: str = "127.0.0.1") -> Caller:
        """A caller who has proved that this path is theirs."""
        caller = Caller(await self.wire(host), path.ice.credentials)
        await caller.prove()
        return caller

    async def connected(self, host: str = "127.0.0.1") -> tuple[Path, Caller]:
        """A path, and a caller at the other end of it who has shaken hands."""
        path = self.path()
        caller = await self.arrived(path, host)
        async with asyncio.TaskGroup() as group:
            group.create_task(path.start(fingerprints(caller.certificate)))
            group.create_task(caller.shake_hands(fingerprints(self.certificate)))
        return path, caller

    async def close(self) -> None:
        for path in self.paths:
            await path.stop()
        for wire in self.wires:
            wire.transport.close()
        self.port.close()
        await asyncio.sleep(0)


async def until(condition: Callable[[], bool], seconds: float = SECONDS) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)
