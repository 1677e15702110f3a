"""One peer connection of the load: a socket, ICE checks by hand, DTLS-SRTP by aiortc as the client."""

import asyncio
import contextlib
import secrets
import socket
from typing import Any, Final

from aioice import stun
from aiortc import RTCCertificate, RTCDtlsFingerprint, RTCDtlsParameters, RTCDtlsTransport
from aiortc.rtcdtlstransport import SRTP_AEAD_AES_128_GCM

from bench.sfu.descriptions import Local, Remote

CHECK_SECONDS: Final = 5.0
"""So often consent is renewed (RFC 7675)."""
HANDSHAKE_SECONDS: Final = 10.0
_TIMESTAMPS: Final = 35
"""SO_TIMESTAMPNS: the kernel says when each datagram came."""
_RECEIVE_BUFFER: Final = 1 << 22


class Peer:
    """Connects, and then seals and opens packets. Also what aiortc takes for its ICE transport."""

    role = "controlling"
    state = "completed"

    def __init__(self, certificate: RTCCertificate, host: str) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.SOL_SOCKET, _TIMESTAMPS, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        self.socket.bind((host, 0))
        prints = [each.value for each in certificate.getFingerprints() if each.algorithm == "sha-256"]
        self.local = Local(secrets.token_hex(4), secrets.token_hex(12), prints[0], self.socket.getsockname())
        self._remote: Remote | None = None
        self._heard: asyncio.Queue[bytes] = asyncio.Queue()
        me: Any = self
        self._dtls = RTCDtlsTransport(me, [certificate])
        self._dtls._set_role("client")
        self._dtls._srtp_profiles = [SRTP_AEAD_AES_128_GCM]

    async def connect(self, remote: Remote) -> None:
        """Be let in, and shake hands."""
        self._remote = remote
        self.socket.connect(remote.address)
        loop = asyncio.get_running_loop()
        loop.add_reader(self.socket, self._read)
        try:
            async with asyncio.timeout(HANDSHAKE_SECONDS):
                await self._prove()
                await self._dtls.start(RTCDtlsParameters([RTCDtlsFingerprint("sha-256", remote.fingerprint)]))
        finally:
            loop.remove_reader(self.socket)
        task = self._dtls._task
        assert task is not None, "the handshake failed"
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        self.protect = self._dtls._tx_srtp.protect
        self.protect_rtcp = self._dtls._tx_srtp.protect_rtcp
        self.unprotect = self._dtls._rx_srtp.unprotect
        self.unprotect_rtcp = self._dtls._rx_srtp.unprotect_rtcp

    def check(self) -> None:
        """Send a Binding request that nominates."""
        assert self._remote is not None
        request = stun.Message(
            stun.Method.BINDING,
            stun.Class.REQUEST,
            attributes={
                "USERNAME": f"{self._remote.ufrag}:{self.local.ufrag}",
                "PRIORITY": 1,
                "ICE-CONTROLLING": 1,
                "USE-CANDIDATE": None,
            },
        )
        request.add_message_integrity(self._remote.password.encode())
        self.send(bytes(request))

    def send(self, data: bytes) -> None:
        """Send a datagram; it may be lost."""
        with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
            self.socket.send(data)

    def answer(self, data: bytes) -> None:
        """Answer the server's own check, if this is one; its side is controlled, so it nominates nothing."""
        if data[:2] != b"\x00\x01" or self._remote is None:
            return
        request = stun.parse_message(data)
        answer = stun.Message(
            stun.Method.BINDING,
            stun.Class.RESPONSE,
            request.transaction_id,
            {"XOR-MAPPED-ADDRESS": self._remote.address},
        )
        answer.add_message_integrity(self.local.password.encode())
        self.send(bytes(answer))

    async def _prove(self) -> None:
        while True:
            self.check()
            try:
                data = await asyncio.wait_for(self._heard.get(), 0.2)
            except TimeoutError:
                continue
            if data[:2] == b"\x01\x01":
                return

    def _read(self) -> None:
        data = self.socket.recv(2048)
        self.answer(data)
        self._heard.put_nowait(data)

    async def _recv(self) -> bytes:
        while True:
            data = await self._heard.get()
            if 20 <= data[0] < 64:
                return data

    async def _send(self, data: bytes) -> None:
        self.send(data)
