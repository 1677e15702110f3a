"""Independent clients, by two WebRTC stacks, hold a circle's call through the real services."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from typing import cast

import pytest

from tests.independent.circle import (
    TONES,
    Circle,
    all_see_and_hear,
    hears,
    new_circle,
    only_loopback,
    see_and_hear,
    sees,
    sees_nothing_more,
)
from tests.independent.forwarded_client import ForwardedClient
from tests.independent.forwarded_wrtc import WrtcPublisher
from tests.independent.peer import loopback_only
from tests.independent.rest import Rest
from tests.independent.services import Services

NAMES = {name: f"{name.lower()}@circle.example" for name in TONES}
pytestmark = pytest.mark.timeout(60, func_only=True)


@pytest.fixture(scope="module", autouse=True)
def _only_loopback() -> Iterator[None]:
    with only_loopback():
        yield


@pytest.fixture(scope="module")
async def circle(services: Services, ruth: Rest) -> AsyncIterator[Circle]:
    async with new_circle(services.url, ruth, NAMES) as circle:
        yield circle


def ufrag(sdp: str) -> str:
    found = re.search(r"^a=ice-ufrag:(\S+)", sdp, re.MULTILINE)
    assert found is not None
    return found[1]


async def names_sources(me: ForwardedClient, other: ForwardedClient, sources: set[str]) -> None:
    named = {(other.id, source) for source in sources}
    await me.until(lambda me: me.named() == named, f"{sources} are named")


@pytest.mark.alone
async def test_five_people_see_and_hear_each_other(circle: Circle) -> None:
    names = ["Priya", "Noor", "Amara", "Ruth", "Tomas"]
    async with circle.call(*names[:4]) as clients:
        late = await circle.client("Tomas")
        await asyncio.gather(*(sees(me, other, 2) for me in clients for other in clients if me is not other))
        clients.append(await late.enter())
        people = dict(zip(names, clients, strict=True))
        await all_see_and_hear(people)
        for client in clients:
            others = {p.id for p in clients} - {client.id}
            assert client.roster.keys() == others
            assert client.named() == {(p, s) for p in others for s in ("microphone", "camera")}
            assert client.errors == []
            sizes = {f.size for p in others if (f := client.figures(p, "camera"))}
            assert sizes == {(320, 180)}


async def test_pictures_go_on_where_there_is_room(circle: Circle) -> None:
    names = ("Noor", "Priya", "Tomas")
    async with circle.call(*names) as clients:
        people = dict(zip(names, clients, strict=True))
        await all_see_and_hear(people)
        await asyncio.sleep(6)  # what is remembered of the network takes some seconds to come about
        assert [client.paused for client in clients] == [set()] * len(clients)
        await all_see_and_hear(people)


@pytest.mark.parametrize("name", ["Ruth", "Noor"])
async def test_who_leaves_is_gone_and_another_comes(circle: Circle, name: str) -> None:
    async with circle.call("Amara", name, "Priya") as clients:
        amara, other, priya = clients
        await asyncio.gather(sees(amara, priya), sees(other, priya), sees(other, amara))
        gone = priya.id
        await priya.leave()
        assert (priya.ended, priya.closed_with) == ("left", 1000)
        for client in (amara, other):
            await client.until(lambda me: gone not in me.roster, "Priya is gone from the roster")
            await client.until(
                lambda me: {who for who, _ in me.named()} == me.roster.keys(), "and from the offer"
            )
            left = {"type": "participant_left", "participant_id": gone, "reason": "left"}
            assert any(left.items() <= message.items() for message in client.log)
        late = await (await circle.client("Tomas")).enter()
        clients.append(late)
        people = {"Amara": amara, name: other, "Tomas": late}
        await all_see_and_hear(people)
        sections = [offer["sdp"].count("m=") for offer in other.offers]
        assert sections == sorted(sections), "a section never goes away (RFC 3264)"
        assert [client.errors for client in people.values()] == [[], [], []]


async def test_media_outlive_a_lost_socket(circle: Circle) -> None:
    async with circle.call("Priya", "Noor") as clients:
        priya, noor = clients
        await all_see_and_hear({"Priya": priya, "Noor": noor})
        before, token = priya.id, priya.welcome["resume_token"]
        await priya.lose_socket()
        await noor.until(lambda me: me.roster[before]["state"] == "reconnecting", "Priya reconnects")
        amara = await (await circle.client("Amara")).enter()
        clients.append(amara)
        await asyncio.gather(sees(priya, noor), sees(noor, priya), sees(amara, priya))
        await priya.resume()
        assert (priya.welcome["resumed"], priya.id) == (True, before)
        assert priya.welcome["resume_token"] != token
        await asyncio.gather(sees(priya, amara), hears(priya, amara, TONES["Amara"]), sees(noor, amara))
        assert (priya.publish_generation, priya.subscribe_generation) == (1, 1)
        assert [client.errors for client in clients] == [[], [], []]


@pytest.mark.parametrize("name", ["Priya", "Noor"])
async def test_what_was_lost_with_a_socket_is_said_again(circle: Circle, name: str) -> None:
    """My offer on publish, by me; the server's on subscribe, by the server."""
    async with circle.call("Amara") as clients:
        (amara,) = clients
        await amara.answered(1)
        late = await circle.client(name, listens_only=True)
        clients.append(await late.enter())
        await late.until(lambda me: me.offers, "the server's offer")
        await sees(late, amara)
        late.losing = True
        late.set_media(audio=True, video=True)
        await late.publish()
        amara.publisher.send_only({"microphone"})  # type: ignore[union-attr]
        await amara.offer()
        await late.until(lambda me: (amara.id, "camera") not in me.named(), "the offer whose answer is lost")
        heard = len(late.offers)
        await late.lose_socket()
        await late.resume()
        assert late.welcome["resumed"]
        await late.until(lambda me: len(me.offers) > heard, "the server offers again")
        await asyncio.gather(late.answered(1), hears(late, amara, TONES["Amara"]))
        await asyncio.gather(sees(amara, late), hears(amara, late, TONES[name]))
        assert amara.errors + late.errors == []


