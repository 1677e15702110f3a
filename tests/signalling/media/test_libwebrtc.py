"""An independent stack at the media port: libwebrtc finds it, shakes hands, sends, and begins ICE again."""

import contextlib
import re
from collections.abc import AsyncIterator

import pytest
import webrtc

from signalling.media.embedded.secure import Fingerprint
from tests.independent.synthetic import Source
from tests.signalling.media.caller import Path, Stage, fingerprints, until

with contextlib.suppress(webrtc.InvalidStateError):
    webrtc.allow_loopback()

KEPT = ("m=", "a=mid:", "a=rtpmap:", "a=fmtp:", "a=rtcp-fb:", "a=rtcp-mux")


def answer_to(offer: str, path: Path, stage: Stage) -> str:
    """A description that takes all of the offer, with our one address."""
    host, port = stage.port.address
    sha = next(each for each in fingerprints(stage.certificate) if each.algorithm == "sha-256")
    ours = [
        f"c=IN IP4 {host}",
        f"a=ice-ufrag:{path.ice.credentials.ufrag}",
        f"a=ice-pwd:{path.ice.credentials.password}",
        f"a=fingerprint:{sha.algorithm} {sha.value}",
        "a=setup:passive",
        "a=recvonly",
        f"a=candidate:1 1 udp 2130706431 {host} {port} typ host",
        "a=end-of-candidates",
    ]
    lines = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=ice-lite"]
    lines += [line for line in offer.splitlines() if line.startswith("a=group:")]
    for section in re.split(r"^(?=m=)", offer, flags=re.MULTILINE)[1:]:
        kept = [line for line in section.splitlines() if line.startswith(KEPT)]
        lines += [kept[0], *ours, *kept[1:]]
    return "\r\n".join([*lines, ""])


def named(offer: str, attribute: str) -> list[str]:
    return re.findall(rf"^a={attribute}:(\S.*?)\r?$", offer, re.MULTILINE)


class Sender:
    """A peer connection that sends sound and pictures."""

    def __init__(self, source: Source) -> None:
        self.pc = webrtc.RTCPeerConnection(webrtc.RTCConfiguration(ice_servers=[]))
        self.pc.add_track(source.audio, source.stream)
        self.pc.add_track(source.video, source.stream)
        self.offer = ""

    async def negotiate(self, path: Path, stage: Stage) -> None:
        await self.pc.set_local_description()
        assert self.pc.local_description is not None
        self.offer = self.pc.local_description.sdp
        path.ice.expect(named(self.offer, "ice-ufrag")[0])
        answer = {"type": "answer", "sdp": answer_to(self.offer, path, stage)}
        await self.pc.set_remote_description(webrtc.RTCSessionDescriptionInit.from_json(answer))

    def fingerprints(self) -> list[Fingerprint]:
        return [Fingerprint(*each.split()) for each in set(named(self.offer, "fingerprint"))]


@pytest.fixture
async def sender() -> AsyncIterator[Sender]:
    source = Source(440, 160, 120)
    source.start()
    made = Sender(source)
    yield made
    made.pc.close()
    await source.stop()


async def test_libwebrtc_sends_through_the_port(stage: Stage, sender: Sender) -> None:
    path = stage.path()
    await sender.negotiate(path, stage)
    await path.start(sender.fingerprints())
    offered = {int(each.split()[0]) for each in named(sender.offer, "ssrc")}
    await until(lambda: len({packet[8:12] for packet in path.rtp}) >= 2 and len(path.rtcp) >= 1)
    assert {int.from_bytes(packet[8:12], "big") for packet in path.rtp} <= offered
    assert path.refused == 0


async def test_libwebrtc_begins_ice_again_and_media_go_on(stage: Stage, sender: Sender) -> None:
    path = stage.path()
    await sender.negotiate(path, stage)
    await path.start(sender.fingerprints())
    await until(lambda: len(path.rtp) > 20)
    before = path.ice.ufrags
    path.restart()
    sender.pc.restart_ice()
    await sender.negotiate(path, stage)
    assert path.ice.ufrags[:1] == before, "what is in use goes on"
    await until(lambda: len(path.ice.ufrags) == 1 and path.ice.ufrags != before)
    heard = len(path.rtp)
    await until(lambda: len(path.rtp) > heard + 20)
    assert path.refused == 0
    assert path.closed == []
