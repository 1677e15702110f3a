"""Five people, the circle that they are in, and their way into its call; set up as a front-end would."""

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aioice
import pytest

from tests.independent.figures import Figures
from tests.independent.forwarded_aiortc import Aiortc
from tests.independent.forwarded_client import ForwardedClient
from tests.independent.forwarded_wrtc import Wrtc
from tests.independent.rest import Refused, Rest

TONES = {"Priya": 300, "Amara": 500, "Ruth": 700, "Noor": 900, "Tomas": 1100}
AIORTC = {"Noor", "Tomas"}
PASSWORD = "a long sentence works well"


async def new_person(newcomer: Rest, coordinator: Rest, email: str, name: str) -> None:
    """Invites somebody by mail, who opens an account, proves the address and joins the organisation."""
    (membership,) = (await coordinator.me())["memberships"]
    await coordinator.invite(membership["organisation"]["id"], email)
    invitation = await _token(newcomer, email, 1)
    await newcomer.sign_up(email, PASSWORD, name, invitation)
    await newcomer.verify(await _token(newcomer, email, 2), PASSWORD)
    await newcomer.sign_in(email, PASSWORD)
    await newcomer.accept_invitation(invitation)


async def _token(rest: Rest, address: str, count: int) -> str:
    """The token in the newest mail to an address, once so many have come."""
    deadline = time.monotonic() + 20
    while len(mails := await rest.mails(address)) < count:
        assert time.monotonic() < deadline, mails
        await asyncio.sleep(0.1)
    newest = max(mails, key=lambda mail: str(mail["created_at"]))
    found = re.search(r"#token=([\w.-]+)", newest["text"])
    assert found is not None, newest
    return found[1]


@dataclass
class Circle:
    """The people by their first names, and the meeting whose call they hold."""

    people: dict[str, Rest]
    meeting_id: str

    async def client(self, name: str, **options: Any) -> ForwardedClient:
        """Takes a ticket, and readies a client for it; the name decides its engine and its tone."""
        ticket = await self.people[name].ticket(self.meeting_id)
        engine = Aiortc(TONES[name]) if name in AIORTC else Wrtc(ticket, TONES[name])
        return ForwardedClient(ticket, engine, **options)

    @asynccontextmanager
    async def call(self, *names: str, **options: Any) -> AsyncIterator[list[ForwardedClient]]:
        """These people in the call; whoever is still in it at the end goes."""
        clients: list[ForwardedClient] = []
        try:
            for name in names:
                clients.append(await self.client(name, **options))
                await clients[-1].enter()
            yield clients
        finally:
            await asyncio.gather(*(client.close() for client in clients))


@asynccontextmanager
async def new_circle(url: str, coordinator: Rest, emails: dict[str, str]) -> AsyncIterator[Circle]:
    """Newcomers in a circle of their own, by first name: no other test comes between them."""
    async with AsyncExitStack() as stack:
        people: dict[str, Rest] = {}
        for name, email in emails.items():
            people[name] = await stack.enter_async_context(Rest(url))
            await new_person(people[name], coordinator, email, f"{name} Novak")
        circle = await gather_circle(people, coordinator)
        yield circle
        with contextlib.suppress(Refused):
            await people["Amara"].cancel(circle.meeting_id)


async def gather_circle(people: dict[str, Rest], coordinator: Rest) -> Circle:
    """Amara leads the others; her meeting begins now."""
    ids = {}
    for name, rest in people.items():
        (membership,) = (await rest.me())["memberships"]
        ids[name] = membership["id"]
    (membership,) = (await coordinator.me())["memberships"]
    mentees = [ids[name] for name in people if name != "Amara"]
    circle = await coordinator.create_circle(
        membership["organisation"]["id"], "Five voices", [ids["Amara"]], mentees
    )
    assert circle["status"] == "active", circle
    meeting = await people["Amara"].propose(circle["id"], datetime.now(UTC))
    assert meeting["status"] == "booked", meeting  # a circle's lead books at once
    return Circle(people, meeting["id"])


@contextlib.contextmanager
def only_loopback() -> Any:
    """aiortc's connections use no other address than 127.0.0.1."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aioice.ice, "get_host_addresses", lambda *_, **__: ["127.0.0.1"])
        yield


def _figures(me: ForwardedClient, other: ForwardedClient, source: str) -> Figures | None:
    return me.figures(other.id, source)


async def sees(me: ForwardedClient, other: ForwardedClient, frames: int = 5, seconds: float = 8) -> None:
    """Waits until so many more frames have come from the other, and until they differ."""
    began: tuple[Figures | None, int, int] = (None, 0, 0)

    def enough(_: ForwardedClient) -> bool:
        nonlocal began
        figures = _figures(me, other, "camera")
        if figures is None:
            return False
        if figures is not began[0]:  # another section carries it now
            began = figures, figures.frames, figures.moved
        return figures.frames >= began[1] + frames and figures.moved >= began[2] + frames - 2

    await me.until(enough, f"{frames} more frames of {other.id}", seconds)


async def hears(me: ForwardedClient, other: ForwardedClient, tone: float, seconds: float = 8) -> None:
    """Waits until a third of a second of sound from the other has the right pitch."""
    began: Figures | None = None

    def right(_: ForwardedClient) -> bool:
        nonlocal began
        figures = _figures(me, other, "microphone")
        if figures is None or (figures is began and figures.samples < 16_000):
            return False
        fresh, began = figures is not began, figures
        pitch, energy = figures.frequency(), figures.energy
        figures.forget_sound()
        return not fresh and abs(pitch - tone) < tone * 0.1 and energy > 0.001

    await me.until(right, f"a tone of {tone} Hz from {other.id}", seconds)


async def see_and_hear(me: ForwardedClient, others: dict[str, ForwardedClient], seconds: float = 8) -> None:
    """Waits until everybody else is seen and heard, each with the right tone."""
    people = {name: other for name, other in others.items() if other is not me}
    work = [sees(me, other, seconds=seconds) for other in people.values()]
    await asyncio.gather(*work, *(hears(me, other, TONES[name], seconds) for name, other in people.items()))


async def all_see_and_hear(people: dict[str, ForwardedClient]) -> None:
    await asyncio.gather(*(see_and_hear(me, people) for me in people.values()))


async def sees_nothing_more(me: ForwardedClient, other: ForwardedClient, seconds: float = 5) -> None:
    """Waits until no picture has come from the other for a second."""
    deadline = time.monotonic() + seconds
    figures = _figures(me, other, "camera")
    last, since = figures and figures.frames, time.monotonic()
    while time.monotonic() - since < 1:
        assert time.monotonic() < deadline, f"pictures still come: {figures and figures.frames}"
        await asyncio.sleep(0.05)
        figures = _figures(me, other, "camera")
        if (now := figures and figures.frames) != last:
            last, since = now, time.monotonic()
