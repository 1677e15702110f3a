"""Whether the libraries still have what we use of them without its being promised."""

import asyncio
from typing import Any, Final

from aiortc import RTCCertificate, RTCDtlsFingerprint, RTCDtlsParameters, RTCDtlsTransport

from signalling.media.embedded.secure import PROFILES

SECONDS: Final = 10.0
_PACKET: Final = bytes.fromhex("80600001000000010000000a") + b"self-test"


class _End:
    """What aiortc takes for an ICE transport, in memory."""

    state = "completed"

    def __init__(self, role: str) -> None:
        self.role = role
        self.other: _End
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue()

    async def _recv(self) -> bytes:
        return await self._waiting.get()

    async def _send(self, data: bytes) -> None:
        self.other._waiting.put_nowait(data)


async def check_libraries(certificate: RTCCertificate) -> None:
    """Shake hands with ourselves, seal and open a packet. Raises `RuntimeError` if that fails."""
    ours, theirs = _End("controlled"), _End("controlling")
    ours.other, theirs.other = theirs, ours
    try:
        async with asyncio.timeout(SECONDS):
            await _meet(ours, theirs, certificate)
    except (AttributeError, TypeError, TimeoutError, AssertionError) as error:
        raise RuntimeError(
            "aiortc, aioice or pylibsrtp are not as this version of Mentorspan needs them:"
            " install the versions that requirements.txt names"
        ) from error


async def _meet(ours: Any, theirs: Any, certificate: RTCCertificate) -> None:
    server, client = (RTCDtlsTransport(end, [certificate]) for end in (ours, theirs))
    server._set_role("server")
    client._set_role("client")
    server._srtp_profiles = PROFILES
    prints = [RTCDtlsFingerprint(each.algorithm, each.value) for each in certificate.getFingerprints()]
    parameters = RTCDtlsParameters(fingerprints=prints)
    await asyncio.gather(server.start(parameters), client.start(parameters))
    try:
        sealed = server._tx_srtp.protect(_PACKET)
        assert client._rx_srtp.unprotect(sealed) == _PACKET
        assert sealed[:12] == _PACKET[:12]
    finally:
        await asyncio.gather(server.stop(), client.stop())
