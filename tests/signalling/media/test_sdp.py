"""Descriptions: what is read is what is meant, what is written can be read, and nonsense is told apart."""

import random
import re
from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalling.media.embedded import codecs, negotiation, sdp
from signalling.media.embedded.codecs import Palette
from signalling.media.embedded.sdp import Transport, Unacceptable
from signalling.protocol.parts import PublishedTrack

PRINT = ":".join(["AB"] * 32)
HEAD = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
SHARED = f"a=ice-ufrag:abcd\r\na=ice-pwd:{'p' * 24}\r\na=fingerprint:sha-256 {PRINT}\r\na=setup:actpass\r\n"
MID_URI, RID_URI = codecs.MID, codecs.RID


def audio(mid: str = "0") -> str:
    return (
        f"m=audio 9 UDP/TLS/RTP/SAVPF 111 63 0\r\na=mid:{mid}\r\na=sendonly\r\na=rtcp-mux\r\n"
        f"{SHARED}a=extmap:1 {codecs.AUDIO_LEVEL}\r\na=extmap:9 {codecs.TRANSPORT_SEQUENCE}\r\n"
        "a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1;stereo=1\r\n"
        "a=rtcp-fb:111 transport-cc\r\na=rtpmap:63 red/48000/2\r\na=rtpmap:0 PCMU/8000\r\n"
        "a=ssrc:1001 cname:x\r\n"
    )


def video(mid: str = "1", extra: str = "") -> str:
    return (
        f"m=video 9 UDP/TLS/RTP/SAVPF 96 97 102 103\r\na=mid:{mid}\r\na=sendonly\r\n"
        f"a=rtcp-mux\r\n{SHARED}"
        f"a=extmap:4 {MID_URI}\r\na=extmap:10 {RID_URI}\r\na=extmap:12 urn:unheard:of\r\n"
        "a=rtpmap:96 VP8/90000\r\na=rtcp-fb:96 nack pli\r\na=rtcp-fb:96 goog-remb\r\n"
        "a=rtpmap:97 rtx/90000\r\n"
        "a=fmtp:97 apt=96\r\na=rtpmap:102 H264/90000\r\n"
        "a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f\r\n"
        f"a=rtpmap:103 rtx/90000\r\na=fmtp:103 apt=102\r\n{extra}"
    )


OFFER = f"{HEAD}a=group:BUNDLE 0 1\r\n{audio()}{video()}"
PARTICIPANT = UUID(int=7)
OURS = Transport("ours", "o" * 24, (("sha-256", PRINT),), "passive", ("1 1 udp 1 127.0.0.1 9 typ host",))


def answered(offer: str, sources: dict[str, str] | None = None) -> str:
    """The answer to a publish offer."""
    description = negotiation.read_offer(offer)
    named = {"0": "microphone", "1": "camera"} if sources is None else sources
    tracks = [PublishedTrack.model_validate({"mid": mid, "source": source}) for mid, source in named.items()]
    ingresses = negotiation.ingresses_of(
        description,
        negotiation.sources_of(description, tracks),
        {},
        Palette(),
        participant_id=PARTICIPANT,
        cname="me",
    )
    return negotiation.answer(description, ingresses, OURS, 1)


def test_the_answer_takes_one_codec_of_each_section_by_the_offers_numbers() -> None:
    answer = sdp.parse(answered(OFFER))
    sound, picture = answer.sections
    assert answer.bundle == ("0", "1")
    assert answer.lite
    assert [(each.payload_type, each.name) for each in sound.codecs] == [(111, "opus")]
    assert [(each.payload_type, each.name) for each in picture.codecs] == [(96, "VP8"), (97, "rtx")]
    assert (sound.direction, picture.direction) == ("recvonly", "recvonly")
    assert picture.codecs[0].feedback == ("nack pli",), "what was not offered is not answered"
    assert sound.extensions == ((1, codecs.AUDIO_LEVEL), (9, codecs.TRANSPORT_SEQUENCE))
    assert picture.extensions == ((4, MID_URI), (10, RID_URI)), "unknown extensions are left out"
    assert picture.transport == replace(OURS, candidates=())
    assert all(f"a=candidate:{each}\r\n" in answered(OFFER) for each in OURS.candidates)


def test_nothing_that_a_publisher_writes_reaches_others_unless_it_is_known() -> None:
    description = negotiation.read_offer(OFFER.replace("useinbandfec=1", "useinbandfec=1;x-evil=http//here"))
    chosen = codecs.choose(description.sections[0])
    assert chosen is not None
    forwarded = Palette().forwarded(chosen)
    assert dict(forwarded.codec.parameters) == {"minptime": "10", "useinbandfec": "1"}


def test_equal_codecs_have_equal_numbers_and_different_ones_do_not() -> None:
    palette = Palette()
    one, other = (codecs.choose(each) for each in sdp.parse(OFFER).sections)
    assert one is not None
    assert other is not None
    assert palette.forwarded(one) is palette.forwarded(one)
    first, second = palette.forwarded(one), palette.forwarded(other)
    numbers = [first.codec.payload_type, second.codec.payload_type]
    assert second.repair is not None
    assert len({*numbers, second.repair.payload_type}) == 3


