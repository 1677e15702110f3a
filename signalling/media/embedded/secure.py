"""One participant's DTLS-SRTP (RFC 5764) over the shared port: what comes is opened, what goes is sealed.

aiortc does the handshake and makes the keys. It is given DTLS only, and only what the port has let in; media
never pass its queues. We are the DTLS server, because then the cipher is ours to choose.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pylibsrtp
from aiortc import RTCCertificate, RTCDtlsFingerprint, RTCDtlsParameters, RTCDtlsTransport
from aiortc.rtcdtlstransport import SRTP_AEAD_AES_128_GCM, SRTP_AES128_CM_SHA1_80, State

from signalling.media.embedded.ice import IceLite
from signalling.media.embedded.native import Lane
from signalling.media.embedded.port import Datagram, MediaPort
from signalling.media.embedded.rate import Allowance

HANDSHAKE_SECONDS: Final = 15.0
MOST_WAITING: Final = 32
"""Datagrams of DTLS that wait to be read; what comes on top is lost, and sent again by whoever sent it."""
REPORT_OCTETS: Final = 200_000
"""Of RTCP, a second: many times what 64 tracks on a bad network need."""
REPORTS_AT_ONCE: Final = 400_000
PACKET_COST: Final = 100
"""So many octets more, each packet counts: to open it costs as much as its size does."""
PROFILES: Final = [SRTP_AEAD_AES_128_GCM, SRTP_AES128_CM_SHA1_80]
"""AES-GCM is sealed three times as fast."""


class HandshakeFailed(Exception):
    """The other side did not prove to be whom its description names, or said nothing for too long."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The digest of a certificate (RFC 8122, section 5), its value in upper-case pairs with colons."""

    algorithm: str
    value: str


class _Pipe:
    """What aiortc takes for its ICE transport."""

    role = "controlled"
    state = "completed"

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self.waiting: asyncio.Queue[bytes] = asyncio.Queue(MOST_WAITING)
        self._send_now = send

    async def _recv(self) -> bytes:
        return await self.waiting.get()

    async def _send(self, data: bytes) -> None:
        self._send_now(data)


class SecurePath:
    """A participant's way through the port: their ICE, their keys.

    `on_rtp` and `on_rtcp` are given opened packets; `on_close` is called once when the other side says
    goodbye.
    """

    def __init__(
        self,
        port: MediaPort,
        certificate: RTCCertificate,
        *,
        on_rtp: Callable[[bytes], None],
        on_rtcp: Callable[[bytes], None],
        on_close: Callable[[], None] = lambda: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.ice = IceLite()
        self.refused = 0
        """How many packets could not be decrypted, or came twice."""
        self.crowded = 0
        """How many RTCP packets were not read, because they came too fast."""
        self._reports = Allowance(REPORT_OCTETS, REPORTS_AT_ONCE)
        self._lane = Lane(port.outbox, monotonic) if port.outbox is not None else None
        self.send_rtp: Callable[[bytes], None] = self._lane or self._send_rtp
        """Seals and sends an RTP packet; nothing happens while nobody can or wants to receive."""
        self._unsealed = 0
        self._port = port
        self._on_rtp, self._on_rtcp, self._on_close = on_rtp, on_rtcp, on_close
        self._monotonic = monotonic
        self._pipe = _Pipe(self._send)
        transport: Any = self._pipe
        self._dtls = RTCDtlsTransport(transport, [certificate])
        self._dtls._set_role("server")
        self._dtls._srtp_profiles = PROFILES
        self._dtls.add_listener("statechange", self._changed)
        self._ready = False
        port.attach(self)

    @property
    def ready(self) -> bool:
        """Whether media can be sent and received."""
        return self._ready

    @property
    def flows(self) -> bool:
        """Whether what is sent goes out: the other side is known, and wants it."""
        return self._ready and self.ice.has_consent(self._monotonic())

    @property
    def unsealed(self) -> int:
        """How many packets could not be encrypted."""
        return self._unsealed + (self._lane.unsealed if self._lane is not None else 0)

    async def start(self, fingerprints: Sequence[Fingerprint]) -> None:
        """Wait for the other side's handshake. Raises `HandshakeFailed`; the path is closed then."""
        parameters = RTCDtlsParameters(
            fingerprints=[RTCDtlsFingerprint(each.algorithm, each.value) for each in fingerprints]
        )
        try:
            async with asyncio.timeout(HANDSHAKE_SECONDS):
                await self._dtls.start(parameters)
        except TimeoutError:
            await self.stop()
            raise HandshakeFailed("There was no handshake in time.") from None
        if not self._ready:
            await self.stop()
            raise HandshakeFailed("The handshake did not fit the description.")

    async def stop(self) -> None:
        """Say goodbye, and receive nothing more."""
        self._ready = False
        self.proved()
        self._port.detach(self)
        await self._dtls.stop()

    def restart(self) -> None:
        """New ICE credentials; the path in use stays until the other side has found one by them."""
        self.ice.restart()
        self._port.attach(self)

    def receive(self, datagram: Datagram) -> None:
        """A datagram from an address that has proved itself."""
        view = datagram.view
        if view[0] < 64:
            if not self._pipe.waiting.full():
                self._pipe.waiting.put_nowait(datagram.copy())
            return
        if not self._ready:
            return
        # RFC 5761, section 4: what would be payload types 64 to 95 is RTCP.
        if 64 <= view[1] & 0x7F < 96:
            if not self._reports.take(PACKET_COST + datagram.size, self._monotonic()):
                self.crowded += 1
                return
            packet, take = datagram.unprotect_rtcp(self._dtls._rx_srtp), self._on_rtcp
        else:
            packet, take = datagram.unprotect(self._dtls._rx_srtp), self._on_rtp
        if packet is None:
            self.refused += 1
        else:
            take(packet)

    def proved(self) -> None:
        """A check has been answered."""
        lane, to = self._lane, self.ice.destination
        if lane is not None:
            lane.until = self.ice.consent_until if self._ready else float("-inf")
            lane.to = lane.outbox.destination(to) if to is not None else b""

    def _send_rtp(self, packet: bytes) -> None:
        if self._ready:
            self._sealed(self._dtls._tx_srtp.protect, packet)

    def send_rtcp(self, packet: bytes) -> None:
        """Seal and send a compound packet; nothing happens while nobody can or wants to receive."""
        if self._ready:
            self._sealed(self._dtls._tx_srtp.protect_rtcp, packet)

    def _sealed(self, seal: Callable[[bytes], bytes], packet: bytes) -> None:
        try:
            self._send(seal(packet))
        except (pylibsrtp.Error, ValueError):
            # Too long, or a number that was used long ago: this packet is lost, the next one need not be.
            self._unsealed += 1

    def _send(self, data: bytes) -> None:
        to = self.ice.destination
        if to is not None and self.ice.has_consent(self._monotonic()):
            self._port.send(data, to)

    def _changed(self) -> None:
        state = self._dtls._state
        if state is State.CONNECTED:
            if self._lane is not None:
                self._lane.seal_with(self._dtls._tx_srtp)
            self._ready = True
            self.proved()
        elif self._ready and state is State.CLOSED:
            self._ready = False
            self.proved()
            self._on_close()
