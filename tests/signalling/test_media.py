"""The media port: one suite over every engine, and what `direct` lets through and hides."""

from collections.abc import Callable
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signalling.media.description import check_candidate, check_description
from signalling.media.direct import DirectEngine
from signalling.media.port import Admission, MediaEngine, Outlet
from signalling.media.scripted import ScriptedEngine
from signalling.protocol.messages import (
    Answer,
    AnswerFrom,
    Candidate,
    CandidateFrom,
    DeliveredSignal,
    Offer,
    OfferFrom,
    Told,
)
from signalling.protocol.negotiation import SignalRefused
from signalling.protocol.parts import IceCandidate, Pc
from tests.signalling.world import CANDIDATE, SDP

LINE = str(CANDIDATE["candidate"])


class Outbox:
    """Collects what an engine says."""

    def __init__(self) -> None:
        self.said: list[tuple[UUID, UUID, Told]] = []

    def __call__(self, call_id: UUID, to: UUID, signal: Told, /) -> None:
        self.said.append((call_id, to, signal))


class Harness:
    """An engine with one call of two people; `a` speaks, and somebody answers."""

    def __init__(self, make: Callable[[Outlet], MediaEngine]) -> None:
        self.outbox = Outbox()
        self.engine = make(self.outbox)
        self.call, self.a, self.b = uuid4(), uuid4(), uuid4()
        direct = self.engine.topology == "direct"
        self.to = self.b if direct else None
        self.pc: Pc = "direct" if direct else "publish"
        self.hears = self.b if direct else self.a

    async def admit(self, may_publish: bool = True) -> None:
        for who in (self.a, self.b):
            await self.engine.admit(Admission(self.call, who, may_publish))

    def offer(self, sdp: str = SDP) -> Offer:
        return Offer(to=self.to, pc=self.pc, generation=1, sdp=sdp)

    def candidate(self, line: str | None) -> Candidate:
        candidate = None if line is None else IceCandidate(candidate=line, sdp_mid="0")
        return Candidate(to=self.to, pc=self.pc, generation=1, candidate=candidate)


ENGINES: dict[str, Callable[[Outlet], MediaEngine]] = {
    "direct": DirectEngine,
    "scripted": lambda outlet: ScriptedEngine(outlet, [SDP, SDP]),
}


@pytest.fixture(params=ENGINES)
async def harness(request: pytest.FixtureRequest) -> Harness:
    """Two admitted people in a call, on each engine."""
    harness = Harness(ENGINES[request.param])
    await harness.admit()
    return harness


async def test_an_offer_has_a_consequence_of_the_same_connection(harness: Harness) -> None:
    await harness.engine.signal(harness.call, harness.a, harness.offer())
    call, to, said = harness.outbox.said[0]
    assert (call, to) == (harness.call, harness.hears)
    assert isinstance(said, DeliveredSignal)
    assert (said.pc, said.generation) == (harness.pc, 1)


async def test_candidates_are_taken(harness: Harness) -> None:
    for line in (LINE, "", None):
        await harness.engine.signal(harness.call, harness.a, harness.candidate(line))


@pytest.mark.parametrize("sdp", ["x", "v=1\r\n", SDP + "m=audio 9 X 0\r\n" * 8, SDP + "nonsense\r\n"])
async def test_bad_descriptions_are_refused(harness: Harness, sdp: str) -> None:
    with pytest.raises(SignalRefused) as refusal:
        await harness.engine.signal(harness.call, harness.a, harness.offer(sdp))
    assert refusal.value.code == "invalid_description"
    assert harness.outbox.said == []


async def test_bad_candidates_are_refused(harness: Harness) -> None:
    with pytest.raises(SignalRefused) as refusal:
        await harness.engine.signal(harness.call, harness.a, harness.candidate("candidate:x"))
    assert refusal.value.code == "invalid_candidate"


async def test_who_is_not_admitted_is_not_served(harness: Harness) -> None:
    for call, who in ((harness.call, uuid4()), (uuid4(), harness.a)):
        with pytest.raises(SignalRefused) as refusal:
            await harness.engine.signal(call, who, harness.offer())
        assert refusal.value.code == "unknown_participant"


async def test_who_is_dismissed_is_not_served_any_more(harness: Harness) -> None:
    await harness.engine.dismiss(harness.call, harness.a)
    await harness.engine.dismiss(harness.call, harness.a)
    await harness.engine.dismiss(uuid4(), harness.a)
    with pytest.raises(SignalRefused):
        await harness.engine.signal(harness.call, harness.a, harness.offer())


async def test_an_ended_call_is_gone(harness: Harness) -> None:
    await harness.engine.end(harness.call)
    await harness.engine.end(harness.call)
    with pytest.raises(SignalRefused):
        await harness.engine.signal(harness.call, harness.a, harness.offer())


