"""Recurrence rules: what is taken, and that it means what libical, RFC 5545 and dateutil say."""

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from pathlib import Path
from typing import Final

import pytest
from dateutil import rrule
from hypothesis import given, settings
from hypothesis import strategies as st

from app.series.recurrence import Recurrence, wall_time
from app.series.rules import Refused, parse
from tests.app.recurring import FIRST, FULL, NEW_YORK, UTC_ZONE, rules, times

ROOT: Final = Path(__file__).resolve().parents[2]
SHARED: Final = Path(os.environ.get("MENTORSPAN_SHARED_DATA", ROOT.parent / "shared" / "data"))
LIBICAL: Final = SHARED / "icalrecur.txt"
Block = dict[str, str]


# (a) libical's vectors


def blocks(text: str) -> Iterator[Block]:
    for paragraph in text.split("\n\n"):
        lines = [line for line in paragraph.splitlines() if ":" in line and not line.startswith("#")]
        block = dict(line.split(":", 1) for line in lines)
        if "RRULE" in block:
            yield block


def libical_time(text: str) -> datetime:
    text = text.removesuffix("Z")
    return datetime.strptime(text if "T" in text else f"{text}T000000", "%Y%m%dT%H%M%S")  # noqa: DTZ007


def is_inside(rule: str) -> bool:
    """Whether the issue promises this rule; said apart from the parser."""
    parts = dict(part.split("=") for part in rule.rstrip(";").split(";"))
    inside = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "BYMONTHDAY", "BYSETPOS", "WKST"}
    return parts["FREQ"] in ("DAILY", "WEEKLY", "MONTHLY") and set(parts) <= inside


def disagreement(block: Block) -> str:
    """How we differ from libical in a block; empty when we do not."""
    recurs = Recurrence(parse(block["RRULE"]), libical_time(block["DTSTART"]), UTC_ZONE)
    wanted = [libical_time(each) for each in block["INSTANCES"].split(",")]
    found = [each.local for each in islice(recurs.occurrences(), len(wanted) + 1)]
    since = libical_time(block.get("START-AT", block["DTSTART"]))
    later = [each.local for each in recurs.occurrences(since.replace(tzinfo=UTC))]
    is_same = found == wanted and later == [each for each in wanted if each >= since]
    return "" if is_same else f"{block['RRULE']}: {found} and {later}, not {wanted}"


def test_every_vector_of_libical_expands_as_it_says_or_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    if not LIBICAL.exists():
        pytest.skip(f"libical's vectors are not at {LIBICAL}; MENTORSPAN_SHARED_DATA says where they are")
    found = list(blocks(LIBICAL.read_text()))
    inside = [block for block in found if is_inside(block["RRULE"])]
    assert [disagreement(block) for block in inside if disagreement(block)] == []
    for block in found:
        if block not in inside:
            with pytest.raises(Refused):
                parse(block["RRULE"])
    assert len(inside) >= 20
    with capsys.disabled():
        print(f"\nlibical: {len(inside)} of {len(inside)} rules inside the subset agree, "  # noqa: T201
              f"{len(found) - len(inside)} others are refused")  # fmt: skip


def test_a_vector_that_differs_is_noticed() -> None:
    right = {
        "RRULE": "FREQ=WEEKLY;BYDAY=SU,TH,TH;COUNT=3",
        "DTSTART": "20111120T100000Z",
        "INSTANCES": "20111120T100000Z,20111124T100000Z,20111127T100000Z",
    }
    assert disagreement(right) == ""
    assert disagreement({**right, "INSTANCES": "20111120T100000Z,20111124T100000Z"})
    assert disagreement({**right, "DTSTART": "20111121T100000Z"})
    assert disagreement({**right, "START-AT": "20111124T100000Z"}) == ""


# (b) the examples of RFC 5545, section 3.8.5.3, that lie inside the subset, written by hand

