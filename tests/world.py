"""People and organisations for tests. Set-up goes straight to the database; what is tested goes over HTTP."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, TypeVar
from uuid import UUID

import httpx2
from fastapi import FastAPI
from sqlalchemy import Select, text

from app.accounts import tokens
from app.accounts.auth import Doorkeeper
from app.accounts.models import Account, SignInSession
from app.core import clock
from app.core.db import Base, Database
from app.core.nodes import Node
from app.organisations.models import Membership, Organisation, Partnership, Role
from app.scheduling.models import Meeting, MeetingStatus

T = TypeVar("T")
ALL_ROLES = tuple(Role)
NODE = "test-node"


@dataclass(slots=True)
class Person:
    """Someone signed in, and how they speak to the API."""

    account_id: UUID
    email: str
    name: str
    token: str
    session_id: UUID
    client: httpx2.AsyncClient
    membership_id: UUID | None = None
    organisation_id: UUID | None = None

    async def call(self, method: str, path: str, body: Any = None, **options: Any) -> httpx2.Response:
        """One request as this person."""
        headers = {"Authorization": f"Bearer {self.token}", **options.pop("headers", {})}
        if body is not None:
            options["json"] = body
        return await self.client.request(method, path, headers=headers, **options)

    async def get(self, path: str, **options: Any) -> httpx2.Response:
        return await self.call("GET", path, **options)

    async def post(self, path: str, body: Any = None, **options: Any) -> httpx2.Response:
        return await self.call("POST", path, body, **options)

    async def ok(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        """The JSON of an answer that must be 2xx."""
        answer = await self.call(method, path, body, **options)
        assert answer.is_success, (method, path, answer.status_code, answer.text)
        return answer.json() if answer.content else None


class World:
    """Makes things. Every method commits."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app
        self.database: Database = app.state.database
        self.door: Doorkeeper = app.state.door
        self.client = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=app, raise_app_exceptions=False),
            base_url="http://localhost:8000",
        )
        self._count = 0

    async def __aenter__(self) -> "World":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.client.aclose()

    async def save(self, *rows: Base) -> None:
        """Commit rows."""
        async with self.database.transaction() as db:
            db.add_all(rows)

    async def person(self, name: str = "Someone", *, password_hash: str = "none") -> Person:
        """A signed-in person without an organisation."""
        self._count += 1
        email = f"{name.split(maxsplit=1)[0].lower()}.{self._count}@example.org"
        account = Account(
            email=email, name=name, zone="Europe/London", password_hash=password_hash, verified_at=clock.now()
        )
        await self.save(account)
        session = SignInSession(account_id=account.id, seed=secrets.token_bytes(32))
        await self.save(session)
        token = tokens.issue_access(
            account.id, session.id, keys=self.door.keys, issuer=self.door.settings.issuer
        )
        return Person(account.id, email, name, token, session.id, self.client)

    async def organisation(self, name: str = "Northside") -> Organisation:
        """An organisation nobody is in yet."""
        self._count += 1
        made = Organisation(name=name, slug=f"{name.lower()}-{self._count}")
        await self.save(made)
        return made

    async def member(
        self,
        organisation: Organisation,
        name: str = "Someone",
        *,
        roles: tuple[Role, ...] = (Role.MEMBER,),
        capacity: int = 1,
        person: Person | None = None,
        **profile: Any,
    ) -> Person:
        """A signed-in member; the person's `membership_id` is this membership's."""
        person = person or await self.person(name)
        membership = Membership(
            organisation_id=organisation.id,
            account_id=person.account_id,
            name=person.name,
            roles=[role.value for role in roles],
            capacity=capacity,
            zone="Europe/London",
            **profile,
        )
        await self.save(membership)
        person.membership_id, person.organisation_id = membership.id, organisation.id
        return person

    async def partners(self, left: Organisation, right: Organisation) -> Partnership:
        """An accepted partnership."""
        made = Partnership(
            organisation_id=left.id, partner_id=right.id, status="accepted", decided_at=clock.now()
        )
        await self.save(made)
        return made

    async def node(self, url: str = "ws://localhost:8001") -> None:
        """A live signalling node."""
        await self.save(Node(name=NODE, url=url, draining=False, calls=0, seen_at=clock.now()))

    async def two(self) -> tuple[Person, Person]:
        """A mentee and a mentor of two partner organisations."""
        north, river = await self.organisation("Northside"), await self.organisation("Riverbank")
        await self.partners(north, river)
        mentor = await self.member(north, "Amara Okafor", roles=ALL_ROLES, capacity=2)
        mentee = await self.member(river, "Priya Raman", roles=ALL_ROLES)
        return mentee, mentor

    async def ask(self, mentee: Person, mentor: Person, **fields: Any) -> Any:
        """A proposed pairing."""
        body = {
            "membership_id": str(mentee.membership_id),
            "counterpart_id": str(mentor.membership_id),
            "note": "Please.",
            **fields,
        }
        return await mentee.ok("POST", "/v1/pairings", body)

    async def pair(self, mentee: Person, mentor: Person, **fields: Any) -> Any:
        """An active pairing."""
        asked = await self.ask(mentee, mentor, **fields)
        return await mentor.ok("POST", f"/v1/pairings/{asked['id']}/accept")

    async def circle(self, coordinator: Person, leads: list[Person], mentees: list[Person]) -> Any:
        """An active circle of the coordinator's organisation."""
        body = {
            "title": "Practice circle",
            "lead_ids": [str(person.membership_id) for person in leads],
            "mentee_ids": [str(person.membership_id) for person in mentees],
        }
        return await coordinator.ok("POST", f"/v1/organisations/{coordinator.organisation_id}/circles", body)

    async def rows(self, statement: Select[T]) -> list[T]:
        """What the database holds."""
        async with self.database.transaction() as db:
            return list(await db.scalars(statement))

    async def run(self, sql: str, **values: Any) -> list[Any]:
        """Plain SQL, committed; its rows if it has any."""
        async with self.database.transaction() as db:
            done: Any = await db.execute(text(sql), values)
            return list(done) if done.returns_rows else []

    async def mails(self, to: str | None = None) -> list[dict[str, Any]]:
        """Mail that waits to be sent, oldest first: what `app.core.mail.Mail` holds."""
        rows = await self.run("SELECT args FROM procrastinate_jobs WHERE task_name = 'mail.send' ORDER BY id")
        return [row.args for row in rows if to is None or row.args["to"] == to]

    def renew(self, person: Person) -> None:
        """A fresh access token for someone, after the clock was moved."""
        person.token = tokens.issue_access(
            person.account_id, person.session_id, keys=self.door.keys, issuer=self.door.settings.issuer
        )

    async def meet(self, by: Person, other: Person, pairing_id: str, at: datetime | None = None) -> Any:
        """A booked meeting, by default one that can be joined now."""
        proposed = await by.ok("POST", f"/v1/pairings/{pairing_id}/meetings", meeting(at))
        return await other.ok("POST", f"/v1/meetings/{proposed['id']}/accept")


def slot(
    by: Person, pairing_id: str, at: datetime, minutes: int = 45, status: str = MeetingStatus.PROPOSED.value
) -> Meeting:
    """A meeting at any time, also one that the API would refuse, not saved yet."""
    return Meeting(
        pairing_id=UUID(pairing_id),
        proposed_by_id=by.membership_id or UUID(int=0),
        starts_at=at,
        ends_at=at + timedelta(minutes=minutes),
        zone="Europe/London",
        status=status,
    )


def mailed_token(mail: dict[str, str]) -> str:
    """The secret that the link in a mail carries."""
    return mail["text"].partition("#token=")[2].split()[0]


def meeting(at: datetime | None = None, minutes: int = 45) -> dict[str, Any]:
    """The body that proposes a meeting."""
    starts = at or clock.now() + timedelta(seconds=30)
    return {"starts_at": starts.isoformat(), "duration_minutes": minutes, "zone": "Europe/London"}
