"""Calls that do not go smoothly: processes die, people block each other, nodes vanish."""

import asyncio
import time

import psutil
import pytest
from playwright.async_api import Page, expect

from tests.e2e.arrange import PAIRS, as_person, at_the_door, enter, meeting_now
from tests.e2e.browser import open_browser
from tests.e2e.people import in_call, sees_and_hears
from tests.e2e.served import Served, serving

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def chromium_processes() -> set[int]:
    """Browsers that this test process started."""
    return {
        child.pid
        for child in psutil.Process().children(recursive=True)
        if "chrom" in child.name().lower() and not any("--type=" in word for word in child.cmdline())
    }


async def stays(served: Served, meeting_id: str) -> dict[str, tuple[bool, str | None]]:
    """Who was in the call: whether their stay is closed, and why."""
    statement = """
        SELECT m.name, a.left_at IS NOT NULL, a.reason FROM attendance a
        JOIN call c ON c.id = a.call_id JOIN membership m ON m.id = a.membership_id
        WHERE c.meeting_id = %s ORDER BY a.joined_at
    """
    return {name: (closed, reason) for name, closed, reason in served.rows(statement, meeting_id)}


async def until_stays(
    served: Served, meeting_id: str, wanted: dict[str, tuple[bool, str | None]], seconds: float
) -> float:
    """Wait until attendance reads as `wanted`; returns how long it took."""
    started = time.monotonic()
    while time.monotonic() - started < seconds:
        found = await stays(served, meeting_id)
        if {name: found.get(name) for name in wanted} == wanted:
            return time.monotonic() - started
        await asyncio.sleep(0.1)
    raise AssertionError(f"after {seconds} s: {await stays(served, meeting_id)}, wanted {wanted}")


async def both_in(pages: list[Page]) -> None:
    for page in pages:
        await enter(page)
    for page in pages:
        await in_call(page)


async def test_the_attendance_of_a_killed_browser_closes_by_itself(served: Served) -> None:
    meeting_id = await meeting_now(served, "priya")
    async with open_browser() as first:
        others = chromium_processes()
        async with open_browser() as second:
            doomed = chromium_processes() - others
            assert len(doomed) == 1
            mentee = await at_the_door(served, second, PAIRS["priya"][0], meeting_id)
            mentor = await at_the_door(served, first, PAIRS["priya"][1], meeting_id)
            await both_in([mentee, mentor])
            await sees_and_hears(mentor)
            for pid in doomed:
                psutil.Process(pid).kill()
            gone = {"Priya Raman": (True, "connection_lost"), "Amara Okafor": (False, None)}
            await until_stays(served, meeting_id, gone, seconds=15)
            await expect(mentor.get_by_text("Priya").first).to_be_visible()
            await mentor.get_by_role("button", name="Leave").click()
            await until_stays(served, meeting_id, {"Amara Okafor": (True, "left")}, seconds=10)


async def test_a_block_ends_the_call_within_a_second(tmp_path_factory: pytest.TempPathFactory) -> None:
    # A world of their own: the two have nothing to do with each other any more.
    with serving(tmp_path_factory.mktemp("parted")) as served:
        meeting_id = await meeting_now(served, "nadia")
        async with open_browser() as first, open_browser() as second:
            mentee = await at_the_door(served, first, PAIRS["nadia"][0], meeting_id)
            mentor = await at_the_door(served, second, PAIRS["nadia"][1], meeting_id)
            await both_in([mentee, mentor])
            blocker = await as_person(served, PAIRS["nadia"][0])
            people = (await blocker.ok("GET", "/v1/people?q=Leila"))["items"]
            started = time.monotonic()
            await blocker.ok("POST", "/v1/blocks", {"membership_id": people[0]["id"]})
            for page in (mentor, mentee):
                await expect(page.locator("[data-state=ended]")).to_be_visible(timeout=1000)
            assert time.monotonic() - started < 1.5
            await until_stays(
                served,
                meeting_id,
                {"Leila Haddad": (True, "call_ended"), "Nadia Rahman": (True, "call_ended")},
                10,
            )
            assert (await blocker.ok("GET", "/v1/people?q=Leila"))["items"] == []
            await blocker.client.aclose()


async def test_attendance_closes_when_the_node_dies(tmp_path_factory: pytest.TempPathFactory) -> None:
    state = tmp_path_factory.mktemp("dying")
    with serving(state, MENTORSPAN_LEASE_SECONDS="1", MENTORSPAN_LEASE_LAPSE_SECONDS="3") as served:
        meeting_id = await meeting_now(served, "priya")
        async with open_browser() as browser:
            page = await at_the_door(served, browser, PAIRS["priya"][0], meeting_id)
            await enter(page)
            await until_stays(served, meeting_id, {"Priya Raman": (False, None)}, seconds=10)
            signalling = {
                child.pid
                for child in psutil.Process(served.pid).children(recursive=True)
                if "signalling" in " ".join(child.cmdline())
            }
            assert signalling
            for pid in chromium_processes() | signalling:
                psutil.Process(pid).kill()
            took = await until_stays(served, meeting_id, {"Priya Raman": (True, "lease_lapsed")}, seconds=15)
            assert took < 10
