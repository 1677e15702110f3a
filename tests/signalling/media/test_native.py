"""Many packets with few calls: the same bytes as the plain way, whether it is there or not."""

import asyncio
import random
import socket
from collections.abc import Iterator

import pytest
from aiortc.rtp import RtpPacket
from pylibsrtp import Policy, Session

from signalling.media.embedded import native
from signalling.media.embedded.native import MOST_PACKET_BYTES, SLOTS, Outbox, handle_of
from tests.signalling.media.caller import until
from tests.signalling.media.members import call

PROFILES = {Policy.SRTP_PROFILE_AEAD_AES_128_GCM: 28, Policy.SRTP_PROFILE_AES128_CM_SHA1_80: 30}


def session(profile: int) -> Session:
    return Session(
        Policy(key=bytes(range(PROFILES[profile])), ssrc_type=Policy.SSRC_ANY_OUTBOUND, srtp_profile=profile)
    )


def packets(count: int) -> list[bytes]:
    dice = random.Random(count)
    return [
        RtpPacket(96, 0, number, number * 90, 7, dice.randbytes(dice.randint(1, 1300))).serialize()
        for number in range(count)
    ]


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A socket that sends, and one that receives."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sends,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receives,
    ):
        receives.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        receives.bind(("127.0.0.1", 0))
        receives.settimeout(2)
        yield sends, receives


@pytest.mark.parametrize("profile", PROFILES)
def test_the_bytes_are_those_of_the_plain_way(
    pair: tuple[socket.socket, socket.socket], profile: int
) -> None:
    sends, receives = pair
    outbox = Outbox(sends, lambda _: None)
    sealing, plain = session(profile), session(profile)
    sent = packets(SLOTS + 40)
    to = outbox.destination(receives.getsockname())
    for packet in sent:
        assert outbox.put(packet, handle_of(sealing), to)
    outbox.flush()
    assert [receives.recv(2048) for _ in sent] == [plain.protect(packet) for packet in sent]


def test_what_cannot_be_sealed_or_sent_harms_nothing_else(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    sends, receives = pair
    outbox = Outbox(sends, lambda _: None)
    sealing = session(Policy.SRTP_PROFILE_AEAD_AES_128_GCM)
    to = outbox.destination(receives.getsockname())
    assert not outbox.put(bytes(MOST_PACKET_BYTES + 1), handle_of(sealing), to)
    assert not outbox.put(b"no RTP", handle_of(sealing), to)
    first, second, third = packets(3)
    assert outbox.put(first, handle_of(sealing), outbox.destination(("127.0.0.1", 0)))
    assert outbox.put(second, handle_of(sealing), outbox.destination(("255.255.255.255", 9)))
    assert outbox.put(third, handle_of(sealing), to)
    outbox.flush()
    assert outbox.refused == 2
    with pytest.raises(ValueError, match="IPv6"):
        outbox.destination(("2001:db8::1", 9))
    opened = Session(
        Policy(
            key=bytes(range(28)),
            ssrc_type=Policy.SSRC_ANY_INBOUND,
            srtp_profile=Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
        )
    ).unprotect(receives.recv(2048))
    assert opened == third


async def test_where_it_is_not_there_packets_go_the_plain_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "_library", lambda: None)
    async with call() as meeting:
        one, other = await meeting.join(), await meeting.join()
        await one.send()
        await until(lambda: other.frames(one) > 10, seconds=10)
        assert meeting.engine._site is not None
        assert meeting.engine._site.port.outbox is None


async def test_packets_that_come_together_leave_together(pair: tuple[socket.socket, socket.socket]) -> None:
    sends, receives = pair
    outbox = Outbox(sends, asyncio.get_running_loop().call_soon)
    sealing = session(Policy.SRTP_PROFILE_AEAD_AES_128_GCM)
    to = outbox.destination(receives.getsockname())
    receives.setblocking(False)
    for packet in packets(5):
        outbox.put(packet, handle_of(sealing), to)
    with pytest.raises(BlockingIOError):
        receives.recv(2048)
    await asyncio.sleep(0)
    assert len([receives.recv(2048) for _ in range(5)]) == 5
