"""Calls that are recorded: two people in one, what a node says of it, and what it left on disk."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select

from app.core import clock
from app.core.nodes import Node
from app.organisations.models import Role
from app.recordings.storage import Take
from app.scheduling import calls
from signalling.contracts.calls import CallRecorded, Fact, ParticipantJoined, RecordedPart
from tests.app.house import CONTENT, member
from tests.world import NODE, Person, World


@dataclass
class Studio:
    """Somebody's call."""

    world: World
    people: list[Person]
    meeting_id: str
    call_id: UUID
    stays: dict[str, UUID]
    """By the name of the person."""

    @property
    def root(self) -> Path:
        root = self.world.door.settings.recordings
        assert root is not None
        return root

    @property
    def path(self) -> str:
        return f"/v1/meetings/{self.meeting_id}/recordings"

    def folder(self, fact: CallRecorded) -> Path:
        return Take(self.call_id, fact.id).below(self.root)

    async def tell(self, *facts: Fact) -> None:
        for fact in facts:
            async with self.world.database.transaction() as db:
                await calls.apply(db, fact)

    def joined(self, person: Person) -> ParticipantJoined:
        return ParticipantJoined(
            node=NODE, call_id=self.call_id, epoch=1, participant_id=self.stays[person.name],
            membership_id=member(person), at=clock.now(),
        )  # fmt: skip

    def recorded(self, *people: Person, at: datetime | None = None, **fields: Any) -> CallRecorded:
        """A take of these people, by default of all, whose files lie on disk."""
        fact = CallRecorded(**{
            "node": NODE,
            "call_id": self.call_id,
            "started_at": at or clock.now() - timedelta(minutes=1),
            "duration_ms": 60_000,
            "ended": "stopped",
            "files": tuple(self.part(person) for person in people or self.people),
            "at": clock.now(),
            **fields,
        })  # fmt: skip
        self.shelve(fact)
        return fact

    def part(self, person: Person, name: str = "", **fields: Any) -> RecordedPart:
        stay = self.stays[person.name]
        return RecordedPart(**{
            "name": name or f"{stay}-camera-1.webm",
            "participant_id": stay,
            "sources": ("camera", "microphone"),
            "codecs": ("opus", "vp8"),
            "offset_ms": 0,
            "duration_ms": 60_000,
            "bytes": len(CONTENT),
            **fields,
        })  # fmt: skip

    def shelve(self, fact: CallRecorded) -> None:
        folder = self.folder(fact)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in (*(part.name for part in fact.files), "manifest.json"):
            (folder / name).write_bytes(CONTENT)

    async def listed(self, person: Person) -> list[Any]:
        items: list[Any] = (await person.ok("GET", self.path))["items"]
        return items


async def open_studio(world: World) -> Studio:
    """Two people of two organisations who are in their call."""
    mentee, mentor = await world.two()
    pairing = await world.pair(mentee, mentor)
    booked = await world.meet(mentee, mentor, pairing["id"])
    return await _studio(world, booked["id"], [mentee, mentor])


async def open_circle(world: World) -> Studio:
    """A lead and two mentees who are in the call of their circle."""
    place = await world.organisation()
    people = [await world.member(place, name) for name in ("Lena", "Mia", "Mo")]
    coordinator = await world.member(place, "Cora", roles=(Role.MEMBER, Role.COORDINATOR))
    circle = await world.circle(coordinator, people[:1], people[1:])
    body = {"starts_at": clock.now().isoformat(), "duration_minutes": 45, "zone": "Europe/London"}
    meeting = await people[0].ok("POST", f"/v1/pairings/{circle['id']}/meetings", body)
    return await _studio(world, meeting["id"], people)


async def _studio(world: World, meeting_id: str, people: list[Person]) -> Studio:
    if not await world.rows(select(Node)):
        await world.node()
    ticket = await people[0].ok("POST", f"/v1/meetings/{meeting_id}/ticket")
    stays = {person.name: uuid4() for person in people}
    studio = Studio(world, people, meeting_id, UUID(ticket["call_id"]), stays)
    await studio.tell(*(studio.joined(person) for person in people))
    return studio
