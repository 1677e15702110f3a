"""Two people write to each other through the real services, and the independent client hears of it."""

from typing import Any

import pytest

from tests.independent.conftest import People
from tests.independent.events_client import EventsClient
from tests.independent.rest import Refused, Rest, Unreachable
from tests.independent.services import Services
from tests.independent.waiting import has_unread, is_told, membership, sees, shows

pytestmark = pytest.mark.timeout(60, func_only=True)


async def test_a_chat_both_ways(people: People, conversation_id: str) -> None:
    async with EventsClient(people.priya) as priya, EventsClient(people.amara) as amara:
        drafts = []
        for number in range(3):
            for client in (priya, amara):
                drafts.append(client.outbox.say(conversation_id, f"Line {number}"))
                await client.until(lambda _: drafts[-1].message is not None, "it is said")
        said = [draft.text for draft in drafts]
        for client in (priya, amara):
            await shows(client, conversation_id, said)
        reworded, gone = drafts[2].message, drafts[3].message
        assert reworded is not None
        assert gone is not None
        await people.priya.reword(reworded["id"], "Line 1, better")
        await people.amara.take_back(gone["id"])
        said[2:4] = ["Line 1, better"]
        for client in (priya, amara):
            await shows(client, conversation_id, said)
            for message, last in ((reworded, "message.edited"), (gone, "message.deleted")):
                told = client.mirror.told(conversation_id)
                assert [kind for kind, id_ in told if id_ == message["id"]] == ["message.posted", last]
            seqs = [e["seq"] for e in client.mirror.applied if e["stream"] == conversation_id]
            assert seqs == list(range(seqs[0], seqs[0] + 8))
            # A server that has only just come up may ask, once, for a ticket that is newer still.
            said_to_it = [(error["code"], error["about"]) for error in client.errors]
            assert said_to_it in ([], [("not_ready", "hello")])
            assert client.mirror.syncs == 1
            assert await read_backwards(client.rest, conversation_id) == in_order(client, conversation_id)
            assert await read_forwards(client.rest, conversation_id) == in_order(client, conversation_id)


def in_order(client: EventsClient, conversation_id: str) -> list[dict[str, Any]]:
    return sorted(client.mirror.messages[conversation_id].values(), key=lambda m: int(m["seq"]))


async def read_backwards(rest: Rest, conversation_id: str) -> list[dict[str, Any]]:
    page = await rest.history(conversation_id, limit=3)
    items: list[dict[str, Any]] = page["items"]
    assert not page["more_after"]
    while page["more_before"]:
        page = await rest.history(conversation_id, limit=3, before=items[0]["seq"])
        items = page["items"] + items
        assert page["more_after"]
    return items


