"""A demo world for development: two partner organisations and the people of a working week in them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts import passwords
from app.accounts.auth import Actor
from app.accounts.models import Account
from app.chat import queries as chat_queries
from app.chat import service as chat
from app.chat.schemas import MessageSend
from app.core import clock
from app.core.db import Database, open_database
from app.core.ids import new_id
from app.organisations.models import Membership, Organisation, Partnership, Role
from app.pairings import service as pairings
from app.pairings.models import Kind, Part
from app.pairings.schemas import AgreementEdit, CircleCreate, GoalCreate, GoalEdit, PairingAsk, PairingRead
from app.reactions import REACTIONS
from app.scheduling import service as scheduling
from app.scheduling.schemas import MeetingPropose

PASSWORD: Final = "mentorspan-demo"


@dataclass(frozen=True, slots=True)
class DemoSignIn:
    """Someone to sign in as."""

    name: str
    email: str
    what: str
    password: str = PASSWORD


DEMO_SIGN_INS: Final = (
    DemoSignIn("Priya Raman", "priya@riverbank.example", "mentee at Riverbank Rural Services"),
    DemoSignIn("Amara Okafor", "amara@northside.example", "mentor at Northside Family Trust"),
    DemoSignIn("Ruth Bell", "ruth@riverbank.example", "coordinator at Riverbank Rural Services"),
    DemoSignIn("Daniel Osei", "daniel@northside.example", "administrator at Northside Family Trust"),
)


@dataclass(frozen=True, slots=True)
class _Person:
    key: str
    name: str
    zone: str
    headline: str
    bio: str
    offers: tuple[str, ...] = ()
    wants: tuple[str, ...] = ()
    languages: tuple[str, ...] = ("en",)
    capacity: int = 0
    roles: tuple[Role, ...] = (Role.MEMBER,)


_EVERYTHING = (Role.MEMBER, Role.COORDINATOR, Role.ADMINISTRATOR)

NORTHSIDE: Final = (
    _Person("daniel", "Daniel Osei", "Europe/London", "Head of practice learning",
            "I look after learning across our six teams and run the mentoring programme.",
            ("Supervision", "Leading teams"), roles=_EVERYTHING),
    _Person("amara", "Amara Okafor", "America/Toronto", "Senior social worker, child protection",
            "Fourteen years in child protection, the last five with newcomer families. I enjoy thinking "
            "aloud about hard home visits and about how to stay well in this work.",
            ("Child protection", "Court reports", "Working with newcomer families"), ("Digital case tools",),
            ("en", "fr", "ig"), 3),
    _Person("helen", "Helen Marsh", "Europe/London", "Approved mental health professional",
            "I assess under pressure for a living and teach others to keep it humane.",
            ("Mental health assessments", "De-escalation"), (), ("en",), 2),
    _Person("tomasz", "Tomasz Nowak", "Europe/Warsaw", "Fostering team manager",
            "Recruiting, matching and supporting foster carers; before that, residential care.",
            ("Fostering", "Leading teams", "Trauma-informed care"), (), ("pl", "en", "de"), 2),
    _Person("leila", "Leila Haddad", "Africa/Casablanca", "Hospital social worker",
            "Discharge planning with families who live far from everything.",
            ("Hospital discharge", "Older people"), ("Research methods",), ("ar", "fr", "en"), 1),
    _Person("george", "George Whitlock", "Europe/London", "Learning disabilities, thirty-one years",
            "Nearly retired, never bored. I would like someone to explain dashboards to me in return.",
            ("Learning disabilities", "Advocacy"), ("Digital case tools",), ("en", "cy"), 2),
    _Person("sofia", "Sofia Almeida", "America/Sao_Paulo", "Community development lead",
            "Neighbourhood projects, youth councils, and making money last.",
            ("Community work", "Youth participation"), (), ("pt", "es", "en"), 2),
)  # fmt: skip

RIVERBANK: Final = (
    _Person("ruth", "Ruth Bell", "Australia/Brisbane", "Programme coordinator",
            "I bring people together who would never meet otherwise.", ("Programme design",),
            roles=_EVERYTHING),
    _Person("priya", "Priya Raman", "Australia/Brisbane", "Graduate social worker, two years in",
            "One of three social workers for four hundred kilometres. I would like to write better court "
            "reports and to have someone to think with.",
            ("Digital case tools",), ("Child protection", "Court reports"), ("en", "ta")),
    _Person("ben", "Ben Carter", "Australia/Adelaide", "Child and family worker",
            "Moved to the country last year. Learning to work alone.",
            (), ("De-escalation", "Supervision"), ("en",)),
    _Person("mei", "Mei Tanaka", "Asia/Tokyo", "Visiting researcher in social care",
            "Studying rural ageing; happy to trade research methods for practice wisdom.",
            ("Research methods",), ("Older people",), ("ja", "en"), 1),
    _Person("aroha", "Aroha Ngata", "Pacific/Auckland", "Whānau support lead",
            "Working alongside whānau with tikanga at the centre.",
            ("Indigenous practice", "Community work"), ("Leading teams",), ("mi", "en"), 2),
    _Person("jack", "Jack Sullivan", "Australia/Perth", "Student on placement",
            "Final placement, many questions.", (), ("Mental health assessments",), ("en",)),
    _Person("nadia", "Nadia Rahman", "Asia/Dhaka", "Disability support worker",
            "Moving from support work into social work.", ("Peer support",), ("Learning disabilities",),
            ("bn", "en")),
)  # fmt: skip


@dataclass(slots=True)
class _World:
    """People by key, while the world is made."""

    people: dict[str, Membership]

    def actor(self, key: str) -> Actor:
        return Actor(account_id=self.people[key].account_id, session_id=new_id())

    def id(self, key: str) -> UUID:
        return self.people[key].id


async def seed(database_url: str) -> None:
    """Fill an empty database. Everything that has rules goes through the same doors as people use."""
    database = open_database(database_url, pool=2, reactions=REACTIONS)
    try:
        async with database.transaction() as db:  # one, so that nobody ever meets half a world
            world = await _people(db)
            await db.flush()
            await _mentorships(db, world)
        await _talk(database, world)
    finally:
        await database.close()


async def _people(db: AsyncSession) -> _World:
    password_hash = await passwords.hash_password(PASSWORD)
    north = Organisation(name="Northside Family Trust", slug="northside-family-trust")
    river = Organisation(name="Riverbank Rural Services", slug="riverbank-rural-services")
    db.add_all([north, river])
    await db.flush()
    db.add(
        Partnership(
            organisation_id=river.id,
            partner_id=north.id,
            note="Our rural teams and your city teams have a lot to teach each other.",
            status="accepted",
            decided_at=clock.now(),
        )
    )
    people: dict[str, Membership] = {}
    for organisation, host, members in ((north, "northside", NORTHSIDE), (river, "riverbank", RIVERBANK)):
        for person in members:
            account = Account(
                email=f"{person.key}@{host}.example",
                name=person.name,
                zone=person.zone,
                password_hash=password_hash,
                verified_at=clock.now(),
            )
            db.add(account)
            await db.flush()
            people[person.key] = _membership(organisation, account, person)
            db.add(people[person.key])
    return _World(people)


def _membership(organisation: Organisation, account: Account, person: _Person) -> Membership:
    return Membership(
        organisation_id=organisation.id,
        account_id=account.id,
        name=person.name,
        roles=[role.value for role in person.roles],
        headline=person.headline,
        bio=person.bio,
        skills_offered=list(person.offers),
        skills_wanted=list(person.wants),
        languages=list(person.languages),
        zone=person.zone,
        capacity=person.capacity,
    )


async def _mentorships(db: AsyncSession, world: _World) -> None:
    main = await _pair(db, world, "priya", "amara", "I would like to learn how you write for court.")
    await _agree(db, world, main)
    await _meet(db, world, "priya", "amara", main.id, _next_weekday(2, 8, "Australia/Brisbane"))
    await _meet(db, world, "amara", "priya", main.id, _next_weekday(9, 8, "Australia/Brisbane"), accept=False)
    await _pair(db, world, "mei", "george", "Research methods for practice wisdom?", kind=Kind.RECIPROCAL)
    await _pair(db, world, "nadia", "leila", "I want to see how discharge planning works.")
    await pairings.ask(db, world.actor("ben"), _ask(world, "ben", "helen", "I freeze when voices rise."))
    await pairings.ask(
        db, world.actor("jack"), _ask(world, "jack", "tomasz", "Could I learn from your team?")
    )
    circle = await pairings.create_circle(
        db,
        world.actor("ruth"),
        world.people["ruth"].organisation_id,
        CircleCreate(
            title="Rural practice circle",
            lead_ids=[world.id("aroha")],
            mentee_ids=[world.id(key) for key in ("priya", "ben", "nadia")],
            note="Once a month, for everyone who works far from colleagues.",
        ),
    )
    await scheduling.propose(
        db,
        world.actor("aroha"),
        circle.id,
        _meeting(_next_weekday(5, 19, "Pacific/Auckland"), 60, "Pacific/Auckland"),
    )


TALK: Final = {
    "pairing": (
        ("priya", "Thank you for saying yes! I have put three goals in; change whatever you like."),
        ("amara", "They are good goals. Shall we begin with the court report?"),
        ("priya", "Yes please. I will bring one that came back with a lot of red in it."),
        ("amara", "The best kind. Take names and places out first, and bring tea."),
    ),
    "meeting": (
        ("amara", "It is evening here, so the light will be poor; my camera is better than it looks."),
    ),
}
"""What Priya and Amara say in the conversation of their mentorship, and in that of their first meeting."""


async def _talk(database: Database, world: _World) -> None:
    """What is said leaves one message at a time, as from people; the conversations are there by now."""
    async with database.transaction() as db:
        talks = await db.scalars(chat_queries.visible_to(world.actor("amara")))
        ids = {talk.kind: talk.id for talk in talks}
    for kind, said in TALK.items():
        for key, text in said:
            async with database.transaction() as db:
                await chat.say(db, world.actor(key), ids[kind], MessageSend(client_id=new_id(), text=text))


def _ask(world: _World, mentee: str, mentor: str, note: str, kind: Kind = Kind.ONE_TO_ONE) -> PairingAsk:
    return PairingAsk.model_validate(
        {
            "membership_id": world.id(mentee),
            "counterpart_id": world.id(mentor),
            "kind": kind,
            "role": Part.MENTEE if kind is Kind.ONE_TO_ONE else None,
            "note": note,
        }
    )


async def _pair(
    db: AsyncSession, world: _World, mentee: str, mentor: str, note: str, kind: Kind = Kind.ONE_TO_ONE
) -> PairingRead:
    asked = await pairings.ask(db, world.actor(mentee), _ask(world, mentee, mentor, note, kind))
    return await pairings.accept(db, world.actor(mentor), asked.id)


async def _agree(db: AsyncSession, world: _World, pairing: PairingRead) -> None:
    priya = world.actor("priya")
    text = (
        "We meet every second week for 45 minutes until June. Priya brings one situation each time. "
        "What we talk about stays between us, except when someone is at risk."
    )
    await pairings.edit_agreement(db, priya, pairing.id, AgreementEdit(text=text, version=0))
    for goal in ("Write one court report with feedback", "Shadow a home visit by video", "Plan for time off"):
        made = await pairings.add_goal(db, priya, pairing.id, GoalCreate(text=goal))
        if goal.startswith("Shadow"):
            await pairings.edit_goal(db, priya, made.id, GoalEdit(done=True))


async def _meet(
    db: AsyncSession,
    world: _World,
    by: str,
    other: str,
    pairing_id: UUID,
    at: datetime,
    *,
    accept: bool = True,
) -> None:
    proposed = await scheduling.propose(
        db, world.actor(by), pairing_id, _meeting(at, 45, world.people[by].zone)
    )
    if accept:
        await scheduling.accept(db, world.actor(other), proposed.id)


def _meeting(at: datetime, minutes: int, zone: str) -> MeetingPropose:
    return MeetingPropose(starts_at=at, duration_minutes=minutes, zone=zone)


def _next_weekday(days: int, hour: int, zone: str) -> datetime:
    """In about so many days, moved off the weekend, at that hour on the wall in `zone`."""
    day = clock.now().astimezone(ZoneInfo(zone)) + timedelta(days=days)
    while day.weekday() > 4:
        day += timedelta(days=1)
    return day.replace(hour=hour, minute=0, second=0, microsecond=0)