RFC: Final = [
    ("FREQ=DAILY;COUNT=10", FIRST, "0902 0903 0904 0905 0906 0907 0908 0909 0910 0911"),
    ("FREQ=DAILY;INTERVAL=2", FIRST,
     "0902 0904 0906 0908 0910 0912 0914 0916 0918 0920 0922 0924 0926 0928 0930 1002 +"),
    ("FREQ=DAILY;INTERVAL=10;COUNT=5", FIRST, "0902 0912 0922 1002 1012"),
    ("FREQ=WEEKLY;COUNT=10", FIRST, "0902 0909 0916 0923 0930 1007 1014 1021 1028 1104"),
    ("FREQ=WEEKLY;UNTIL=19971224T000000Z", FIRST,
     "0902 0909 0916 0923 0930 1007 1014 1021 1028 1104 1111 1118 1125 1202 1209 1216 1223"),
    ("FREQ=WEEKLY;INTERVAL=2;WKST=SU", FIRST,
     "0902 0916 0930 1014 1028 1111 1125 1209 1223 980106 980120 980203 +"),
    ("FREQ=WEEKLY;UNTIL=19971007T000000Z;WKST=SU;BYDAY=TU,TH", FIRST,
     "0902 0904 0909 0911 0916 0918 0923 0925 0930 1002"),
    ("FREQ=WEEKLY;COUNT=10;WKST=SU;BYDAY=TU,TH", FIRST, "0902 0904 0909 0911 0916 0918 0923 0925 0930 1002"),
    ("FREQ=WEEKLY;INTERVAL=2;UNTIL=19971224T000000Z;WKST=SU;BYDAY=MO,WE,FR", "1997-09-01T09:00:00",
     "0901 0903 0905 0915 0917 0919 0929 1001 1003 1013 1015 1017 1027 1029 1031 1110 1112 1114 1124 1126 "
     "1128 1208 1210 1212 1222"),
    ("FREQ=WEEKLY;INTERVAL=2;COUNT=8;WKST=SU;BYDAY=TU,TH", FIRST, "0902 0904 0916 0918 0930 1002 1014 1016"),
    ("FREQ=MONTHLY;COUNT=10;BYDAY=1FR", "1997-09-05T09:00:00",
     "0905 1003 1107 1205 980102 980206 980306 980403 980501 980605"),
    ("FREQ=MONTHLY;UNTIL=19971224T000000Z;BYDAY=1FR", "1997-09-05T09:00:00", "0905 1003 1107 1205"),
    ("FREQ=MONTHLY;INTERVAL=2;COUNT=10;BYDAY=1SU,-1SU", "1997-09-07T09:00:00",
     "0907 0928 1102 1130 980104 980125 980301 980329 980503 980531"),
    ("FREQ=MONTHLY;COUNT=6;BYDAY=-2MO", "1997-09-22T09:00:00", "0922 1020 1117 1222 980119 980216"),
    ("FREQ=MONTHLY;BYMONTHDAY=-3", "1997-09-28T09:00:00", "0928 1029 1128 1229 980129 980226 +"),
    ("FREQ=MONTHLY;COUNT=10;BYMONTHDAY=2,15", FIRST, "0902 0915 1002 1015 1102 1115 1202 1215 980102 980115"),
    ("FREQ=MONTHLY;COUNT=10;BYMONTHDAY=1,-1", "1997-09-30T09:00:00",
     "0930 1001 1031 1101 1130 1201 1231 980101 980131 980201"),
    ("FREQ=MONTHLY;INTERVAL=18;COUNT=10;BYMONTHDAY=10,11,12,13,14,15", "1997-09-10T09:00:00",
     "0910 0911 0912 0913 0914 0915 990310 990311 990312 990313"),
    ("FREQ=MONTHLY;INTERVAL=2;BYDAY=TU", FIRST,
     "0902 0909 0916 0923 0930 1104 1111 1118 1125 980106 980113 980120 980127 980303 980310 980317 980324 "
     "980331 +"),
    ("FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13", "1997-09-13T09:00:00",
     "0913 1011 1108 1213 980110 980207 980307 980411 980509 980613 +"),
    ("FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3", "1997-09-04T09:00:00", "0904 1007 1106"),
    ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2", "1997-09-29T09:00:00",
     "0929 1030 1127 1230 980129 980226 980330 +"),
    ("FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO", "1997-08-05T09:00:00", "0805 0810 0819 0824"),
    ("FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU", "1997-08-05T09:00:00", "0805 0817 0819 0831"),
    ("FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5", "2007-01-15T09:00:00", "070115 070130 070215 070315 070330"),
]  # fmt: skip


