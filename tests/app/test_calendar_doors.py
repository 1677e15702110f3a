"""Feeds behind a secret address, and the two doors by which mail comes in."""

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx2
import icalendar
import pytest
import uvicorn
from ical.calendar_stream import IcsCalendarStream
from sqlalchemy import select

from app import cli
from app.calendars import addresses, replies
from app.calendars.models import CalendarFeed, MeetingInvitation, MeetingReply
from app.calendars.routes import INBOUND
from app.core import clock, crypto
from app.core.limits import TRIES_PER_CLIENT
from app.scheduling.models import Meeting, MeetingStatus
from app.settings import Settings, get_settings
from tests.app.house import House
from tests.app.letters import reply
from tests.world import Person, World, slot

pytestmark = pytest.mark.database
SECRET = "a-secret-of-the-mail-server"


async def made(person: Person) -> str:
    """The path of a new feed."""
    return str((await person.ok("POST", "/v1/calendar-feed"))["url"]).removeprefix(get_settings().public_url)


async def fed(world: World, path: str) -> dict[str, Any]:
    """The events of a feed by the id of the meeting; read by two parsers."""
    answer = await world.client.get(path)
    assert answer.status_code == 200, answer.text
    events = icalendar.Calendar.from_ical(answer.content).walk("VEVENT")
    strict = IcsCalendarStream.calendar_from_ics(answer.text).events
    assert [one.uid for one in strict] == [str(one["UID"]) for one in events]
    return {str(one["UID"]).partition("@")[0]: one for one in events}


# Feeds


async def test_a_feed_is_made_replaced_and_ended(world: World) -> None:
    person = await world.person("Priya")
    assert await person.ok("GET", "/v1/calendar-feed") == {"created_at": None}
    first = await made(person)
    (row,) = await world.rows(select(CalendarFeed))
    assert row.digest == crypto.digest(first.removeprefix("/calendars/").removesuffix(".ics"))
    assert (await person.ok("GET", "/v1/calendar-feed"))["created_at"] is not None
    assert (await world.client.get(first)).status_code == 200
    second = await made(person)
    assert first != second
    assert (await world.client.get(first)).status_code == 404
    assert (await world.client.get(second)).status_code == 200
    await person.ok("DELETE", "/v1/calendar-feed")
    await person.ok("DELETE", "/v1/calendar-feed")
    assert (await world.client.get(second)).status_code == 404