@pytest.mark.parametrize("name", ["Priya", "Noor"])
async def test_a_camera_is_taken_away_and_comes_back(circle: Circle, name: str) -> None:
    async with circle.call("Amara", name) as (amara, other):
        await sees(other, amara)
        assert amara.publisher is not None
        for sources in ({"microphone"}, {"microphone", "camera"}):
            amara.publisher.send_only(sources)
            await amara.offer()
            await names_sources(other, amara, sources)
        await asyncio.gather(sees(other, amara), hears(other, amara, TONES["Amara"]))
        assert amara.errors + other.errors == []


async def test_ice_restarts_of_both_connections(circle: Circle) -> None:
    async with circle.call("Priya", "Amara") as (priya, amara):
        await all_see_and_hear({"Priya": priya, "Amara": amara})
        await priya.offer(restart=True)
        await priya.answered(2)
        assert ufrag(priya.answers[0]) != ufrag(priya.answers[1])
        await asyncio.gather(sees(amara, priya), hears(amara, priya, TONES["Priya"]))
        offers = len(priya.offers)
        priya.restart_subscribe()
        await priya.until(lambda me: len(me.offers) > offers, "the server offers a restart")
        assert priya.offers[-1]["generation"] == 1
        assert ufrag(priya.offers[-1]["sdp"]) != ufrag(priya.offers[0]["sdp"])
        await asyncio.gather(sees(priya, amara), hears(priya, amara, TONES["Amara"]))
        assert priya.errors + amara.errors == []


