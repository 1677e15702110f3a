"""Whoever is taken out of a stream hears nothing of it a second later; if they did, it would be noticed."""

import asyncio
import json
import os

import pytest

from tests.streams.cast import Person
from tests.streams.conftest import Start
from tests.streams.revocation import Ear, Revocations, Scene

FULL = bool(os.environ.get("MENTORSPAN_FULL"))
SEED = int(os.environ.get("MENTORSPAN_SEED", "7"))
LEAVE_SCENES, SIGN_OUT_ROUNDS, OUTAGES = (36, 4, 2) if FULL else (2, 1, 1)
DEVICES = 6 if FULL else 3
BLOCKS, PAIR_BLOCKS = (180, 20) if FULL else (20, 4)
WANTED = 1000 if FULL else 90
RATE = 60.0 if FULL else 30.0
"""Messages a second, of each of the two scenes that are played at a time."""

pytestmark = [pytest.mark.slow, pytest.mark.long]


async def _leave(made: Revocations, leads: list[Person], mentees: list[Person], scenes: int) -> None:
    while scenes > 0:
        some = await made.scenes(leads, mentees, min(12, scenes))
        scenes -= len(some)
        changes = [made.leaving(scene, person) for scene in some for person in mentees]
        made.dice.shuffle(changes)
        await made.play(some, changes)
        _close(some)


async def _sign_out(made: Revocations, leads: list[Person], mentees: list[Person], rounds: int) -> None:
    (scene,) = await made.scenes(leads, mentees)
    for _ in range(rounds):
        devices = [await made.cast.sign_in(mentees) for _ in range(DEVICES)]
        ears: list[Ear] = await made.listen([device for some in devices for device in some])
        await made.play([scene], [made.signing_out(scene, ear) for ear in ears])
        assert [ear.device.session_id for ear in ears if ear.code != 4503] == []
    _close([scene])


async def _block(made: Revocations, people: list[Person], count: int) -> None:
    (scene,) = await made.scenes(people[:5], people[5:], all_write=True)
    pairs = [(one, other) for number, one in enumerate(people) for other in people[number + 1 :]]
    await made.play([scene], [made.blocking(scene, *pair) for pair in made.dice.sample(pairs, count)])
    _close([scene])


async def _block_pairs(made: Revocations, count: int) -> None:
    people = await made.cast.add(2 * count)
    scenes = []
    for one, other in zip(people[::2], people[1::2], strict=True):
        pairing, conversation = await made.cast.pair(one, other)
        ears = await made.listen([one.devices[0], other.devices[0]])
        by_account = {ear.device.account_id: ear for ear in ears}
        scenes.append(Scene(pairing, conversation, [one, other], by_account, [one, other]))
    changes = [made.blocking(scene, scene.people[0], scene.people[1], "block_pair") for scene in scenes]
    for _, trials in changes:
        for trial in trials:
            trial.author, trial.final = None, True  # the conversation is gone at once, for both
    await made.play(scenes, changes)
    _close(scenes)


async def _through_outages(made: Revocations, leads: list[Person], mentees: list[Person], count: int) -> None:
    """The same while Valkey is killed and comes back."""
    for _ in range(count):
        (scene,) = await made.scenes(leads, mentees)
        devices = await made.cast.sign_in(mentees)
        ears = await made.listen(devices)

        async def strike() -> None:
            for _ in range(2):
                await asyncio.sleep(made.dice.uniform(0.2, 1.0))
                await made.topology.strike("valkey", made.dice.uniform(0.2, 1.5))

        changes = [made.signing_out(scene, ear, "sign_out_in_outage") for ear in ears]
        changes += [made.leaving(scene, person, "leave_in_outage") for person in mentees]
        made.dice.shuffle(changes)
        await made.play([scene], changes, strike)
        await asyncio.sleep(2)
        assert [ear.device.session_id for ear in ears if ear.code != 4503] == []
        _close([scene])


def _close(scenes: list[Scene]) -> None:
    for scene in scenes:
        for ear in scene.ears.values():
            ear.close()


@pytest.mark.timeout(900 if FULL else 600)
async def test_nothing_reaches_those_who_may_not_hear_it(topology: Start) -> None:
    running = topology()
    async with Revocations(running, SEED, rate=RATE) as made:
        people = await made.cast.add(13)
        leads, mentees = people[:3], people[3:]
        await asyncio.gather(
            _leave(made, leads, mentees, LEAVE_SCENES), _sign_out(made, leads, mentees, SIGN_OUT_ROUNDS)
        )
        await _through_outages(made, leads, mentees, OUTAGES)
        others = await made.cast.add(20)
        await asyncio.gather(_block_pairs(made, PAIR_BLOCKS), _block(made, others, BLOCKS))
        summary = made.outcome.summary()
        print(json.dumps(summary, indent=1))  # noqa: T201
        assert made.outcome.late == [], running.log_tails()
        assert sum(made.outcome.trials.values()) >= WANTED, summary


@pytest.mark.timeout(600)
async def test_a_node_that_does_not_hear_of_rosters_is_noticed(topology: Start) -> None:
    async with Revocations(topology("deaf-to-rosters"), SEED) as made:
        people = await made.cast.add(13)
        await asyncio.gather(_leave(made, people[:3], people[3:], 1), _block(made, people, 12))
        left = sum(words.startswith("leave") for words in made.outcome.late)
        assert left >= 8
        assert len(made.outcome.late) - left >= 8