async def test_a_wrong_secret_is_answered_like_no_feed_at_all(world: World) -> None:
    person = await world.person("Priya")
    path = await made(person)
    answers = [
        await world.client.get(f"/calendars/{secret}.ics")
        for secret in (crypto.new_secret(), "x", "%00", "a" * 5000, path.split("/")[-1][:-5], "%F0%9F%98%80")
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1
    assert answers[0].json()["code"] == "not_found"


async def test_an_unchanged_feed_is_not_sent_again(world: World) -> None:
    mentee, mentor = await world.two()
    pairing = await world.pair(mentee, mentor)
    path = await made(mentee)
    await world.meet(mentee, mentor, pairing["id"], clock.now() + timedelta(days=1))
    first = await world.client.get(path)
    assert first.headers["content-type"] == "text/calendar; charset=utf-8"
    assert first.headers["cache-control"] == "private, no-cache"
    assert first.headers["referrer-policy"] == "no-referrer"
    tag = first.headers["etag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = await world.client.get(path, headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert (await world.client.get(path, headers={"If-None-Match": '"other"'})).status_code == 200
    head = await world.client.head(path)
    assert (head.status_code, head.headers["etag"]) == (200, tag)
    await world.meet(mentee, mentor, pairing["id"], clock.now() + timedelta(days=2))
    assert (await world.client.get(path, headers={"If-None-Match": tag})).status_code == 200


async def test_a_feed_holds_what_is_ahead_and_what_was(world: World) -> None:
    mentee, mentor = await world.two()
    pairing = await world.pair(mentee, mentor)
    now, day = clock.now(), timedelta(days=1)

    def at(days: float, status: MeetingStatus, **fields: Any) -> Meeting:
        row = slot(mentor, pairing["id"], now + days * day, status=status.value)
        row.decided_at = now - 200 * day
        for name, value in fields.items():
            setattr(row, name, value)
        return row

    booked, proposed, cancelled = MeetingStatus.BOOKED, MeetingStatus.PROPOSED, MeetingStatus.CANCELLED
    shown = {
        "CONFIRMED": [at(days, booked) for days in (-89, -1, 1, 399)],
        "TENTATIVE": [at(3, proposed, title="Plans; and, more\\")],
        "CANCELLED": [at(4, cancelled, cancelled_at=now - 29 * day)],
    }
    left_out = [
        at(-91, booked),
        at(401, booked),
        at(-2, proposed),
        at(5, MeetingStatus.DECLINED),
        at(6, cancelled, cancelled_at=now - 31 * day),
        at(7, cancelled, cancelled_at=now, decided_at=None),
    ]
    await world.save(*(row for rows in shown.values() for row in rows), *left_out)
    found = await fed(world, await made(mentee))
    assert {key: str(one["STATUS"]) for key, one in found.items()} == {
        str(row.id): status for status, rows in shown.items() for row in rows
    }
    titled = found[str(shown["TENTATIVE"][0].id)]
    assert titled["SUMMARY"] == "Plans; and, more\\"
    assert str(titled["CONFERENCE"]).endswith(str(shown["TENTATIVE"][0].id))
    assert "Amara Okafor" in titled["DESCRIPTION"]
    assert "mailto:" not in str(found)


async def _listed(person: Person) -> set[str]:
    items = (await person.ok("GET", "/v1/meetings"))["items"]
    return {row["id"] for row in items if row["status"] != "declined"}


async def _block(house: House) -> None:
    await house.mentee.ok("POST", "/v1/blocks", {"membership_id": str(house.mentor.membership_id)})


async def _be_blocked(house: House) -> None:
    await house.mentor.ok("POST", "/v1/blocks", {"membership_id": str(house.mentee.membership_id)})


async def _leave(house: House) -> None:
    await house.mentee.ok("POST", f"/v1/pairings/{house.circle.id}/leave")


async def _end_membership(house: House) -> None:
    await house.world.run(
        "UPDATE membership SET ended_at = now() WHERE account_id = :id", id=house.mentee.account_id
    )


async def _nothing(house: House) -> None:
    del house


@pytest.mark.parametrize("ending", [_nothing, _block, _be_blocked, _leave, _end_membership])
async def test_a_feed_shows_the_meetings_that_its_owner_is_shown(
    world: World, ending: Callable[[House], Any]
) -> None:
    house = await House.build(world)
    path = await made(house.mentee)
    await ending(house)
    found = await fed(world, path)
    assert found.keys() == await _listed(house.mentee)
    named = house.mentor.name in str([one["DESCRIPTION"] for one in found.values()])
    assert named is (ending in (_nothing, _leave)), "not the name of someone who is kept apart"


async def test_strangers_cannot_try_for_ever(world: World) -> None:
    for _ in range(TRIES_PER_CLIENT.amount):
        await world.door.limits.spend(TRIES_PER_CLIENT, "client", "127.0.0.1")
    answer = await world.client.get(f"/calendars/{crypto.new_secret()}.ics")
    assert answer.status_code == 429


def test_no_log_of_ours_holds_a_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """An access log would hold the secrets of feeds."""
    seen: list[uvicorn.Config] = []

    async def serve(public: uvicorn.Config, settings: Settings) -> None:
        del settings
        seen.append(public)

    monkeypatch.setattr("app.internal.serve_both", serve)
    cli.app()
    assert [config.access_log for config in seen] == [False]


# The door over HTTP


async def answered(world: World, status: str = "ACCEPTED") -> tuple[bytes, Person]:
    """A right answer to a meeting that is booked, as mail."""
    mentee, mentor = await world.two()
    pairing = await world.pair(mentee, mentor)
    booked = await world.meet(mentee, mentor, pairing["id"], clock.now() + timedelta(days=2))
    (row,) = [
        one for one in await world.rows(select(MeetingInvitation)) if one.account_id == mentee.account_id
    ]
    token = addresses.token(world.door.keys.refresh, row.meeting_id, mentee.account_id)
    to = addresses.reply_address("calendar@mail.example.org", token)
    return reply(f"{booked['id']}@localhost", mentee.email, to, status), mentee


async def post(world: World, raw: bytes, secret: str | None = SECRET, **headers: str) -> httpx2.Response:
    given = {"Content-Type": "message/rfc822", **headers}
    if secret is not None:
        given["Authorization"] = f"Bearer {secret}"
    return await world.client.post(INBOUND, content=raw, headers=given)


@pytest.fixture
def open_door(world: World) -> World:
    world.door.settings.inbound_mail_secret = SECRET
    return world


@pytest.mark.parametrize("kind", ["message/rfc822", "text/plain", "application/octet-stream"])
async def test_a_mail_comes_in(open_door: World, kind: str) -> None:
    raw, mentee = await answered(open_door, "TENTATIVE")
    answer = await post(open_door, raw, **{"Content-Type": kind})
    assert (answer.status_code, answer.json()) == (200, {"taken": True, "reason": None})
    (row,) = await open_door.rows(select(MeetingReply))
    assert (row.account_id, row.status) == (mentee.account_id, "tentative")


async def test_only_the_mail_server_may_bring_mail(open_door: World) -> None:
    raw, mentee = await answered(open_door)
    for secret in (None, "", "wrong", f"{SECRET}x", SECRET[:-1], SECRET.upper(), mentee.token):
        answer = await post(open_door, raw, secret)
        assert (answer.status_code, answer.json()["code"]) == (401, "mail_server_refused"), secret
    assert await open_door.rows(select(MeetingReply)) == []
    assert (await post(open_door, raw)).json()["taken"] is True


async def test_without_a_secret_there_is_no_door(world: World) -> None:
    raw, _ = await answered(world)
    for secret in (None, "", SECRET):
        answer = await post(world, raw, secret)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert await world.rows(select(MeetingReply)) == []


async def test_what_is_no_answer_is_said_so(open_door: World) -> None:
    ignored = await post(open_door, b"To: x@example.org\n\nAway {[(" + b"{[" * 5000)
    assert (ignored.status_code, ignored.json()) == (200, {"taken": False, "reason": "no_reply"})
    for raw in (b"", b"\x00" * 100):
        unreadable = await post(open_door, raw)
        assert (unreadable.status_code, unreadable.json()["code"]) == (422, "mail_unreadable")


async def test_a_mail_may_hold_pictures_and_has_an_end(open_door: World) -> None:
    raw, _ = await answered(open_door)
    large = raw + b"\n" * (replies.MOST_BYTES - len(raw))
    assert (await post(open_door, large)).json()["taken"] is True
    answer = await post(open_door, large + b"x")
    assert (answer.status_code, answer.json()["code"]) == (413, "mail_too_large")
    other = await open_door.client.post("/v1/sessions", content=b"x" * 300_000)
    assert other.status_code == 413, "no other door is wider"


async def test_a_secret_is_guessed_slowly(open_door: World) -> None:
    for _ in range(TRIES_PER_CLIENT.amount):
        await open_door.door.limits.spend(TRIES_PER_CLIENT, "inbound", "127.0.0.1")
    assert (await post(open_door, b"To: x@y\n\n", "wrong")).status_code == 429
    assert (await post(open_door, b"To: x@y\n\n")).status_code == 200, "who knows it is not kept waiting"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("inbound_mail_secret", "short"),
        ("calendar_address", "calendar"),
        ("calendar_address", "a b@x"),
        ("calendar_address", "a@x\nBcc:"),
    ],
)
def test_settings_that_make_no_sense(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=name):
        Settings(**{name: value})


