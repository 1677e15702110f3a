"""Conversations in real browsers: beside a call and on pages, through processes and networks that die."""

import asyncio
import re
from collections.abc import Iterator
from typing import Literal

import psutil
import pytest
from playwright.async_api import Page, Route, expect

from app.demo import PASSWORD
from tests.e2e.arrange import (
    PAIRS,
    Acting,
    at_the_door,
    both_at,
    conversation,
    enter,
    meeting_now,
    messages_page,
    pairing_of,
    pairing_page,
    post,
    stored,
)
from tests.e2e.browser import DESKTOP, PHONE, new_page, open_browser
from tests.e2e.people import in_call, live, say, sees_and_hears, shows, sign_in
from tests.e2e.served import Served, serving
from tests.e2e.test_pages import serious_findings, sideways

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PRIYA, AMARA = PAIRS["priya"]
NADIA, LEILA = PAIRS["nadia"]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A Mentorspan of its own: its people are blocked and its processes killed."""
    with serving(tmp_path_factory.mktemp("chatting")) as running:
        yield running


def signalling_processes(served: Served) -> list[psutil.Process]:
    children = psutil.Process(served.pid).children(recursive=True)
    return [child for child in children if "signalling" in child.cmdline()]


async def test_two_people_chat_beside_a_call_through_a_killed_node(served: Served) -> None:
    meeting_id = await meeting_now(served, "priya")
    async with open_browser() as first, open_browser() as second:
        mentee = await at_the_door(served, first, PRIYA, meeting_id)
        mentor = await at_the_door(served, second, AMARA, meeting_id)
        for page in (mentee, mentor):
            await enter(page)
        for page in (mentee, mentor):
            await in_call(page)
            await page.get_by_role("button", name=re.compile("^Chat")).click()
            await live(page)
        await say(mentee, "before 1")
        await shows(mentor, ["before 1"])
        await say(mentor, "before 2")
        await shows(mentee, ["before 1", "before 2"])

        async def type_on(page: Page, who: str) -> None:
            for number in range(12):
                await say(page, f"storm {who} {number:02}")
                await page.wait_for_timeout(250)

        async def kill() -> None:
            await asyncio.sleep(1)
            (process,) = signalling_processes(served)
            process.kill()

        await asyncio.gather(type_on(mentee, "mentee"), type_on(mentor, "mentor"), kill())
        for page in (mentee, mentor):
            await live(page)
        wanted = stored(served, "storm %")
        assert sorted(wanted) == [
            f"storm {who} {number:02}" for who in ("mentee", "mentor") for number in range(12)
        ]
        for who in ("mentee", "mentor"):
            of_one = [text for text in wanted if who in text]
            assert of_one == sorted(of_one), "what one person says keeps its order"
        await say(mentee, "after 1")
        await shows(mentor, [*wanted, "after 1"])
        await say(mentor, "after 2")
        await shows(mentee, [*wanted, "after 1", "after 2"])
        for page in (mentee, mentor):
            await in_call(page)
        await sees_and_hears(mentee)


async def test_what_is_unread_is_counted_and_read_once_seen(served: Served, acting: Acting) -> None:
    amara = await acting(AMARA)
    there = await conversation(amara, pairing_id=await pairing_of(amara))
    async with open_browser() as browser:
        page = await new_page(browser, served.url)
        await sign_in(page, PRIYA, PASSWORD)
        await page.goto("/people")
        badge = page.locator(".rail .badge")
        await expect(page.locator(".rail-places")).to_be_visible()
        await page.wait_for_timeout(1500)
        before = int((await badge.inner_text()).split()[0]) if await badge.count() else 0
        await post(amara, there, "unread 1", "unread 2")
        await expect(badge).to_contain_text(f"{before + 2}")
        await page.get_by_role("link", name=re.compile("^Pairings")).first.click()
        await expect(page.locator(".line .badge").first).to_be_visible()
        await page.get_by_role("link", name="Amara Okafor").first.click()
        await expect(page.get_by_text("New since you were here")).to_be_visible()
        priya = await acting(PRIYA)
        path = f"/v1/conversations/{there}"
        await page.get_by_label(re.compile("^Message to")).scroll_into_view_if_needed()
        for _ in range(50):
            if (await priya.ok("GET", path))["unread"] == 0:
                break
            await page.wait_for_timeout(100)
        assert (await priya.ok("GET", path))["unread"] == 0
        await expect(page.locator(".rail .badge", has_text=f"{before + 2}")).to_have_count(0)


async def test_a_block_makes_the_conversation_vanish_at_once(served: Served, acting: Acting) -> None:
    path = await pairing_page(served, NADIA)
    async with both_at(served, (NADIA, LEILA), path) as pages:
        for page in pages:
            await live(page)
        await say(pages[0], "until now")
        await shows(pages[1], ["until now"])
        nadia = await acting(NADIA)
        person = (await nadia.ok("GET", "/v1/people?q=Leila"))["items"][0]["id"]
        await nadia.ok("POST", "/v1/blocks", {"membership_id": person})
        for page in pages:
            await expect(page.locator(".chat")).to_have_count(0, timeout=1000)
            await expect(page.get_by_text("until now")).to_have_count(0)


async def test_offline_what_is_written_is_sent_once_when_one_is_back(served: Served) -> None:
    path = await messages_page(served, PRIYA)
    async with both_at(served, (PRIYA, AMARA), path) as (writer, reader):
        for page in (writer, reader):
            await live(page)
        await writer.context.set_offline(True)
        await say(writer, "offline 1")
        await say(writer, "offline 2")
        await expect(writer.get_by_text("You are offline.").first).to_be_visible()
        await expect(writer.get_by_text("Not sent yet").first).to_be_visible()
        await shows(writer, ["offline 1", "offline 2"])
        assert stored(served, "offline %") == []
        await writer.context.set_offline(False)
        await shows(reader, ["offline 1", "offline 2"])
        await expect(writer.get_by_text("Not sent yet")).to_have_count(0)
        await shows(writer, ["offline 1", "offline 2"])
        assert stored(served, "offline %") == ["offline 1", "offline 2"]


async def test_answers_that_get_lost_and_a_page_that_is_closed_say_nothing_twice(served: Served) -> None:
    path = await messages_page(served, PRIYA)
    lost = 0

    async def lose_the_answer(route: Route) -> None:
        nonlocal lost
        lost += 1
        await route.fetch()
        await route.abort()

    async with open_browser() as browser:
        page = await new_page(browser, served.url)
        await sign_in(page, PRIYA, PASSWORD)
        await page.goto(path)
        await live(page)
        # Events do not tell either that it has arrived.
        await page.route(re.compile("/v1/(sync|events/ticket)$"), lambda route: route.abort())
        await page.route(re.compile("/messages$"), lose_the_answer)
        await page.context.set_offline(True)
        await page.context.set_offline(False)
        await say(page, "lost 1")
        await say(page, "lost 2")
        for _ in range(100):
            if lost >= 2:
                break
            await page.wait_for_timeout(100)
        assert lost >= 2
        await page.unroute_all(behavior="ignoreErrors")
        await page.reload()
        await shows(page, ["lost 1", "lost 2"])
        await expect(page.locator(".waiting")).to_have_count(0)
    assert stored(served, "lost %") == ["lost 1", "lost 2"]


async def test_a_refused_message_stays_with_what_to_do(served: Served) -> None:
    path = await messages_page(served, PRIYA)
    refusal = '{"code": "invalid", "title": "No", "detail": "This cannot be said here."}'
    async with open_browser() as browser:
        page = await new_page(browser, served.url)
        await sign_in(page, PRIYA, PASSWORD)
        await page.goto(path)
        await live(page)
        await page.route(
            re.compile("/messages$"),
            lambda route: route.fulfill(status=422, content_type="application/problem+json", body=refusal),
        )
        await say(page, "refused")
        await expect(page.get_by_text("Not sent. This cannot be said here.")).to_be_visible()
        await page.unroute_all()
        await page.reload()
        await page.get_by_role("button", name="Change it").click()
        field = page.get_by_label(re.compile("^Message to"))
        await expect(field).to_have_value("refused")
        await expect(page.get_by_text("Not sent.")).to_have_count(0)
        await field.fill("refused no more")
        await field.press("Enter")
        await expect(page.locator(".waiting")).to_have_count(0)
    assert stored(served, "refused%") == ["refused no more"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_beside_a_call_it_fits_and_axe_finds_nothing_serious(
    served: Served, scheme: Literal["light", "dark"]
) -> None:
    meeting_id = await meeting_now(served, "priya")
    async with open_browser() as browser:
        for size in (DESKTOP, PHONE):
            page = await at_the_door(
                served,
                browser,
                PRIYA,
                meeting_id,
                viewport=size,
                color_scheme=scheme,
                reduced_motion="reduce",
            )
            await enter(page)
            await page.get_by_role("button", name=re.compile("^Chat")).click()
            await live(page)
            await say(page, f"a line that is long enough to be broken on a phone, {scheme} {size['width']}")
            await expect(page.locator(".waiting")).to_have_count(0)
            assert await serious_findings(page) == []
            assert await sideways(page) == []
            # Writing a question mark is no wish for help, and Escape closes the messages and nothing else.
            await page.get_by_label(re.compile("^Message to")).press("?")
            await expect(page.get_by_role("dialog")).to_have_count(0)
            await page.keyboard.press("Escape")
            await expect(page.locator(".chat")).to_have_count(0)
            await expect(page.get_by_role("button", name=re.compile("^Chat"))).to_be_focused()
            await page.context.close()
