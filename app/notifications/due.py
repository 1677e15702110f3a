"""When reminders are due, in instants: quiet hours and days are a person's wall time, and walls jump.

Quiet means: the clock on the person's wall shows a time within their quiet hours. An hour that is repeated
counts twice, one that is skipped does not exist.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

SHORT = timedelta(minutes=30)
"""A lead of at most this is never moved: ten minutes before is the only time at which it is of use, and
whoever agreed to meet within their quiet hours, or just after them, is up for it."""
AGENDA_TIME = time(17)
DAY = timedelta(days=1)


class Quiet(NamedTuple):
    """From when to when somebody is left alone, by the clock on their wall; often over midnight."""

    start: time
    end: time

    def covers(self, wall: time) -> bool:
        if self.start < self.end:
            return self.start <= wall < self.end
        return wall >= self.start or wall < self.end


def is_quiet(at: datetime, zone: ZoneInfo, quiet: Quiet | None) -> bool:
    """Whether somebody is to be left alone at that instant."""
    return quiet is not None and quiet.covers(at.astimezone(zone).time())


def quiet_since(at: datetime, zone: ZoneInfo, quiet: Quiet) -> datetime:
    """When the quiet that reigns at an instant began."""
    while True:
        local = at.astimezone(zone)
        elapsed = datetime.combine(date.min + DAY, local.time()) - datetime.combine(
            date.min + DAY, quiet.start
        )
        began = at - elapsed % DAY
        if began.astimezone(zone).utcoffset() == local.utcoffset():
            return began
        turn = _turn(began, at, zone)
        before = turn - timedelta(seconds=1)
        if not is_quiet(before, zone, quiet):
            return turn
        at = before


def _turn(early: datetime, late: datetime, zone: ZoneInfo) -> datetime:
    """The first second after `early` at which the wall is as far from UTC as at `late`."""
    offset = late.astimezone(zone).utcoffset()
    low, high = int(early.timestamp()), int(late.timestamp())
    while high - low > 1:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, zone).utcoffset() == offset:
            high = middle
        else:
            low = middle
    return datetime.fromtimestamp(high, UTC)


def loud_again(at: datetime, zone: ZoneInfo, quiet: Quiet | None) -> datetime:
    """The first minute from an instant on in which it is not quiet; the instant itself if it is not."""
    while is_quiet(at, zone, quiet):
        at = at.replace(second=0, microsecond=0) + timedelta(minutes=1)
    return at


def due_at(starts_at: datetime, lead: timedelta, zone: ZoneInfo, quiet: Quiet | None) -> datetime:
    """When to remind of something that early: before quiet hours rather than in them, if it is not short."""
    at = starts_at - lead
    if quiet is None or lead <= SHORT or not is_quiet(at, zone, quiet):
        return at
    return quiet_since(at, zone, quiet)


def leads_due(
    starts_at: datetime, leads: Iterable[int], zone: ZoneInfo, quiet: Quiet | None
) -> dict[int, datetime]:
    """When each lead, in minutes, is due; of those that quiet hours move to one moment only the shortest."""
    found: dict[datetime, int] = {}
    for lead in sorted(leads, reverse=True):
        found[due_at(starts_at, timedelta(minutes=lead), zone, quiet)] = lead
    return {lead: at for at, lead in found.items()}


def agenda_at(day: date, zone: ZoneInfo, quiet: Quiet | None) -> datetime:
    """When to send what a day holds: the last time before it that the wall shows five in the afternoon.

    Some zones have left a whole day out.
    """
    for back in range(1, 4):
        wall = datetime.combine(day - back * DAY, AGENDA_TIME)
        at = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
        if at.astimezone(zone).replace(tzinfo=None) == wall:
            return quiet_since(at, zone, quiet) if quiet and is_quiet(at, zone, quiet) else at
    raise AssertionError("no zone leaves three days out")
