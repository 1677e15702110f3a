"""Hours are set, a time is found and booked, a meeting is moved: by pointer, by keyboard, on a phone."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from app.demo import PASSWORD
from tests.e2e import keys
from tests.e2e.arrange import Api, as_person, pairing_of
from tests.e2e.browser import DESKTOP, PHONE, new_page, open_browser
from tests.e2e.pages import shown
from tests.e2e.people import sign_in
from tests.e2e.served import Served, serving
from tests.e2e.test_pages import seen_by_axe, sideways

pytestmark = [pytest.mark.browser, pytest.mark.slow]
DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
ALL_DAY = [{"weekday": day, "start": "00:00", "end": "24:00"} for day in DAYS]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A world of its own: who has hours, and what is booked, is of this file's making."""
    with serving(tmp_path_factory.mktemp("scheduling")) as running:
        yield running


async def always(person: Api, zone: str, *, confirm: bool) -> None:
    """Has time at any hour of any day, from tomorrow on, on the hour."""
    body = {
        "name": "Always", "zone": zone, "is_default": True, "hours": ALL_DAY, "overrides": [],
        "minimum_notice_minutes": 1440, "step_minutes": 60, "confirm": confirm,
    }  # fmt: skip
    await person.ok("POST", "/v1/schedules", body)


async def opened(served: Served, browser: Browser, email: str, path: str, **options: Any) -> Page:
    page = await new_page(browser, served.url, **options)
    await sign_in(page, email, PASSWORD)
    await page.goto(path)
    await shown(page)
    return page


def cell(page: Page, at: str) -> Locator:
    """The half hour that begins then, as `Saturday 10:00`."""
    return page.get_by_role("gridcell", name=re.compile(f"^{at} to "))


async def middle(page: Page, at: str) -> tuple[float, float]:
    await cell(page, at).scroll_into_view_if_needed()
    box = await cell(page, at).bounding_box()
    assert box
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


async def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    await page.mouse.move(*start)
    await page.mouse.down()
    await page.mouse.move(*end, steps=8)
    await page.mouse.up()


async def by_pointer(page: Page) -> None:
    """Saturday and Sunday mornings more, Monday's afternoon shorter, and no Wednesday."""
    await middle(page, "Saturday 11:30")
    await drag(page, await middle(page, "Saturday 10:00"), await middle(page, "Sunday 11:30"))
    x, y = await middle(page, "Monday 16:30")
    await drag(page, (x, y + 7), await middle(page, "Monday 14:30"))
    await page.mouse.click(*await middle(page, "Wednesday 12:00"))
    await page.get_by_role("button", name="Remove Wednesday 09:00 to 17:00", exact=True).first.click()


async def arrows(page: Page, key: str, times: int) -> None:
    for _ in range(times):
        await page.keyboard.press(key)


async def by_keys(page: Page) -> None:
    """The same: from Monday 9:00, where the grid is entered."""
    await keys.tab_to(page, "^Monday 09:00")
    await arrows(page, "ArrowRight", 2)
    await page.keyboard.press("Delete")
    await arrows(page, "ArrowLeft", 2)
    await arrows(page, "ArrowDown", 12)
    await page.keyboard.press("Enter")
    await arrows(page, "ArrowDown", 3)
    await page.keyboard.press("Delete")
    await arrows(page, "ArrowUp", 13)
    await arrows(page, "ArrowRight", 5)
    await page.keyboard.press("Space")
    await arrows(page, "ArrowDown", 3)
    await arrows(page, "ArrowRight", 1)
    await expect(page.locator("#announcements")).to_contain_text("Saturday to Sunday 10:00 to 12:00")
    await page.keyboard.press("Enter")
    # What is begun and dropped leaves nothing.
    await page.keyboard.press("Enter")
    await arrows(page, "ArrowDown", 4)
    await page.keyboard.press("Escape")


