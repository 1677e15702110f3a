"""What can be done about series of meetings."""

from collections.abc import Callable, Sequence
from itertools import islice
from typing import TypeVar
from zoneinfo import ZoneInfo

from app.core.errors import invalid
from app.series.recurrence import Recurrence, wall_time
from app.series.rules import Refused, parse
from app.series.schemas import PreviewItem, RecurrencePreview

T = TypeVar("T")


def preview(rule: str, dtstart: str, zone: str, exdates: Sequence[str], limit: int) -> RecurrencePreview:
    """The first times of a rule."""
    recurrence = Recurrence(
        rule=_read(parse, rule, "/query/rule"),
        dtstart=_read(wall_time, dtstart, "/query/dtstart"),
        zone=ZoneInfo(zone),
        exdates=tuple(_read(wall_time, each, "/query/exdate") for each in exdates),
    )
    items = [PreviewItem.of(found) for found in islice(recurrence.occurrences(), limit)]
    return RecurrencePreview(items=items, ends=recurrence.rule.ends or len(items) < limit)


def _read(read: Callable[[str], T], text: str, pointer: str) -> T:
    try:
        return read(text)
    except Refused as problem:
        raise invalid(pointer, str(problem), "rule_refused" if "rule" in pointer else "invalid") from None
