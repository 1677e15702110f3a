"""The media port: strangers are not let in, participants get through, media follow them over networks."""

import asyncio
import random
import socket
import struct
from functools import partial

import pytest
from aiortc import RTCCertificate

from signalling.media.embedded import secure
from signalling.media.embedded.secure import HandshakeFailed
from tests.signalling.media.caller import Path, Stage, fingerprints, until

SENDER_REPORT = struct.pack("!BBHIQIII", 0x80, 200, 6, 7, 0, 0, 0, 0)
CLIENT_HELLO = bytes([22, 254, 253]) + bytes(60)


def rtp(seq: int, payload: bytes = b"word", *, ssrc: int = 7) -> bytes:
    return struct.pack("!BBHII", 0x80, 96, seq, seq * 960, ssrc) + payload


async def test_packets_pass_both_ways(stage: Stage) -> None:
    path, caller = await stage.connected()
    caller.wire.send(caller.seal(rtp(1)))
    caller.wire.send(caller.seal_rtcp(SENDER_REPORT))
    await until(lambda: bool(path.rtp and path.rtcp))
    assert (path.rtp, path.rtcp) == ([rtp(1)], [SENDER_REPORT])
    path.send_rtp(rtp(5, b"back"))
    assert await caller.open() == rtp(5, b"back")
    assert caller.cipher == b"SRTP_AEAD_AES_128_GCM"


async def test_what_is_too_long_to_be_sealed_is_lost_and_nothing_else(stage: Stage) -> None:
    path, caller = await stage.connected()
    path.send_rtp(rtp(1, bytes(1470)))
    path.send_rtp(rtp(2, b"short"))
    assert path.unsealed == 1
    assert await caller.open() == rtp(2, b"short")


async def test_many_share_the_port(stage: Stage) -> None:
    both = [await stage.connected() for _ in range(5)]
    for number, (_, caller) in enumerate(both):
        caller.wire.send(caller.seal(rtp(number)))
    await until(lambda: all(path.rtp for path, _ in both))
    assert [path.rtp for path, _ in both] == [[rtp(number)] for number in range(5)]


async def test_what_was_heard_before_or_is_forged_is_refused(stage: Stage) -> None:
    path, caller = await stage.connected()
    sealed = caller.seal(rtp(1))
    spoilt = bytearray(caller.seal(rtp(2)))
    spoilt[-1] ^= 1
    for data in (sealed, sealed, bytes(spoilt), sealed[:14], b"\x80" * 1500):
        caller.wire.send(data)
    caller.wire.send(caller.seal(rtp(3)))
    await until(lambda: rtp(3) in path.rtp)
    assert path.rtp == [rtp(1), rtp(3)]
    assert path.refused == 4


