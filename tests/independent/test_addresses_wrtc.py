"""Two people of different organisations never learn each other's address: on the sockets and on the wire."""

import asyncio
import json
import re
from collections.abc import Iterable

import pytest

from tests.independent.call_client import CallClient
from tests.independent.calls_socket import CallsSocket
from tests.independent.circle import sees
from tests.independent.conftest import People
from tests.independent.forwarded_client import ForwardedClient
from tests.independent.forwarded_wrtc import Wrtc
from tests.independent.services import Services
from tests.independent.wire import watching

pytestmark = pytest.mark.timeout(60, func_only=True)

HOME = "198.51.100.77"
"""An address that somebody has and nobody else should hear of (RFC 5737)."""
AT_HOME = {
    "candidate": f"candidate:9 1 udp 1 {HOME} 50123 typ host",
    "sdpMid": "0",
    "sdpMLineIndex": 0,
}
TELLING = re.compile(
    r"candidate:\S+ \d udp \d+ (\S+ \d+) typ|a=ice-(?:ufrag|pwd):(\S+)|a=fingerprint:\S+ (\S+)|a=ssrc:(\d+)"
)


def secrets_of(client: CallsSocket) -> set[str]:
    """What this person's descriptions and candidates say of where they are and how they are reached."""
    return {part for found in TELLING.findall(_text(client.said)) for part in found if part}


def heard_by(client: CallsSocket) -> str:
    return _text(client.log)


def _text(messages: object) -> str:
    return json.dumps(messages).replace("\\r\\n", "\n")


def ports_of(clients: Iterable[CallsSocket]) -> set[int]:
    """Where these people's browsers send from."""
    return {int(secret.split()[1]) for client in clients for secret in secrets_of(client) if " " in secret}


def media_port(services: Services) -> int:
    return services.signalling_port + 2


async def test_across_organisations_nobody_learns_an_address(
    services: Services, people: People, meeting_id: str
) -> None:
    tickets = [await each.ticket(meeting_id) for each in (people.priya, people.amara)]
    assert {ticket["topology"] for ticket in tickets} == {"forwarded"}
    clients = [
        ForwardedClient(ticket, Wrtc(ticket, tone)) for ticket, tone in zip(tickets, (300, 500), strict=True)
    ]
    priya, amara = clients
    try:
        async with watching() as wire:
            for client in clients:
                await client.enter()
            await asyncio.gather(sees(priya, amara), sees(amara, priya))
            priya.send({"type": "candidate", "pc": "publish", "generation": 1, "candidate": AT_HOME})
            await priya.leave()
            await amara.until(lambda me: not me.roster, "Priya is gone")
        for one, other in ((priya, amara), (amara, priya)):
            assert len(secrets_of(one)) > 5
            assert not [secret for secret in secrets_of(one) if secret in heard_by(other)]
        assert HOME in " ".join(secrets_of(priya))
        flows = wire.of(ports_of(clients))
        assert flows, "they were watched"
        assert all(media_port(services) in flow for flow in flows)
        attendance = json.dumps([await each.attendance(meeting_id) for each in (people.priya, people.amara)])
        assert not re.search(r"\d+\.\d+\.\d+\.\d+", attendance)
    finally:
        for client in clients:
            await client.close()


async def test_in_a_direct_call_they_do_and_the_watchers_see_it(
    services: Services, colleagues: People, direct_meeting_id: str
) -> None:
    """Otherwise the test above would prove nothing."""
    priya = CallClient(await colleagues.priya.ticket(direct_meeting_id))
    amara = CallClient(await colleagues.amara.ticket(direct_meeting_id))
    try:
        async with watching() as wire:
            await priya.enter()
            await amara.enter()
            await amara.until(lambda me: me.peers and me.other().meter.frames > 5, "pictures", 15)
        assert [secret for secret in secrets_of(priya) if secret in heard_by(amara)]
        # Whoever answers a check before they have named their own address is seen at one end only.
        flows = wire.of(ports_of((priya, amara)))
        assert flows
        assert not any(media_port(services) in flow for flow in flows)
    finally:
        for client in (amara, priya):
            await client.close()
