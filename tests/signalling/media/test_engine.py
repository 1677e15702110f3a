"""The engine as a node's operator meets it: what it checks, and what strangers can do to it."""

import asyncio
import os
from typing import Any
from uuid import uuid4

import pytest
from aiortc import RTCCertificate
from typing_extensions import override

from signalling.media.embedded.engine import EmbeddedEngine
from signalling.media.embedded.selftest import check_libraries
from signalling.settings import Settings
from tests.signalling.media.caller import Caller, Stage, Wire, fingerprints


async def test_a_library_that_has_changed_is_found_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = RTCCertificate.generateCertificate()
    await check_libraries(certificate)
    monkeypatch.setattr("aiortc.rtcdtlstransport.RTCDtlsTransport._set_role", None)
    with pytest.raises(RuntimeError, match="install the versions"):
        await check_libraries(certificate)


async def test_a_taken_port_is_told() -> None:
    first = EmbeddedEngine(lambda *_: None, host="127.0.0.1", port=0)
    await first.open()
    assert first._site is not None
    second = EmbeddedEngine(lambda *_: None, host="127.0.0.1", port=first._site.port.address[1])
    with pytest.raises(OSError, match="in use"):
        await second.open()
    await first.close()
    await second.close()


@pytest.mark.parametrize(
    "wrong",
    [
        {"media_host": "0.0.0.0"},
        {"media_addresses": ("calls.example.org",)},
        {"media_addresses": ("192.0.2.1:99999",)},
        {"media_addresses": ("192.0.2.1:port",)},
    ],
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"MEDIA_ADDRESSES|media_addresses"):
        Settings(valkey_url="memory://", **wrong)


def test_announced_addresses() -> None:
    settings = Settings(
        signalling_port=8001, media_addresses=("192.0.2.1", "192.0.2.2:40000", "[2001:db8::1]:4")
    )
    assert settings.media_port == 8003
    assert Settings(signalling_port=0).media_port == 0


class Flood(asyncio.DatagramProtocol):
    """Sends the first datagram of a handshake over and over, from an address that proves nothing."""

    def __init__(self) -> None:
        self.sent = 0

    @override
    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    async def pour(self, hello: bytes, per_second: int) -> None:
        while True:
            for _ in range(per_second // 100):
                self._transport.sendto(hello[:13] + os.urandom(max(0, len(hello) - 13)))
                self._transport.sendto(hello)
                self.sent += 2
            await asyncio.sleep(0.01)


async def test_calls_connect_under_a_flood_of_handshakes(stage: Stage) -> None:
    hello = b"\x16\xfe\xff\0\0\0\0\0\0\0\0\0\xb4\x01\0\0\xa8" + bytes(167)
    transport, flood = await asyncio.get_running_loop().create_datagram_endpoint(
        Flood, remote_addr=stage.port.address
    )
    pouring = asyncio.create_task(flood.pour(hello, 2000))
    try:
        for _ in range(50):
            path = stage.path()
            caller = Caller(await Wire.to(stage.port.address), path.ice.credentials)
            await caller.prove()
            starting = asyncio.create_task(path.start(fingerprints(caller.certificate)))
            await caller.shake_hands(fingerprints(stage.certificate))
            await starting
            assert path.ready
            caller.wire.transport.close()
            await path.stop()
    finally:
        pouring.cancel()
        transport.close()
    assert flood.sent > 1000
    assert stage.port.dropped["stranger"] > 1000


async def test_an_engine_that_is_asked_about_strangers_stays_calm() -> None:
    engine = EmbeddedEngine(lambda *_: None, host="127.0.0.1", port=0)
    await engine.open()
    call, nobody = uuid4(), uuid4()
    await engine.returned(call, nobody)
    await engine.offer_again(call, nobody, anew=True)
    await engine.look(call, nobody, ())
    await engine.dismiss(call, nobody)
    await engine.end(call)
    await engine.close()