async def saved_hours(served: Served, email: str) -> list[dict[str, str]]:
    person = await as_person(served, email)
    (schedule,) = (await person.ok("GET", "/v1/schedules"))["items"]
    await person.client.aclose()
    hours: list[dict[str, str]] = schedule["hours"]
    return hours


async def test_hours_by_pointer_and_by_keyboard_are_the_same(served: Served) -> None:
    async with open_browser() as browser:
        for email, how in (("helen@northside.example", by_pointer), ("tomasz@northside.example", by_keys)):
            page = await opened(served, browser, email, "/availability")
            await keys.press(page, "^Set my hours")
            await how(page)
            await page.get_by_role("button", name="Save my hours").click()
            await expect(page.get_by_text("All of it is saved")).to_be_visible()
            await page.context.close()
    rest = [{"weekday": day, "start": "09:00", "end": "17:00"} for day in ("TU", "TH", "FR")]
    expected = [
        {"weekday": "MO", "start": "09:00", "end": "15:00"},
        *rest,
        *({"weekday": day, "start": "10:00", "end": "12:00"} for day in ("SA", "SU")),
    ]
    assert await saved_hours(served, "helen@northside.example") == expected
    assert await saved_hours(served, "tomasz@northside.example") == expected


async def test_hours_are_typed_on_a_phone_and_what_is_typed_survives_a_conflict(served: Served) -> None:
    email = "ben@riverbank.example"
    person = await as_person(served, email)
    await always(person, "Australia/Adelaide", confirm=True)
    (schedule,) = (await person.ok("GET", "/v1/schedules"))["items"]
    async with open_browser() as browser:
        page = await opened(served, browser, email, "/availability", viewport=PHONE)
        await page.locator("summary", has_text="Monday").click()
        await page.get_by_label("Monday: from").fill("13:15")
        await page.get_by_label("Monday: from").blur()
        kept = {name: schedule[name] for name in ("name", "zone", "is_default", "hours", "overrides")}
        newer = kept | {"hours": ALL_DAY[1:], "version": schedule["version"], "confirm": True}
        await person.ok("PUT", f"/v1/schedules/{schedule['id']}", newer)
        await page.get_by_role("button", name="Save my hours").click()
        await expect(page.get_by_text("changed in another window")).to_be_visible()
        await expect(page.get_by_label("Monday: from")).to_have_value("13:15")
        assert await sideways(page) == []
        await page.get_by_role("button", name="Save mine over it").click()
        await expect(page.get_by_text("All of it is saved")).to_be_visible()
    (schedule,) = (await person.ok("GET", "/v1/schedules"))["items"]
    await person.client.aclose()
    assert {"weekday": "MO", "start": "13:15", "end": "24:00"} in schedule["hours"]


async def test_a_mentee_finds_a_time_and_books_it_by_keyboard(served: Served) -> None:
    mentee, mentor = "nadia@riverbank.example", "leila@northside.example"
    for email, zone in ((mentee, "Asia/Dhaka"), (mentor, "Africa/Casablanca")):
        person = await as_person(served, email)
        await always(person, zone, confirm=False)
        await person.client.aclose()
    async with open_browser() as browser:
        page = await new_page(browser, served.url)
        await keys.sign_in(page, mentee)
        await keys.press(page, "^Pairings$")
        await keys.press(page, "Leila Haddad")
        await keys.press(page, "^Pick a time")
        await keys.tab_to(page, "^1[0-9]:00 ?, [0-9:]+ for Leila")
        await page.keyboard.press("ArrowRight")
        await page.keyboard.press("Enter")
        await expect(page.get_by_text(re.compile("^Your .* is .* for Leila"))).to_be_visible()
        await expect(page.get_by_text("Kept for you until")).to_be_visible()
        await keys.press(page, "^Book this time")
        await page.wait_for_url("**/meetings/*")
        await expect(page.get_by_text("Booked", exact=True).first).to_be_visible()
    assert served.rows("SELECT count(*) FROM hold") == [(0,)]


