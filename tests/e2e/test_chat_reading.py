"""What one sees of a conversation: history both ways, who is here, keys, weight."""

import re
from uuid import uuid4

import pytest
from playwright.async_api import expect

from app.demo import PASSWORD
from tests.e2e.arrange import PAIRS, Acting, both_at, conversation, messages_page, pairing_of, post, stored
from tests.e2e.browser import new_page, open_browser
from tests.e2e.keys import press, tab_to, write
from tests.e2e.keys import sign_in as sign_in_by_keyboard
from tests.e2e.people import live, said, say, shows, sign_in
from tests.e2e.served import Served

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PRIYA, AMARA = PAIRS["priya"]


async def test_earlier_messages_come_without_anything_moving(served: Served, acting: Acting) -> None:
    amara = await acting(AMARA)
    there = await conversation(amara, pairing_id=await pairing_of(amara))
    tag = uuid4().hex[:8]
    await post(amara, there, *(f"{tag} {number:03}" for number in range(120)))
    priya = await acting(PRIYA)
    head = (await priya.ok("GET", f"/v1/conversations/{there}"))["head"]
    await priya.ok("POST", f"/v1/conversations/{there}/read", {"seq": head})
    async with open_browser() as browser:
        page = await new_page(browser, served.url)
        await sign_in(page, PRIYA, PASSWORD)
        await page.goto(f"/messages/{there}")
        await expect(page.get_by_text(f"{tag} 119")).to_be_in_viewport()
        assert f"{tag} 050" not in await said(page)
        box = page.locator(".chat-scroll")
        await box.evaluate("element => { element.scrollTop = 200; }")
        stands = page.get_by_text(f"{tag} 075")
        await expect(stands).to_be_attached()
        at = "element => element.getBoundingClientRect().top"
        before = await stands.evaluate(at)
        assert before > 0
        await expect(page.get_by_text(f"{tag} 040")).to_be_attached()
        assert await stands.evaluate(at) == pytest.approx(before, abs=1)
        await post(amara, there, f"{tag} new")
        await expect(page.get_by_role("button", name="1 new below")).to_be_visible()
        assert await stands.evaluate(at) == pytest.approx(before, abs=1)
        await page.get_by_role("button", name="1 new below").click()
        await expect(page.get_by_text(f"{tag} new", exact=True)).to_be_in_viewport()
        texts = [text for text in await said(page) if text.startswith(f"{tag} 1")]
        assert texts == [f"{tag} {number:03}" for number in range(100, 120)]
        # Nor does it disturb what one is changing.
        await say(page, f"{tag} mine")
        await expect(page.locator(".waiting")).to_have_count(0)
        await page.keyboard.press("ArrowUp")
        await page.keyboard.type(", half")
        await post(amara, there, f"{tag} meanwhile")
        await expect(page.get_by_text(f"{tag} meanwhile", exact=True)).to_be_visible()
        await expect(page.get_by_label("Your message", exact=True)).to_have_value(f"{tag} mine, half")
        await expect(page.get_by_label("Your message", exact=True)).to_be_focused()


async def test_much_unread_is_read_from_where_one_stopped(served: Served, acting: Acting) -> None:
    amara, priya = await acting(AMARA), await acting(PRIYA)
    there = await conversation(amara, pairing_id=await pairing_of(amara))
    head = (await priya.ok("GET", f"/v1/conversations/{there}"))["head"]
    await priya.ok("POST", f"/v1/conversations/{there}/read", {"seq": head})
    tag = uuid4().hex[:8]
    await post(amara, there, *(f"{tag} {number:03}" for number in range(100)))
    async with open_browser() as browser:
        page = await new_page(browser, served.url)
        await sign_in(page, PRIYA, PASSWORD)
        await page.goto(f"/messages/{there}")
        await expect(page.get_by_text("New since you were here")).to_be_in_viewport()
        assert f"{tag} 099" not in await said(page)
        for _ in range(100):
            await page.locator(".chat-scroll").evaluate("element => { element.scrollTop += 600; }")
            await page.wait_for_timeout(50)
            if f"{tag} 099" in await said(page):
                break
        shown = [text for text in await said(page) if text.startswith(tag)]
        assert shown == [f"{tag} {number:03}" for number in range(100)]


async def test_who_is_here_and_who_writes_is_seen(served: Served) -> None:
    path = await messages_page(served, PRIYA)
    async with both_at(served, (PRIYA, AMARA), path) as (priya, amara):
        for page in (priya, amara):
            await live(page)
        await expect(priya.get_by_text("Amara is here")).to_be_visible()
        await amara.get_by_label(re.compile("^Message to")).type("I th")
        await expect(priya.get_by_text("Amara is writing …")).to_be_visible()
        await amara.goto("/profile")
        await amara.get_by_label("Show when I am here").uncheck()
        await amara.get_by_role("button", name="Save my account").click()
        await expect(amara.get_by_text("Saved.")).to_be_visible()
        await expect(priya.get_by_text("Amara is writing …")).to_have_count(0)
        await expect(priya.get_by_text("Amara is here")).to_have_count(0)
        await amara.get_by_label("Show when I am here").check()
        await amara.get_by_role("button", name="Save my account").click()
        await expect(priya.get_by_text("Amara is here")).to_be_visible()


