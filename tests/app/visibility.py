"""The visibility matrix: every operation, called by everyone who could be tempted.

A row names an operation, builds the scene it plays in, and says what each principal is answered. `check`
plays the row and returns what went wrong, so that a planted leak can be shown to be found.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from copy import copy
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import httpx2
import yaml
from sqlalchemy import text, update
from typing_extensions import override

from app.core import clock, crypto
from app.organisations.models import Membership
from app.pairings.models import Status
from app.tables import TABLES
from tests.app.house import House
from tests.app.kept import furnished
from tests.world import Person, World

OPENAPI: Final = Path(__file__).resolve().parents[2] / "openapi.yaml"


class Principal(StrEnum):
    """Who calls. From BLOCKED on it is the person whose call succeeds as OWNER, after something ended."""

    ANONYMOUS = "anonymous"
    STRANGER = "stranger"
    OTHER_ORGANISATION = "other organisation"
    WRONG_ROLE = "wrong role"
    WRONG_SIDE = "wrong side"
    OWNER = "owner"
    BLOCKED = "blocked"
    BLOCKER = "blocker"
    PAIRING_ENDED = "pairing ended"
    CIRCLE_LEFT = "circle left"
    PARTNERSHIP_ENDED = "partnership ended"
    MEMBERSHIP_ENDED = "membership ended"


class Expect(StrEnum):
    """What a principal is answered."""

    REFUSED = "401"
    HIDDEN = "the same bytes as for something that does not exist"
    FORBIDDEN = "403, and the thing can be seen"
    CONFLICT = "409"
    SILENT = "2xx without a trace of what is hidden"
    ALLOWED = "2xx"


OUTSIDERS: Final = (Principal.ANONYMOUS, Principal.STRANGER, Principal.OTHER_ORGANISATION)
BESIDE: Final = (*OUTSIDERS, Principal.WRONG_ROLE, Principal.WRONG_SIDE)
"""They share one scene; the owner's call comes last in it and must still succeed."""

ENDS: Final = (
    Principal.PAIRING_ENDED,
    Principal.CIRCLE_LEFT,
    Principal.BLOCKED,
    Principal.BLOCKER,
    Principal.PARTNERSHIP_ENDED,
    Principal.MEMBERSHIP_ENDED,
)
"""In an order in which all that an operation is indifferent to can happen in one scene."""


@dataclass(slots=True)
class Scene:
    """What one operation is called with."""

    caller: Person
    path: Mapping[str, UUID | str] = field(default_factory=dict)
    body: Any = None
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    """What the operation needs besides: a precondition."""
    other: Person | None = None
    """Between whom and the caller the block is put."""
    side: Person | None = None
    """Someone who sees it and may not do it."""
    hidden: frozenset[str] = frozenset()
    """What the owner's answer shows, and nobody else's may."""
    seen_at: str = ""
    """A path whose GET proves that a forbidden thing can be seen."""
    ending: Callable[[], Awaitable[None]] | None = None
    """Ends the pairing or the partnership that this is about, where it is not the house's first one."""
    development: bool = False
    """Only the owner's call is made in development mode."""


Cells = Mapping[Principal, Expect]


@dataclass(frozen=True, slots=True)
class Row:
    """One operation in one setting."""

    operation: str
    scene: Callable[[House], Awaitable[Scene]]
    expect: Cells
    label: str = ""

    @override
    def __str__(self) -> str:
        return f"{self.operation}-{self.label}" if self.label else self.operation


@dataclass(frozen=True, slots=True)
class Finding:
    """A cell that is not as it should be."""

    row: str
    principal: Principal
    what: str