async def booked(served: Served, first: str, second: str, *, zone: str) -> tuple[Api, Api, str]:
    """Two people who can always, and a meeting of theirs in two days."""
    people = [await as_person(served, email) for email in (first, second)]
    for person in people:
        await always(person, zone, confirm=True)
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(days=2)
    body = {"starts_at": start.isoformat(), "duration_minutes": 45, "zone": zone}
    meeting = await people[0].ok("POST", f"/v1/pairings/{await some_pairing(people[0])}/meetings", body)
    await people[1].ok("POST", f"/v1/meetings/{meeting['id']}/accept")
    return people[0], people[1], meeting["id"]


async def some_pairing(person: Api) -> str:
    rows = (await person.ok("GET", "/v1/pairings?status=active"))["items"]
    found: str = next(row["id"] for row in rows if row["kind"] != "circle")
    return found


async def test_a_meeting_is_moved_on_a_phone(served: Served) -> None:
    mei, george = "mei@riverbank.example", "george@northside.example"
    first, second, meeting = await booked(served, mei, george, zone="Europe/London")
    before = await first.ok("GET", f"/v1/meetings/{meeting}")
    async with open_browser() as browser:
        page = await opened(served, browser, mei, f"/meetings/{meeting}", viewport=PHONE)
        await page.get_by_role("link", name="Move to another time").click()
        await shown(page)
        await page.get_by_role("group", name="Time").get_by_role("button").nth(2).click()
        await page.get_by_text("Say why").click()
        await page.get_by_label("Why").fill("I have to travel that day.")
        assert await sideways(page) == []
        await page.get_by_role("button", name="Ask to move it").click()
        await expect(page.get_by_text("You asked to move it.")).to_be_visible()
        asked = await second.ok("GET", f"/v1/meetings/{meeting}")
        assert asked["starts_at"] == before["starts_at"], "it stays where it is"

        other = await opened(served, browser, george, f"/meetings/{meeting}", viewport=PHONE)
        await expect(other.get_by_text("Mei asks to move this meeting.")).to_be_visible()
        await expect(other.get_by_text("Booked now")).to_be_visible()
        await expect(other.get_by_text("I have to travel that day.")).to_be_visible()
        assert await sideways(other) == []
        assert await seen_by_axe(other) == []
        await other.get_by_role("button", name="Move it", exact=True).click()
        await expect(other.get_by_text("New time", exact=True)).to_have_count(0)
        await expect(page.get_by_text("You asked to move it.")).to_have_count(0)
        await other.get_by_text("What happened to this meeting").click()
        await expect(other.get_by_text(re.compile("George Whitlock moved it, from "))).to_be_visible()
    after = await first.ok("GET", f"/v1/meetings/{meeting}")
    assert after["starts_at"] == asked["move"]["starts_at"]
    for person in (first, second):
        await person.client.aclose()


async def test_meetings_again_and_again_are_agreed_once_and_end_in_part(served: Served) -> None:
    """Proposed with one of them skipped, accepted by the other side, cancelled from the third on."""
    ben, helen = "ben@riverbank.example", "helen@northside.example"
    mentor = await as_person(served, helen)
    asked = (await mentor.ok("GET", "/v1/pairings?status=proposed"))["items"][0]["id"]
    await mentor.ok("POST", f"/v1/pairings/{asked}/accept")
    async with open_browser() as browser:
        page = await opened(served, browser, ben, f"/pairings/{asked}")
        await page.get_by_role("link", name="Meet again and again").click()
        await page.get_by_text("Every week").click()
        await page.get_by_label("How many meetings").select_option("5")
        times = page.locator(".occurrences > li")
        await expect(times).to_have_count(5)
        await page.get_by_role("button", name=re.compile("^Skip")).nth(1).click()
        await expect(times.nth(1)).to_contain_text("Skipped")
        await page.get_by_role("button", name="Propose these meetings").click()
        await page.wait_for_url("**/series/*")
        await expect(page.get_by_text("Waiting for Helen to say yes.")).to_be_visible()

        other = await opened(served, browser, helen, page.url)
        await other.get_by_role("button", name="Accept them all").click()
        await expect(other.get_by_text("Active")).to_be_visible()
        await expect(page.get_by_text("Active")).to_be_visible()
        assert await seen_by_axe(other) == []
        assert await booked_of(mentor, asked) == 4
        third = other.locator(".line").nth(2)
        await third.get_by_text("From here on").click()
        await third.get_by_role("button", name=re.compile("^Cancel")).click()
        await other.get_by_label("Why").fill("My placement ends.")
        await other.get_by_role("button", name="Cancel them", exact=True).click()
        await expect(other.locator(".line")).to_have_count(2)
    assert await booked_of(mentor, asked) == 2
    await mentor.client.aclose()


