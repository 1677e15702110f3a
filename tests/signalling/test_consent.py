"""A call is recorded while everybody in it has said yes, and at no other time."""

import asyncio
import json
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalling.contracts.calls import CallRecorded
from signalling.protocol.effects import CarriedOver, Effect, RunRecording
from signalling.protocol.messages import Record
from signalling.protocol.parts import MediaState
from signalling.protocol.peer import Entrant
from signalling.protocol.room import Room
from tests.signalling.test_room import entrant, told, types
from tests.signalling.world import Client, running

ON = MediaState(audio=True, video=True)
TOKEN = "t" * 32
YES, NO = Record(agree=True), Record(agree=False)


class Call:
    """A room that can be recorded, and who is in it."""

    def __init__(self, people: int = 2, **options: Any) -> None:
        self.room = Room(uuid4(), **{"topology": "forwarded", "may_be_recorded": True, **options})
        self.people: list[Entrant] = []
        for _ in range(people):
            self.enter()

    def enter(self) -> list[Effect]:
        self.people.append(entrant())
        return self.room.admit(self.people[-1], ON, TOKEN, 0)

    def say(self, person: int, message: Record) -> list[Effect]:
        return self.room.receive(self.people[person].participant_id, message)

    def id(self, person: int) -> str:
        return str(self.people[person].participant_id)

    @property
    def state(self) -> str:
        return self.room.consent.state


def runs(effects: list[Effect]) -> list[bool]:
    """Where a recording begins and ends."""
    return [effect.on for effect in effects if isinstance(effect, RunRecording)]


def last(effects: list[Effect], to: UUID) -> tuple[str, list[str]]:
    """What somebody was told last of the recording."""
    found = [message for message in told(effects, to) if message["type"] == "recording"][-1]
    return found["state"], found["agreed"]


def test_it_begins_when_the_last_one_agrees() -> None:
    call = Call(3)
    effects = call.say(0, YES)
    for person in call.people:
        assert last(effects, person.participant_id) == ("asked", [call.id(0)])
    assert runs(effects + call.say(1, YES)) == []
    effects = call.say(2, YES)
    assert runs(effects) == [True]
    for person in call.people:
        assert last(effects, person.participant_id) == ("on", [call.id(each) for each in range(3)])
    assert call.say(1, YES) == [], "said already"


def test_a_yes_that_crosses_a_no_answers_nothing_that_was_asked_later() -> None:
    call = Call(3)
    asked = told(call.say(0, YES), call.people[1].participant_id)[-1]["question"]
    late = Record(agree=True, question=asked)
    call.say(2, NO)
    assert call.say(1, late) == []
    assert call.state == "off", "it asks nobody"
    again = told(call.say(0, YES), call.people[1].participant_id)[-1]["question"]
    assert again != asked
    assert call.say(1, late) == []
    call.say(2, YES)
    assert call.state == "asked"
    assert runs(call.say(1, Record(agree=True, question=again))) == [True]
    call.say(1, Record(agree=False, question=asked))
    assert call.state == "off", "a no always counts"


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.sampled_from(["no", "yes", "answer"]), st.integers(0, 2)), max_size=20
    )
)
def test_only_answers_to_what_is_asked_now_count(said: list[tuple[int, str, int]]) -> None:
    """Answers name the newest question or one before it; a yes without one always counts, as does a no."""
    call, agreed, asked = Call(3), set[int](), 0
    for person, what, earlier in said:
        answered = max(1, asked - earlier) if what == "answer" else None
        call.say(person, Record(agree=what != "no", question=answered))
        if what == "no":
            agreed.clear()
        elif answered is None or (agreed and answered == asked):
            asked += not agreed
            agreed.add(person)
        assert call.state == ("on" if len(agreed) == 3 else "asked" if agreed else "off")


@pytest.mark.parametrize("begun", [False, True])
def test_a_no_of_anybody_ends_it_and_every_yes_is_spent(begun: bool) -> None:
    call = Call(3)
    for person in range(3 if begun else 2):
        call.say(person, YES)
    effects = call.say(2, NO)
    assert runs(effects) == ([False] if begun else [])
    assert last(effects, call.people[0].participant_id) == ("off", [])
    assert runs(call.say(2, YES)) == []
    assert call.state == "asked"
    assert call.say(0, NO), "it was asked for"
    assert call.say(0, NO) == [], "there is nothing to refuse"


