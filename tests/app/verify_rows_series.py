"""What is played for everybody about series: their meetings come and go with them."""

from datetime import timedelta
from typing import Any, Final

from app.core import clock
from app.series import making
from app.series.models import Series, SeriesStatus
from tests.app.verify_action import Stage
from tests.app.verify_rows import APART, PLAYS, Act, first, in_circle, play
from tests.app.visibility_rows_series import series_body, series_of


def soon() -> dict[str, Any]:
    """A series that begins in two days, so that its meetings are made at once."""
    at = clock.now().replace(minute=0, second=0, microsecond=0, tzinfo=None) + timedelta(days=2)
    return series_body(at, "FREQ=WEEKLY;COUNT=3")


def proposed(who: str, pairing: str = "active") -> Act:
    """Someone proposes a series."""
    return lambda s: s.person(who).ok("POST", f"/v1/pairings/{getattr(s.house, pairing).id}/series", soon())


def does(who: str, verb: str, body: Any = None, pairing: str = "active", *, which: int = 0) -> Act:
    """Someone does something with the newest series, or another one."""

    async def act(s: Stage) -> None:
        path = f"/v1/pairings/{getattr(s.house, pairing).id}/series"
        found = (await s.person(who).ok("GET", path))["items"][which]
        await s.person(who).ok("POST", f"/v1/series/{found['id']}/{verb}", body)

    return act


AGREED: Final = first(proposed("mentee"), does("mentor", "accept"))
LONGER: Final = does("mentee", "change", {"duration_minutes": 60})


async def due(s: Stage) -> None:
    """An active series for which nothing is made yet."""
    series: Series = await series_of(s.house, s.house.active, s.house.mentor, SeriesStatus.PROPOSED)
    await s.world.run(
        "UPDATE series SET status = 'active', dtstart = :at, made_until = :until WHERE id = :id",
        at=clock.now().replace(microsecond=0, tzinfo=None) + timedelta(days=2),
        until=clock.now(),
        id=series.id,
    )


async def over(s: Stage) -> None:
    """An active series of which all is in the past."""
    await due(s)
    await s.world.run("UPDATE series SET dtstart = dtstart - interval '1 year'")


async def extend(s: Stage) -> None:
    await making.extend(s.world.database)


play("accept_series", "with meetings", does("mentor", "accept"), before=proposed("mentee"))
play("propose_series", "booked by a lead", proposed("mentor", "circle"), before=APART)
play("change_series", "a title", does("mentee", "change", {"title": "Cases"}), before=AGREED)
play(
    "change_series",
    "instead of another change",
    does("mentor", "change", {"duration_minutes": 30}, which=1),
    before=first(AGREED, LONGER),
)
play("accept_series", "of a change", does("mentor", "accept"), before=first(AGREED, LONGER))
play("cancel_series", "with meetings", does("mentor", "cancel", {}), before=AGREED)
play("end_pairing", "with a series", lambda s: s.house.mentor.ok(
    "POST", f"/v1/pairings/{s.house.active.id}/end"
), before=AGREED)  # fmt: skip
play(
    "leave_circle", "with a series", in_circle("mentee", "POST", "leave"), before=proposed("mentor", "circle")
)
play("worker", "series are extended", extend, before=due)
play("worker", "series run out", extend, before=over)
OF_SERIES: Final = [str(each) for each in PLAYS if "series" in str(each)]