async def booked_of(person: Api, pairing: str) -> int:
    rows = (await person.ok("GET", f"/v1/pairings/{pairing}/meetings"))["items"]
    return sum(row["status"] == "booked" for row in rows)


async def test_two_write_one_agenda(served: Served) -> None:
    """Whoever comes second sees the newer text, and still has their own."""
    priya, amara = [
        await as_person(served, f"{who}.example") for who in ("priya@riverbank", "amara@northside")
    ]
    pairing = await pairing_of(priya)
    rows = (await priya.ok("GET", f"/v1/pairings/{pairing}/meetings"))["items"]
    meeting = next(row for row in rows if row["status"] == "booked")
    async with open_browser() as browser:
        page = await opened(served, browser, "priya@riverbank.example", f"/meetings/{meeting['id']}")
        await page.get_by_role("button", name="Write one").click()
        await page.get_by_label("Agenda").last.fill("My report, page two.")
        answer = await amara.client.patch(
            f"/v1/meetings/{meeting['id']}",
            json={"agenda": "Your report, and the summer."},
            headers={"If-Match": f'"{meeting["version"]}"'},
        )
        assert answer.is_success, answer.text
        await page.get_by_role("button", name="Save the agenda").click()
        await expect(page.get_by_text("Your report, and the summer.").last).to_be_visible()
        await expect(page.get_by_label("Agenda").last).to_have_value("My report, page two.")
        await page.get_by_role("button", name="Save mine instead").click()
        await expect(page.get_by_text("My report, page two.")).to_be_visible()
    for person in (priya, amara):
        await person.client.aclose()


async def test_pages_of_time_in_use_keep_their_promises(served: Served) -> None:
    """With hours, with a time picked, on a month, in both schemes; empty they are among all other pages."""
    person = await as_person(served, "aroha@riverbank.example")
    await always(person, "Pacific/Auckland", confirm=False)
    circle = (await person.ok("GET", "/v1/pairings?status=active"))["items"][0]["id"]
    await person.client.aclose()
    found: dict[str, list[str]] = {}
    async with open_browser() as browser:
        page = await opened(
            served, browser, "aroha@riverbank.example", "/availability",
            viewport=DESKTOP, reduced_motion="reduce",
        )  # fmt: skip
        found["hours"] = await seen_by_axe(page)
        await page.goto(f"/pairings/{circle}/book")
        await shown(page)
        await page.get_by_role("group", name="Time").get_by_role("button").first.click()
        await expect(page.get_by_role("button", name="Book this time")).to_be_visible()
        found["slots"] = await seen_by_axe(page)
        for view in ("week", "month"):
            await page.goto(f"/calendar?view={view}")
            await shown(page)
            found[view] = await seen_by_axe(page)
        await page.get_by_role("gridcell", name=re.compile("today")).focus()
        await page.keyboard.press("PageDown")
        await expect(page.get_by_role("gridcell", selected=True)).to_be_focused()
    assert {name: findings for name, findings in found.items() if findings} == {}
