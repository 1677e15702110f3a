"""What people complained about elsewhere (issues of calcom/cal.com, by number), and does not happen here."""

import asyncio
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest

from app.core import clock
from app.scheduling import diaries
from tests.app.cost import Statements
from tests.app.diaries import Travel, asked, first_of_each_day, in_days, keeps, traveller, walls, weekdays
from tests.app.test_holds import hold, mentees
from tests.app.test_nobody_twice import DOUBLE_BOOKED, HALF_BOOKED
from tests.world import Person, World, meeting, slot

pytestmark = pytest.mark.database
NEW_YORK: Final = "America/New_York"


@pytest.fixture
def travel(monkeypatch: pytest.MonkeyPatch) -> Travel:
    """Moves the clock."""
    return traveller(monkeypatch)


async def _pair(world: World, zone: str, hours: Any, **terms: Any) -> tuple[Person, Person, str]:
    mentee, mentor = await world.two()
    pairing = await world.pair(mentee, mentor)
    for person in (mentee, mentor):
        await keeps(person, zone, hours, lengths=[30, 60], step_minutes=30, **terms)
    return mentee, mentor, pairing["id"]


async def _book(mentee: Person, mentor: Person, pairing: str, shown: Any) -> Any:
    """Book a slot exactly as it was shown."""
    starts_at, minutes = shown["starts_at"], 30
    held = await mentee.post(
        f"/v1/pairings/{pairing}/holds", {"starts_at": starts_at, "duration_minutes": minutes}
    )
    assert held.status_code == 201, held.text
    made = await mentee.ok(
        "POST", f"/v1/pairings/{pairing}/meetings", {**meeting(minutes=minutes), "starts_at": starts_at}
    )
    booked = await mentor.ok("POST", f"/v1/meetings/{made['id']}/accept")
    assert (booked["status"], booked["starts_at"]) == ("booked", starts_at)


async def test_10517_slots_start_at_nine_before_and_after_the_november_change(
    world: World, travel: Travel
) -> None:
    """There: from nine until the change, then from eight, and those could not be booked."""
    now = travel("2026-10-20T12:00:00-04:00")
    mentee, mentor, pairing = await _pair(world, NEW_YORK, weekdays("09:00", "17:00"))
    ask = {"zone": NEW_YORK, "duration_minutes": 30}
    found = await asked(mentee, pairing, from_="2026-10-21T00:00:00-04:00", to=in_days(now, 35), **ask)
    days = first_of_each_day(found)
    assert len(days) == 25
    assert set(days.values()) == {"09:00"}
    assert {wall[-5:] for wall in walls(found)} >= {"09:00", "16:30"}
    after = next(row for row in found["slots"] if row["starts_at"] == "2026-11-02T14:00:00Z")
    await _book(mentee, mentor, pairing, after)


@pytest.mark.parametrize(
    ("today", "changed"), [("2027-02-26", date(2027, 3, 14)), ("2027-10-20", date(2027, 11, 7))]
)
async def test_6217_a_slot_after_the_march_change_that_is_shown_can_be_booked(
    world: World, travel: Travel, today: str, changed: date
) -> None:
    """There: one half hour a week, shown an hour off on 12 March and 5 November; then "no available user"."""
    now = travel(f"{today}T12:00:00-05:00")
    mentee, mentor, pairing = await _pair(world, NEW_YORK, weekdays("12:30", "13:00", "SU"))
    found = await asked(mentee, pairing, to=in_days(now, 35), zone=NEW_YORK, duration_minutes=30)
    assert len(found["slots"]) == 5
    assert {wall[-5:] for wall in walls(found)} == {"12:30"}
    starts = [datetime.fromisoformat(row["starts_at"]) for row in found["slots"]]
    days = [start.astimezone(ZoneInfo(NEW_YORK)).date() for start in starts]
    await _book(mentee, mentor, pairing, found["slots"][days.index(changed)])


@pytest.mark.parametrize("notice", [6, 7, 8])
async def test_12137_a_notice_that_ends_on_the_day_of_the_change_moves_nothing(
    world: World, travel: Travel, notice: int
) -> None:
    """There: with a notice that ended on the day of the change, all later slots were an hour off."""
    travel("2026-10-25T10:10:00-04:00")
    hours = weekdays("09:00", "17:00", "MO TU WE TH FR SA SU")
    mentee, _, pairing = await _pair(world, NEW_YORK, hours, minimum_notice_minutes=notice * 1440)
    found = await asked(mentee, pairing, to="2026-11-20T00:00:00-05:00", zone=NEW_YORK, duration_minutes=30)
    first, *rest = first_of_each_day(found).items()
    # Seven times 24 hours after 10:10 in summer is 9:10 in winter.
    expected = {6: ("Sat 31 Oct", "10:30"), 7: ("Sun 01 Nov", "09:30"), 8: ("Mon 02 Nov", "09:30")}
    assert first == expected[notice]
    assert {start for _, start in rest} == {"09:00"}
    assert {wall[-5:] for wall in walls(found)} <= {
        f"{hour:02}:{half}" for hour in range(9, 17) for half in ("00", "30")
    }


