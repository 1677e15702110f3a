"""Two independent peers set up a real connection through a real gateway: data and sound arrive."""

import asyncio
import json
from typing import Any
from uuid import UUID

import aioice.ice
import pytest
from aiortc import (
    RTCConfiguration,
    RTCIceCandidate,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.contrib.media import MediaBlackhole
from aiortc.mediastreams import AudioStreamTrack, MediaStreamTrack
from aiortc.sdp import candidate_from_sdp

from signalling.media.description import check_description
from tests.signalling.world import Client, World


@pytest.fixture(autouse=True)
def _only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    def addresses(use_ipv4: bool = True, use_ipv6: bool = True) -> list[str]:
        return ["127.0.0.1"]

    monkeypatch.setattr(aioice.ice, "get_host_addresses", addresses)


class Person:
    """A participant with a peer connection, as the document says: the newcomer offers."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.pc.addTrack(AudioStreamTrack())
        self.heard: asyncio.Future[MediaStreamTrack] = asyncio.get_running_loop().create_future()
        self.said: asyncio.Queue[str] = asyncio.Queue()
        self.channel: Any = None
        self.pc.on("track", self.heard.set_result)
        self.pc.on("datachannel", self._listen)

    def _listen(self, channel: Any) -> None:
        self.channel = channel
        channel.on("message", self.said.put_nowait)

    async def offer(self, to: str) -> None:
        self._listen(self.pc.createDataChannel("words"))
        await self.pc.setLocalDescription(await self.pc.createOffer())
        await self.client.offer(to, sdp=self.pc.localDescription.sdp)

    async def follow(self) -> None:
        """Do what messages ask for, until cancelled."""
        while True:
            message = await self.client.next(seconds=30)
            match message["type"]:
                case "offer":
                    await self.pc.setRemoteDescription(RTCSessionDescription(message["sdp"], "offer"))
                    await self.pc.setLocalDescription(await self.pc.createAnswer())
                    sdp = self.pc.localDescription.sdp
                    address = {"to": message["from"], "pc": "direct", "generation": message["generation"]}
                    await self.client.send("answer", **address, sdp=sdp)
                case "answer":
                    await self.pc.setRemoteDescription(RTCSessionDescription(message["sdp"], "answer"))
                case "candidate" if message["candidate"] is not None:
                    await self.pc.addIceCandidate(ice(message["candidate"]))


def ice(candidate: dict[str, Any]) -> RTCIceCandidate:
    """A candidate as the library wants it."""
    found = candidate_from_sdp(candidate["candidate"].removeprefix("candidate:"))
    found.sdpMid, found.sdpMLineIndex = candidate["sdpMid"], candidate["sdpMLineIndex"]
    return found


async def test_data_and_sound_flow(world: World, call_id: UUID) -> None:
    first = Person(await world.join(call_id))
    second = Person(await world.join(call_id))
    following = [asyncio.create_task(person.follow()) for person in (first, second)]
    sink = MediaBlackhole()
    try:
        async with asyncio.timeout(15):
            await second.offer(second.client.welcome["participants"][0]["id"])
            for person in (first, second):
                track = await person.heard
                frame = await track.recv()  # decoded, so it went through SRTP
                assert getattr(frame, "sample_rate", 0) > 0
                sink.addTrack(track)
            while second.channel.readyState != "open":
                await asyncio.sleep(0.01)
            second.channel.send("hello")
            assert await first.said.get() == "hello"
            first.channel.send("hello yourself")
            assert await second.said.get() == "hello yourself"
        for person in (first, second):
            assert person.pc.connectionState == "connected"
            check_description(person.pc.localDescription.sdp, may_publish=True)
            assert "127.0.0.1" in person.pc.localDescription.sdp
        await second.client.send("leave")
        await world.app.wait_for(world.app.left)
    finally:
        for task in following:
            task.cancel()
        results = await asyncio.gather(*following, return_exceptions=True)
        await asyncio.gather(first.pc.close(), second.pc.close())
    assert not [r for r in results if isinstance(r, AssertionError | json.JSONDecodeError)]