@cache
def operations() -> dict[str, tuple[str, str]]:
    """Method and path of every operation of openapi.yaml, by its id."""
    document = yaml.safe_load(OPENAPI.read_text(encoding="utf-8"))
    return {
        operation["operationId"]: (method.upper(), path)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


async def check(world: World, row: Row, principals: Iterable[Principal] = tuple(Principal)) -> list[Finding]:
    """Play the cells of a row; an empty answer means that it holds."""
    wanted = [principal for principal in principals if principal in row.expect]
    found: list[Finding] = []
    beside: list[Principal] = [one for one in BESIDE if one in wanted]
    reads = operations()[row.operation][0] == "GET"
    acting = [] if reads else [one for one in beside if row.expect[one] is Expect.ALLOWED]
    for principal in acting:
        found += await _Cell(world, row, principal, *await _fresh(world, row)).play()
    house, scene = await _fresh(world, row)
    for principal in (*(one for one in beside if one not in acting), Principal.OWNER):
        found += await _Cell(world, row, principal, house, scene).play()
    ends: list[Principal] = [one for one in ENDS if one in wanted]
    spared = [one for one in ends if row.expect[one] is Expect.ALLOWED]
    for together in ([spared] if spared else []) + [[one] for one in ends if one not in spared]:
        house, scene = await _fresh(world, row)
        for principal in together:
            await _part(principal, house, scene)
        found += await _Cell(world, row, together[-1], house, scene).play()
    return found


async def _fresh(world: World, row: Row) -> tuple[House, Scene]:
    """The scene in a house that stands alone in the world."""
    house = copy(await furnished(world, House.build))
    house.ids = set(house.ids)
    return house, await row.scene(house)


async def _part(principal: Principal, house: House, scene: Scene) -> None:
    """Let what this principal is named for happen."""
    other = scene.other or house.colleague
    if principal is Principal.BLOCKED:
        await other.ok("POST", "/v1/blocks", {"membership_id": str(scene.caller.membership_id)})
    elif principal is Principal.BLOCKER:
        await scene.caller.ok("POST", "/v1/blocks", {"membership_id": str(other.membership_id)})
    elif principal is Principal.PAIRING_ENDED:
        await (scene.ending or (lambda: end_pairing(house)))()
    elif principal is Principal.CIRCLE_LEFT:
        await house.mentee.ok("POST", f"/v1/pairings/{house.circle.id}/leave")
    elif principal is Principal.PARTNERSHIP_ENDED:
        if scene.ending and "partnership_id" in scene.path:
            await scene.ending()
        else:
            await house.admin.ok("POST", f"/v1/partnerships/{house.partnership.id}/end")
    elif principal is Principal.MEMBERSHIP_ENDED:
        async with house.world.database.transaction() as db:
            ended = update(Membership).where(Membership.account_id == scene.caller.account_id)
            await db.execute(ended.values(ended_at=clock.now()))


async def end_pairing(house: House) -> None:
    """End the first pairing of the house."""
    assert house.active.status == Status.ACTIVE
    await house.mentor.ok("POST", f"/v1/pairings/{house.active.id}/end")


@dataclass(slots=True)
class _Cell:
    world: World
    row: Row
    principal: Principal
    house: House
    scene: Scene
    findings: list[Finding] = field(default_factory=list)

    async def play(self) -> list[Finding]:
        expect = self.row.expect[self.principal]
        before = await state(self.world)
        answer = await self._call()
        if expect in (Expect.SILENT, Expect.ALLOWED):
            if not answer.is_success:
                self._find(f"answered {answer.status_code}: {answer.text[:200]}")
            if expect is Expect.SILENT:
                self._must_not_show(answer)
        else:
            self._must_be_problem(answer, expect)
            self._must_not_show(answer)
            if await state(self.world) != before:
                self._find("was refused, and yet something changed")
        if expect is Expect.HIDDEN:
            await self._must_look_unknown(answer)
        if expect is Expect.FORBIDDEN:
            await self._must_be_seen()
        if self.principal is Principal.OWNER:
            for shown in self.scene.hidden:
                if shown not in answer.text:
                    self._find(f"the control does not show {shown}")
        return self.findings

    def _find(self, what: str) -> None:
        self.findings.append(Finding(str(self.row), self.principal, what))

    def _who(self) -> Person | None:
        house = self.house
        return {
            Principal.ANONYMOUS: None,
            Principal.STRANGER: house.stranger,
            Principal.OTHER_ORGANISATION: house.outsider,
            Principal.WRONG_ROLE: house.colleague,
            Principal.WRONG_SIDE: self.scene.side,
        }.get(self.principal, self.scene.caller)

    async def _call(self, swap: Mapping[str, str] | None = None) -> httpx2.Response:
        who = self._who()
        method, path = operations()[self.row.operation]
        path = path.format(**self.scene.path) + self.scene.query
        body = self.scene.body(who or self.scene.caller) if callable(self.scene.body) else self.scene.body
        if swap:
            own = str(who.membership_id) if who else ""
            path = _swapped(path, swap)
            body = _swapped(body, {old: new for old, new in swap.items() if old != own})
        options: dict[str, Any] = {} if body is None else {"json": body}
        options["headers"] = dict(self.scene.headers)
        if who is not None:
            options["headers"]["Authorization"] = f"Bearer {who.token}"
        settings = self.world.door.settings
        if self.scene.development and self.principal is Principal.OWNER:
            settings.mode = "development"
        try:
            return await self.world.client.request(method, path, **options)
        finally:
            settings.mode = "production"

    def _must_be_problem(self, answer: httpx2.Response, expect: Expect) -> None:
        statuses = {
            Expect.REFUSED: {401},
            Expect.HIDDEN: {404, 422},
            Expect.FORBIDDEN: {403},
            Expect.CONFLICT: {409},
        }[expect]
        if answer.status_code not in statuses:
            self._find(f"answered {answer.status_code} instead of {sorted(statuses)}: {answer.text[:200]}")
        elif answer.headers["content-type"] != "application/problem+json":
            self._find(f"answered with {answer.headers['content-type']}")
        elif answer.json()["code"] == "invalid":
            self._find(f"did not get as far as the rule: {answer.text[:200]}")

    def _must_not_show(self, answer: httpx2.Response) -> None:
        hidden = set(self.scene.hidden)
        if self.principal in OUTSIDERS:
            hidden |= {self.house.word, *self.house.ids}
        shown = sorted(one for one in hidden if one in answer.text)
        if shown:
            self._find(f"shows {shown[:3]}")

    async def _must_look_unknown(self, answer: httpx2.Response) -> None:
        """Nobody can tell what exists and is not for them from what does not exist."""
        ids = {str(value) for value in self.scene.path.values()} | self.house.ids
        swap = {one: str(uuid4()) for one in ids}
        swap[self.house.invitation_secret] = crypto.new_secret()
        unknown = await self._call(swap)
        if (answer.status_code, answer.content) != (unknown.status_code, unknown.content):
            self._find(f"differs from unknown: {answer.text[:150]} | {unknown.text[:150]}")
        if _headers(answer) != _headers(unknown):
            self._find("differs from unknown in its headers")

    async def _must_be_seen(self) -> None:
        who = self._who()
        assert who is not None
        assert self.scene.seen_at, f"{self.row}: say where it can be seen"
        answer = await who.get(self.scene.seen_at)
        if not answer.is_success:
            self._find("is told 403 about something it cannot see")


async def state(world: World) -> object:
    """A digest of every row of every table. That an event has left is noted at any time."""
    row = "(to_jsonb(t) - 'relayed_at')::text"
    part = f"SELECT '{{0}}', count(*), sum(hashtextextended({row}, 0)) FROM \"{{0}}\" t"
    parts = [part.format(table.__tablename__) for table in TABLES]
    async with world.database.engine.connect() as connection:
        return (await connection.execute(text(" UNION ALL ".join(parts)))).all()


def _swapped(value: Any, swap: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _swapped(inner, swap) for name, inner in value.items()}
    if isinstance(value, list):
        return [_swapped(inner, swap) for inner in value]
    if isinstance(value, str):
        for old in sorted(swap):
            value = value.replace(old, swap[old])
    return value


def _headers(answer: httpx2.Response) -> list[tuple[str, str]]:
    return sorted((name, value) for name, value in answer.headers.multi_items() if name != "date")