@pytest.mark.parametrize("viewer", ["America/Chicago", "America/Phoenix", "Asia/Kathmandu"])
async def test_4702_half_past_seven_stays_half_past_seven(world: World, travel: Travel, viewer: str) -> None:
    """There: 7:30 in Chicago on 1 November and 6:30 on the 8th, although all zones were the same."""
    now = travel("2027-10-28T12:00:00-05:00")
    mentee, _, pairing = await _pair(world, "America/Chicago", weekdays("07:30", "12:00"))
    found = await asked(
        mentee, pairing, from_=in_days(now, 1), to=in_days(now, 15), zone=viewer, duration_minutes=30
    )
    days = first_of_each_day(found, "America/Chicago")
    # Kathmandu is 45 minutes off the hour: what is round there is a quarter past or to here.
    assert set(days.values()) == {"07:45" if viewer == "Asia/Kathmandu" else "07:30"}
    assert {"Mon 01 Nov", "Mon 08 Nov"} <= days.keys()
    if viewer == "America/Phoenix":
        assert first_of_each_day(found)["Mon 01 Nov"] == "05:30"
        assert first_of_each_day(found)["Mon 08 Nov"] == "06:30", "the viewer's clock was not changed"


async def test_13397_of_ten_bookings_at_the_same_moment_one_is_made(world: World) -> None:
    """There: ten parallel requests made several bookings of the same slot."""
    mentor, pairs = await mentees(world, 10)
    at = (clock.now() + timedelta(days=2)).replace(minute=0, second=0, microsecond=0)
    held = await asyncio.gather(*(hold(mentee, pairing, at) for mentee, pairing in pairs))
    assert Counter(answer.status_code for answer in held) == {201: 1, 409: 9}
    await world.run("DELETE FROM hold")
    rows = [slot(mentee, pairing, at) for mentee, pairing in pairs]
    await world.save(*rows)
    answers = await asyncio.gather(*(mentor.post(f"/v1/meetings/{row.id}/accept") for row in rows))
    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 9}
    same = await asyncio.gather(*(mentor.post(f"/v1/meetings/{rows[0].id}/accept") for _ in range(10)))
    assert not any(answer.is_success for answer in same)
    assert await world.run(DOUBLE_BOOKED) == await world.run(HALF_BOOKED) == []


async def test_5277_slots_cost_as_much_as_the_window_holds(world: World, travel: Travel) -> None:
    """There: 10 to 25 seconds, for all that anybody ever had was read. Here a history of two years is not."""
    now = travel("2027-05-03T00:00:00+00:00")
    mentee, mentor, pairing = await _pair(world, "UTC", weekdays("09:00", "17:00"))
    ask = {"to": in_days(now, 28), "zone": "UTC", "duration_minutes": 60}
    with Statements(world) as before:
        empty = await asked(mentee, pairing, **ask)
    await world.run(
        "INSERT INTO meeting (id, pairing_id, proposed_by_id, starts_at, ends_at, zone, version, sequence, "
        "status, created_at, late) "
        "SELECT gen_random_uuid(), :pairing, :by, at, at + interval '30 minutes', 'UTC', "
        "1, 0, 'booked', at, false "
        "FROM generate_series('2025-05-03T10:00Z'::timestamptz, '2027-05-02T10:00Z', '1 day') at",
        pairing=pairing,
        by=mentor.membership_id,
    )
    await world.run(
        "INSERT INTO booking SELECT meeting.id, account.id, tstzrange(starts_at, ends_at), 0, 0 "
        "FROM meeting, account"
    )
    seen: list[int] = []
    plain = diaries.bookings

    async def counting(*args: Any, **options: Any) -> Any:
        rows = await plain(*args, **options)
        seen.append(len(rows))
        return rows

    diaries.bookings = counting
    try:
        with Statements(world) as after:
            assert (await asked(mentee, pairing, **ask))["slots"] == empty["slots"]
    finally:
        diaries.bookings = plain
    assert len(await world.run("SELECT 1 FROM booking")) > 1400
    assert seen == [0]
    assert after.of_requests() == before.of_requests()


async def test_21103_no_query_for_each_person_or_each_day(world: World, travel: Travel) -> None:
    """There: 20 seconds, one query after the other for each host and each day."""
    now = travel("2027-05-03T00:00:00+00:00")
    mentor, pairs = await mentees(world, 11, weekdays("09:00", "17:00"))
    everyone = [mentee for mentee, _ in pairs]
    costs = set()
    for people, days in ((everyone[:1], 1), (everyone[:1], 35), (everyone, 1), (everyone, 35)):
        circle = await world.circle(mentor, [mentor], people)
        with Statements(world) as counted:
            found = await asked(mentor, circle["id"], to=in_days(now, days), zone="UTC")
        assert found["slots"][0]["of"] == len(people) + 1
        costs.add(counted.of_requests())
    assert len(costs) == 1, costs


def test_the_days_of_the_changes_are_those() -> None:
    """The regressions above stand where the clocks are really changed."""
    clocks = ZoneInfo(NEW_YORK)
    for day, before, after in (("2026-11-01", -4, -5), ("2027-03-14", -5, -4), ("2027-11-07", -4, -5)):
        noon = datetime.fromisoformat(f"{day}T12:00:00+00:00").astimezone(UTC)
        hours = [(noon + timedelta(hours=gap)).astimezone(clocks).utcoffset() for gap in (-12, 12)]
        assert hours == [timedelta(hours=before), timedelta(hours=after)]
