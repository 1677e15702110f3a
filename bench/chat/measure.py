"""What a chat message costs the server per member, next to a bare loop and Socket.IO; how fast it is."""

import asyncio
import json
import statistics
import tempfile
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.chat import servers
from bench.chat.latency import latency
from bench.chat.servers import Receivers, Server, cpu_seconds

ROUNDS = 5
Open = Callable[[int], AbstractAsyncContextManager[tuple[Server, Receivers]]]


@dataclass(frozen=True, slots=True)
class Work:
    """How much is said to how many."""

    members: int
    messages: int
    every: float


CALM = {50: Work(50, 300, 0.02), 1000: Work(1000, 80, 0.1)}
BURST = {50: Work(50, 1000, 0.0), 1000: Work(1000, 300, 0.0)}


async def _cost(server: Server, receivers: Receivers, work: Work) -> float:
    """Microseconds of the server's processor time for one message to one member."""
    await receivers.expect(work.messages)
    before = cpu_seconds(server.pid)
    await server.say(work.messages, work.every)
    arrived: int = (await receivers.arrived())["count"]
    used = cpu_seconds(server.pid) - before
    assert arrived == work.messages * work.members, (arrived, work)
    return used / arrived * 1e6


async def _costs(open_server: Open, members: int) -> dict[str, float]:
    async with open_server(members) as (server, receivers):
        await _cost(server, receivers, Work(members, 20, 0.01))
        return {
            "calm": await _cost(server, receivers, CALM[members]),
            "burst": await _cost(server, receivers, BURST[members]),
        }


async def _compare(members: int, opened: dict[str, Open]) -> dict[str, Any]:
    """Each server in turn, several times, so that whatever else the machine does hits all of them."""
    found: dict[str, dict[str, list[float]]] = {name: {"calm": [], "burst": []} for name in opened}
    for _ in range(ROUNDS):
        for name, open_server in opened.items():
            for mode, cost in (await _costs(open_server, members)).items():
                found[name][mode].append(cost)
    return {
        mode: {
            "microseconds_per_delivery": {
                name: round(statistics.median(costs[mode]), 2) for name, costs in found.items()
            },
            **{
                f"ratio_to_{name}": round(
                    statistics.median(
                        own / other
                        for own, other in zip(found["mentorspan"][mode], found[name][mode], strict=True)
                    ),
                    2,
                )
                for name in found
                if name != "mentorspan"
            },
        }
        for mode in ("calm", "burst")
    }


async def _measure() -> dict[str, Any]:
    frame = json.dumps(
        {"type": "event", "stream": "0" * 36, "epoch": "e", "seq": 1, "kind": "message.posted"}
        | {"data": servers.message(100)},
        separators=(",", ":"),
    )
    opened: dict[str, Open] = {
        "mentorspan": servers.ours,
        "bare_loop": lambda members: servers.bare(members, frame),
    }
    with tempfile.TemporaryDirectory() as place:
        missing = servers.install_socket_io(Path(place))
        if missing is None:
            opened["socket_io"] = lambda members: servers.socket_io(members, Path(place))
        fan_out = {f"members_{members}": await _compare(members, opened) for members in CALM}
    return {
        "claim": "a delivered message costs at most 1.2 times a bare socket.send, under burst 0.5 times, and "
        f"0.6 times Socket.IO {servers.SOCKET_IO}; POST to 50 sockets, 20 messages/s: p50 5 ms, p99 20 ms",
        "rounds": ROUNDS,
        "frame_bytes": len(frame),
        **({"socket_io_skipped": missing} if missing else {}),
        **fan_out,
        "latency": await latency(),
    }


def measure() -> dict[str, Any]:
    """Run it."""
    return asyncio.run(_measure())
