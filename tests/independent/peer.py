"""One peer connection towards one participant: perfect negotiation, generations, trickle ICE."""

import asyncio
import contextlib
import json
import re
from collections.abc import Callable, Coroutine
from typing import Any
from unittest import mock

import webrtc
from webrtc.models import rtc_stats

from tests.independent.synthetic import Meter, Source

Send = Callable[[dict[str, Any]], None]

with contextlib.suppress(webrtc.InvalidStateError):
    webrtc.allow_loopback()


class _TolerantJson:
    """libwebrtc writes infinities into its statistics, which JSON does not know: they become null."""

    _infinite = re.compile(r"(?<=:)\s*-?(?:inf|nan)\b")

    @classmethod
    def loads(cls, text: str) -> object:
        return json.loads(cls._infinite.sub("null", text))


mock.patch.object(rtc_stats, "json", _TolerantJson).start()


def on_loopback(candidate: str) -> bool:
    """Whether it is a candidate whose address is 127.0.0.1 ("candidate:1 1 udp 2113937151 127.0.0.1 …")."""
    fields = candidate.split()
    return len(fields) > 4 and fields[4] == "127.0.0.1"


def loopback_only(sdp: str) -> str:
    """A description that names no other address than 127.0.0.1."""
    named = re.compile(r"^a=(candidate:.*)\r?\n", re.MULTILINE)
    return named.sub(lambda line: line[0] if on_loopback(line[1]) else "", sdp)


# After a socket was lost and is back, the answer to an offer has this long to arrive.
ANSWER_SECONDS = 1.0


