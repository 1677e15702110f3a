"""The engine between independent stacks: libwebrtc sends, libwebrtc decodes, nothing in between does."""

import asyncio
import re
import socket

import pytest

from signalling.media.embedded.codecs import Palette
from signalling.media.embedded.sdp import Unacceptable
from signalling.protocol.codes import ErrorCode
from signalling.protocol.negotiation import SignalRefused
from tests.signalling.media.caller import until
from tests.signalling.media.members import Member, call


async def test_everybody_sees_and_hears_everybody() -> None:
    async with call() as meeting:
        tones = (400.0, 700.0, 1100.0)
        people = [await meeting.join(tone) for tone in tones]
        for person in people:
            await person.send()
        pairs = [(a, b) for a in people for b in people if a is not b]
        await until(lambda: all(a.frames(b) > 20 for a, b in pairs), seconds=15)
        for a, b in pairs:
            a.meters[b.id, "microphone"].forget_sound()
        await until(lambda: all(abs(a.pitch(b) - b.tone) < 30 for a, b in pairs), seconds=10)


@pytest.mark.parametrize("announced", ["127.0.0.1", "::1"])
async def test_one_port_for_both_families(announced: str) -> None:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError as why:
        pytest.skip(f"there is no IPv6 here: {why}")
    async with call(host="::") as meeting:
        meeting.announce(announced)
        one, other = await meeting.join(), await meeting.join()
        await one.send()
        await until(lambda: other.frames(one) > 5, seconds=15)


async def test_layers_follow_what_is_looked_at() -> None:
    """The publisher sends three sizes; the subscriber gets what fits into what they show."""
    async with call() as meeting:
        one, other = await meeting.join(), await meeting.join()
        await one.send(simulcast=(960, 540))
        await until(lambda: other.size(one) == (960, 540), seconds=15)
        await other.look(one, 120)
        await until(lambda: other.size(one) == (240, 135), seconds=10)
        await other.look(one, 0)
        frames = await at_rest(other, one)
        await other.look(one, 270)
        await until(lambda: other.size(one) == (480, 270) and other.frames(one) > frames + 5, seconds=10)


async def test_who_speaks_is_told() -> None:
    async with call() as meeting:
        one, other = await meeting.join(), await meeting.join()
        await one.send()
        await until(lambda: (one.id,) in other.speakers, seconds=10)
        await one.source.stop()
        await until(lambda: other.speakers[-1] == (), seconds=10)


async def test_who_leaves_is_taken_away_and_another_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are many sections already, an empty one is used again."""
    monkeypatch.setattr("signalling.media.embedded.subscriber.FEW_SECTIONS", 0)
    async with call() as meeting:
        one, other = await meeting.join(), await meeting.join()
        await one.send()
        await until(lambda: other.frames(one) > 5, seconds=10)
        await one.leave()
        await until(lambda: other.answered[-1].tracks == (), seconds=5)
        third = await (await meeting.join()).send()
        await until(lambda: other.frames(third) > 5, seconds=10)
        assert other.offers[-1].sdp.count("m=") == 2


async def test_new_paths_and_new_connections() -> None:
    """ICE begins again on either connection, then both begin anew; picture and sound go on."""
    async with call() as meeting:
        one, other = await meeting.join(), await meeting.join()
        await one.send()
        await until(lambda: other.frames(one) > 5, seconds=10)
        assert one.publish is not None
        before = ufrags(other.offers[-1].sdp)
        one.publish.restart_ice()
        await one.offer()
        await meeting.engine.offer_again(meeting.id, other.id, anew=False)
        await until(lambda: ufrags(other.offers[-1].sdp) != before)
        frames = other.frames(one)
        await until(lambda: other.frames(one) > frames + 10, seconds=10)
        await meeting.engine.offer_again(meeting.id, other.id, anew=True)
        await until(lambda: other.offers[-1].generation == 2)
        frames = other.frames(one)
        await until(lambda: other.frames(one) > frames + 10, seconds=10)
        one.publish.close()
        await one.send(generation=2)
        frames = other.frames(one)
        await until(lambda: other.frames(one) > frames + 10, seconds=10)


async def at_rest(who: Member, other: Member) -> int:
    """Wait until no more pictures come; returns how many came."""
    async with asyncio.timeout(10):
        while True:
            before = who.frames(other)
            await asyncio.sleep(1)
            if who.frames(other) == before:
                return before


def ufrags(sdp: str) -> set[str]:
    return set(re.findall(r"^a=ice-ufrag:(\S+)", sdp, re.MULTILINE))


async def test_an_offer_that_was_not_answered_is_said_again() -> None:
    async with call() as meeting:
        one, other = await meeting.join(), await meeting.join()
        other.answering = False
        await one.send()
        await until(lambda: len(other.offers) == 1, seconds=5)
        await meeting.engine.returned(meeting.id, other.id)
        await until(lambda: len(other.offers) == 2, seconds=5)
        assert other.offers[0] == other.offers[1]
        other.answering = True
        await other.answer(other.offers[-1])
        await until(lambda: other.frames(one) > 5, seconds=10)


async def test_offers_that_are_refused_leave_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """However late they are refused: the port knows as many paths as before, and the call goes on."""
    async with call() as meeting:
        one, other = await meeting.join(), await meeting.join()
        await one.send()
        await until(lambda: other.frames(one) > 5, seconds=10)
        assert one.publish is not None
        assert one.publish.local_description is not None
        assert meeting.engine._site is not None
        good = one.publish.local_description.sdp
        paths = meeting.engine._site.port._by_ufrag
        before = len(paths)
        with monkeypatch.context() as patch:
            patch.setattr(Palette, "_number", _refuses)
            strange = good.replace("VP8/90000", "VP9/90000")
            for _ in range(3):
                with pytest.raises(SignalRefused):
                    await one.say_offer(strange, generation=2)
                await until(lambda: len(paths) == before)
        with pytest.raises(SignalRefused, match="certificate"):
            await one.say_offer(re.sub(r"sha-256 ..:..", "sha-256 00:00", good))
        frames = other.frames(one)
        await until(lambda: other.frames(one) > frames + 5, seconds=5)


def _refuses(*_: object) -> None:
    raise Unacceptable("There are too many kinds of codecs in this call.")


async def test_who_may_only_listen_is_refused() -> None:
    async with call() as meeting:
        one = Member(meeting)
        meeting.meet(one)
        await one.enter(may_publish=False)
        with pytest.raises(SignalRefused) as refused:
            await one.send()
        assert refused.value.code == ErrorCode.NOT_PERMITTED
