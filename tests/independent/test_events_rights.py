"""Who hears what on the events socket, and whose ticket opens it."""

import asyncio
import contextlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from websockets.asyncio.client import connect

from tests.independent.conftest import People
from tests.independent.events_client import EventsClient
from tests.independent.rest import Refused, Rest
from tests.independent.services import Services
from tests.independent.waiting import is_told, membership, sees, shows

pytestmark = pytest.mark.timeout(60, func_only=True)
A_MONTH = timedelta(days=33)
"""Beyond all that the demo world has booked."""


async def greet(url: str, **hello: object) -> tuple[dict[str, Any], int | None]:
    """What answers a hello, and the close code if that was all."""
    async with connect(url, proxy=None) as socket:
        await socket.send(json.dumps({"type": "hello", "version": 1, **hello}))
        answer: dict[str, Any] = json.loads(await asyncio.wait_for(socket.recv(), 5))
        if answer["type"] != "welcome":
            await asyncio.wait_for(socket.wait_closed(), 5)
        return answer, socket.close_code


async def test_tickets(people: People, meeting_id: str) -> None:
    async with EventsClient(people.amara) as amara:
        events, call = await people.priya.events_ticket(), await people.priya.ticket(meeting_id)
        url, media = events["socket_url"], {"audio": False, "video": False}
        assert (await greet(url, ticket=events["ticket"]))[0]["type"] == "welcome"
        refused: list[tuple[str, dict[str, object]]] = [
            (url, {"ticket": events["ticket"]}),
            (url, {"ticket": call["ticket"]}),
            (url, {"ticket": "no.ticket.atall"}),
            (call["socket_url"], {"ticket": (await people.priya.events_ticket())["ticket"], "media": media}),
        ]
        for each, hello in refused:
            error, code = await greet(each, **hello)
            assert (error["type"], error["code"], code) == ("error", "ticket_refused", 4501), hello
        error, code = await greet(url, resume={"token": "x" * 43})
        assert (error["code"], code) == ("resume_refused", 4410)
        # What was shown at the wrong door has not been used up.
        assert (await greet(call["socket_url"], ticket=call["ticket"], media=media))[0]["type"] == "welcome"
        await is_told(amara, await membership(people.amara), "call.changed", meeting_id)


async def test_nobody_else_hears_of_it(people: People, ruth: Rest, conversation_id: str) -> None:
    async with EventsClient(ruth) as outside, EventsClient(people.priya) as priya:
        await outside.watch(conversation_id)
        await outside.type(conversation_id)
        await outside.until(lambda me: len(me.errors) == 2, "both are refused")
        assert {error["code"] for error in outside.errors} == {"unknown_stream"}
        async with EventsClient(people.amara) as amara:
            await amara.type(conversation_id)
            await people.amara.say(conversation_id, "Between us")
            await shows(priya, conversation_id, ["Between us"])
        page = await ruth.sync([{"stream": conversation_id, "epoch": "guessed", "seq": 0}])
        assert page["gone"] == [conversation_id]
        assert conversation_id not in {part["stream"] for part in page["streams"]}
        for read in (ruth.conversation, ruth.history):
            with pytest.raises(Refused, match="404"):
                await read(conversation_id)
        assert [message["type"] for message in outside.heard] == ["welcome", "error", "error"]


async def test_signing_out_closes_the_socket(services: Services, people: People) -> None:
    async with Rest(services.url) as phone_rest, EventsClient(people.amara) as amara:
        await phone_rest.sign_in(people.sign_ins["Amara"]["email"], people.sign_ins["Amara"]["password"])
        async with EventsClient(phone_rest) as phone:
            await phone_rest.sign_out()
            await phone.until(lambda me: me.stopped, "the socket is closed")
            assert (phone.stopped, phone.closes) == ("4503", [4503])
        assert (amara.stopped, amara.closes) == (None, [])


async def pairing_of(ruth: Rest, amara: Rest) -> str:
    with contextlib.suppress(LookupError):
        return str((await ruth.active_pairing_with("Amara"))["id"])
    asked = await ruth.ask(await membership(ruth), await membership(amara))
    return str((await amara.accept_pairing(asked["id"]))["id"])


async def test_what_happens_in_other_rooms(people: People, ruth: Rest) -> None:
    async with EventsClient(ruth) as asking, EventsClient(people.amara) as asked:
        homes = [(client, await membership(client.rest)) for client in (asking, asked)]
        pairing_id = await pairing_of(ruth, people.amara)
        (conversation,) = await ruth.conversations(pairing_id=pairing_id)
        for client, home in homes:
            await is_told(client, home, "conversation.changed", conversation["id"])
            await client.until(
                lambda me: conversation["id"] in me.mirror.streams.known, "its stream is heard"
            )
            told = set(client.mirror.told(home))
            assert ("pairing.changed", pairing_id) in told
            assert {id_ for _, id_ in told} == {pairing_id, conversation["id"]}
        await people.amara.say(conversation["id"], "Welcome")
        await shows(asking, conversation["id"], ["Welcome"])
        meeting = await ruth.propose(pairing_id, datetime.now(UTC) + A_MONTH)
        steps = [("proposed", None), ("booked", people.amara.accept), ("cancelled", ruth.cancel)]
        for count, (status, step) in enumerate(steps, 1):
            if step is not None:
                await step(meeting["id"])
            for client, home in homes:
                await is_told(client, home, "meeting.changed", meeting["id"], count)
                assert (await client.rest.read_meeting(meeting["id"]))["status"] == status


async def test_after_a_block_neither_hears_the_other(people: People, ruth: Rest) -> None:
    pairing_id = await pairing_of(ruth, people.amara)
    place = str((await ruth.conversations(pairing_id=pairing_id))[0]["id"])
    async with EventsClient(ruth) as blocked, EventsClient(people.amara) as blocking:
        ids = [await membership(client.rest) for client in (blocked, blocking)]
        accounts = [(await client.rest.me())["account"]["id"] for client in (blocked, blocking)]
        for client, other in ((blocked, ids[1]), (blocking, ids[0])):
            await client.watch(place)
            await sees(client, other, "online")
        block = await people.amara.block(ids[0])
        await is_told(blocking, accounts[1], "blocks.changed", block["id"])
        assert blocked.mirror.told(accounts[0]) == []
        for client in (blocked, blocking):
            await client.until(lambda me: place not in me.mirror.conversations and me.settled, "it is gone")
            assert place not in client.mirror.streams.known
            await client.until(lambda me: me.errors, "nothing is left to watch")
            client.heard.clear()
            client.errors.clear()
        for client in (blocked, blocking):
            with pytest.raises(Refused, match="404"):
                await client.rest.say(place, "Are you there?")
            await client.become("away")
            await client.type(place)
            await client.watch(place)
            await client.until(lambda me: len(me.errors) == 2, "both are refused")
        await asyncio.sleep(0.3)
        assert {m["type"] for client in (blocked, blocking) for m in client.heard} == {"error"}
