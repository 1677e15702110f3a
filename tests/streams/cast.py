"""The people of a run: accounts, sessions, circles and pairs, made as the services make them."""

import secrets
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from app.accounts import tokens
from app.accounts.auth import Actor
from app.accounts.models import Account, SignInSession
from app.core import clock
from app.core.db import Database, open_database
from app.organisations.models import Membership, Organisation, Role
from app.pairings import service as pairings
from app.pairings.models import Kind, Part
from app.pairings.schemas import CircleCreate, PairingAsk
from app.reactions import REACTIONS
from app.scheduling import service as scheduling
from app.scheduling.schemas import MeetingPropose
from tests.streams.topology import ISSUER, Topology

TOKEN_SECONDS = 300.0


@dataclass
class Device:
    """One sign-in of one person."""

    topology: Topology
    account_id: UUID
    membership_id: UUID
    session_id: UUID
    _token: str = ""
    _until: float = 0.0

    @property
    def token(self) -> str:
        """An access token that is good for a while."""
        if time.monotonic() > self._until:
            self._token = tokens.issue_access(
                self.account_id, self.session_id, keys=self.topology.keys, issuer=ISSUER
            )
            self._until = time.monotonic() + TOKEN_SECONDS
        return self._token


@dataclass
class Person:
    """An account with its one membership."""

    name: str
    account_id: UUID
    membership_id: UUID
    devices: list[Device] = field(default_factory=list)

    @property
    def actor(self) -> Actor:
        """The person, for services."""
        return Actor(self.account_id, self.devices[0].session_id)


class Cast:
    """Makes people and what they have together. Everything that has rules goes through the services."""

    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        self.people: list[Person] = []
        self._organisation: UUID | None = None

    async def add(self, count: int, devices: int = 1) -> list[Person]:
        """New members of the one organisation, each signed in on so many devices."""
        async with _database(self.topology) as database, database.transaction() as db:
            if self._organisation is None:
                place = Organisation(name="Northside", slug="northside")
                db.add(place)
                await db.flush()
                self._organisation = place.id
            made = []
            for number in range(len(self.people), len(self.people) + count):
                name = f"Person {number}"
                account = Account(
                    email=f"person.{number}@example.org",
                    name=name,
                    zone="UTC",
                    password_hash="none",
                    verified_at=clock.now(),
                )
                db.add(account)
                await db.flush()
                membership = Membership(
                    organisation_id=self._organisation,
                    account_id=account.id,
                    name=name,
                    roles=[role.value for role in Role],
                    capacity=20,
                )
                db.add(membership)
                made.append(Person(name, account.id, membership.id))
        self.people += made
        for _ in range(devices):
            await self.sign_in(made)
        return made

    async def sign_in(self, people: Sequence[Person]) -> list[Device]:
        """One more device for each of them."""
        sessions = [
            SignInSession(account_id=person.account_id, seed=secrets.token_bytes(32)) for person in people
        ]
        found = [
            Device(self.topology, person.account_id, person.membership_id, session.id)
            for person, session in zip(people, sessions, strict=True)
        ]
        async with _database(self.topology) as database, database.transaction() as db:
            db.add_all(sessions)
        for person, device in zip(people, found, strict=True):
            person.devices.append(device)
        return found

    async def circle(self, leads: Sequence[Person], mentees: Sequence[Person]) -> tuple[UUID, UUID]:
        """A circle: its pairing and its conversation."""
        assert self._organisation is not None
        body = CircleCreate(
            title="Circle",
            lead_ids=[person.membership_id for person in leads],
            mentee_ids=[person.membership_id for person in mentees],
        )
        async with _database(self.topology) as database, database.transaction() as db:
            made = await pairings.create_circle(db, leads[0].actor, self._organisation, body)
        return made.id, self.conversation(made.id)

    async def pair(self, one: Person, other: Person) -> tuple[UUID, UUID]:
        """A mentorship of two: its pairing and its conversation."""
        body = PairingAsk(
            membership_id=one.membership_id,
            counterpart_id=other.membership_id,
            kind=Kind.PEERS,
            role=Part.PEER,
        )
        async with _database(self.topology) as database:
            async with database.transaction() as db:
                asked = await pairings.ask(db, one.actor, body)
            async with database.transaction() as db:
                await pairings.accept(db, other.actor, asked.id)
        return asked.id, self.conversation(asked.id)

    async def meeting(self, one: Person, other: Person, pairing_id: UUID) -> UUID:
        """A booked meeting that can be joined now."""
        body = MeetingPropose(
            starts_at=clock.now() + timedelta(seconds=60), duration_minutes=45, zone="Europe/London"
        )
        async with _database(self.topology) as database:
            async with database.transaction() as db:
                proposed = await scheduling.propose(db, one.actor, pairing_id, body)
            async with database.transaction() as db:
                await scheduling.accept(db, other.actor, proposed.id)
        return proposed.id

    def conversation(self, pairing_id: UUID) -> UUID:
        """The conversation of a pairing."""
        found: UUID = self.topology.rows(
            "SELECT id FROM conversation WHERE pairing_id = %s AND meeting_id IS NULL", pairing_id
        )[0][0]
        return found


@asynccontextmanager
async def _database(topology: Topology) -> AsyncIterator[Database]:
    database = open_database(topology.database_url, pool=2, reactions=REACTIONS)
    try:
        yield database
    finally:
        await database.close()