async def test_what_is_being_written_survives_what_happens(served: Served, acting: Acting) -> None:
    amara = await acting(AMARA)
    pairing_id = await pairing_of(amara)
    async with open_browser() as browser:
        page = await new_page(browser, served.url)
        await sign_in(page, PRIYA, PASSWORD)
        await page.goto(f"/pairings/{pairing_id}")
        await live(page)
        goal = page.get_by_label("New goal")
        await goal.type("Half a go")
        reads: list[str] = []
        page.on("request", lambda request: reads.append(request.url) if request.method == "GET" else None)
        tag = uuid4().hex[:8]
        for number in range(5):
            body = {"text": f"{tag} {number}"}
            await amara.ok("POST", f"/v1/pairings/{pairing_id}/goals", body)
        await expect(page.get_by_text(f"{tag} 4")).to_be_visible()
        await expect(goal).to_have_value("Half a go")
        await expect(goal).to_be_focused()
        await expect(goal).to_be_in_viewport()
        await page.wait_for_timeout(600)
        whole = [url for url in reads if url.endswith(f"/v1/pairings/{pairing_id}")]
        assert 1 <= len(whole) < 5, "a burst is not read one by one"


async def test_a_line_that_moves_up_keeps_the_focus(served: Served, acting: Acting) -> None:
    amara, priya = await acting(AMARA), await acting(PRIYA)
    there = await conversation(amara, pairing_id=await pairing_of(amara))
    rows = (await priya.ok("GET", "/v1/pairings?status=active"))["items"]
    circle = next(row["id"] for row in rows if row["kind"] == "circle")
    elsewhere = await conversation(priya, pairing_id=circle)
    await post(priya, elsewhere, "first of all")
    async with open_browser() as browser:
        page = await new_page(browser, served.url)
        await sign_in(page, PRIYA, PASSWORD)
        await page.goto("/messages")
        lines = page.locator(".line-name")
        await expect(lines.first).to_have_attribute("href", f"/messages/{elsewhere}")
        mine = page.locator(f'.line-name[href="/messages/{there}"]')
        await mine.focus()
        for person, where in ((amara, there), (priya, elsewhere)):
            await post(person, where, "up it goes")
            await expect(lines.first).to_have_attribute("href", f"/messages/{where}")
            await expect(mine).to_be_focused()


async def test_a_new_name_is_seen_wherever_it_stands(served: Served, acting: Acting) -> None:
    amara = await acting(AMARA)
    own = (await amara.ok("GET", "/v1/me"))["memberships"][0]
    pairing_id = await pairing_of(amara)
    async with open_browser() as browser:
        page = await new_page(browser, served.url)
        await sign_in(page, PRIYA, PASSWORD)
        for path in ("/messages", f"/pairings/{pairing_id}/book", "/calendar"):
            await page.goto(path)
            shown = page.locator("main").get_by_text(re.compile(r"\bAmara\b"))
            changed = page.locator("main").get_by_text(re.compile(r"\bAmarachi\b"))
            await expect(shown.first).to_be_visible()
            try:
                await amara.ok("PATCH", f"/v1/memberships/{own['id']}", {"name": "Amarachi Okafor"})
                await expect(changed.first).to_be_visible()
                await expect(shown).to_have_count(0)
            finally:
                await amara.ok("PATCH", f"/v1/memberships/{own['id']}", {"name": own["name"]})
            await expect(changed).to_have_count(0)


async def test_by_keyboard_alone(served: Served) -> None:
    async with open_browser() as browser:
        page = await new_page(browser, served.url)
        await sign_in_by_keyboard(page, PRIYA)
        await press(page, "^Messages")
        await press(page, "^Amara Okafor")
        await live(page)
        await write(page, "^Message to", "keys, and @am")
        await expect(page.get_by_role("option", name=re.compile("Amara Okafor"))).to_be_visible()
        await page.keyboard.press("ArrowDown")
        await page.keyboard.press("Enter")
        await page.keyboard.type("too")
        await page.keyboard.press("Enter")
        await shows(page, ["keys, and @Amara Okafor too"])
        await expect(page.locator(".mention").last).to_have_text("@Amara Okafor")
        await expect(page.locator(".waiting")).to_have_count(0)
        await page.keyboard.press("ArrowUp")
        await expect(page.get_by_label("Your message", exact=True)).to_be_focused()
        await page.keyboard.type(" and again")
        await page.keyboard.press("Enter")
        await shows(page, ["keys, and @Amara Okafor too and again"])
        await expect(page.get_by_label(re.compile("^Message to"))).to_be_focused()
        await expect(page.locator(".chat-edited").last).to_be_visible()
        await page.locator(".chat-scroll").focus()
        await tab_to(page, "^Delete: keys")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("button", name="Keep")).to_be_focused()
        await page.keyboard.press("Shift+Tab")
        await page.keyboard.press("Enter")
        await expect(page.locator(".chat-row").last).to_have_text("This message was deleted.")
        await expect(page.get_by_label(re.compile("^Message to"))).to_be_focused()
    assert stored(served, "keys%") == []


async def test_all_that_a_conversation_needs_is_less_than_150_kilobytes(served: Served) -> None:
    path = await messages_page(served, PRIYA)
    async with open_browser() as browser:
        page = await new_page(browser, served.url)
        await sign_in(page, PRIYA, PASSWORD)
        await page.goto(path)
        await live(page)
        session = await page.context.new_cdp_session(page)
        await session.send("Network.clearBrowserCache")
        await page.reload()
        await live(page)
        sizes: dict[str, int] = await page.evaluate(
            """() => Object.fromEntries(performance.getEntriesByType("resource")
              .filter(({ name }) => /[.](js|css)$/.test(name))
              .map((each) => [each.name, each.encodedBodySize]))"""
        )
        assert len(sizes) > 40
        assert min(sizes.values()) > 0, "each was really fetched"
        assert sum(sizes.values()) < 150_000
