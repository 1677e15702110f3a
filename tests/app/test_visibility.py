"""Nobody sees or does what is not theirs: the matrix over every operation, and leaks that it must find."""

from collections.abc import Callable, Iterable
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from app.accounts import auth
from app.accounts.auth import Actor
from app.accounts.models import SignInSession
from app.blocks import queries as blocks
from app.blocks.models import Block
from app.chat import access as chat_access
from app.chat import queries as chat
from app.chat.models import Conversation
from app.core.errors import Forbidden
from app.core.nodes import NodeCommand
from app.organisations import queries as organisations
from app.organisations.models import Membership, Organisation, Partnership, Role
from app.pairings import queries as pairings
from app.pairings.models import Pairing, Participant
from app.recordings import queries as recordings
from app.recordings.models import Recording
from app.scheduling import queries as meetings
from app.scheduling.models import Call, Meeting
from tests.app.house import House
from tests.app.kept import sweep
from tests.app.visibility import Finding, Principal, Row, check, operations
from tests.app.visibility_table import ROWS
from tests.world import World

pytestmark = pytest.mark.database


@pytest.fixture
async def world(shared_world: World) -> World:
    """An empty world, in a database that the tests of this module share."""
    await sweep(shared_world)
    return shared_world


def test_every_operation_has_its_row() -> None:
    assert {row.operation for row in ROWS} == set(operations())


@pytest.mark.parametrize("row", ROWS, ids=str)
async def test_the_matrix(world: World, row: Row) -> None:
    assert await check(world, row) == []


async def _found(world: World, names: Iterable[str], *principals: Principal) -> set[Principal]:
    rows = [row for row in ROWS if str(row) in names]
    findings: list[Finding] = []
    for row in rows:
        findings += await check(world, row, principals)
    return {finding.principal for finding in findings}


def _every_organisation(_: Actor) -> Any:
    return select(Organisation.id)


def _every_pairing(_: Actor) -> Any:
    return select(Pairing.id)


def _every_conversation(_: Actor) -> Any:
    return select(Conversation.id)


def _nobody_apart(account_id: Any) -> Any:
    return select(Block.blocked_id).where(Block.id == account_id)


def _apart_from_those_i_blocked(account_id: Any) -> Any:
    return select(Block.blocked_id).where(Block.blocker_id == account_id)


def _apart_from_those_who_blocked_me(account_id: Any) -> Any:
    return select(Block.blocker_id).where(Block.blocked_id == account_id)


def _left_or_not(actor: Actor) -> Any:
    mine = Participant.membership_id.in_(organisations.own_ids(actor))
    return select(Participant.pairing_id).where(mine)


def _ended_or_not(actor: Actor) -> Any:
    return select(Membership.id).where(Membership.account_id == actor.account_id)


def _every_partner(organisation_ids: Any) -> Any:
    return select(Partnership.partner_id).where(Partnership.organisation_id.in_(organisation_ids))


def _in_the_take_or_not(actor: Actor) -> Any:
    seen = meetings.visible_to(actor).with_only_columns(Meeting.id)
    return (
        select(Recording)
        .join(Call, Call.id == Recording.call_id)
        .where(Call.meeting_id.in_(seen), Recording.deleted_at.is_(None))
    )


Leak = tuple[Principal, Any, str, Callable[..., Any], str]
LEAKS: tuple[Leak, ...] = (
    (Principal.STRANGER, organisations, "own_organisation_ids", _every_organisation, "read_organisation"),
    (Principal.OTHER_ORGANISATION, organisations, "own_organisation_ids", _every_organisation, "read_person"),
    (Principal.OTHER_ORGANISATION, pairings, "participating", _every_pairing, "list_meetings"),
    (Principal.WRONG_ROLE, pairings, "participating", _every_pairing, "read_pairing"),
    (Principal.WRONG_ROLE, Membership, "coordinates", lambda _: True, "list_reports"),
    (Principal.WRONG_SIDE, Membership, "has", lambda *_: True, "set_roles"),
    (Principal.BLOCKED, blocks, "kept_apart", _nobody_apart, "read_person"),
    (Principal.BLOCKED, blocks, "kept_apart", _apart_from_those_i_blocked, "search_people"),
    (Principal.BLOCKER, blocks, "kept_apart", _apart_from_those_who_blocked_me, "read_meeting"),
    (Principal.PAIRING_ENDED, Pairing, "must_be_active", lambda _: None, "propose_meeting"),
    (Principal.CIRCLE_LEFT, pairings, "participating", _left_or_not, "read_meeting-circle"),
    (Principal.PARTNERSHIP_ENDED, organisations, "_partner_ids", _every_partner, "ask_for_pairing"),
    (Principal.MEMBERSHIP_ENDED, organisations, "own_ids", _ended_or_not, "read_attendance"),
    (Principal.WRONG_ROLE, chat, "heard_by", _every_conversation, "read_messages"),
    (Principal.WRONG_SIDE, chat, "heard_by", _every_conversation, "read_conversation-circle"),
    (Principal.BLOCKED, blocks, "kept_apart", _nobody_apart, "read_messages-circle"),
    (Principal.BLOCKER, blocks, "kept_apart", _nobody_apart, "list_conversations-words in circles"),
    (Principal.CIRCLE_LEFT, pairings, "participating", _left_or_not, "read_messages-circle"),
    (Principal.PAIRING_ENDED, chat_access, "must_be_open", lambda _: None, "send_message"),
    (Principal.WRONG_ROLE, recordings, "visible_to", _in_the_take_or_not, "read_recordings-not in the take"),
    (Principal.WRONG_ROLE, recordings, "visible_to", _in_the_take_or_not, "delete_recording-circle"),
    (Principal.BLOCKER, blocks, "kept_apart", _nobody_apart, "read_recording_file-of someone kept apart"),
    (Principal.WRONG_SIDE, chat_access, "must_be_author", lambda *_: None, "edit_message"),
)