def _day(short: str) -> str:
    year, month, day = (short[:-4] or "97"), short[-4:-2], short[-2:]
    return f"{'19' if year > '50' else '20'}{year}-{month}-{day}T09:00:00"


@pytest.mark.parametrize(("rule", "dtstart", "wanted"), RFC, ids=lambda value: str(value)[:40])
def test_the_examples_of_the_rfc(rule: str, dtstart: str, wanted: str) -> None:
    days = wanted.split()
    goes_on = days[-1] == "+"
    expected = [_day(each) for each in days if each != "+"]
    found = times(rule, dtstart, limit=len(expected) + 1)
    assert found[: len(expected)] == expected
    assert (len(found) > len(expected)) is goes_on


def test_the_rfc_example_whose_first_time_is_left_out() -> None:
    """Friday the 13th: DTSTART does not fit, which the RFC leaves out by EXDATE and we in any case."""
    rule, wanted = "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", ["980213", "980313", "981113", "990813", "001013"]
    for exdates in ((), (FIRST,)):
        assert times(rule, FIRST, NEW_YORK, *exdates, limit=5) == [_day(each) for each in wanted]


def test_nine_o_clock_stays_nine_o_clock_in_the_rfc_example_across_the_change() -> None:
    found = list(Recurrence.of("FREQ=DAILY;UNTIL=19971224T000000Z", FIRST, NEW_YORK).occurrences())
    assert (len(found), str(found[-1].local)) == (113, "1997-12-23 09:00:00")
    assert {each.local.time().isoformat() for each in found} == {"09:00:00"}
    assert {each.instant.hour for each in found} == {13, 14}


# (c) python-dateutil, where it is right


STARTS: Final = st.datetimes(wall_time("1996-01-01T00:00"), wall_time("2040-01-01T00:00")).map(
    lambda at: at.replace(microsecond=0)
)


@settings(max_examples=5_000 if FULL else 100)
@given(rules(), STARTS, st.integers(0, 1_600))
def test_it_agrees_with_dateutil(rule: str, dtstart: datetime, later: int) -> None:
    end = dtstart + timedelta(days=2_500)
    found_in = Recurrence(parse(rule), dtstart, UTC_ZONE)

    def ours(since: datetime | None = None) -> list[datetime]:
        found = takewhile(lambda at: at <= end, (each.local for each in found_in.occurrences(since)))
        return list(islice(found, 60))

    endless = re.sub("COUNT=[0-9]+;?", "", rule).rstrip(";")
    # Without an end, dateutil would look for what never comes until the year 9999.
    theirs = list(rrule.rrulestr(endless, dtstart=dtstart).replace(until=end))[: found_in.rule.count]
    assert ours() == theirs[:60]
    since = dtstart + timedelta(days=later)
    assert ours(since.replace(tzinfo=UTC)) == [at for at in theirs if at >= since][:60]


def test_where_dateutil_is_wrong_we_are_with_libical() -> None:
    rule, dtstart = "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1,3;COUNT=3", wall_time("2024-10-23T00:00")
    ours = [each.local.day for each in Recurrence(parse(rule), dtstart, UTC_ZONE).occurrences()]
    assert ours == [23, 28, 30]
    assert [each.day for each in rrule.rrulestr(rule, dtstart=dtstart)] != ours
