"""The engine as a node's operator meets it: what it checks, and what strangers can do to it."""

import asyncio
import os
from typing import Any
from uuid import uuid4

import pytest
from aiortc import RTCCertificate

from signalling.media.embedded.engine import EmbeddedEngine
from signalling.media.embedded.selftest import check_libraries
from signalling.settings import Settings
from tests.signalling.media.caller import Stage, Wire, fingerprints, until


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


HELLOS_PER_SECOND = 2000


async def first_words(stage: Stage) -> bytes:
    """The ClientHello of somebody who begins a handshake."""
    caller = await stage.arrived(stage.path())
    said: asyncio.Queue[bytes] = asyncio.Queue()
    caller.wire.send = lambda data: said.put_nowait(data)  # type: ignore[method-assign]
    shaking = asyncio.create_task(caller.shake_hands(fingerprints(stage.certificate)))
    hello = await said.get()
    shaking.cancel()
    await asyncio.gather(shaking, return_exceptions=True)
    assert (hello[0], hello[13]) == (22, 1), "a handshake's record, and in it a ClientHello"
    return hello


class Flood:
    """Says hello over and over on one wire, so many times a second however late the loop is."""

    def __init__(self, wire: Wire, hello: bytes, *, spoils: bool) -> None:
        """`spoils`: every other one is nonsense."""
        self.sent = 0
        self._spoils = spoils
        self._wire, self._hello = wire, hello
        self._began = asyncio.get_running_loop().time()
        self._pouring = asyncio.create_task(self._pour())

    @property
    def due(self) -> float:
        return (asyncio.get_running_loop().time() - self._began) * HELLOS_PER_SECOND

    async def _pour(self) -> None:
        while True:
            while self.sent < self.due:
                self.sent += 1
                # Another record each time: one that comes again would be dropped for that alone.
                record = self._hello[:5] + self.sent.to_bytes(6, "big") + self._hello[11:]
                spoilt = record[:27] + os.urandom(len(record) - 27)
                self._wire.send(spoilt if self._spoils and self.sent % 2 else record)
            await asyncio.sleep(0.005)

    async def stop(self) -> None:
        self._pouring.cancel()
        await asyncio.gather(self._pouring, return_exceptions=True)


async def flooding_wire(stage: Stage, source: str) -> Wire:
    """Somebody who proves nothing, who has proved their address, or who has shaken hands already."""
    if source == "stranger":
        return await stage.wire()
    if source == "proved":
        path = stage.path()
        caller = await stage.arrived(path)
        starting = asyncio.create_task(path.start(fingerprints(caller.certificate)))
        starting.add_done_callback(lambda done: done.cancelled() or done.exception())
        return caller.wire
    _, caller = await stage.connected()
    return caller.wire


@pytest.mark.parametrize("source", ["stranger", "proved", "connected"])
async def test_calls_connect_under_a_flood_of_handshakes(stage: Stage, source: str) -> None:
    """50 of 50, each in time, while 2,000 ClientHellos a second come."""
    hello = await first_words(stage)
    # Whose handshake is nonsense is a stranger again, once it has failed.
    flood = Flood(await flooding_wire(stage, source), hello, spoils=source != "proved")
    connected = 0
    try:
        for _ in range(50):
            path, caller = await stage.connected()
            assert path.ready
            connected += 1
            caller.wire.transport.close()
            await path.stop()
        await until(lambda: flood.sent >= HELLOS_PER_SECOND)
        assert flood.sent > flood.due - HELLOS_PER_SECOND / 2, "the rate was kept"
    finally:
        await flood.stop()
    assert connected == 50
    let_in = flood.sent - stage.port.dropped["stranger"]
    assert let_in < flood.sent / 2 if source == "stranger" else let_in > flood.sent / 2


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
