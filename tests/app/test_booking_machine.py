"""Random proposals, holds, bookings, cancellations and waiting: nobody is booked twice, and no slot is lost.

A model knows what is booked and what is held. After every step each person must be offered exactly the times
that nothing in the model stands in the way of: so whatever frees time, the slot is offered again.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from app.core import clock
from app.main import create_app
from app.scheduling import diaries, queries, service
from app.settings import Settings
from tests.app.diaries import ALWAYS, keeps
from tests.app.kept import sweep
from tests.app.test_nobody_twice import DOUBLE_BOOKED
from tests.world import ALL_ROLES, Person, World, meeting

pytestmark = pytest.mark.database
FULL: Final = os.environ.get("MENTORSPAN_FULL") == "1"
EXAMPLES, STEPS = (60, 40) if FULL else (6, 12)
NOON: Final = datetime(2027, 5, 3, 12, tzinfo=UTC)
STEP, LENGTH = 30, 60
PLACES: Final = 8
"""Starts that are looked at, half an hour apart."""
QUIET: Final = 15
"""What the mentor asks for after a meeting."""
HOLD: Final = timedelta(minutes=5)


class Stage:
    """One application for all examples, on a loop of its own."""

    def __init__(self, settings: Settings) -> None:
        self._runner = asyncio.Runner()
        application = create_app(settings)
        self._lifespan = application.router.lifespan_context(application)
        self.run(self._lifespan.__aenter__())
        self.world = World(application)

    def run(self, work: Awaitable[Any]) -> Any:
        async def awaited() -> Any:
            return await work

        return self._runner.run(awaited())

    def close(self) -> None:
        self.run(self.world.client.aclose())
        self.run(self._lifespan.__aexit__(None, None, None))
        self._runner.close()


@pytest.fixture(scope="module")
def stage(shared_settings: Settings) -> Iterator[Stage]:
    made = Stage(shared_settings)
    yield made
    made.close()


@dataclass(slots=True)
class Booked:
    """What the model knows of a meeting."""

    id: str
    pairing: int
    place: int
    by: int
    status: str = "proposed"


@dataclass(slots=True)
class Kept:
    """What the model knows of a hold."""

    id: str
    pairing: int
    place: int
    until: datetime


@dataclass(slots=True)
class Model:
    now: datetime = NOON
    meetings: list[Booked] = field(default_factory=list)
    holds: dict[int, Kept] = field(default_factory=dict)
    """By whoever holds."""


PAIRINGS: Final[tuple[tuple[int, ...], ...]] = ((0, 1), (0, 2), (0, 1, 2), (1, 2))
"""Who is in each: 0 is the mentor, and leads the circle of all three, which is the third."""
CIRCLE: Final = 2
VIEWS: Final = ((0, 1), (1, 0), (2, 2), (3, 1))
"""Pairings, and by whom their slots are looked at; after each step two of them."""


def _meet(left: int, right: int, gap: int = 0) -> bool:
    """Whether meetings at two places touch, with so much quiet between them."""
    return abs(left - right) * STEP < LENGTH + gap


class Bookings(RuleBasedStateMachine):
    """Three people, the two pairs with the mentor, a pair of the mentees, and a circle of all."""

    stage: Stage
    trusting = False
    """Take any answer for right; for the test that takes the checks away."""

    def __init__(self) -> None:
        super().__init__()
        self.looked = 0
        self.model = Model()
        self.people: list[Person] = []
        self.ids: list[str] = []

    @initialize()
    def furnish(self) -> None:
        clock.now = lambda: self.model.now
        self.stage.run(self._furnish())

    async def _furnish(self) -> None:
        world = self.stage.world
        await sweep(world)
        place = await world.organisation()
        self.people = [
            await world.member(place, name, capacity=9, roles=ALL_ROLES) for name in ("Mo", "Ann", "Bob")
        ]
        mentor, ann, bob = self.people
        for person in self.people:
            quiet = QUIET if person is mentor else 0
            await keeps(person, "UTC", ALWAYS, lengths=[LENGTH], step_minutes=30, buffer_after_minutes=quiet)
        pairs = [await world.pair(ann, mentor), await world.pair(bob, mentor)]
        circle = await world.circle(mentor, [mentor], [ann, bob])
        self.ids = [row["id"] for row in (*pairs, circle, await world.pair(ann, bob, kind="peers"))]

    def _call(self, who: int, method: str, path: str, body: Any = None) -> Any:
        return self.stage.run(self.people[who].call(method, path, body))

    def _at(self, place: int) -> datetime:
        return NOON + timedelta(days=1, minutes=STEP * place)

    # What the model says

    def _held_by_others(self, who: int, pairing: int, *, also_ours: int | None = None) -> list[int]:
        """The places that others hold in the diaries of a mentorship's people."""
        return [
            hold.place
            for holder, hold in self.model.holds.items()
            if holder not in (who, also_ours)
            and hold.until > self.model.now
            and set(PAIRINGS[hold.pairing]) & set(PAIRINGS[pairing])
        ]

    def _booked_near(self, pairing: int) -> list[Booked]:
        return [
            row
            for row in self.model.meetings
            if row.status == "booked" and set(PAIRINGS[row.pairing]) & set(PAIRINGS[pairing])
        ]

    def _is_free(self, who: int, pairing: int, place: int, proposer: int | None = None) -> bool:
        held = self._held_by_others(who, pairing, also_ours=proposer)
        return not any(_meet(place, row.place) for row in self._booked_near(pairing)) and not any(
            _meet(place, other) for other in held
        )

    def _is_offered(self, who: int, pairing: int, place: int) -> bool:
        """Whether it must be one of the slots that somebody sees; bookings ask for the mentor's quiet."""
        if not self._is_free(who, pairing, place):
            return False
        if 0 not in PAIRINGS[pairing] or pairing == CIRCLE:
            return True  # in a circle it is enough that it suits half of them
        for row in self._booked_near(pairing):
            if 0 in PAIRINGS[row.pairing] and _meet(place, row.place, QUIET):
                return False
        return not any(
            _meet(place, hold.place, QUIET) and place < hold.place
            for holder, hold in self.model.holds.items()
            if holder != who and hold.until > self.model.now and 0 in PAIRINGS[hold.pairing]
        )

    # What people do

    def _must(self, answer: Any, expected: bool) -> bool:
        """Whether it succeeded, which the model has foreseen."""
        assert self.trusting or answer.is_success is expected, answer.text
        return bool(answer.is_success)

    @rule(pairing=st.integers(0, 3), place=st.integers(0, PLACES - 1), first=st.booleans())
    def arrange(self, pairing: int, place: int, first: bool) -> None:
        """As people do it: hold what is shown, propose it, and the other says yes."""
        who = PAIRINGS[pairing][int(first)]
        self.hold(who, pairing, place)
        self.propose(who, pairing, place)
        if self._any("proposed"):
            self.accept(len([row for row in self.model.meetings if row.status == "proposed"]) - 1)

    @rule(who=st.integers(0, 2), pairing=st.integers(0, 3), place=st.integers(0, PLACES - 1))
    def propose(self, who: int, pairing: int, place: int) -> None:
        if who not in PAIRINGS[pairing]:
            return
        body = meeting(self._at(place), LENGTH)
        answer = self._call(who, "POST", f"/v1/pairings/{self.ids[pairing]}/meetings", body)
        if self._must(answer, self._is_free(who, pairing, place)):
            made = answer.json()
            self.model.meetings.append(Booked(made["id"], pairing, place, who, made["status"]))
            assert made["status"] == ("booked" if pairing == CIRCLE and who == 0 else "proposed")
            self._use_up(who, pairing)

    def _use_up(self, who: int, pairing: int) -> None:
        if who in self.model.holds and self.model.holds[who].pairing == pairing:
            del self.model.holds[who]

    def _pick(self, index: int, *status: str) -> Booked:
        rows = [row for row in self.model.meetings if row.status in status]
        return rows[index % len(rows)]

    def _any(self, *status: str) -> bool:
        return any(row.status in status for row in self.model.meetings)

    @precondition(lambda self: self._any("proposed"))
    @rule(index=st.integers(0, 20))
    def accept(self, index: int) -> None:
        row = self._pick(index, "proposed")
        who = 0 if row.pairing == CIRCLE else next(one for one in PAIRINGS[row.pairing] if one != row.by)
        answer = self._call(who, "POST", f"/v1/meetings/{row.id}/accept")
        if self._must(answer, self._is_free(who, row.pairing, row.place, row.by)):
            row.status = "booked"
            self._use_up(who, row.pairing)

    @precondition(lambda self: self._any("proposed", "booked"))
    @rule(index=st.integers(0, 20), second=st.booleans())
    def cancel(self, index: int, second: bool) -> None:
        row = self._pick(index, "proposed", "booked")
        who = PAIRINGS[row.pairing][int(second)]
        assert self._call(who, "POST", f"/v1/meetings/{row.id}/cancel").is_success
        row.status = "cancelled"

    @rule(who=st.integers(0, 2), pairing=st.integers(0, 3), place=st.integers(0, PLACES - 1))
    def hold(self, who: int, pairing: int, place: int) -> None:
        if who not in PAIRINGS[pairing]:
            return
        body = {"starts_at": self._at(place).isoformat(), "duration_minutes": LENGTH}
        answer = self._call(who, "POST", f"/v1/pairings/{self.ids[pairing]}/holds", body)
        if self._must(answer, self._is_free(who, pairing, place)):
            self.model.holds[who] = Kept(answer.json()["id"], pairing, place, self.model.now + HOLD)

    @precondition(lambda self: self.model.holds)
    @rule(index=st.integers(0, 2))
    def release(self, index: int) -> None:
        who = sorted(self.model.holds)[index % len(self.model.holds)]
        hold = self.model.holds.pop(who)
        answer = self._call(who, "DELETE", f"/v1/holds/{hold.id}")
        assert answer.is_success is (hold.until > self.model.now)

    @rule(minutes=st.sampled_from([1, 4, 5]))
    def wait(self, minutes: int) -> None:
        self.model.now += timedelta(minutes=minutes)
        for person in self.people:
            self.stage.world.renew(person)

    # What stays true

    @invariant()
    def nobody_is_booked_twice(self) -> None:
        assert self.stage.run(self.stage.world.run(DOUBLE_BOOKED)) == []

    @invariant()
    def no_slot_is_lost_and_none_is_too_many(self) -> None:
        self.looked += 1
        for pairing, who in (VIEWS[self.looked % 4], VIEWS[(self.looked + 1) % 4]):
            ask = {"from": self._at(0).isoformat(), "to": self._at(PLACES).isoformat(), "zone": "UTC"}
            path = f"/v1/pairings/{self.ids[pairing]}/slots"
            answer = self.stage.run(self.people[who].ok("GET", path, params=ask))
            offered = {datetime.fromisoformat(row["starts_at"]) for row in answer["slots"]}
            expected = {self._at(place) for place in range(PLACES) if self._is_offered(who, pairing, place)}
            assert offered == expected, (pairing, who)


