"""State before + events received = state read afresh, for everyone (the idea is Zulip's `verify_action`).

A scene is played among several people. Each has a client that knows the answers of everything it follows.
Then something happens; each syncs, reads again only what the events name, and must know what it would know if
it read everything anew.
"""

import asyncio
import contextlib
import copy
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from typing_extensions import override

from app.accounts import tokens
from app.accounts.models import SignInSession
from app.organisations.models import Organisation
from app.pairings.models import Part
from signalling.contracts.bus_open import open_bus
from signalling.contracts.envelope import Envelope
from tests.app.house import House
from tests.app.kept import furnished
from tests.app.verify_followed import LIVE, State, Told, apply_message, by_id
from tests.app.visibility import Scene, operations, state
from tests.world import ALL_ROLES, Person, World

UNINVOLVED: Final = ("stranger", "outsider")
"""Whatever happens in the house, they are told nothing."""
PEOPLE: Final = (
    "mentee", "mentor", "colleague", "coordinator", "admin", "hermit", "steward", "easterner", *UNINVOLVED,
)  # fmt: skip
"""They look on at every play; whoever acts in one, or is named by it, looks on as well."""
TELL_OF_STREAMS: Final = {"memberships.changed", "conversation.changed"}
"""On hearing these a client that shows no such thing syncs."""
PUBLISHED_SECONDS: Final = 5


class Stage:
    """A house in which a third person is in the circle, and the partners have coordinators of their own."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.world = house.world
        self.steward: Person
        self.easterner: Person

    @classmethod
    async def build(cls, world: World) -> "Stage":
        house = await House.build(world)
        stage = cls(house)
        stage.steward = await world.member(house.river, "Stella", roles=ALL_ROLES)
        (east,) = await world.rows(select(Organisation).where(Organisation.id == house.offer.organisation_id))
        stage.easterner = await world.member(east, "Esther", roles=ALL_ROLES)
        await world.run(
            "INSERT INTO participant (id, pairing_id, membership_id, role, joined_at) "
            "VALUES (gen_random_uuid(), :circle, :member, :role, now())",
            circle=house.circle.id,
            member=house.colleague.membership_id,
            role=Part.MENTEE.value,
        )
        return stage

    def person(self, name: str) -> Person:
        found: Person = getattr(self, name, None) or getattr(self.house, name)
        return found


@dataclass(frozen=True, slots=True)
class Play:
    """Something that happens: an operation, called as a scene says, or anything else that changes rows."""

    name: str
    scene: Callable[[House], Awaitable[Scene]] | None = None
    act: Callable[[Stage], Awaitable[object]] | None = None
    before: Callable[[Stage], Awaitable[object]] | None = None
    """What happened earlier."""
    also: tuple[str, ...] = ()
    """Who else looks on."""
    label: str = ""

    @override
    def __str__(self) -> str:
        return f"{self.name}-{self.label}" if self.label else self.name


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be, and for whom."""

    fault: str
    who: str
    what: str


