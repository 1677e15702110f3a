"""Many packets with few calls: the same bytes as the plain way, whether it is there or not."""

import asyncio
import random
import socket
import struct
from collections.abc import Callable, Iterator

import pytest
from aiortc.rtp import RtpPacket
from pylibsrtp import Error, Policy, Session

from signalling.media.embedded import native
from signalling.media.embedded.addresses import unpacked
from signalling.media.embedded.ice import Address
from signalling.media.embedded.native import (
    INBOX_SLOTS,
    MOST_PACKET_BYTES,
    SLOT_BYTES,
    SLOTS,
    Inbox,
    Lane,
    Outbox,
)
from signalling.media.embedded.port import MAX_DATAGRAM_BYTES
from tests.signalling.media.caller import until
from tests.signalling.media.members import call

PROFILES = {Policy.SRTP_PROFILE_AEAD_AES_128_GCM: 28, Policy.SRTP_PROFILE_AES128_CM_SHA1_80: 30}

REPORT = struct.pack("!BBHIQIII", 0x80, 200, 6, 7, 0, 0, 0, 0)


def session(profile: int, *, inbound: bool = False, key: int = 0) -> Session:
    kind = Policy.SSRC_ANY_INBOUND if inbound else Policy.SSRC_ANY_OUTBOUND
    material = bytes(key ^ each for each in range(PROFILES[profile]))
    return Session(Policy(key=material, ssrc_type=kind, srtp_profile=profile))


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


def lane(outbox: Outbox, sealing: Session, to: Address) -> Lane:
    made = Lane(outbox)
    made.seal_with(sealing)
    made.to, made.until = outbox.destination(to), float("inf")
    return made


@pytest.mark.parametrize("profile", PROFILES)
def test_what_is_sealed_is_what_the_plain_way_seals(
    pair: tuple[socket.socket, socket.socket], profile: int
) -> None:
    sends, receives = pair
    outbox = Outbox(sends, lambda _: None)
    sealing, plain = session(profile), session(profile)
    sent = packets(SLOTS + 40)
    to = lane(outbox, sealing, receives.getsockname())
    for packet in sent:
        to(packet)
    outbox.flush()
    assert [receives.recv(2048) for _ in sent] == [plain.protect(packet) for packet in sent]


def test_a_packet_for_many_is_sealed_for_each(pair: tuple[socket.socket, socket.socket]) -> None:
    sends, receives = pair
    outbox = Outbox(sends, lambda _: None)
    profile = Policy.SRTP_PROFILE_AEAD_AES_128_GCM
    sealing = [session(profile, key=number) for number in range(SLOTS + 2)]
    plain = [session(profile, key=number) for number in range(SLOTS + 2)]
    lanes = [lane(outbox, each, receives.getsockname()) for each in sealing]
    lanes[1].until = 5.0
    (packet,) = packets(1)
    outbox.put(packet, lanes, now=5.0)
    outbox.flush()
    del plain[1]
    assert [receives.recv(2048) for _ in plain] == [each.protect(packet) for each in plain]
    assert not any(each.unsealed for each in lanes)


def test_what_cannot_be_sealed_or_sent_harms_nothing_else(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    sends, receives = pair
    outbox = Outbox(sends, lambda _: None)
    sealing = session(Policy.SRTP_PROFILE_AEAD_AES_128_GCM)
    to = lane(outbox, sealing, receives.getsockname())
    to(bytes(MOST_PACKET_BYTES + 1))
    to(b"no RTP")
    assert to.unsealed == 2
    first, second, third = packets(3)
    lane(outbox, sealing, ("127.0.0.1", 0))(first)
    lane(outbox, sealing, ("255.255.255.255", 9))(second)
    to(third)
    outbox.flush()
    assert outbox.refused == 2
    opened = session(Policy.SRTP_PROFILE_AEAD_AES_128_GCM, inbound=True).unprotect(receives.recv(2048))
    assert opened == third


@pytest.mark.parametrize("profile", PROFILES)
def test_what_is_opened_is_what_the_plain_way_opens(
    pair: tuple[socket.socket, socket.socket], profile: int
) -> None:
    """Good packets, and those that were changed, cut, lengthened, or came before: the same for all."""
    sends, receives = pair
    receives.setblocking(False)
    inbox, dice = Inbox(receives), random.Random(profile)
    sealing = session(profile)
    datagrams = [sealing.protect(packet) for packet in packets(200)]
    datagrams += [spoilt(each, dice) for each in datagrams]
    datagrams += [sealing.protect_rtcp(REPORT), spoilt(sealing.protect_rtcp(REPORT), dice)]
    opening, plain = session(profile, inbound=True), session(profile, inbound=True)
    opened: list[bytes | None] = []
    for start in range(0, len(datagrams), 50):
        for datagram in datagrams[start : start + 50]:
            sends.sendto(datagram, receives.getsockname())
        for slot in inbox.read():
            assert slot.copy() == datagrams[len(opened)]
            assert unpacked(slot.source) == slot.address == (slot.address[0], sends.getsockname()[1])
            is_rtcp = len(opened) >= 400
            opened.append(slot.unprotect_rtcp(opening) if is_rtcp else slot.unprotect(opening))
    expected = [plainly(plain.unprotect, each) for each in datagrams[:400]]
    expected += [plainly(plain.unprotect_rtcp, each) for each in datagrams[400:]]
    assert opened == expected
    assert opened[:200] == packets(200)
    assert None in opened, "the control"
    assert opened[400] == REPORT


def spoilt(datagram: bytes, dice: random.Random) -> bytes:
    kind = dice.randrange(4)
    if kind == 0:
        return datagram
    if kind == 1:
        return datagram[: dice.randrange(13, len(datagram))]
    if kind == 2:
        return datagram + dice.randbytes(dice.randint(1, 20))
    at = dice.randrange(len(datagram))
    return datagram[:at] + bytes([datagram[at] ^ dice.randint(1, 255)]) + datagram[at + 1 :]


def plainly(unprotect: Callable[[bytes], bytes], datagram: bytes) -> bytes | None:
    try:
        return unprotect(datagram)
    except Error:
        return None


def test_a_turn_at_reading_is_short_and_nothing_is_left_behind(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    sends, receives = pair
    receives.setblocking(False)
    inbox = Inbox(receives)
    assert inbox.read() == []
    sent = [bytes([number]) * dice for number, dice in enumerate(range(1300, 1300 + INBOX_SLOTS + 3))]
    sent[1], sent[2] = b"", b"x" * 9000
    for datagram in sent:
        sends.sendto(datagram, receives.getsockname())
    first = [(slot.size, slot.copy()) for slot in inbox.read()]
    second = [(slot.size, slot.copy()) for slot in inbox.read()]
    assert [len(first), len(second)] == [INBOX_SLOTS, 3]
    assert [data for _, data in first + second] == [each[:SLOT_BYTES] for each in sent]
    assert first[1] == (0, b"")
    assert first[2][0] > MAX_DATAGRAM_BYTES, "what was too long is seen to be"


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
    to = lane(outbox, session(Policy.SRTP_PROFILE_AEAD_AES_128_GCM), receives.getsockname())
    receives.setblocking(False)
    for packet in packets(5):
        to(packet)
    with pytest.raises(BlockingIOError):
        receives.recv(2048)
    await asyncio.sleep(0)
    receives.settimeout(2)
    assert len([receives.recv(2048) for _ in range(5)]) == 5
