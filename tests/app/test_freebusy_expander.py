"""Working out busy times in a process of its own: it ends, whatever the calendar says, and says why."""

import pytest

from app.freebusy.busy_times import Owner, busy_times
from app.freebusy.expander import expand
from app.freebusy.troubles import Trouble
from tests.app.test_freebusy_times import A_WEEK, LONDON, TUESDAY, WINDOW, calendar, found

FOR_EVER = "DTSTART:19700101T000000Z\nDURATION:PT1M\nRRULE:"
HOSTILE = (
    "FREQ=SECONDLY",
    "FREQ=MINUTELY;INTERVAL=2",
    f"FREQ=DAILY;BYHOUR=1,2,3;BYMINUTE={','.join(map(str, range(60)))};BYSECOND=0,1,2,3",
)
NEVER = "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"


async def test_rules_that_take_for_ever_are_left_out_and_the_rest_is_kept() -> None:
    endless = "DTSTART:19700101T100000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;INTERVAL=1"
    hourly = "DTSTART:20200101T100000Z\nDURATION:PT1H\nRRULE:FREQ=HOURLY;INTERVAL=24"
    of = await expand([calendar(*(FOR_EVER + rule for rule in (*HOSTILE, NEVER)), endless)], LONDON, WINDOW)
    assert (len(of.busy), of.skipped) == (365, 4)
    assert found(*(FOR_EVER + rule for rule in HOSTILE)).skipped == 3, "these without trying"
    assert len(found(hourly, window=WINDOW).busy) == 365, "the control: often, but not too often"


async def test_a_calendar_of_such_rules_is_given_up() -> None:
    hostile = (f"{FOR_EVER}{NEVER};INTERVAL={n + 1}" for n in range(20))
    with pytest.raises(Trouble) as caught:
        await expand([calendar(*hostile)], LONDON, WINDOW, cpu_seconds=1)
    assert caught.value.code == "too_costly"


async def test_cal_com_23482_five_thousand_events_are_worked_out_within_the_limit() -> None:
    events = [
        f"UID:{n}\nDTSTART;TZID=Europe/London:2026{n % 12 + 1:02}{n % 28 + 1:02}T{n % 20:02}0000\n"
        f"DURATION:PT30M\nSUMMARY:Number {n}" + ("\nRRULE:FREQ=WEEKLY" if n % 250 == 0 else "")
        for n in range(5000)
    ]
    text = calendar(*events)
    of = await expand([text], LONDON, WINDOW)
    assert of == busy_times([text], LONDON, WINDOW), "the same as here"
    assert (of.events, of.skipped) == (5000, 0)
    assert len(of.busy) > 700


async def test_a_process_that_falls_over_is_a_fault_in_words() -> None:
    with pytest.raises(Trouble) as caught:
        await expand([calendar(TUESDAY)], Owner("Nowhere/At_All"), A_WEEK)
    assert caught.value.code == "fault"