# The pipe


def ingest(url: str, state: str, raw: bytes) -> tuple[int, str]:
    """What a mail server's pipe does."""
    environment = {**os.environ, "DATABASE_URL": url, "MENTORSPAN_STATE_DIR": state}
    command = [sys.executable, "-m", "app.cli", "mail", "ingest"]
    done = subprocess.run(command, input=raw, env=environment, capture_output=True, check=False)
    return done.returncode, done.stdout.decode()


async def test_a_pipe_brings_mail_in(world: World, database_url: str) -> None:
    raw, _ = await answered(world, "DECLINED")
    state = str(world.door.settings.state_dir)
    assert ingest(database_url, state, raw) == (0, "Taken.\n")
    (row,) = await world.rows(select(MeetingReply))
    assert row.status == "declined"
    (told,) = [each for each in await world.mails() if "calendar says no" in each["subject"]]
    assert told["to"].startswith("amara")
    events = await world.run("SELECT kind FROM stream_event WHERE kind = 'meeting.replied'")
    assert len(events) == 2
    assert ingest(database_url, state, raw) == (0, "Ignored: known_already.\n")


SOME = reply(f"{UUID(int=7)}@x", "a@example.org", "c@example.org")


class Input:
    """Standard input that holds these bytes."""

    def __init__(self, raw: bytes) -> None:
        self.buffer = io.BytesIO(raw)


@pytest.mark.parametrize(
    ("raw", "url", "code"),
    [
        (b"no mail", None, os.EX_DATAERR),
        (b"To: x@y\n\n" + b"x" * replies.MOST_BYTES, None, os.EX_DATAERR),
        (b"To: x@y\n\n", None, os.EX_OK),
        (SOME, "postgresql://nobody@127.0.0.1:9/none", os.EX_TEMPFAIL),
        (b"To: x@y\n\n", "mysql://nowhere", os.EX_TEMPFAIL),
    ],
)
def test_exit_codes_are_those_of_mail_servers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any, database_url: str, raw: bytes, url: str | None, code: int
) -> None:
    monkeypatch.setenv("DATABASE_URL", url or database_url)
    monkeypatch.setenv("MENTORSPAN_STATE_DIR", str(tmp_path))
    monkeypatch.setattr(sys, "stdin", Input(raw))
    with pytest.raises(cli.typer.Exit) if code else contextlib.nullcontext() as ended:
        cli.ingest()
    assert ended is None or ended.value.exit_code == code
