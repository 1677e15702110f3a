"""What CalDAV (RFC 4791) is asked: which calendars there are, whether they changed, and what is in them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Final
from xml.etree import ElementTree

import httpx2

from app.freebusy.busy_times import Interval
from app.freebusy.fetching import Answer, Credentials, Fetcher
from app.freebusy.troubles import Trouble, calendar_text

MOST_CALENDARS: Final = 20
_DAV: Final = "{DAV:}"
_CAL: Final = "{urn:ietf:params:xml:ns:caldav}"
_APPLE: Final = "{http://calendarserver.org/ns/}"
_NAMES: Final = 'xmlns="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav" xmlns:a="http://calendarserver.org/ns/"'
_WHAT_IS_IT: Final = (
    f"<propfind {_NAMES}><prop><resourcetype/><sync-token/><a:getctag/><c:schedule-calendar-transp/>"
    "<c:supported-calendar-component-set/><c:calendar-home-set/><current-user-principal/></prop></propfind>"
).encode()
_QUERY: Final = (
    f"<c:calendar-query {_NAMES}><prop><c:calendar-data/></prop><c:filter>"
    '<c:comp-filter name="VCALENDAR"><c:comp-filter name="VEVENT"><c:time-range start="{start}" end="{end}"/>'
    "</c:comp-filter></c:comp-filter></c:filter></c:calendar-query>"
)
"""Whole events with their rules, not `expand`: servers differ in how they work them out; we do it anyway."""


@dataclass(frozen=True, slots=True)
class Collection:
    """A calendar on a server, and the tag that changes with it; empty when the server has none."""

    url: httpx2.URL
    tag: str


@dataclass(slots=True)
class _Resource:
    """What a server says of one address."""

    url: httpx2.URL
    element: ElementTree.Element

    def has(self, path: str) -> bool:
        return self.element.find(path) is not None

    def text(self, path: str) -> str:
        found = self.element.find(path)
        return "" if found is None or found.text is None else found.text.strip()

    @property
    def is_calendar(self) -> bool:
        """Whether it holds events that count: some are for tasks only, some for what leaves one free."""
        kinds = self.element.findall(f"{_CAL}supported-calendar-component-set/{_CAL}comp")
        names = {kind.get("name", "").upper() for kind in kinds}
        return (
            self.has(f"{_DAV}resourcetype/{_CAL}calendar")
            and not self.has(f"{_CAL}schedule-calendar-transp/{_CAL}transparent")
            and (not names or "VEVENT" in names)
        )

    @property
    def collection(self) -> Collection:
        return Collection(self.url, self.text(f"{_APPLE}getctag") or self.text(f"{_DAV}sync-token"))


@dataclass(slots=True)
class Dav:
    """One visit to a server."""

    fetcher: Fetcher
    credentials: Credentials | None

    async def calendars(self, url: httpx2.URL) -> list[Collection]:
        """The calendars at an address: it is one, holds some, or belongs to somebody who has some."""
        found = await self._look(url, "0")
        if found is None:
            url = url.copy_with(raw_path=b"/.well-known/caldav")
            found = await self._look(url, "0")
        if found is None or not found:
            raise Trouble("no_calendars", host=url.host)
        here = found[0]
        if here.is_calendar:
            return [here.collection]
        homes = self._named(here, f"{_CAL}calendar-home-set/{_DAV}href")
        for principal in () if homes else self._named(here, f"{_DAV}current-user-principal/{_DAV}href"):
            for person in await self._look(principal, "0") or ():
                homes += self._named(person, f"{_CAL}calendar-home-set/{_DAV}href")
        calendars = await self._inside([here.url])
        if not calendars:
            calendars = await self._inside(homes)
        if not calendars:
            raise Trouble("no_calendars", host=url.host)
        return calendars[:MOST_CALENDARS]

    async def _inside(self, places: Sequence[httpx2.URL]) -> list[Collection]:
        """The calendars that lie directly in these places."""
        found: dict[str, Collection] = {}
        for place in places[:MOST_CALENDARS]:
            for resource in await self._look(place, "1") or ():
                if resource.is_calendar:
                    found.setdefault(str(resource.url), resource.collection)
        return list(found.values())

    def _named(self, resource: _Resource, path: str) -> list[httpx2.URL]:
        """Where it points to. Another server would have to be told the password, so it is only named."""
        places = [self._joined(resource.url, one.text or "") for one in resource.element.findall(path)]
        for place in places:
            if (place.scheme, place.host, place.port) != (
                resource.url.scheme, resource.url.host, resource.url.port,
            ):  # fmt: skip
                raise Trouble("elsewhere", other=place.host)
        return places

    async def _look(self, url: httpx2.URL, depth: str) -> list[_Resource] | None:
        """PROPFIND; None when nothing there speaks CalDAV."""
        headers = {"Depth": depth, "Content-Type": "application/xml; charset=utf-8"}
        try:
            answer = await self.fetcher.ask(
                "PROPFIND", url, headers=headers, content=_WHAT_IS_IT, credentials=self.credentials
            )
        except Trouble as trouble:
            if trouble.code in ("not_found", "unexpected"):
                return None
            raise
        if answer.status != 207:
            return None
        return [_Resource(self._joined(answer.url, href), prop) for href, prop in _responses(answer)]

    def _joined(self, base: httpx2.URL, href: str) -> httpx2.URL:
        try:
            return base.join(href.strip())
        except (httpx2.InvalidURL, ValueError):
            raise Trouble("unreadable", host=base.host) from None

    async def events(self, calendar: Collection, window: Interval) -> list[str]:
        """The events of one calendar that touch a window of time, as texts."""
        start, end = (moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ") for moment in window)
        answer = await self.fetcher.ask(
            "REPORT",
            calendar.url,
            headers={"Depth": "1", "Content-Type": "application/xml; charset=utf-8"},
            content=_QUERY.format(start=start, end=end).encode(),
            credentials=self.credentials,
        )
        texts = [prop.findtext(f"{_CAL}calendar-data") for _, prop in _responses(answer)]
        return [calendar_text(text.encode("utf-8", "replace"), None) for text in texts if text]


class _NoEntities(ElementTree.TreeBuilder):
    """Whoever declares entities wants to make something large of something small."""

    def doctype(self, *_: object) -> None:
        raise ValueError("a document type")


def _responses(answer: Answer) -> Iterator[tuple[str, ElementTree.Element]]:
    """Each address of a multistatus with the properties that were found of it."""
    if answer.status != 207:
        raise Trouble("unexpected", host=answer.url.host, status=answer.status)
    try:
        parser = ElementTree.XMLParser(target=_NoEntities())
        parser.feed(answer.body)
        root = parser.close()
    except (ElementTree.ParseError, ValueError):
        raise Trouble("unreadable", host=answer.url.host) from None
    for response in root.iter(f"{_DAV}response"):
        found = ElementTree.Element("prop")
        for state in response.findall(f"{_DAV}propstat"):
            if " 200" in state.findtext(f"{_DAV}status", " 200"):
                found.extend(state.findall(f"{_DAV}prop/*"))
        yield response.findtext(f"{_DAV}href", ""), found


def tags(calendars: Sequence[Collection]) -> dict[str, str] | None:
    """What would be otherwise if anything had changed; None when a server does not say."""
    if not all(calendar.tag for calendar in calendars):
        return None
    return {str(calendar.url): calendar.tag for calendar in calendars}


__all__ = ["Collection", "Dav", "tags"]