def test_too_many_kinds_of_codecs_are_refused_and_not_counted_on() -> None:
    palette = Palette()
    with pytest.raises(Unacceptable, match="too many"):  # noqa: PT012 - which one does not fit is not the point
        for number in range(100):
            offer = OFFER.replace("96 97 102 103", "102 103").replace("42001f", f"{number:06x}")
            chosen = codecs.choose(sdp.parse(offer).sections[1])
            assert chosen is not None
            palette.forwarded(chosen)


def test_simulcast_is_answered_and_its_order_kept() -> None:
    layers = "a=rid:q send\r\na=rid:h send\r\na=rid:f send\r\na=simulcast:send q;h;f\r\n"
    offer = f"{HEAD}a=group:BUNDLE 0 1\r\n{audio()}{video(extra=layers)}"
    assert negotiation.read_offer(offer).sections[1].rids == ("q", "h", "f")
    answer = answered(offer)
    assert "a=simulcast:recv q;h;f\r\n" in answer
    assert re.findall(r"a=rid:(\w+) recv", answer) == ["q", "h", "f"]


def test_a_section_without_a_known_codec_is_refused_and_the_rest_goes_on() -> None:
    strange = "m=video 9 UDP/TLS/RTP/SAVPF 120\r\na=mid:1\r\na=sendonly\r\na=rtcp-mux\r\n" + SHARED
    data = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:2\r\na=rtcp-mux\r\n" + SHARED
    offer = f"{HEAD}a=group:BUNDLE 0 1 2\r\n{audio()}{strange}a=rtpmap:120 Theora/90000\r\n{data}"
    answer = sdp.parse(answered(offer))
    assert [section.rejected for section in answer.sections] == [False, True, True]
    assert answer.bundle == ("0",)


BAD = {
    "two sections of one mid": OFFER.replace("a=mid:1", "a=mid:0"),
    "no mid": OFFER.replace("a=mid:1\r\n", ""),
    "a mid that is no token": OFFER.replace("a=mid:1", "a=mid:one two"),
    "not bundled": OFFER.replace("a=group:BUNDLE 0 1\r\n", ""),
    "a bundle of what is not there": OFFER.replace("BUNDLE 0 1", "BUNDLE 0 1 9"),
    "no rtcp-mux": OFFER.replace("a=rtcp-mux\r\n", ""),
    "no ufrag": OFFER.replace("a=ice-ufrag:abcd\r\n", ""),
    "a short password": OFFER.replace("p" * 24, "p"),
    "no fingerprint": OFFER.replace(f"a=fingerprint:sha-256 {PRINT}\r\n", ""),
    "a weak fingerprint": OFFER.replace("sha-256", "sha-1"),
    "wants to be the DTLS server": OFFER.replace("actpass", "passive"),
    "no setup": OFFER.replace("a=setup:actpass\r\n", ""),
    "four layers": OFFER + "".join(f"a=rid:{r} send\r\n" for r in "abcd") + "a=simulcast:send a;b;c;d\r\n",
    "a layer twice": OFFER + "a=rid:a send\r\na=simulcast:send a;a\r\n",
    "a layer without its line": OFFER + "a=rid:a send\r\na=simulcast:send a;b\r\n",
    "an SSRC that is none": OFFER.replace("a=ssrc:1001", "a=ssrc:99999999999"),
    "too many SSRCs": OFFER + "".join(f"a=ssrc:{n} cname:x\r\n" for n in range(20)),
    "a broken section": OFFER.replace("m=video 9 UDP/TLS/RTP/SAVPF 96 97 102 103", "m=video nine"),
    "too many candidates": OFFER + "a=candidate:1 1 udp 1 127.0.0.1 9 typ host\r\n" * 33,
    "too many formats": OFFER.replace("96 97 102 103", " ".join(map(str, range(200)))),
}


@pytest.mark.parametrize("offer", BAD.values(), ids=BAD.keys())
def test_what_cannot_be_worked_with_is_told_apart(offer: str) -> None:
    with pytest.raises(Unacceptable) as refused:
        answered(offer)
    assert str(refused.value).endswith((".", ")."))


@pytest.mark.parametrize(
    ("tracks", "why"),
    [
        ({"0": "camera"}, "cannot be"),
        ({"0": "microphone", "1": "microphone"}, "twice"),
    ],
)
def test_sources_that_do_not_fit_are_refused(tracks: dict[str, str], why: str) -> None:
    with pytest.raises(Unacceptable, match=why):
        answered(OFFER, tracks)


@given(st.randoms(use_true_random=False))
def test_mutilated_offers_are_taken_or_refused_never_more(dice: random.Random) -> None:
    lines = OFFER.split("\r\n")
    for _ in range(dice.randint(1, 6)):
        at = dice.randrange(len(lines))
        match dice.randrange(4):
            case 0:
                del lines[at]
            case 1:
                lines.insert(at, dice.choice(lines))
            case 2:
                line = lines[at]
                cut = dice.randint(0, len(line))
                lines[at] = (
                    line[:cut]
                    + dice.choice(["", "\x7f", "99999999999", "é", ":", " ", "/"])
                    + line[cut + 1 :]
                )
            case _:
                other = dice.randrange(len(lines))
                lines[at], lines[other] = lines[other], lines[at]
        if not lines:
            break
    try:
        answer = answered("\r\n".join(lines))
    except Unacceptable:
        return
    assert sdp.parse(answer).lite