async def test_admitting_twice_is_the_same_as_once(harness: Harness) -> None:
    await harness.admit()
    await harness.engine.signal(harness.call, harness.a, harness.offer())
    assert {to for _, to, _ in harness.outbox.said} == {harness.hears}


@pytest.mark.parametrize("make", ENGINES.values(), ids=ENGINES.keys())
async def test_who_may_not_publish_may_only_receive(make: Callable[[Outlet], MediaEngine]) -> None:
    harness = Harness(make)
    await harness.admit(may_publish=False)
    for sdp in (SDP, SDP.replace("a=sendrecv\r\n", ""), SDP.replace("sendrecv", "sendonly")):
        with pytest.raises(SignalRefused) as refusal:
            await harness.engine.signal(harness.call, harness.a, harness.offer(sdp))
        assert refusal.value.code == "not_permitted"
    await harness.engine.signal(harness.call, harness.a, harness.offer(SDP.replace("sendrecv", "recvonly")))


# Direct only


async def test_direct_changes_nothing() -> None:
    harness = Harness(DirectEngine)
    await harness.admit()
    await harness.engine.signal(harness.call, harness.a, harness.offer())
    answer = Answer(to=harness.a, pc="direct", generation=1, sdp=SDP)
    await harness.engine.signal(harness.call, harness.b, answer)
    await harness.engine.signal(harness.call, harness.a, harness.candidate(LINE))
    await harness.engine.signal(harness.call, harness.a, harness.candidate(None))
    assert [said for _, _, said in harness.outbox.said] == [
        OfferFrom(sender=harness.a, pc="direct", generation=1, sdp=SDP),
        AnswerFrom(sender=harness.b, pc="direct", generation=1, sdp=SDP),
        CandidateFrom(
            sender=harness.a, pc="direct", generation=1, candidate=IceCandidate(candidate=LINE, sdp_mid="0")
        ),
        CandidateFrom(sender=harness.a, pc="direct", generation=1, candidate=None),
    ]


async def test_relay_only_hides_every_address_of_the_sender() -> None:
    harness = Harness(DirectEngine)
    await harness.engine.admit(Admission(harness.call, harness.a, ice_policy="relay"))
    await harness.engine.admit(Admission(harness.call, harness.b))
    mine, relay = "198.51.100.7", "203.0.113.9"
    sdp = (
        f"v=0\r\no=- 1 2 IN IP4 {mine}\r\ns=-\r\nc=IN IP4 {mine}\r\nt=0 0\r\n"
        f"m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP6 2001:db8::7\r\na=rtcp:9 IN IP4 {mine}\r\n"
        f"a=candidate:1 1 udp 1 {mine} 1000 typ host\r\n"
        f"a=candidate:2 1 udp 1 {mine} 1000 typ srflx raddr 10.0.0.7 rport 1000\r\n"
        f"a=candidate:3 1 tcp 1 {mine} 9 typ host tcptype active\r\n"
        f"a=candidate:4 1 udp 1 {relay} 2000 typ relay raddr {mine} rport 1000\r\n"
        f"a=remote-candidates:1 {mine} 1000\r\na=sendrecv\r\n"
    )
    await harness.engine.signal(harness.call, harness.a, harness.offer(sdp))
    for line in (
        f"candidate:1 1 udp 1 {mine} 1000 typ host",
        f"candidate:2 1 udp 1 {mine} 1000 typ srflx raddr 10.0.0.7 rport 1000",
        f"candidate:5 1 udp 1 {mine} 1000 typ prflx",
        f"candidate:4 1 udp 1 {relay} 2000 typ relay raddr {mine} rport 1000",
        "",
        None,
    ):
        await harness.engine.signal(harness.call, harness.a, harness.candidate(line))
    said = [signal.model_dump_json() for _, _, signal in harness.outbox.said]
    assert len(said) == 4
    assert not [text for text in said if mine in text or "10.0.0.7" in text or "2001:db8" in text]
    assert all(relay in text for text in said[:2])
    check_description(harness.outbox.said[0][2].sdp, may_publish=True)  # type: ignore[union-attr]


@given(st.text(max_size=300))
@settings(max_examples=200, database=None, deadline=None)
def test_no_text_breaks_the_checks(text: str) -> None:
    for sdp in (text, "v=0\r\n" + text):
        try:
            check_description(sdp, may_publish=False)
        except SignalRefused:
            continue
    try:
        check_candidate(IceCandidate(candidate=text.replace("\0", "")))
    except SignalRefused:
        return


@pytest.mark.parametrize("fill", ["a=x\n" * 8000, " " * 32_000, "v=0\r\na=" + "a " * 15_000])
def test_the_checks_are_quick_on_hostile_text(fill: str) -> None:
    with pytest.raises(SignalRefused):
        check_description(fill, may_publish=True)
    with pytest.raises(SignalRefused):
        check_candidate(IceCandidate.model_construct(candidate="candidate:1 1 udp 1 x 1 typ host" + fill))