async def read_forwards(rest: Rest, conversation_id: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    more = True
    while more:
        page = await rest.history(conversation_id, limit=3, after=items[-1]["seq"] if items else 0)
        items += page["items"]
        more = page["more_after"]
    return items


async def test_read_marks(services: Services, people: People, conversation_id: str) -> None:
    async with Rest(services.url) as phone_rest:
        await phone_rest.sign_in(people.sign_ins["Priya"]["email"], people.sign_ins["Priya"]["password"])
        async with EventsClient(people.priya) as priya, EventsClient(phone_rest) as phone:
            head = priya.mirror.conversations[conversation_id]["head"]
            await people.priya.mark_read(conversation_id, head)
            first = await people.amara.say(conversation_id, "One")
            await people.amara.say(conversation_id, "Two")
            third = await people.amara.say(conversation_id, "Three")
            await people.amara.take_back(third["id"])
            await people.priya.say(conversation_id, "My own does not count")
            for client in (priya, phone):
                await is_told(client, conversation_id, "message.deleted", third["id"])
                await shows(client, conversation_id, ["One", "Two", "My own does not count"])
                await has_unread(client, conversation_id, 2)
            assert (await people.priya.conversation(conversation_id))["unread"] == 2
            assert (await people.priya.mark_read(conversation_id, first["seq"]))["unread"] == 1
            await has_unread(phone, conversation_id, 1)
            assert (await people.priya.mark_read(conversation_id, 0))["read_up_to"] == first["seq"]
            past = await people.priya.mark_read(conversation_id, 10**9)
            assert (past["read_up_to"], past["unread"]) == (head + 5, 0)
            await has_unread(phone, conversation_id, 0)
            mine = await membership(people.priya)
            assert set(phone.mirror.told(mine)) == {("conversation.read", conversation_id)}


async def test_said_twice_is_said_once(
    people: People, conversation_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    say, lost = people.amara.say, ["request", "answer"]

    async def say_with_losses(conversation_id: str, text: str, client_id: str) -> dict[str, Any]:
        loss = lost.pop(0) if lost else ""
        answer = {} if loss == "request" else await say(conversation_id, text, client_id)
        if loss:
            raise Unreachable(f"The {loss} is lost.")
        return answer

    monkeypatch.setattr(people.amara, "say", say_with_losses)
    async with EventsClient(people.priya) as priya, EventsClient(people.amara) as amara:
        drafts = [amara.outbox.say(conversation_id, text) for text in ("First", "Second")]
        await amara.until(lambda _: all(draft.message for draft in drafts), "both are answered")
        assert [draft.tries for draft in drafts] == [3, 1]
        for client in (priya, amara):
            await shows(client, conversation_id, ["First", "Second"])
            heard = [e["data"] for e in client.mirror.applied if e["stream"] == conversation_id]
            assert [data["client_id"] for data in heard] == [draft.client_id for draft in drafts]
            assert heard == [draft.message for draft in drafts]
        refused = amara.outbox.say(conversation_id, "")
        await amara.until(lambda _: refused.refused, "what cannot be said is not tried again")
        assert refused.tries == 1
    with pytest.raises(Refused, match="client_id_reused"):
        await say(conversation_id, "Another text", drafts[0].client_id)


async def test_a_cut_socket_and_a_lost_event(people: People, conversation_id: str) -> None:
    async with EventsClient(people.priya) as priya:
        resets = list(priya.mirror.resets)
        priya.lose_socket()
        said = [f"While you were away {number}" for number in range(3)]
        for text in said:
            await people.amara.say(conversation_id, text)
        await priya.until(lambda me: me.welcomes == 2 and me.settled, "she is back")
        await shows(priya, conversation_id, said)
        assert priya.proofs == ["ticket", "resume"]
        priya.losing = 2
        said += [f"Lost on the way {number}" for number in range(3)]
        for text in said[3:]:
            await people.amara.say(conversation_id, text)
        await shows(priya, conversation_id, said)
        assert (priya.mirror.syncs, priya.mirror.resets) == (3, resets)
        (cursor,) = [c for c in priya.mirror.streams.cursors() if c["stream"] == conversation_id]
        missing = {**cursor, "seq": cursor["seq"] - 6}
        page = await people.priya.sync([missing], limit=4)
        (part,) = [part for part in page["streams"] if part["stream"] == conversation_id]
        assert (part["limited"], part["reset"], part["head"]) == (True, False, cursor["seq"])
        assert part["events"] == [e for e in priya.mirror.applied if e["stream"] == conversation_id][:4]
        for wrong in ({"epoch": "another"}, {"seq": cursor["seq"] + 1}):
            page = await people.priya.sync([cursor | wrong])
            (part,) = [part for part in page["streams"] if part["stream"] == conversation_id]
            assert (part["reset"], part["events"], part["head"]) == (True, [], cursor["seq"])


async def test_typing_and_presence(people: People, conversation_id: str) -> None:
    amara_id = await membership(people.amara)
    async with EventsClient(people.priya) as priya:
        await priya.watch(conversation_id)
        async with EventsClient(people.amara, state="away") as amara:
            await sees(priya, amara_id, "away")
            await amara.become("online")
            await sees(priya, amara_id, "online")
            await amara.type(conversation_id)
            await priya.until(lambda me: me.typing(conversation_id) == {amara_id}, "she types")
            await amara.type(conversation_id, typing=False)
            await priya.until(lambda me: not me.typing(conversation_id), "she has stopped")
            await amara.become("hidden")
            await sees(priya, amara_id, "offline")
            amara.lose_socket()
            await amara.until(lambda me: me.welcomes == 2 and me.settled, "she is back")
            await priya.watch(conversation_id)
            await amara.become("online")
            await sees(priya, amara_id, "online")
            priya.lose_socket()
            await priya.until(lambda me: me.welcomes == 2 and me.presence, "what was watched still is")
            assert priya.presence == {amara_id: "online"}
        await sees(priya, amara_id, "offline")
        states = [m["state"] for m in priya.heard if m["type"] == "presence"]
        assert states == ["away", "online", "offline", "online", "online", "offline"]


async def test_a_killed_node_costs_nothing(services: Services, people: People, conversation_id: str) -> None:
    async with (
        EventsClient(people.priya, longest_wait=1.0) as priya,
        EventsClient(people.amara, longest_wait=1.0) as amara,
    ):
        resets = [list(client.mirror.resets) for client in (priya, amara)]
        await people.amara.say(conversation_id, "Before")
        await shows(priya, conversation_id, ["Before"])
        services.kill_signalling()
        drafts = [amara.outbox.say(conversation_id, text) for text in ("While it was dead", "Taken back")]
        await amara.until(lambda _: all(draft.message for draft in drafts), "REST goes on")
        await people.amara.take_back((drafts[1].message or {})["id"])
        await services.start_signalling_again()
        await people.amara.say(conversation_id, "As it came back")
        said = ["Before", "While it was dead", "As it came back"]
        for client in (priya, amara):
            await client.until(lambda me: me.settled and me.welcomes == 2, "everybody is back", 15)
            await shows(client, conversation_id, said)
            assert (client.proofs[0], client.proofs[-1]) == ("ticket", "ticket")
        await people.priya.say(conversation_id, "And on it goes")
        await shows(amara, conversation_id, [*said, "And on it goes"])
        assert [client.mirror.resets for client in (priya, amara)] == resets