class Peer:
    """What stands between me and one other participant of a direct call."""

    def __init__(
        self, other: dict[str, Any], offering: bool, ticket: dict[str, Any], source: Source, send: Send
    ) -> None:
        self.other: str = other["id"]
        self.polite: bool = other["polite"]
        self.meter = Meter()
        self.generation = 1
        self.sent: list[str] = []
        self.ignored_offers = 0
        self._ticket = ticket
        self._source = source
        self._send = send
        self._offering = offering
        self._making_offer = False
        self._ignoring = False
        self._background: set[asyncio.Task[None]] = set()
        self._begin()

    def _begin(self) -> None:
        """Makes the connection of the present generation and puts the tracks on it."""
        self._described = False
        self._mine_waiting: list[dict[str, Any]] = []
        self._theirs_waiting: list[dict[str, Any] | None] = []
        servers = [webrtc.RTCIceServer(**server) for server in self._ticket["ice_servers"]]
        configuration = webrtc.RTCConfiguration(
            ice_servers=servers, ice_transport_policy=self._ticket["ice_policy"]
        )
        self.pc = pc = webrtc.RTCPeerConnection(configuration)
        pc.on("track", lambda event: self.meter.watch(event.track))
        pc.on("negotiationneeded", lambda _: self._want_offer(pc))
        pc.on("icecandidate", lambda event: self._trickle(pc, event.candidate))
        pc.add_track(self._source.audio, self._source.stream)
        pc.add_track(self._source.video, self._source.stream)

    def _want_offer(self, pc: webrtc.RTCPeerConnection) -> None:
        """A newcomer offers at once; who was there first, only after the newcomer's first offer."""
        if pc is self.pc and self._offering:
            self._in_background(self._offer(pc))

    async def _offer(self, pc: webrtc.RTCPeerConnection) -> None:
        self._making_offer = True
        try:
            await pc.set_local_description()
            description = pc.local_description
            # Their offer may have come in between, and this one been rolled back.
            if pc is self.pc and description is not None and description.type == "offer":
                self._describe("offer", description.sdp)
        finally:
            self._making_offer = False

    def begin_next_generation(self) -> None:
        """Starts afresh with a new connection, which wants an offer at once."""
        self.pc.close()
        self.generation += 1
        self._offering = True
        self._begin()

    def socket_is_back(self) -> None:
        """Sends an offer again that stays without an answer: it or its answer was lost with a socket."""
        self._in_background(self._repeat_offer())

    async def _repeat_offer(self) -> None:
        await asyncio.sleep(ANSWER_SECONDS)
        description = self.pc.pending_local_description
        if description is not None and description.type == "offer":
            self._describe("offer", description.sdp)

    def _in_background(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def receive(self, message: dict[str, Any]) -> None:
        """Takes an offer, an answer or a candidate in. Called for one message after the other."""
        if message["generation"] < self.generation:
            return
        if message["generation"] > self.generation:
            if message["type"] != "offer":
                return
            self.pc.close()
            self.generation = message["generation"]
            self._begin()
        if message["type"] == "candidate":
            await self._take_candidate(message["candidate"])
        else:
            await self._take_description(message["type"], message["sdp"])

    async def _take_description(self, kind: str, sdp: str) -> None:
        pc = self.pc
        crossed = kind == "offer" and (self._making_offer or pc.signaling_state != "stable")
        self._ignoring = crossed and not self.polite
        if self._ignoring:
            self.ignored_offers += 1
            return
        if kind == "answer" and pc.signaling_state != "have-local-offer":
            return  # a second one, to an offer that was repeated
        established = pc.current_local_description is not None
        theirs = {"type": kind, "sdp": loopback_only(sdp)}
        await pc.set_remote_description(webrtc.RTCSessionDescriptionInit.from_json(theirs))
        if kind == "offer":
            self._offering = True
            await pc.set_local_description()
            if pc.local_description is not None:
                self._describe("answer", pc.local_description.sdp)
            if crossed and established:
                await self._reconnect_tracks(pc)
        waiting, self._theirs_waiting = self._theirs_waiting, []
        for candidate in waiting:
            await self._take_candidate(candidate)

    @staticmethod
    async def _reconnect_tracks(pc: webrtc.RTCPeerConnection) -> None:
        """Puts the tracks back: rolling an offer back within a running call, wrtc 0.1 loses its sources."""
        for sender in pc.get_senders():
            track = sender.track
            await sender.replace_track(None)
            await sender.replace_track(track)

    async def _take_candidate(self, candidate: dict[str, Any] | None) -> None:
        if candidate is not None and candidate["candidate"] and not on_loopback(candidate["candidate"]):
            return
        if self.pc.remote_description is None:
            if not self._ignoring:
                self._theirs_waiting.append(candidate)
            return
        # It may belong to a description that was ignored, or lost and not yet repeated.
        with contextlib.suppress(webrtc.PythonWebRTCException):
            if candidate is None:
                await self.pc.add_ice_candidate(None)
            else:
                await self.pc.add_ice_candidate(webrtc.RTCIceCandidateInit.from_json(candidate))

    def _describe(self, kind: str, sdp: str) -> None:
        self.sent.append(kind)
        self._send_about({"type": kind, "sdp": loopback_only(sdp)})
        self._described = True
        waiting, self._mine_waiting = self._mine_waiting, []
        for message in waiting:
            self._send_about(message)

    def _trickle(self, pc: webrtc.RTCPeerConnection, candidate: webrtc.RTCIceCandidate | None) -> None:
        if pc is not self.pc:
            return
        message: dict[str, Any] = {"type": "candidate", "candidate": None}
        if candidate is not None:
            if not on_loopback(candidate.candidate):
                return
            message["candidate"] = candidate.to_json()
        # A candidate means something only to who has the description that it belongs to.
        if self._described:
            self._send_about(message)
        else:
            self._mine_waiting.append(message)

    def _send_about(self, message: dict[str, Any]) -> None:
        self._send({**message, "to": self.other, "pc": "direct", "generation": self.generation})

    async def inbound(self) -> dict[str, float]:
        """The engine's own figures of what came in, by their names in the browser's statistics."""
        figures = {"framesDecoded": 0.0, "totalAudioEnergy": 0.0, "packetsReceived": 0.0}
        for entry in (await self.pc.get_stats()).values():
            if isinstance(entry, webrtc.RTCInboundRtpStreamStats):
                figures["framesDecoded"] += entry.frames_decoded or 0
                figures["totalAudioEnergy"] += entry.total_audio_energy or 0.0
                figures["packetsReceived"] += entry.packets_received or 0
        return figures

    async def signalled_addresses(self) -> set[str]:
        """The addresses of the other side that came by signalling (others are found out by probing)."""
        entries = (await self.pc.get_stats()).values()
        candidates = [entry for entry in entries if isinstance(entry, webrtc.RTCIceCandidateStats)]
        return {
            c.address or "" for c in candidates if c.type == "remote-candidate" and c.candidate_type == "host"
        }

    async def close(self) -> None:
        for task in self._background:
            task.cancel()
        await self.meter.stop()
        self.pc.close()