@pytest.mark.parametrize("name", ["Priya", "Noor"])
async def test_next_generations_of_both_connections(circle: Circle, name: str) -> None:
    async with circle.call(name, "Amara") as (me, amara):
        await asyncio.gather(sees(me, amara), sees(amara, me))
        me.restart_subscribe(afresh=True)
        await me.until(lambda me: me.subscribe_generation == 2, "the server offers the next generation")
        await asyncio.gather(sees(me, amara), hears(me, amara, TONES["Amara"]))
        await me.publish()
        await me.answered(2)
        await asyncio.gather(sees(amara, me), hears(amara, me, TONES[name]))
        assert me.errors + amara.errors == []
        me.send({"type": "restart", "pc": "subscribe", "generation": 9})
        await me.until(lambda me: me.errors, "a number too far ahead is refused")
        assert (me.errors[0]["code"], me.errors[0]["about"]) == ("unknown_generation", "restart")


@pytest.mark.parametrize("name", ["Noor", pytest.param("Priya", marks=pytest.mark.long)])
async def test_what_is_not_shown_is_not_sent(circle: Circle, name: str) -> None:
    async with circle.call("Amara", name) as (amara, me):
        await sees(me, amara)
        me.view({(amara.id, "camera"): 0})
        await sees_nothing_more(me, amara)
        await hears(me, amara, TONES["Amara"])
        me.view({(amara.id, "camera"): 180})
        await sees(me, amara)
        me.view({(amara.id, "camera"): 0})
        await sees_nothing_more(me, amara)
        me.view({})  # pictures that it does not name come as large as they can
        await sees(me, amara)
        assert amara.errors + me.errors == []


async def test_who_makes_a_tone_speaks(circle: Circle) -> None:
    async with circle.call("Priya", "Noor", "Amara") as clients:
        priya, noor, _ = clients
        for client in clients:
            client.set_media(audio=False, video=False)

        async def all_hear_of(*speakers: str) -> None:
            for client in clients:
                await client.until(
                    lambda me: (me.speakers or [[]])[-1] == list(speakers), f"{speakers} speak"
                )

        await all_hear_of()
        priya.set_media(audio=True, video=False)
        await all_hear_of(priya.id)
        priya.set_media(audio=False, video=False)
        await all_hear_of()
        noor.set_media(audio=True, video=False)
        await all_hear_of(noor.id)
        assert [client.errors for client in clients] == [[], [], []]


async def test_a_listener_publishes_nothing(circle: Circle) -> None:
    async with circle.call("Amara", "Priya") as clients:
        amara, priya = clients
        noor = await (await circle.client("Noor", listens_only=True)).enter()
        clients.append(noor)
        people = {"Amara": amara, "Priya": priya}
        await see_and_hear(noor, people)
        await all_see_and_hear(people)
        assert (amara.roster[noor.id]["audio"], amara.roster[noor.id]["video"]) == (False, False)
        assert {who for who, _ in amara.named()} == {priya.id}
        assert [client.errors for client in clients] == [[], [], []]


async def test_a_source_that_is_named_twice_is_refused(circle: Circle) -> None:
    async with circle.call("Priya", "Amara") as (priya, amara):
        await asyncio.gather(sees(amara, priya), priya.answered(1))
        assert priya.publisher is not None
        tracks = [{**track, "source": "camera"} for track in priya.publisher.tracks()]
        offer = await cast("WrtcPublisher", priya.publisher).pc.create_offer()
        about = {"type": "offer", "pc": "publish", "generation": 1}
        priya.send({**about, "sdp": loopback_only(offer.sdp), "tracks": tracks})
        await priya.until(lambda me: me.errors, "the offer is refused")
        assert (priya.errors[0]["code"], priya.errors[0]["about"]) == ("invalid_description", "offer")
        await asyncio.gather(sees(amara, priya), hears(amara, priya, TONES["Priya"]))
        await priya.offer()
        await priya.answered(2)
        await asyncio.gather(sees(amara, priya), hears(amara, priya, TONES["Priya"]))
        assert len(priya.errors) == 1
