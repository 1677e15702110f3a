"""Every change reaches those who see it, and nobody else: each operation of openapi.yaml, played for all."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final
from uuid import UUID, uuid4

import pytest

from app.core import outbox, streams
from app.core.outbox import Relay
from app.core.streams import Address, StreamKind
from tests.app import verify_action
from tests.app.kept import sweep
from tests.app.verify_action import Finding, Play, Stage, check
from tests.app.verify_followed import FROM_CONTENT, IN_A_LIST, LIVE, ON_DEMAND, path_of
from tests.app.verify_rows import PLAYS, block
from tests.app.verify_rows_recordings import RECORDED
from tests.app.verify_rows_reminders import REMINDED
from tests.app.visibility import operations
from tests.world import World

pytestmark = pytest.mark.database
CHANGING = {name for name, (method, _) in operations().items() if method != "GET"}


@pytest.fixture
async def world(shared_world: World) -> World:
    """An empty world, in a database that the tests of this module share."""
    await sweep(shared_world)
    return shared_world


def test_every_operation_that_changes_something_is_played() -> None:
    assert CHANGING - {play.name for play in PLAYS} == set()
    assert set(map(str, PLAYS)) > {*RECORDED, *REMINDED}


def test_everything_that_can_be_read_is_followed_or_opened() -> None:
    classes = [{live.operation for live in LIVE}, set(IN_A_LIST), set(ON_DEMAND)]
    assert sum(len(each) for each in classes) == len(set().union(*classes)), "each is one of them"
    assert set().union(*classes) == operations().keys() - CHANGING


async def test_what_stands_in_a_list_is_read_the_same_by_itself(world: World) -> None:
    house = (await Stage.build(world)).house
    for person in (house.mentee, house.coordinator):
        for operation, (listing, name) in IN_A_LIST.items():
            rows = (await person.ok("GET", path_of(listing, {})))["items"]
            assert rows or person is house.coordinator
            for row in rows:
                if operation == "list_pairing_meetings":
                    here = [one for one in rows if one["pairing_id"] == row["pairing_id"]]
                    found = await person.ok("GET", path_of(operation, {name: row["pairing_id"]}))
                    assert found["items"] == here
                else:
                    assert await person.ok("GET", path_of(operation, {name: row["id"]})) == row


def _each_operation_once() -> Iterable[Any]:
    """The first play of each operation; further ones of the same are for the long run."""
    seen = set()
    for play in PLAYS:
        yield pytest.param(play, id=str(play), marks=[pytest.mark.long] if play.name in seen else [])
        seen.add(play.name)


@pytest.mark.slow
@pytest.mark.parametrize("play", [*_each_operation_once()])
async def test_everyone_learns_what_changed_for_them(world: World, play: Play) -> None:
    assert await check(world, play) == []


# What the test must find

PLANTED: Final = {
    "account.changed": "edit_me",
    "memberships.changed": "create_organisation",
    "availability.changed": "create_schedule",
    "blocks.changed": "block_person-a pair",
    "imported_calendar.changed": "add_imported_calendar",
    "membership.changed": "set_roles",
    "pairing.changed": "edit_agreement",
    "meeting.changed": "propose_meeting",
    "call.changed": "fact-joined",
    "partnership.changed": "end_partnership",
    "invitation.changed": "invite",
    "report.changed": "file_report",
    "conversation.changed": "cancel_meeting",
    "conversation.read": "mark_read",
    "message.posted": "send_message",
    "message.edited": "edit_message",
    "message.deleted": "delete_message",
}
"""Every kind of event, and a play that needs it."""
QUICK = {"pairing.changed", "conversation.read", "message.posted"}
"""Planted in every run; the rest in the long one."""


def planted(kinds: Iterable[str]) -> Iterator[Any]:
    for kind in kinds:
        yield pytest.param(kind, marks=[] if kind in QUICK else [pytest.mark.long])


def named(name: str) -> Play:
    return next(play for play in PLAYS if str(play) == name)


def faults(found: Iterable[Finding]) -> set[str]:
    return {finding.fault for finding in found}


def test_every_kind_is_planted() -> None:
    kinds = {kind for live in LIVE for kind in live.renewed_by if not kind.startswith("reset.")}
    assert {*kinds, *FROM_CONTENT} == PLANTED.keys()


Announce = Callable[..., None]


def plant(monkeypatch: pytest.MonkeyPatch, announce: Callable[[Announce], Announce]) -> None:
    """Announce otherwise than the rooms say."""
    monkeypatch.setattr(streams, "announce", announce(streams.announce))


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*planted(PLANTED)])
async def test_an_event_that_is_not_told_is_missed(
    world: World, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    def dropping(honest: Announce) -> Announce:
        def announce(db: Any, stream: Address, said: str, subject: UUID, *, by: UUID | None = None) -> None:
            if said != kind:
                honest(db, stream, said, subject, by=by)
            elif said in FROM_CONTENT:  # a message needs its number; let it say nothing
                honest(db, stream, "hidden", subject, by=by)

        return announce

    plant(monkeypatch, dropping)
    assert "stale" in faults(await check(world, named(PLANTED[kind])))


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind", [*planted(["pairing.changed", "meeting.changed", "call.changed", "report.changed"])]
)
async def test_an_event_about_something_else_is_found(
    world: World, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    def astray(honest: Announce) -> Announce:
        def announce(db: Any, stream: Address, said: str, subject: UUID, *, by: UUID | None = None) -> None:
            honest(db, stream, said, uuid4() if said == kind else subject, by=by)

        return announce

    plant(monkeypatch, astray)
    found = faults(await check(world, named(PLANTED[kind])))
    assert "unknown subject" in found
    assert "stale" in found or kind == "report.changed"


@pytest.mark.slow
async def test_an_event_that_is_hidden_from_whom_it_concerns_is_found(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is blocked loses sight of the pairing, and must hear so although it is the blocker's doing."""
    blocker: list[UUID] = []

    async def act(stage: Stage) -> None:
        blocker.append(stage.house.mentee.account_id)
        await block("mentee", "mentor")(stage)

    def blaming(honest: Announce) -> Announce:
        def announce(db: Any, stream: Address, said: str, subject: UUID, *, by: UUID | None = None) -> None:
            honest(db, stream, said, subject, by=blocker[0])

        return announce

    plant(monkeypatch, blaming)
    found = await check(world, Play("block_person", act=act))
    assert "mentor" in {finding.who for finding in found if finding.fault == "stale"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("who", "fault"), [("stranger", "overheard"), ("hermit", "needless"), (None, "unheard")]
)
async def test_telling_those_whom_it_does_not_concern_is_found(
    world: World, who: str | None, fault: str
) -> None:
    async def act(stage: Stage) -> None:
        stream = stage.person(who).account_id if who else uuid4()
        async with world.database.transaction() as db:
            streams.announce(db, Address(StreamKind.ACCOUNT, stream), "account.changed", stream)

    assert fault in faults(await check(world, Play("tell", act=act)))


@pytest.mark.slow
@pytest.mark.parametrize("spoil", ["silent", "other words", "twice"])
async def test_a_relay_that_says_something_else_is_found(
    world: World, monkeypatch: pytest.MonkeyPatch, spoil: str
) -> None:
    take = Relay.take
    envelope = outbox._envelope

    async def silent(self: Relay, db: Any, events: Any) -> None:
        del self, db, events

    async def twice(self: Relay, db: Any, events: Any) -> None:
        await take(self, db, [*events, *events])

    if spoil == "other words":
        monkeypatch.setattr(outbox, "_envelope", lambda event, kind, content: envelope(event, kind, {}))
    else:
        monkeypatch.setattr(Relay, "take", silent if spoil == "silent" else twice)
        monkeypatch.setattr(verify_action, "PUBLISHED_SECONDS", 0.5)
    assert faults(await check(world, named("edit_me"))) == {"bus"}
