"""The usual way of aiortc next to it: MediaRelay decodes once, and encodes once for each subscriber.

`python -m bench.sfu.relay` is the server; it is spoken to as `bench.sfu.ours` is.
"""

import asyncio
import sys
from typing import Any

from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.contrib.media import MediaRelay
from typing_extensions import override

from bench.sfu.janus import address
from bench.sfu.ours import Ours, Process, say


class Relay(Ours):
    """The load's side of the pipe."""

    module = "bench.sfu.relay"

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        super().__init__(process)
        # aioice takes no loopback address either.
        self.host = address()


class _Relay(Process):
    """The server's side."""

    def __init__(self) -> None:
        super().__init__(None)
        self._relay = MediaRelay()
        self._tracks: dict[str, list[Any]] = {}
        self._connections: dict[str, RTCPeerConnection] = {}

    @override
    async def open(self) -> None:
        pass

    @override
    async def carry_out(self, order: dict[str, Any]) -> None:
        if "who" not in order:
            say("done", "")
            return
        room, who = order["room"], order["who"]
        connection = self._connections.setdefault(
            who, RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        )
        match order["do"]:
            case "admit" if not order["publish"]:
                for track in self._tracks[room]:
                    connection.addTrack(self._relay.subscribe(track))
                await connection.setLocalDescription(await connection.createOffer())
                # The load nominates, whoever offers.
                for each in connection.getTransceivers():
                    each.sender.transport.transport._connection.ice_controlling = False
                say("offer", who, connection.localDescription.sdp)
            case "offer":
                tracks = self._tracks.setdefault(room, [])
                connection.on("track", tracks.append)
                await connection.setRemoteDescription(RTCSessionDescription(order["sdp"], "offer"))
                await connection.setLocalDescription(await connection.createAnswer())
                say("answer", who, connection.localDescription.sdp)
            case "answer":
                await connection.setRemoteDescription(RTCSessionDescription(order["sdp"], "answer"))


if __name__ == "__main__":
    with asyncio.Runner() as runner:
        runner.run(_Relay().run())
    sys.exit()