def play(stage: Stage, examples: int) -> None:
    """Run the machine; the clock is put back afterwards."""
    now = clock.now
    machine = type("Machine", (Bookings,), {"stage": stage})
    # To make a failure smaller takes minutes, which only the long run has.
    phases = [Phase.generate, Phase.shrink] if FULL else [Phase.generate]
    try:
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=examples,
                stateful_step_count=STEPS,
                deadline=None,
                database=None,
                derandomize=True,
                phases=phases,
                report_multiple_bugs=False,
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        clock.now = now


@pytest.mark.timeout(1800 if FULL else 180)
def test_nobody_is_booked_twice_and_no_slot_is_lost(stage: Stage) -> None:
    play(stage, EXAMPLES)


async def _nothing(*_: Any, **__: Any) -> Any:
    return ()


def _never_expiring(plain: Callable[..., Any]) -> Callable[..., Any]:
    async def held(*args: Any, **options: Any) -> Any:
        now, clock.now = clock.now, lambda: NOON
        try:
            return await plain(*args, **options)
        finally:
            clock.now = now

    return held


@pytest.mark.parametrize(
    ("module", "name", "fault"),
    [
        pytest.param(queries, "free", _nothing, id="cancelled, not freed"),
        pytest.param(diaries, "bookings", _nothing, id="booked, and still offered"),
        pytest.param(
            diaries,
            "held",
            _never_expiring(diaries.held),
            id="held for ever",
            marks=pytest.mark.long,
        ),
        pytest.param(diaries, "use_up_hold", _nothing, id="booked, and still held", marks=pytest.mark.long),
    ],
)
def test_the_machine_finds_a_lost_or_a_needless_slot(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, module: Any, name: str, fault: Any
) -> None:
    monkeypatch.setattr(module, name, fault)
    with pytest.raises(AssertionError):
        play(stage, 20)


def test_the_machine_finds_a_double_booking(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    run = stage.world.run
    stage.run(run("ALTER TABLE booking DROP CONSTRAINT ex_booking_nobody_twice"))
    monkeypatch.setattr(service, "must_be_free", _nothing)
    monkeypatch.setattr(Bookings, "trusting", True)
    monkeypatch.setattr(Bookings, "no_slot_is_lost_and_none_is_too_many", lambda self: None)
    try:
        with pytest.raises(AssertionError, match=r"\[\(UUID"):
            play(stage, 20)
    finally:
        stage.run(sweep(stage.world))
        stage.run(
            run(
                "ALTER TABLE booking ADD CONSTRAINT ex_booking_nobody_twice "
                "EXCLUDE USING gist (account_id WITH =, during WITH &&)"
            )
        )
