"""Two independent clients hold a call with each other through the real services."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.independent.call_client import CallClient
from tests.independent.conftest import People

pytestmark = pytest.mark.timeout(40, func_only=True)


@asynccontextmanager
async def call(colleagues: People, direct_meeting_id: str) -> AsyncIterator[tuple[CallClient, CallClient]]:
    """Priya is there first, then Amara comes; each sends another tone and another size of picture."""
    priya = CallClient(await colleagues.priya.ticket(direct_meeting_id), tone=440, size=(320, 240))
    amara = CallClient(await colleagues.amara.ticket(direct_meeting_id), tone=880, size=(320, 180))
    try:
        await priya.enter()
        await amara.enter()
        yield priya, amara
    finally:
        await amara.close()
        await priya.close()


async def see_and_hear(client: CallClient, frames: int = 20, seconds: float = 15) -> None:
    """Waits until so many more frames and half a second more of sound have come from the other."""
    await client.until(lambda me: len(me.peers) == 1, "the other is here")
    meter = client.other().meter
    enough = meter.frames + frames
    await client.until(lambda _: meter.frames >= enough, f"{frames} more frames", seconds)
    meter.forget_sound()
    await client.until(lambda _: meter.samples >= 24_000, "half a second of sound", seconds)


async def decode_more(client: CallClient) -> None:
    """Waits until the engine has decoded more frames and sound than it has now."""
    before = await client.other().inbound()
    deadline = time.monotonic() + 10
    while True:
        now = await client.other().inbound()
        if all(now[name] > before[name] for name in ("framesDecoded", "totalAudioEnergy")):
            return
        assert time.monotonic() < deadline, (before, now)
        await asyncio.sleep(0.1)


async def test_two_people_see_and_hear_each_other(colleagues: People, direct_meeting_id: str) -> None:
    async with call(colleagues, direct_meeting_id) as (priya, amara):
        await asyncio.gather(see_and_hear(priya), see_and_hear(amara))

        assert not amara.other().polite
        assert priya.other().polite
        assert amara.other().sent == ["offer"]
        assert priya.other().sent == ["answer"]
        assert priya.other().meter.size == (320, 180)
        assert amara.other().meter.size == (320, 240)
        for client, tone in ((priya, 880), (amara, 440)):
            meter, inbound = client.other().meter, await client.other().inbound()
            first = (meter.first_frame_at or 0) - client.began
            print(f"first frame {first:.2f} s, {meter.frames} frames, {meter.energy:.4f} energy, {inbound}")  # noqa: T201
            assert meter.moved > 10
            assert meter.energy > 0.001
            assert meter.frequency() == pytest.approx(tone, rel=0.25)
            assert inbound["framesDecoded"] >= 20
            assert inbound["totalAudioEnergy"] > 0
            assert await client.other().signalled_addresses() == {"127.0.0.1"}
            assert client.errors == []
        priya_left = time.monotonic()
        await amara.leave()
        await priya.until(lambda me: not me.roster, "Amara is gone from the roster")
        await priya.leave()
        assert (amara.ended, amara.closed_with) == ("left", 1000)
        assert (priya.ended, priya.closed_with) == ("left", 1000)

        while True:
            stays = await colleagues.amara.attendance(direct_meeting_id)
            closed = [stay for stay in stays if stay["left_at"]]
            if len(closed) == 2:
                break
            assert time.monotonic() < priya_left + 8, stays
            await asyncio.sleep(0.1)
        assert {stay["name"].split()[0] for stay in closed} == {"Priya", "Amara"}
        assert {stay["reason"] for stay in closed} == {"left"}


async def test_muting_is_told_to_the_other(colleagues: People, direct_meeting_id: str) -> None:
    async with call(colleagues, direct_meeting_id) as (priya, amara):
        await see_and_hear(priya)
        (amara_id,) = priya.roster
        amara.set_media(audio=False, video=True)
        await priya.until(lambda me: not me.roster[amara_id]["audio"], "Amara is shown as muted")
        await asyncio.sleep(0.5)
        priya.other().meter.forget_sound()
        await priya.until(lambda me: me.other().meter.samples > 10_000, "a while of silence")
        assert priya.other().meter.energy < 0.0001
        amara.set_media(audio=True, video=True)
        await priya.until(lambda me: me.roster[amara_id]["audio"], "Amara is shown as speaking")
        await see_and_hear(priya, frames=1)


async def test_offers_that_cross_settle(colleagues: People, direct_meeting_id: str) -> None:
    async with call(colleagues, direct_meeting_id) as (priya, amara):
        await asyncio.gather(see_and_hear(priya), see_and_hear(amara))
        for client in (priya, amara):
            client.other().pc.restart_ice()
        await priya.until(lambda me: "offer" in me.other().sent, "Priya offered too")
        await amara.until(lambda me: me.other().ignored_offers == 1, "the impolite side ignores an offer")
        for client in (priya, amara):
            await client.until(lambda me: me.other().pc.signaling_state == "stable", "the offers settle")
        # By the engine's own count: a rolled-back wrtc 0.1 decodes on, but hands no frames over any more.
        await asyncio.gather(decode_more(priya), decode_more(amara))
        assert priya.other().ignored_offers == 0
        assert priya.errors + amara.errors == []


async def test_both_begin_the_next_generation_at_once(colleagues: People, direct_meeting_id: str) -> None:
    async with call(colleagues, direct_meeting_id) as (priya, amara):
        await asyncio.gather(see_and_hear(priya), see_and_hear(amara))
        for client in (priya, amara):
            client.other().begin_next_generation()
        await asyncio.gather(see_and_hear(priya), see_and_hear(amara))
        assert (priya.other().generation, amara.other().generation) == (2, 2)
        assert priya.errors + amara.errors == []


async def test_a_call_outlives_a_lost_socket(colleagues: People, direct_meeting_id: str) -> None:
    async with call(colleagues, direct_meeting_id) as (priya, amara):
        await asyncio.gather(see_and_hear(priya), see_and_hear(amara))
        (amara_id,), token = priya.roster, amara.welcome["resume_token"]
        await amara.lose_socket()
        await priya.until(lambda me: me.roster[amara_id]["state"] == "reconnecting", "Amara reconnects")
        priya.set_media(audio=True, video=False)
        await see_and_hear(priya)
        amara.other().pc.restart_ice()  # this offer has to wait for the new socket
        await amara.resume()
        assert (amara.welcome["resumed"], amara.welcome["participant_id"]) == (True, amara_id)
        assert amara.welcome["resume_token"] != token
        await priya.until(lambda me: me.roster[amara_id]["state"] == "online", "Amara is back")
        (priya_id,) = amara.roster
        missed = {"type": "participant_media", "participant_id": priya_id, "audio": True, "video": False}
        await amara.until(lambda me: any(missed.items() <= m.items() for m in me.log), "what she missed")
        await priya.until(lambda me: me.other().sent.count("answer") >= 2, "the restart is answered")
        priya.set_media(audio=True, video=True)
        await asyncio.gather(see_and_hear(priya), see_and_hear(amara))
        assert priya.errors + amara.errors == []


async def test_a_lost_offer_is_said_again(colleagues: People, direct_meeting_id: str) -> None:
    async with call(colleagues, direct_meeting_id) as (priya, amara):
        await asyncio.gather(see_and_hear(priya), see_and_hear(amara))
        amara.losing = True
        amara.other().pc.restart_ice()
        await amara.until(lambda me: me.other().sent.count("offer") == 2, "the offer that is lost")
        await amara.lose_socket()
        await amara.resume()
        await priya.until(lambda me: me.other().sent.count("answer") == 2, "Priya hears of it after all")
        await amara.until(lambda me: me.other().pc.signaling_state == "stable", "Amara is answered")
        assert (amara.other().sent.count("offer"), amara.welcome["resumed"]) == (3, True)
        priya.other().pc.restart_ice()  # which the impolite Amara would ignore if she still waited
        await amara.until(lambda me: "answer" in me.other().sent, "Amara listens to offers")
        await asyncio.gather(see_and_hear(priya), see_and_hear(amara))
        assert priya.errors + amara.errors == []


async def test_an_offer_whose_answer_was_lost_is_said_again(
    colleagues: People, direct_meeting_id: str
) -> None:
    async with call(colleagues, direct_meeting_id) as (priya, amara):
        await asyncio.gather(see_and_hear(priya), see_and_hear(amara))
        priya.losing = True
        amara.other().pc.restart_ice()
        await priya.until(lambda me: me.other().sent.count("answer") == 2, "the answer that is lost")
        await priya.lose_socket()
        await priya.resume()
        await priya.until(lambda me: me.other().sent.count("answer") == 3, "it is answered again")
        await amara.until(lambda me: me.other().pc.signaling_state == "stable", "Amara is answered")
        await asyncio.gather(see_and_hear(priya), see_and_hear(amara))
        assert priya.errors + amara.errors == []


async def test_whoever_cannot_resume_is_a_newcomer(colleagues: People, direct_meeting_id: str) -> None:
    async with call(colleagues, direct_meeting_id) as (priya, amara):
        await asyncio.gather(see_and_hear(priya), see_and_hear(amara))
        (first_stay,) = priya.roster
        for client in (priya, amara):
            client.other().begin_next_generation()
        await asyncio.gather(see_and_hear(priya), see_and_hear(amara))
        await amara.lose_socket()
        amara.last_seq = 10**6  # no more to be replayed than what the server has forgotten
        await amara.resume()
        assert (amara.welcome["resumed"], amara.welcome["seq"]) == (False, 0)
        assert amara.welcome["participant_id"] != first_stay
        await priya.until(lambda me: list(me.roster) == [amara.welcome["participant_id"]], "Amara is new")
        left = {"type": "participant_left", "participant_id": first_stay, "reason": "connection_lost"}
        assert any(left.items() <= message.items() for message in priya.log)
        await asyncio.gather(see_and_hear(priya), see_and_hear(amara))
        assert (priya.other().generation, priya.other().sent) == (1, ["answer"])
        assert (amara.other().generation, amara.other().sent) == (1, ["offer"])
        assert priya.errors + amara.errors == []


async def test_a_cancelled_meeting_ends_its_call(colleagues: People, direct_meeting_id: str) -> None:
    async with call(colleagues, direct_meeting_id) as (priya, amara):
        await see_and_hear(priya, frames=1)
        await colleagues.priya.cancel(direct_meeting_id)
        for client in (priya, amara):
            await client.until(lambda me: me.closed_with is not None, "the call ends")
            assert (client.ended, client.closed_with) == ("call_ended", 4505)