@dataclass(slots=True)
class Client:
    """One person's other device, where nobody does anything."""

    name: str
    person: Person
    state: State = field(default_factory=State)
    cursors: dict[str, dict[str, Any]] = field(default_factory=dict)
    told: list[Told] = field(default_factory=list)
    raw: list[dict[str, Any]] = field(default_factory=list)

    async def read(self, path: str) -> Any:
        """GET it; None when it is not there (any more)."""
        answer = await self.person.get(path)
        assert answer.status_code in (200, 404), (self.name, path, answer.text)
        return answer.json() if answer.is_success else None

    async def sync(self, limit: int) -> Any:
        body = {"cursors": list(self.cursors.values()), "limit": limit}
        return await self.person.ok("POST", "/v1/sync", body)

    def again(self) -> "Client":
        """One that knows the same."""
        return Client(self.name, self.person, copy.deepcopy(self.state), dict(self.cursors))

    async def start(self) -> None:
        """Take the cursors, then read everything."""
        self.cursors.clear()
        for row in (await self.sync(0))["streams"]:
            self._move(row)
        self.state = await self.read_all()

    async def read_all(self) -> State:
        """Everything it follows, afresh."""
        state = State()
        await self._follow(state)
        return state

    def _move(self, row: Mapping[str, Any]) -> None:
        cursor = {"stream": row["stream"], "epoch": row["epoch"], "seq": row["head"]}
        self.cursors[row["stream"]] = cursor

    async def catch_up(self) -> list[Finding]:
        """Sync and apply; returns what was wrong with the answer."""
        answer = await self.sync(500)
        wrong = []
        events = [event for row in answer["streams"] for event in row["events"]]
        if not TELL_OF_STREAMS & {event["kind"] for event in events}:
            # Nobody would have synced now, and the stream would be heard of a minute later.
            new = [row["kind"] for row in answer["streams"] if row["stream"] not in self.cursors]
            wrong += [
                Finding("stale", self.name, f"a new stream that nothing told of: {kind}") for kind in new
            ]
        for row in answer["streams"]:
            if row["reset"]:
                if row["stream"] in self.cursors:
                    wrong.append(Finding("reset", self.name, row["kind"]))
                self.told.append(Told(row["stream"], f"reset.{row['kind']}", row["stream"], {}, row["head"]))
            for event in row["events"]:
                self.raw.append(event)
                subject = event["data"].get("id", "")
                self.told.append(Told(row["stream"], event["kind"], subject, event["data"], event["seq"]))
            self._move(row)
        named = {event["data"].get("id") for event in events}
        for stream in answer["gone"]:
            if stream not in named:
                wrong.append(Finding("stale", self.name, f"a stream that went, and nothing told: {stream}"))
            del self.cursors[stream]
            self.state.rows("list_conversations").pop(stream, None)
        await self._apply()
        return wrong

    async def _apply(self) -> None:
        done = set()
        for told in self.told:
            if told.stream in self.state.rows("list_conversations"):
                apply_message(self.state, told)
        for live in LIVE:  # a list comes before what it names
            for told in self.told:
                renewal = live.renewed_by.get(told.kind)
                for path, params in live.instances(self.state):
                    if renewal and path in self.state.shown and (renewal, path, told.subject) not in done:
                        await renewal.renew(self.read, self.state, path, params, told)
                        done.add((renewal, path, told.subject))
        await self._follow(self.state)

    async def _follow(self, state: State) -> None:
        """Read what is named and not known yet; drop what is not named any more."""
        wanted: set[str] = set()
        for live in LIVE:
            for path, _ in live.instances(state):
                wanted.add(path)
                if path not in state.shown:
                    state.shown[path] = by_id(await self.read(path))
        for unknown in state.shown.keys() - wanted:
            del state.shown[unknown]


@dataclass(slots=True)
class Listener:
    """All that leaves on the bus."""

    envelopes: list[Envelope] = field(default_factory=list)

    def places(self) -> set[tuple[str, int]]:
        return {(str(each.stream), each.seq) for each in self.envelopes}


@contextlib.asynccontextmanager
async def listening(world: World) -> AsyncIterator[Listener]:
    """Hear the application's bus as a node would."""
    bus = open_bus(world.door.settings.valkey_url)
    listener, ready = Listener(), asyncio.Event()

    async def listen() -> None:
        async for hints in bus.hints():
            listener.envelopes += [hint for hint in hints.items if isinstance(hint, Envelope)]
            ready.set()

    task = asyncio.create_task(listen())
    try:
        await ready.wait()
        yield listener
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await bus.close()


@dataclass(frozen=True, slots=True)
class Audience:
    """Those who look on at every play, and what they know before anything happens."""

    stage: Stage
    clients: list[Client]
    rows: object

    @classmethod
    async def gather(cls, world: World) -> "Audience":
        stage = await Stage.build(world)
        clients = await _signed_in(stage, [stage.person(name) for name in PEOPLE], PEOPLE)
        for client in clients:
            await client.start()
        return cls(stage, clients, await state(world))


async def check(world: World, play: Play) -> list[Finding]:
    """Play a scene; an empty answer means that everyone learned exactly what changed for them."""
    audience = await furnished(world, Audience.gather)
    stage = copy.copy(audience.stage)
    scene = await play.scene(stage.house) if play.scene else None
    if play.before is not None:
        await play.before(stage)
    known = await state(world) == audience.rows
    clients = [client.again() for client in audience.clients]
    clients += await _others(stage, play, scene)
    for client in clients:
        if not (known and client.cursors):
            await client.start()
    before = {client.name: copy.deepcopy(client.state) for client in clients}
    written = await _written(world)
    async with listening(world) as heard:
        if scene is not None:
            await _call(world, play.name, scene)
        if play.act is not None:
            await play.act(stage)
        fresh_events = await _written(world) - written
        await _published(heard, fresh_events)
    # What happened before may still have been on its way.
    heard.envelopes = [one for one in heard.envelopes if (str(one.stream), one.seq) not in written]
    found: list[Finding] = []
    for client in clients:
        found += await client.catch_up()
        found += _compare(client, before[client.name], await client.read_all())
    return found + _compare_bus(heard, fresh_events, clients)


async def _call(world: World, operation: str, scene: Scene) -> None:
    method, path = operations()[operation]
    body = scene.body(scene.caller) if callable(scene.body) else scene.body
    path = path.format(**scene.path) + scene.query
    await scene.caller.ok(method, path, body, headers=dict(scene.headers))


