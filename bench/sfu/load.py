"""The load: one process on one core, all publishers and subscribers in it; prints what it measured.

`python -m bench.sfu.load '<json>'` makes one run against a fresh server.
"""

import asyncio
import heapq
import json
import os
import secrets
import select
import statistics
import sys
import time
from collections.abc import Callable, Coroutine
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Final

from aiortc import RTCCertificate

from bench.sfu import descriptions
from bench.sfu.encoded import EncodedPublisher
from bench.sfu.janus import Janus
from bench.sfu.ours import Ours
from bench.sfu.peer import CHECK_SECONDS, Peer
from bench.sfu.publisher import VIDEO_PACKETS, Publisher
from bench.sfu.receiving import Batch, read_publisher, read_subscriber
from bench.sfu.relay import Relay
from bench.sfu.server import LOAD_CORE, Server, cpu_seconds, machine_busy_seconds, resident_kilobytes
from bench.sfu.subscriber import Subscriber

READ_SECONDS: Final = 0.002
WARM_SECONDS: Final = 2.5
"""Past the first keyframes that are asked for."""
LAST_SECONDS: Final = 0.3
TOGETHER: Final = 25
"""So many shake hands at a time."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One publisher in each room, and so many subscribers."""

    backend: str
    rooms: int
    subscribers: int
    seconds: float
    profile: str | None = None


class Load:
    """Everybody, and what each is to do when."""

    def __init__(self, server: Server, *, decodable: bool) -> None:
        self.server = server
        self._decodable = decodable
        self.publishers: list[Publisher] = []
        self.subscribers: list[Subscriber] = []
        self.late = 0.0
        """By how many seconds the load was behind its own plan, at worst."""
        self._certificate = RTCCertificate.generateCertificate()
        self._due: list[tuple[float, int, float, Callable[[], None]]] = []
        self._readers: dict[int, Callable[[], None]] = {}
        self._poll = select.epoll()
        self._batch = Batch()

    async def connect(self, shape: Shape) -> float:
        """Let everybody in; returns how many kilobytes the server needs per subscriber."""
        for start in range(0, shape.rooms, TOGETHER):
            rooms = range(start, min(start + TOGETHER, shape.rooms))
            await self._together([await self._publish(room) for room in rooms])
        before = resident_kilobytes(self.server.pid)
        each_of = [room for room in range(shape.rooms) for _ in range(shape.subscribers)]
        for start in range(0, len(each_of), TOGETHER):
            await self._together([await self._subscribe(room) for room in each_of[start : start + TOGETHER]])
        await asyncio.sleep(0.2)
        return (resident_kilobytes(self.server.pid) - before) / len(self.subscribers)

    @staticmethod
    async def _together(handshakes: list[Coroutine[None, None, None]]) -> None:
        async with asyncio.TaskGroup() as group:
            for each in handshakes:
                group.create_task(each)

    async def _publish(self, room: int) -> Coroutine[None, None, None]:
        """Agree on everything; the handshake is what is left."""
        peer = Peer(self._certificate, self.server.host)
        audio, video = (secrets.randbelow(1 << 31) + 2 for _ in range(2))
        offer = descriptions.offer(peer.local, audio, video)
        remote = descriptions.read(await self.server.publish(room, offer))
        made = EncodedPublisher if self._decodable else Publisher
        publisher = made(peer, remote, audio, video)
        self.publishers.append(publisher)
        return self._connect(peer, remote, partial(read_publisher, self._batch, publisher))

    async def _subscribe(self, room: int) -> Coroutine[None, None, None]:
        peer = Peer(self._certificate, self.server.host)
        who, offer = await self.server.subscribe(room)
        await self.server.answer(who, descriptions.answer(peer.local, offer))
        subscriber = Subscriber(peer, stamped=not self._decodable)
        self.subscribers.append(subscriber)
        read = partial(read_subscriber, self._batch, subscriber)
        return self._connect(peer, descriptions.read(offer), read)

    async def _connect(self, peer: Peer, remote: descriptions.Remote, read: Callable[[], None]) -> None:
        await peer.connect(remote)
        self._watch(peer, read)

    def _watch(self, peer: Peer, read: Callable[[], None]) -> None:
        self._poll.register(peer.socket, select.EPOLLIN)
        self._readers[peer.socket.fileno()] = read

    # The run

    def plan(self) -> None:
        """Spread everybody's work evenly."""
        now = time.monotonic()
        peers = [each.peer for each in self.publishers] + [each.peer for each in self.subscribers]
        self._repeat(now, 1 / VIDEO_PACKETS, [each.tick for each in self.publishers])
        self._repeat(now, 1.0, [each.report for each in self.subscribers])
        self._repeat(now, CHECK_SECONDS, [each.check for each in peers])

    def _repeat(self, start: float, every: float, actions: list[Callable[[], None]]) -> None:
        for place, action in enumerate(actions):
            due = start + every * place / len(actions)
            heapq.heappush(self._due, (due, len(self._due), every, action))

    def run(self, seconds: float) -> None:
        """Send and receive."""
        now = time.monotonic()
        end, read_at = now + seconds, now
        while now < end:
            if self._due and self._due[0][0] <= now:
                due, order, every, action = self._due[0]
                action()
                self.late = max(self.late, now - due)
                heapq.heapreplace(self._due, (due + every, order, every, action))
            elif read_at <= now:
                self._read()
                read_at = now + READ_SECONDS
            else:
                time.sleep(max(0.0, min(self._due[0][0] if self._due else end, read_at) - now))
            now = time.monotonic()

    def _read(self) -> None:
        for descriptor, _ in self._poll.poll(0, len(self._readers)):
            self._readers[descriptor]()

    def stop(self) -> None:
        """Send nothing more."""
        self._due.clear()

    def reset(self) -> None:
        """Count from here on."""
        self.late = 0.0
        for subscriber in self.subscribers:
            subscriber.reset()


