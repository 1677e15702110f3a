"""From the POST of a message until each socket has it, through the real topology."""

import asyncio
import json
import tempfile
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

from bench.chat.servers import Receivers
from tests.streams.cast import Cast, Device
from tests.streams.rest import Rest
from tests.streams.topology import Topology

SOCKETS = 50
LEADS, MENTEES = 5, 30  # the most that a circle holds; some of them have two devices
MESSAGES, EVERY = 400, 0.05
WARM = 60


async def _connect(app: Rest, devices: list[Device], port: int) -> Receivers:
    talks = []
    for device in devices:
        ticket = (await app.ok(device.token, "POST", "/v1/events/ticket"))["ticket"]
        talks.append([[json.dumps({"type": "hello", "version": 1, "ticket": ticket}), "welcome"]])
    return await Receivers.connect(port, "/events", talks)


async def _measure(topology: Topology) -> dict[str, Any]:
    cast = Cast(topology)
    people = await cast.add(LEADS + MENTEES)
    _, conversation = await cast.circle(people[:LEADS], people[LEADS:])
    seconds = await cast.sign_in(people[: SOCKETS - len(people)])
    devices = [*(person.devices[0] for person in people), *seconds]
    apps = [Rest(url) for url in topology.urls]
    ports = topology.node_ports
    halves = [devices[::2], devices[1::2]]  # each node serves half of them
    receivers = [await _connect(apps[0], half, port) for half, port in zip(halves, ports, strict=True)]
    sent: dict[int, float] = {}
    answered: dict[int, float] = {}

    async def post(number: int) -> None:
        body = {"client_id": str(uuid4()), "text": f"bench-{number}", "mentions": []}
        sent[number] = time.monotonic()
        writer = people[number % len(people)].devices[0]
        await apps[number % 2].ok(writer.token, "POST", f"/v1/conversations/{conversation}/messages", body)
        answered[number] = time.monotonic()

    async def post_all(first: int, count: int) -> list[Any]:
        for each in receivers:
            await each.expect(count, stamped=True)
        due, posting = time.monotonic(), []
        for number in range(first, first + count):
            posting.append(asyncio.create_task(post(number)))
            due += EVERY
            await asyncio.sleep(max(0.0, due - time.monotonic()))
        await asyncio.gather(*posting)
        return [times for each in receivers for times in (await each.arrived())["times"]]

    await post_all(0, WARM)
    times = await post_all(WARM, MESSAGES)
    for each in receivers:
        await each.close()
    for app in apps:
        app.close()
    lags = [at - sent[number] for one in times for number, at in one]
    return {
        "sockets": SOCKETS,
        "messages_per_second": round(1 / EVERY),
        "deliveries": len(lags),
        "post_to_socket_ms": _percentiles(lags),
        "post_to_answer_ms": _percentiles([answered[n] - sent[n] for n in answered if n >= WARM]),
    }


def _percentiles(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {
        "p50": round(ordered[len(ordered) // 2] * 1000, 1),
        "p99": round(ordered[int(len(ordered) * 0.99)] * 1000, 1),
    }


async def latency() -> dict[str, Any]:
    """Start everything, measure, stop."""
    with tempfile.TemporaryDirectory() as place:
        topology = Topology(Path(place))
        try:
            await asyncio.to_thread(topology.start)
            return await _measure(topology)
        finally:
            await asyncio.to_thread(topology.stop)
