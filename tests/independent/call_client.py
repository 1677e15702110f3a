"""A client of the calls socket, version 1, for direct calls; written from docs/protocol.md alone."""

from typing import Any

from typing_extensions import override

from tests.independent.calls_socket import CallsSocket
from tests.independent.peer import Peer
from tests.independent.synthetic import Source


class CallClient(CallsSocket):
    """One person in one call, from the ticket to the end."""

    def __init__(
        self, ticket: dict[str, Any], tone: float = 440.0, size: tuple[int, int] = (320, 240)
    ) -> None:
        super().__init__(ticket)
        self.source = Source(tone, *size)
        self.peers: dict[str, Peer] = {}

    @override
    async def begin_media(self) -> None:
        self.source.start()

    @override
    async def end_media(self) -> None:
        for participant_id in list(self.peers):
            await self.left(participant_id)
        await self.source.stop()

    @override
    async def take_welcome(self, resumed: bool) -> None:
        kept = self.roster.keys() if resumed else set()  # of an earlier stay nothing goes on
        for gone in self.peers.keys() - kept:
            await self.left(gone)
        for participant in self.roster.values():
            self._peer(participant, offering=not resumed).socket_is_back()

    def _peer(self, participant: dict[str, Any], offering: bool) -> Peer:
        if participant["id"] not in self.peers:
            peer = Peer(participant, offering, self.ticket, self.source, self.send)
            self.peers[participant["id"]] = peer
        return self.peers[participant["id"]]

    @override
    async def joined(self, participant: dict[str, Any]) -> None:
        self._peer(participant, offering=False)  # ready for the newcomer's offer

    @override
    async def left(self, participant_id: str) -> None:
        peer = self.peers.pop(participant_id, None)
        if peer is not None:
            await peer.close()

    @override
    def is_back(self, participant_id: str) -> None:
        self.peers[participant_id].socket_is_back()

    @override
    async def take_media_message(self, message: dict[str, Any]) -> None:
        if message["type"] in ("offer", "answer", "candidate") and message["from"] in self.peers:
            await self.peers[message["from"]].receive(message)

    def set_media(self, audio: bool, video: bool) -> None:
        """Mutes or unmutes, and says so."""
        self.source.audio.enabled = audio
        self.source.video.enabled = video
        self.media = {"audio": audio, "video": video}
        self.send({"type": "media", **self.media})

    def other(self) -> Peer:
        """The peer of a call of two."""
        (peer,) = self.peers.values()
        return peer