async def _open(shape: Shape) -> Server:
    match shape.backend:
        case "ours":
            return await Ours.open(shape.profile)
        case "relay":
            EncodedPublisher.prepare()
            return await Relay.open()
        case _:
            return await Janus.open()


async def measure(shape: Shape) -> dict[str, Any]:
    """One run against a fresh server."""
    server = await _open(shape)
    try:
        load = Load(server, decodable=shape.backend == "relay")
        began = time.monotonic()
        memory = await load.connect(shape)
        connected = time.monotonic() - began
        load.plan()
        load.run(WARM_SECONDS)
        await server.measuring(on=True)
        load.reset()
        used, sent = cpu_seconds(server.pid), sum(each.sent for each in load.publishers)
        own, busy = time.process_time(), machine_busy_seconds()
        load.run(shape.seconds)
        own = time.process_time() - own
        others = machine_busy_seconds() - busy - own - (cpu_seconds(server.pid) - used)
        load.stop()
        load.run(LAST_SECONDS)
        used = cpu_seconds(server.pid) - used
        sent = sum(each.sent for each in load.publishers) - sent
        await server.measuring(on=False)
        found = {
            "used": used,
            "sent": sent,
            "own": own,
            "memory": memory,
            "connected": connected,
            "others": others,
        }
        return {**asdict(shape), **_found(load, shape, found)}
    finally:
        await server.close()


def _found(load: Load, shape: Shape, found: dict[str, float]) -> dict[str, Any]:
    subscribers = load.subscribers
    delivered = sum(each.delivered for each in subscribers)
    tallies = [tally for each in subscribers for tally in each.tallies.values()]
    expected = sum(each.expected for each in tallies)
    assert delivered, "nothing was forwarded"
    latencies = sorted(each for subscriber in subscribers for each in subscriber.latencies)
    # What is encoded anew does not bear the time any more.
    parts = statistics.quantiles(latencies, n=100) if len(latencies) > 1 else None
    return {
        "packets_delivered": delivered,
        "packets_per_second": round(delivered / shape.seconds),
        "microseconds_per_packet": round(found["used"] / delivered * 1e6, 2),
        "server_cpu_share": round(found["used"] / shape.seconds, 3),
        "loss_by_number": round(1 - delivered / expected, 5),
        "delivered_of_sent": round(delivered / (found["sent"] * shape.subscribers), 5),
        "latency_ms_p50": round(parts[49], 2) if parts else None,
        "latency_ms_p99": round(parts[98], 2) if parts else None,
        "opened": sum(each.opened for each in subscribers),
        "opened_wrong": sum(each.wrong for each in subscribers),
        "kilobytes_per_subscriber": round(found["memory"], 1),
        "connect_seconds": round(found["connected"], 1),
        "keyframes_asked": sum(each.keyframes_asked for each in load.publishers),
        "load_cpu_share": round(found["own"] / shape.seconds, 3),
        "others_cpu_share": round(found["others"] / shape.seconds, 3),
        "load_late_ms": round(load.late * 1000, 1),
    }


def main() -> None:
    """Make the run that the command line describes."""
    os.sched_setaffinity(0, {LOAD_CORE})
    shape = Shape(**json.loads(sys.argv[1]))
    sys.stdout.write(json.dumps(asyncio.run(measure(shape))) + "\n")


if __name__ == "__main__":
    main()