async def _others(stage: Stage, play: Play, scene: Scene | None) -> list[Client]:
    """Whoever else has to do with a play."""
    people = {name: stage.person(name) for name in play.also if name not in PEOPLE}
    there = [stage.person(name) for name in PEOPLE]
    for person in (scene.caller, scene.other) if scene else ():
        if person is not None and person not in [*there, *people.values()]:
            people[person.name] = person
    return await _signed_in(stage, list(people.values()), list(people))


async def _signed_in(stage: Stage, people: Sequence[Person], names: Sequence[str]) -> list[Client]:
    """Everyone on another device: the acting one may be signed out."""
    door = stage.world.door
    clients = [Client(name, copy.copy(person)) for name, person in zip(names, people, strict=True)]
    sessions = [
        SignInSession(account_id=client.person.account_id, seed=b"another device") for client in clients
    ]
    await stage.world.save(*sessions)
    for client, session in zip(clients, sessions, strict=True):
        client.person.token = tokens.issue_access(
            session.account_id, session.id, keys=door.keys, issuer=door.settings.issuer
        )
    return clients


async def _written(world: World) -> set[tuple[str, int]]:
    return {
        (str(row.stream_id), row.seq) for row in await world.run("SELECT stream_id, seq FROM stream_event")
    }


async def _published(heard: Listener, wanted: set[tuple[str, int]]) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PUBLISHED_SECONDS):
            while not wanted <= heard.places():
                await asyncio.sleep(0.005)


def _compare(client: Client, before: State, fresh: State) -> list[Finding]:
    name, found = client.name, []
    for path in sorted(client.state.shown.keys() | fresh.shown.keys()):
        shown, true = client.state.shown.get(path), fresh.shown.get(path)
        if shown != true:
            found.append(Finding("stale", name, f"{path}: {_difference(shown, true)}"))
    heard = {str(client.person.account_id)}
    for known in (before, fresh):
        heard |= {*(row["id"] for row in known.memberships()), *known.rows("list_conversations")}
    named = json.dumps([before.shown, fresh.shown])
    for told in client.told:
        what = f"{told.kind} {told.subject}"
        if told.stream not in heard or name in UNINVOLVED:
            found.append(Finding("overheard", name, what))
        if told.subject not in named:
            found.append(Finding("unknown subject", name, what))
        if not _is_about_a_change(told, before, fresh):
            found.append(Finding("needless", name, what))
    return found


def _is_about_a_change(told: Told, before: State, fresh: State) -> bool:
    """Whether something that the hearer reads again for it is not what it was."""
    talks = [state.rows("list_conversations").get(told.stream) for state in (before, fresh)]
    if talks[0] != talks[1]:
        return True
    for live in LIVE:
        renewal = live.renewed_by.get(told.kind)
        if renewal is not None:
            instances = {**dict(live.instances(before)), **dict(live.instances(fresh))}
            for path, params in instances.items():
                if renewal.part(before, path, params, told) != renewal.part(fresh, path, params, told):
                    return True
    return False


def _difference(known: object, true: object) -> str:
    left, right = (json.dumps(value, sort_keys=True) for value in (known, true))
    place = next((at for at, pair in enumerate(zip(left, right, strict=False)) if pair[0] != pair[1]), 0)
    return f"…{left[max(0, place - 60) : place + 60]} | …{right[max(0, place - 60) : place + 60]}"


def _compare_bus(heard: Listener, written: set[tuple[str, int]], clients: list[Client]) -> list[Finding]:
    """What sockets are given is what sync tells: the same frames in the same order, and nothing more."""
    found = []
    synced: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for client in clients:
        for event in client.raw:
            synced.setdefault((event["stream"], event["seq"]), []).append(event)
    if heard.places() != written or len(heard.envelopes) != len(written):
        found.append(Finding("bus", "everyone", f"published {len(heard.envelopes)} of {len(written)}"))
    if synced.keys() - written:
        found.append(Finding("bus", "everyone", "the sync tells of what did not just happen"))
    last: dict[UUID, int] = {}
    for envelope in heard.envelopes:
        frame = json.loads(envelope.frame)
        events = synced.get((str(envelope.stream), envelope.seq), [])
        if envelope.seq <= last.get(envelope.stream, 0):
            found.append(Finding("bus", "everyone", f"out of order: {frame}"))
        last[envelope.stream] = envelope.seq
        if not any(str(envelope.stream) in client.cursors for client in clients):
            found.append(Finding("unheard", "nobody", str(frame)))
        for event in events:
            hidden = event["kind"] == "hidden" and envelope.by is not None
            if event != frame and not hidden:
                found.append(Finding("bus", "everyone", f"{event} | {frame}"))
    return found


__all__ = ["PEOPLE", "UNINVOLVED", "Finding", "Play", "Stage", "check"]
