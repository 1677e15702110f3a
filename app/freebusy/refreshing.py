"""The worker's part: reads each calendar about once an hour, and at once when it is new or somebody asks.

The rows are the queue, not jobs: a lease in the row keeps two workers from one calendar and runs out when a
worker dies, and slow servers of others never hold up mail. No text of a calendar is kept. So when the times
were worked out a day ago, or for another zone, we ask as if for the first time, and what has not changed is
worked out anew.
"""

import asyncio
import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import httpx2
import structlog

from app.core import clock
from app.core.crypto import Sealing, Unreadable
from app.core.db import Database
from app.freebusy import queries, service
from app.freebusy.busy_times import WINDOW_AFTER, WINDOW_BEFORE, Interval, Owner
from app.freebusy.caldav import Dav, tags
from app.freebusy.expander import expand
from app.freebusy.fetching import Credentials, Fetcher
from app.freebusy.queries import Taken
from app.freebusy.schemas import Kind
from app.freebusy.service import Access, Outcome, Times
from app.freebusy.troubles import DAY, HOUR, WORDS, Trouble, calendar_text, until_next

log = structlog.get_logger()
AT_ONCE: Final = 6
"""Calendars that one worker has in hand."""
EXPANDED_AT_ONCE: Final = 1
VISIT_SECONDS: Final = 90.0
"""For all that is asked of a server in one visit; a single request has less."""
LEASE: Final = timedelta(minutes=30)
"""More than a visit, and the times of others that wait to be worked out before it."""
LOOK_SECONDS: Final = 1.0

Memory = dict[str, str]


@dataclass(frozen=True, slots=True)
class Visited:
    """What a server gave us: the texts, and what to remember it by."""

    texts: Sequence[str]
    memory: Memory


@dataclass(slots=True)
class Refresher:
    """Reads calendars."""

    database: Database
    sealing: Sealing
    fetcher: Fetcher
    _expanding: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(EXPANDED_AT_ONCE))

    async def run(self) -> None:
        """Read what is due, until cancelled."""
        places = asyncio.Semaphore(AT_ONCE)
        async with asyncio.TaskGroup() as tasks:
            while True:
                await places.acquire()
                taken = await self.take()
                if taken is None:
                    places.release()
                    await asyncio.sleep(LOOK_SECONDS)
                else:
                    tasks.create_task(self.read(taken)).add_done_callback(lambda _: places.release())

    async def take(self) -> Taken | None:
        """A calendar that is due, ours until the lease is over."""
        async with self.database.transaction() as db:
            return await queries.take_due(db, LEASE)

    async def read(self, taken: Taken) -> None:
        """One visit, and what comes of it."""
        try:
            outcome = await self._outcome(taken)
        except Trouble as trouble:
            outcome = _failed(taken, trouble)
        except Unreadable:
            outcome = _failed(taken, Trouble("sealed"))
        except Exception as error:
            # Never the error's text: it may hold an address.
            log.error("calendar_not_read", calendar_id=str(taken.calendar.id), error=type(error).__name__)
            outcome = _failed(taken, Trouble("fault"))
        async with self.database.transaction() as db:
            await service.settle(db, taken.calendar, outcome, self.sealing)

    async def _outcome(self, taken: Taken) -> Outcome:
        calendar = taken.calendar
        window = Interval(clock.now() - WINDOW_BEFORE, clock.now() + WINDOW_AFTER)
        access = service.opened(calendar, self.sealing)
        known = service.remembered(calendar, self.sealing) if _is_fresh(taken) else {}
        visit = self._dav if calendar.kind == Kind.CALDAV else self._ics
        try:
            async with asyncio.timeout(VISIT_SECONDS):
                visited = await visit(access, known, window)
        except TimeoutError:
            raise Trouble("too_slow", host=calendar.host) from None
        again = clock.now() + _about(HOUR)
        if visited is None:
            # What was found when it was worked out still holds; what stood in the way of a visit does not.
            kept = calendar.problem if calendar.problem_code == "too_many" else None
            return Outcome(again, ("too_many", kept) if kept else None)
        async with self._expanding:
            owner = Owner(taken.zone, [taken.email, access.username or ""])
            found = await expand(visited.texts, owner, window)
        until = found.cut_at and found.cut_at.date().isoformat()
        problem = ("too_many", WORDS["too_many"].format(until=until)) if until else None
        times = Times(list(found.busy), found.skipped, taken.zone)
        return Outcome(again, problem, memory=visited.memory, times=times)

    async def _ics(self, access: Access, known: Memory, window: Interval) -> Visited | None:
        """One file; None when it is as it was."""
        del window
        names = {"etag": "If-None-Match", "last_modified": "If-Modified-Since"}
        headers = {"Accept": "text/calendar, */*;q=0.1"}
        headers |= {header: known[name] for name, header in names.items() if name in known}
        answer = await self.fetcher.ask(
            "GET", httpx2.URL(access.url), headers=headers, credentials=_credentials(access)
        )
        digest = hashlib.sha256(answer.body).hexdigest()
        if answer.status == 304 or digest == known.get("digest"):
            return None
        kept = {"etag": answer.headers.get("etag"), "last_modified": answer.headers.get("last-modified")}
        memory = {"digest": digest} | {name: value for name, value in kept.items() if value}
        return Visited([calendar_text(answer.body, answer.charset)], memory)

    async def _dav(self, access: Access, known: Memory, window: Interval) -> Visited | None:
        """All calendars of a server that count; None when none of them has changed."""
        server = Dav(self.fetcher, _credentials(access))
        calendars = await server.calendars(httpx2.URL(access.url))
        memory = tags(calendars)
        if memory and memory == known:
            return None
        texts = [text for calendar in calendars for text in await server.events(calendar, window)]
        return Visited(texts, memory or {})


def _is_fresh(taken: Taken) -> bool:
    """Whether what was worked out still reaches far enough, and is in the right zone."""
    at = taken.calendar.expanded_at
    return at is not None and at > clock.now() - DAY and taken.calendar.expanded_zone == taken.zone


def _credentials(access: Access) -> Credentials | None:
    return None if access.username is None else Credentials(access.username, access.password or "")


def _failed(taken: Taken, trouble: Trouble) -> Outcome:
    wait = until_next(trouble, taken.calendar.failures + 1)
    return Outcome(clock.now() + _about(wait), (trouble.code, str(trouble)), failed=True)


def _about(wait: timedelta) -> timedelta:
    """Not all at the same minute."""
    return wait * random.uniform(0.9, 1.1)
