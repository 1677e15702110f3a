"""Nothing is lost, doubled or out of order, whatever dies; and the test would notice if it were."""

import json
import os

import pytest

from tests.streams.conftest import Start
from tests.streams.crash import Crash, Plan

FULL = bool(os.environ.get("MENTORSPAN_FULL"))
SMALL_PLAN = Plan(
    messages=600,
    readers=20,
    pace=0.35,
    between=(1.0, 2.5),
    cuts=3,
    app=1,
    worker=1,
    signalling=1,
    valkey=1,
    postgres=1,
    leads=4,
    mentees=14,
    pairs=4,
    calls=2,
    sign_outs=3,
    seconds=300,
)
FULL_PLAN = Plan(
    messages=5000,
    readers=50,
    pace=0.3,
    app=5,
    worker=2,
    signalling=5,
    valkey=3,
    postgres=3,
    sign_outs=24,
    between=(2.5, 6.5),
    seconds=900,
)
PLANTED_PLAN = Plan(
    messages=250,
    readers=12,
    writers=12,
    pace=0.2,
    cuts=3,
    leads=3,
    mentees=9,
    pairs=4,
    calls=0,
    sign_outs=0,
    settle=5,
    seconds=300,
)


@pytest.mark.slow
@pytest.mark.timeout(1200 if FULL else 600)
async def test_crashes_lose_nothing(topology: Start) -> None:
    running = topology()
    findings, summary = await Crash(running, FULL_PLAN if FULL else SMALL_PLAN).run()
    print(json.dumps(summary, indent=1))  # noqa: T201
    assert not findings.counts, "\n".join([*findings.examples, running.log_tails()])


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("fault", "signs"),
    [
        ("global-serial", {"lost"}),
        ("publish-before-commit", {"phantom", "lost"}),
    ],
)
async def test_a_planted_fault_is_noticed(topology: Start, fault: str, signs: set[str]) -> None:
    findings, summary = await Crash(topology(fault), PLANTED_PLAN).run()
    print(json.dumps(summary, indent=1))  # noqa: T201
    assert signs <= findings.counts.keys(), findings