async def test_strangers_are_not_let_in(stage: Stage) -> None:
    path, caller = await stage.connected()
    stranger = await stage.wire()
    dice = random.Random(1)
    sent = [b"\x80" * 1501, CLIENT_HELLO, rtp(1), b"\x10nonsense", b"\xff" * 20, b"\x00\x01" + bytes(18)]
    sent += [dice.randbytes(dice.randrange(1600)) for _ in range(500)]
    for data in sent:
        stranger.send(data)
        await asyncio.sleep(0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as empty_handed:
        empty_handed.sendto(b"", stage.port.address)
    await until(lambda: stage.port.dropped.total() >= len(sent) + 1)
    assert {"size", "stranger", "kind", "check for nobody"} <= stage.port.dropped.keys()
    assert stranger.heard.empty(), "nothing is sent to whoever has not proved themselves"
    caller.wire.send(caller.seal(rtp(9)))
    await until(lambda: path.rtp == [rtp(9)])
    assert path.refused == 0


async def test_reports_that_come_too_fast_are_not_read(stage: Stage) -> None:
    """Who floods the port with RTCP loses that, and nothing else; a moment later it is read again."""
    path, caller = await stage.connected()
    now = 0.0
    path._monotonic = lambda: now
    asked = secure.REPORTS_AT_ONCE // secure.PACKET_COST
    for batch in range(asked // 32):
        for _ in range(32):
            caller.wire.send(caller.seal_rtcp(SENDER_REPORT))
        await until(partial(has_come, path, 32 * (batch + 1)))
    caller.wire.send(caller.seal(rtp(1)))
    await until(lambda: path.rtp == [rtp(1)])
    assert path.crowded > asked / 4
    now, before = 1.0, len(path.rtcp)
    caller.wire.send(caller.seal_rtcp(SENDER_REPORT))
    await until(lambda: len(path.rtcp) == before + 1)


def has_come(path: Path, count: int) -> bool:
    return path.crowded + len(path.rtcp) == count


async def test_nonsense_from_a_participant_harms_nobody(stage: Stage) -> None:
    """A participant's own address proves nothing about what it sends: not even handshakes that never end."""
    path, caller = await stage.connected()
    other, other_caller = await stage.connected()
    dice = random.Random(2)
    for _ in range(300):
        first = dice.choice([20, 21, 22, 23, 25, 63, 128, 144, 191])
        caller.wire.send(bytes([first]) + dice.randbytes(dice.randrange(1499)))
        await asyncio.sleep(0)
    caller.wire.send(caller.seal(rtp(1)))
    other_caller.wire.send(other_caller.seal(rtp(2)))
    await until(lambda: bool(path.rtp and other.rtp))
    assert (path.rtp, other.rtp) == ([rtp(1)], [rtp(2)])
    assert path.closed == other.closed == []


async def test_hands_are_shaken_amid_strangers_who_offer_theirs(stage: Stage) -> None:
    stranger = await stage.wire()

    async def flood() -> None:
        while True:
            for _ in range(20):
                stranger.send(CLIENT_HELLO)
            await asyncio.sleep(0.01)

    flooding = asyncio.create_task(flood())
    try:
        for _ in range(5):
            path, caller = await stage.connected()
            caller.wire.send(caller.seal(rtp(1)))
            await until(lambda path=path: path.rtp == [rtp(1)])  # type: ignore[misc]
    finally:
        flooding.cancel()
    assert stage.port.dropped["stranger"] > 20


async def test_media_follow_a_client_to_another_network(stage: Stage) -> None:
    path, caller = await stage.connected()
    old = caller.wire
    await caller.prove(await stage.wire())
    path.send_rtp(rtp(1))
    assert await caller.open() == rtp(1)
    old.send(caller.seal(rtp(2)))
    caller.wire.send(caller.seal(rtp(3)))
    await until(lambda: len(path.rtp) == 2)
    assert path.rtp == [rtp(2), rtp(3)], "what is still on its way from there is not lost"


async def test_ice_begins_again_while_media_go_on(stage: Stage) -> None:
    path, caller = await stage.connected()
    old = caller.wire
    path.restart()
    path.send_rtp(rtp(1))
    assert await caller.open() == rtp(1)
    caller.credentials = path.ice.credentials
    await caller.prove(await stage.wire())
    path.send_rtp(rtp(2))
    assert await caller.open() == rtp(2)
    before = stage.port.dropped["stranger"]
    old.send(caller.seal(rtp(3)))
    await until(lambda: stage.port.dropped["stranger"] > before)
    assert path.rtp == [], "the old path is closed once the new one is taken"


async def test_whoever_is_not_whom_the_description_names_is_refused(stage: Stage) -> None:
    path = stage.path()
    caller = await stage.arrived(path)
    shaking = asyncio.create_task(caller.shake_hands(fingerprints(stage.certificate)))
    with pytest.raises(HandshakeFailed, match="did not fit"):
        await path.start(fingerprints(RTCCertificate.generateCertificate()))
    await shaking
    assert not path.ready
    caller.wire.send(caller.seal(rtp(1)))
    await until(lambda: stage.port.dropped["stranger"] > 0)
    assert path.rtp == []


async def test_whoever_never_shakes_hands_is_given_up(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secure, "HANDSHAKE_SECONDS", 0.1)
    path = stage.path()
    with pytest.raises(HandshakeFailed, match="in time"):
        await path.start(fingerprints(stage.certificate))
    assert stage.port._by_ufrag == {}


async def test_a_goodbye_is_heard_and_said(stage: Stage) -> None:
    path, caller = await stage.connected()
    await caller.say_goodbye()
    await until(lambda: path.closed == [True])
    assert not path.ready
    path.send_rtp(rtp(1))  # nobody is there: no error
    other, other_caller = await stage.connected()
    await other.stop()
    assert (await other_caller.wire.read())[0] == 21, "an alert, sealed"
    assert other.closed == []


async def test_many_datagrams_at_once_all_arrive_in_order(stage: Stage) -> None:
    """More than are read with one call; what others send in between gets through as well."""
    path, caller = await stage.connected()
    other, other_caller = await stage.connected()
    for number in range(200):
        caller.wire.send(caller.seal(rtp(number)))
        if number == 100:
            other_caller.wire.send(other_caller.seal(rtp(1)))
    await until(lambda: len(path.rtp) == 200 and other.rtp == [rtp(1)])
    assert path.rtp == [rtp(number) for number in range(200)]


async def test_the_trouble_of_one_is_not_that_of_others(stage: Stage) -> None:
    """Whatever is wrong with how a participant's packets are taken, the others' go on."""
    path, caller = await stage.connected()
    other, other_caller = await stage.connected()
    path._on_rtp = lambda _: 1 / 0  # type: ignore[assignment]
    for number in range(5):
        caller.wire.send(caller.seal(rtp(number)))
        other_caller.wire.send(other_caller.seal(rtp(number)))
    await until(lambda: len(other.rtp) == 5)
    assert stage.port.dropped["failed"] == 5


async def test_nothing_is_sent_without_consent(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    path, caller = await stage.connected()
    path.send_rtp(rtp(1))
    assert await caller.open() == rtp(1)
    monkeypatch.setattr("signalling.media.embedded.ice.CONSENT_SECONDS", 0.0)
    await caller.prove()
    path.send_rtp(rtp(2))
    monkeypatch.undo()
    await caller.prove()
    path.send_rtp(rtp(3))
    assert await caller.open() == rtp(3)


async def test_after_it_is_closed_nothing_is_sent(stage: Stage) -> None:
    path, caller = await stage.connected()
    stage.port.close()
    # The next one opened may get the same descriptor.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as another:
        another.bind(("127.0.0.1", 0))
        path.send_rtp(rtp(1))
        path.send_rtcp(SENDER_REPORT)
        stage.port.close()
    await asyncio.sleep(0.05)
    assert caller.wire.heard.empty()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_one_port_serves_both_families(both_families: Stage, host: str) -> None:
    """An address is what the client has, however it arrives: checks tell it so, and it is let in by it."""
    stage = both_families
    path, caller = await stage.connected(host)
    assert path.ice.addresses == {caller.wire.address}
    assert caller.wire.address[0] == host
    caller.wire.send(caller.seal(rtp(1)))
    await until(lambda: path.rtp == [rtp(1)])
    path.send_rtp(rtp(2))
    assert await caller.open() == rtp(2)
    stranger = await stage.wire(host)
    stranger.send(caller.seal(rtp(3)))
    await until(lambda: stage.port.dropped["stranger"] == 1)
    assert path.rtp == [rtp(1)]


async def test_media_follow_a_client_from_one_family_to_the_other(both_families: Stage) -> None:
    stage = both_families
    path, caller = await stage.connected("::1")
    await caller.prove(await stage.wire("127.0.0.1"))
    path.send_rtp(rtp(1))
    assert await caller.open() == rtp(1)
    caller.wire.send(caller.seal(rtp(2)))
    await until(lambda: path.rtp == [rtp(2)])
