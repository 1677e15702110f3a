"""Muting: what each says about themself holds, and who may silence whom."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from signalling.protocol.effects import Effect, Send, Silence
from signalling.protocol.messages import Media, Mute, Offer
from signalling.protocol.parts import MediaState, PublishedTrack, Source, Topology
from signalling.protocol.room import Room
from tests.signalling.test_room import ON, TOKEN, entrant, told, types
from tests.signalling.world import SDP, Client, World

OFF = MediaState(audio=False, video=False)
SCREENS: list[Source] = ["screen", "screen_audio"]


class Circle:
    """A lead who may mute, and two who may not."""

    def __init__(self, topology: Topology = "forwarded") -> None:
        self.room = Room(uuid4(), topology=topology, grace=15)
        people = [entrant(may_moderate=True), entrant(), entrant()][: 3 if topology == "forwarded" else 2]
        for person in people:
            self.room.admit(person, ON, TOKEN, 0)
        self.lead, self.ben = people[0].participant_id, people[1].participant_id
        self.other = people[-1].participant_id

    def mute(self, by: UUID, whom: UUID, source: Source = "microphone") -> list[Effect]:
        return self.room.receive(by, Mute(participant_id=whom, source=source))

    def share(self, who: UUID, *sources: Source, taken: bool = True) -> list[Effect]:
        """Offer these; `taken`: whether the engine finds nothing wrong with the offer."""
        tracks = tuple(PublishedTrack(mid=source, source=source) for source in sources)
        offer = Offer(pc="publish", generation=1, sdp=SDP, tracks=tracks)
        effects = self.room.receive(who, offer)
        return [*effects, *(self.room.negotiated(who, offer) if taken else [])]

    def say(self, who: UUID, audio: bool, video: bool) -> list[Effect]:
        return self.room.receive(who, Media(audio=audio, video=video))


def silences(effects: list[Effect]) -> list[set[Source]]:
    """What the engine is told to hold back, each time."""
    return [{*effect.sources} for effect in effects if isinstance(effect, Silence)]


@pytest.mark.parametrize(
    ("audio", "video", "held"),
    [
        (True, True, set()),
        (False, True, {"microphone"}),
        (True, False, {"camera"}),
        (False, False, {"microphone", "camera"}),
    ],
)
def test_what_is_said_to_be_off_is_held_back(audio: bool, video: bool, held: set[Source]) -> None:
    circle = Circle()
    entering = circle.room.admit(entrant(), MediaState(audio=audio, video=video), TOKEN, 0)
    assert silences(entering) == ([held] if held else [])
    circle.say(circle.ben, not audio, not video)
    assert silences(circle.say(circle.ben, audio, video)) == [held]
    assert circle.say(circle.ben, audio, video) == [], "nothing new, nothing to do"


def test_who_may_not_send_is_held_back() -> None:
    entering = Circle().room.admit(entrant(may_publish=False), ON, TOKEN, 0)
    assert silences(entering) == [{"microphone", "camera"}]


def test_a_moderator_mutes_somebody_who_then_speaks_again() -> None:
    circle = Circle()
    effects = circle.mute(circle.lead, circle.ben)
    (muted,) = told(effects, circle.ben)
    assert (muted["type"], muted["source"], muted["by"]) == ("muted", "microphone", str(circle.lead))
    for other in (circle.lead, circle.other):
        (media,) = told(effects, other)
        assert (media["type"], media["audio"], media["video"]) == ("participant_media", False, True)
    assert silences(effects) == [{"microphone"}]
    assert circle.mute(circle.lead, circle.ben) == [], "once is enough"
    assert silences(circle.say(circle.ben, True, True)) == [set()]
    assert silences(circle.mute(circle.lead, circle.ben)) == [{"microphone"}]


@pytest.mark.parametrize("source", ["microphone", "camera"])
def test_what_is_off_is_not_muted(source: Source) -> None:
    circle = Circle()
    circle.say(circle.ben, False, False)
    assert circle.mute(circle.lead, circle.ben, source) == []


def test_a_screen_stays_muted_until_it_was_taken_back() -> None:
    circle = Circle()
    assert circle.mute(circle.lead, circle.ben, "screen") == [], "there is none"
    circle.share(circle.ben, "camera", *SCREENS)
    effects = circle.mute(circle.lead, circle.ben, "screen")
    assert types(effects, circle.ben) == ["muted"]
    assert types(effects, circle.other) == []
    assert silences(effects) == [{"screen"}]
    assert silences(circle.mute(circle.lead, circle.ben, "screen_audio")) == [{"screen", "screen_audio"}]
    assert silences(circle.share(circle.ben, "camera", *SCREENS)) == [], "a new path is no new screen"
    assert silences(circle.share(circle.ben, "camera", taken=False)) == [], "it is still there"
    assert silences(circle.share(circle.ben, "camera")) == [set()]
    assert silences(circle.share(circle.ben, "camera", "screen")) == []


@pytest.mark.parametrize("by", ["ben", "other"])
@pytest.mark.parametrize("whom", ["lead", "ben", "other", "stranger"])
def test_without_the_right_nobody_is_muted(by: str, whom: str) -> None:
    circle = Circle()
    target = uuid4() if whom == "stranger" else getattr(circle, whom)
    effects = circle.mute(getattr(circle, by), target)
    (error,) = told(effects, getattr(circle, by))
    assert (error["code"], error["about"], len(effects)) == ("not_permitted", "mute", 1)


def test_strangers_and_oneself_are_nobody() -> None:
    circle = Circle()
    for whom in (uuid4(), circle.lead):
        (error,) = told(circle.mute(circle.lead, whom), circle.lead)
        assert error["code"] == "unknown_participant"


def test_in_a_direct_call_they_are_only_told() -> None:
    circle = Circle("direct")
    effects = circle.mute(circle.lead, circle.ben)
    assert [type(effect) for effect in effects] == [Send]
    assert types(effects, circle.ben) == ["muted"]
    assert circle.mute(circle.lead, circle.ben) == [], "once, until they say something"
    assert types(circle.say(circle.ben, False, True), circle.lead) == ["participant_media"]


def test_who_has_not_heard_that_they_are_muted_does_not_undo_it_by_coming_back() -> None:
    circle = Circle()
    room, ben = circle.room, circle.ben
    last_seq = room.peers[ben].seq
    room.lost(ben, 1)
    circle.mute(circle.lead, ben)
    effects = room.resume(ben, ON, last_seq, TOKEN)
    assert "muted" in types(effects, ben)
    assert silences(effects) == []
    assert not room.peers[ben].media.audio
    # Who has heard of it, and says that it is on, has switched it on.
    room.lost(ben, 2)
    assert silences(room.resume(ben, ON, room.peers[ben].seq, TOKEN)) == [set()]


def test_a_promoted_call_is_told_what_is_off() -> None:
    circle = Circle("direct")
    circle.say(circle.ben, False, True)
    effects = circle.room.promote()
    assert effects[-1] == Silence(circle.ben, frozenset({"microphone"}))


# On sockets


async def trio(world: World, call_id: UUID) -> tuple[Client, Client, Client]:
    """A lead who may mute, and two who may not."""
    found: list[Client] = []
    for permissions in (("publish", "subscribe", "moderate"), ("publish", "subscribe"), ("publish",)):
        client = await world.join(call_id, topology="forwarded", permissions=permissions)
        for earlier in found:
            await earlier.next("participant_joined")
        found.append(client)
    return found[0], found[1], found[2]


async def test_muting_on_the_socket(world: World, call_id: UUID) -> None:
    lead, ben, other = await trio(world, call_id)
    await lead.send("mute", participant_id=ben.id, source="microphone")
    assert (await ben.next("muted"))["by"] == lead.id
    for client in (lead, other):
        assert (await client.next("participant_media"))["audio"] is False
    await ben.send("media", audio=True, video=True)
    for client in (lead, other):
        assert (await client.next("participant_media"))["audio"] is True


@pytest.mark.parametrize("whom", ["lead", "other", "itself", "stranger"])
async def test_who_mutes_without_the_right_harms_nobody(world: World, call_id: UUID, whom: str) -> None:
    lead, ben, other = await trio(world, call_id)
    target = {"lead": lead.id, "other": other.id, "itself": ben.id, "stranger": str(uuid4())}[whom]
    await ben.send("mute", participant_id=target, source="camera")
    assert (await ben.next("error"))["code"] == "not_permitted"
    for client in (lead, ben, other):
        await client.pong()


async def test_a_flood_of_muting_ends_the_stay_of_who_floods(world: World, call_id: UUID) -> None:
    lead, ben, other = await trio(world, call_id)
    text: dict[str, Any] = {"participant_id": ben.id, "source": "microphone"}
    async with asyncio.timeout(10):
        for _ in range(400):
            await lead.send("mute", **text)
        assert await lead.closed() == 4509
    await ben.next("muted")
    assert (await ben.next("participant_left"))["participant_id"] == lead.id
    await other.next("participant_media")
    await other.next("participant_left")
    await other.pong()