@pytest.mark.parametrize(
    ("principal", "place", "name", "leak", "row"), LEAKS, ids=[f"{leak[0]}-{leak[4]}" for leak in LEAKS]
)
async def test_a_planted_leak_is_found(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    principal: Principal,
    place: Any,
    name: str,
    leak: Any,
    row: str,
) -> None:
    assert await _found(world, [row], principal) == set()
    patched = property(leak) if name == "coordinates" else leak
    monkeypatch.setattr(place, name, patched)
    assert principal in await _found(world, [row], principal)


async def test_a_report_about_a_meeting_is_not_for_who_was_in_it(world: World) -> None:
    place = await world.organisation()
    mentor = await world.member(place, "Mentor", roles=(Role.MEMBER, Role.COORDINATOR), capacity=1)
    other = await world.member(place, "Other", roles=(Role.MEMBER, Role.COORDINATOR))
    mentee = await world.member(place, "Mentee")
    pairing = await world.pair(mentee, mentor)
    met = await world.meet(mentee, mentor, pairing["id"])
    report = await mentee.ok("POST", "/v1/reports", {"meeting_id": met["id"], "text": "He shouted."})
    reports = f"/v1/organisations/{place.id}/reports"
    assert (await mentor.ok("GET", reports))["items"] == []
    assert [row["id"] for row in (await other.ok("GET", reports))["items"]] == [report["id"]]
    hidden = await mentor.post(f"/v1/reports/{report['id']}/resolve", {"note": "Nothing."})
    unknown = await mentor.post(f"/v1/reports/{uuid4()}/resolve", {"note": "Nothing."})
    assert (hidden.status_code, hidden.content) == (404, unknown.content)


async def test_a_block_ends_the_call_of_a_circle_of_two(world: World) -> None:
    house = await House.build(world)
    await house.mentee.ok("POST", "/v1/blocks", {"membership_id": str(house.mentor.membership_id)})
    async with world.database.transaction() as db:
        commands = [row.payload for row in await db.scalars(select(NodeCommand))]
        call = await db.scalar(select(Call.id).where(Call.meeting_id == house.circle_booked.id))
    assert str(call) in {command.get("call_id") for command in commands}


async def test_people_are_found_by_a_skill(world: World) -> None:
    place = await world.organisation()
    mentor = await world.member(place, "Mentor", skills_offered=["Court reports", "Kinship care"])
    mentee = await world.member(place, "Mentee")
    for skill, found in (("kinship CARE", [str(mentor.membership_id)]), ("kinship", []), ("%", [])):
        items = (await mentee.ok("GET", "/v1/people", params={"skill": skill}))["items"]
        assert [row["id"] for row in items] == found


async def test_a_door_that_is_open_to_anyone_is_found(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    house = await House.build(world)
    actor = Actor(house.mentee.account_id, house.mentee.session_id)
    monkeypatch.setitem(world.app.dependency_overrides, auth._current, lambda: actor)
    assert Principal.ANONYMOUS in await _found(world, ["read_me"], Principal.ANONYMOUS)


async def test_an_answer_that_tells_foreign_from_unknown_is_found(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = organisations.own_in

    async def telling(db: Any, actor: Actor, organisation_id: Any) -> Membership:
        if await db.get(Organisation, organisation_id) is not None:
            raise Forbidden()
        return await honest(db, actor, organisation_id)

    monkeypatch.setattr(organisations, "own_in", telling)
    found = await _found(world, ["list_invitations"], Principal.STRANGER, Principal.OTHER_ORGANISATION)
    assert found >= {Principal.STRANGER, Principal.OTHER_ORGANISATION}


async def test_a_refusal_that_writes_is_found(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = pairings.get

    async def careless(db: Any, actor: Actor, pairing_id: Any, *, lock: bool = True) -> Pairing:
        async with world.database.transaction() as other:
            other.add(SignInSession(account_id=actor.account_id, seed=b"careless"))
        return await honest(db, actor, pairing_id, lock=lock)

    monkeypatch.setattr(pairings, "get", careless)
    assert Principal.STRANGER in await _found(world, ["read_pairing"], Principal.STRANGER)