def test_whoever_comes_in_interrupts_it_until_they_have_agreed() -> None:
    call = Call()
    for person in range(2):
        call.say(person, YES)
    effects = call.enter()
    newcomer = call.people[2].participant_id
    assert runs(effects) == [False]
    welcome = told(effects, newcomer)[0]
    assert welcome["recording"] == {"state": "asked", "agreed": [call.id(0), call.id(1)], "question": 1}
    assert types(effects, call.people[0].participant_id) == ["recording", "participant_joined"]
    assert runs(call.say(2, YES)) == [True]


def test_it_never_begins_because_somebody_left() -> None:
    call = Call(3)
    call.say(0, YES)
    call.say(1, YES)
    effects = call.room.leave(call.people[2].participant_id)
    assert (runs(effects), call.state) == ([], "asked")
    assert runs(call.say(0, YES)) == [True], "those who are left say so"


def test_it_goes_on_when_one_of_several_leaves_and_ends_when_one_is_left() -> None:
    call = Call(3)
    for person in range(3):
        call.say(person, YES)
    effects = call.room.leave(call.people[2].participant_id)
    assert (runs(effects), call.state) == ([False, True], "on"), "whoever left is not in what follows"
    assert last(effects, call.people[0].participant_id) == ("on", [call.id(0), call.id(1)])
    effects = call.room.leave(call.people[1].participant_id)
    assert (runs(effects), call.state) == ([False], "off")


def test_nobody_records_alone() -> None:
    call = Call(1)
    assert (runs(call.say(0, YES)), call.state) == ([], "asked")


def test_a_stay_that_begins_again_has_agreed_to_nothing() -> None:
    call = Call()
    for person in range(2):
        call.say(person, YES)
    effects = call.room.begin_again(call.people[1].participant_id, uuid4(), ON, TOKEN)
    assert runs(effects) == [False]
    assert call.state == "off"


def test_a_direct_call_is_promoted_before_it_is_recorded() -> None:
    call = Call(topology="direct")
    assert CarriedOver() not in call.say(0, YES)
    effects = call.say(1, YES)
    assert types(effects, call.people[0].participant_id) == ["recording", "promoted"]
    agreed = tuple(person.participant_id for person in call.people)
    assert effects[-2:] == [CarriedOver(), RunRecording(1, on=True, agreed=agreed)]


def test_a_recording_that_broke_off_has_to_be_asked_for_anew() -> None:
    call = Call()
    for person in range(2):
        call.say(person, YES)
    effects = call.room.unrecorded("The disk is full.")
    error, off = told(effects, call.people[0].participant_id)
    assert (error["code"], error["detail"]) == ("recording_unavailable", "The disk is full.")
    assert (off["state"], runs(effects)) == ("off", [False])


def test_where_nothing_is_recorded_asking_is_refused() -> None:
    call = Call(may_be_recorded=False)
    (error,) = told(call.say(0, YES), call.people[0].participant_id)
    assert (error["code"], error["about"]) == ("recording_unavailable", "record")
    assert call.state == "unavailable"


async def until(client: Client, state: str) -> None:
    while (await client.next()).get("state") != state:
        pass


async def test_it_runs_while_all_agree_and_leaves_nothing_where_nobody_sent(
    tmp_path: Path, call_id: UUID
) -> None:
    recordings = tmp_path / "recordings"

    async def until_there_are(count: int) -> list[Path]:
        async with asyncio.timeout(5):
            while len(found := list(recordings.glob(f"{call_id}/*/manifest.json"))) != count:
                await asyncio.sleep(0.01)
        return found

    async with running(tmp_path, recordings=recordings) as world:
        first, second = await world.pair(call_id)
        for client in (first, second):
            await client.send("record", agree=True)
        await until(first, "on")
        (manifest,) = await until_there_are(1)
        said_yes = {first.id, second.id}
        assert set(json.loads(manifest.read_text())["agreed"]) == said_yes
        await second.send("record", agree=False)
        await until(first, "off")
        await until_there_are(0)
        for client in (first, second):
            await client.send("record", agree=True)
        await until(first, "on")
        await until_there_are(1)
        third = await world.join(call_id)
        assert third.welcome["recording"]["state"] == "asked"
        await until_there_are(0)
    assert not [fact for fact in world.app.facts if isinstance(fact, CallRecorded)], "nothing to tell"


async def test_a_disk_that_fails_is_told_to_everybody(tmp_path: Path, call_id: UUID) -> None:
    recordings = tmp_path / "recordings"
    async with running(tmp_path, recordings=recordings) as world:
        (recordings / str(call_id)).write_text("in the way")
        first, second = await world.pair(call_id)
        for client in (first, second):
            await client.send("record", agree=True)
        for client in (first, second):
            while (message := await client.next())["type"] != "error":
                pass
            assert (message["code"], message["about"]) == ("recording_unavailable", "record")
            await until(client, "off")
            await client.pong()
