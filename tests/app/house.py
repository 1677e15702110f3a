"""One furnished world: everything an operation can be about, with a telltale word in every text."""

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts import passwords, tokens
from app.accounts.models import Account, MailedSecret, Purpose, SignInSession
from app.availability.models import Schedule
from app.blocks.models import Block
from app.chat.models import Conversation, Message
from app.core import clock, crypto
from app.core.db import Base
from app.core.ids import new_id
from app.core.nodes import Node
from app.core.streams import Stream, StreamEvent, StreamKind
from app.organisations.models import Invitation, Membership, Organisation, Partnership, Role, Visibility
from app.pairings.models import Goal, Kind, Pairing, Part, Participant, Status
from app.recordings.models import Recording, RecordingFile
from app.safeguarding.models import Report
from app.scheduling import queries as meetings
from app.scheduling.models import Attendance, Booking, Call, Meeting, MeetingStatus
from tests.world import ALL_ROLES, NODE, Person, World

CONTENT: Final = bytes(range(256)) * 4
"""Of each recorded file."""


@dataclass(slots=True)
class House:
    """Northside and Riverbank are partners; a mentee of one and a mentor of the other share everything.

    Set-up goes straight to the database, so that hundreds of houses can be built in a test run.
    """

    world: World
    word: str = field(default_factory=lambda: "w" + secrets.token_hex(6))
    ids: set[str] = field(default_factory=set)
    """The id of every row in here that strangers and outsiders must never be shown."""

    _db: AsyncSession = field(init=False, repr=False)
    _accounts: list[Base] = field(default_factory=list)
    _belongings: list[Base] = field(default_factory=list)
    north: Organisation = field(init=False)
    river: Organisation = field(init=False)
    lone: Organisation = field(init=False)
    partnership: Partnership = field(init=False)
    offer: Partnership = field(init=False)
    mentee: Person = field(init=False)
    colleague: Person = field(init=False)
    coordinator: Person = field(init=False)
    admin: Person = field(init=False)
    mentor: Person = field(init=False)
    fresh: Person = field(init=False)
    hermit: Person = field(init=False)
    nuisance: Person = field(init=False)
    invited: Person = field(init=False)
    stranger: Person = field(init=False)
    outsider: Person = field(init=False)
    schedule: Schedule = field(init=False)
    active: Pairing = field(init=False)
    asked: Pairing = field(init=False)
    circle: Pairing = field(init=False)
    goal: Goal = field(init=False)
    circle_goal: Goal = field(init=False)
    booked: Meeting = field(init=False)
    proposed: Meeting = field(init=False)
    circle_booked: Meeting = field(init=False)
    talk: Conversation = field(init=False)
    circle_talk: Conversation = field(init=False)
    meeting_talk: Conversation = field(init=False)
    said: dict[tuple[UUID, UUID], Message] = field(default_factory=dict)
    """Messages by conversation and author's membership: in each the mentee speaks, then the mentor."""
    recorded: Recording = field(init=False)
    circle_recorded: Recording = field(init=False)
    invitation: Invitation = field(init=False)
    invitation_secret: str = field(init=False)
    report: Report = field(init=False)
    report_on_admin: Report = field(init=False)
    block: Block = field(init=False)

    @classmethod
    async def build(cls, world: World) -> "House":
        """Put everything up, layer by layer."""
        house = cls(world)
        async with world.database.transaction() as house._db:
            await house._organisations()
            await house._people()
            await house._pairings()
            await house._meetings()
            await house._recordings()
            await house._talks()
            await house._papers()
        return house

    def text(self, label: str) -> str:
        """A text that carries this house's word."""
        return f"{label} {self.word}"

    async def _save(self, *rows: Base, hidden: bool = True) -> None:
        self._db.add_all(rows)
        await self._db.flush()
        if hidden:
            self.ids |= {str(getattr(row, "id", "")) for row in rows} - {""}

    async def _organisations(self) -> None:
        def made(name: str) -> Organisation:
            return Organisation(name=self.text(name), slug=f"{name.lower()}-{self.word}")

        self.north, self.river, east = made("Northside"), made("Riverbank"), made("Eastgate")
        self.lone = made("Lonely")
        await self._save(self.north, self.river, east, self.lone)
        self.partnership = Partnership(
            organisation_id=self.north.id,
            partner_id=self.river.id,
            status="accepted",
            decided_at=clock.now(),
            note=self.text("Terms"),
        )
        self.offer = Partnership(organisation_id=east.id, partner_id=self.north.id, note=self.text("Offer"))
        await self._save(self.partnership, self.offer)

    async def _people(self) -> None:
        far = Organisation(name="Faraway", slug=f"faraway-{secrets.token_hex(6)}")
        await self._save(far, hidden=False)
        north, river = self.north, self.river
        self.mentee = self._person("Mia", north, capacity=1)
        self.colleague = self._person("Col", north)
        self.coordinator = self._person("Cora", north, Role.COORDINATOR, capacity=1)
        self.admin = self._person("Ada", north, Role.ADMINISTRATOR, capacity=1)
        self.mentor = self._person("Amara", river, capacity=5)
        self.fresh = self._person("Freda", river, capacity=5)
        self.hermit = self._person("Herm", river, capacity=1, visibility=Visibility.ORGANISATION)
        self.nuisance = self._person("Nick", river)
        self.invited = self._person("Ines", river, capacity=1)
        await self._save(*self._accounts)
        await self._save(*self._belongings)
        self._accounts, self._belongings = [], []
        self.schedule = Schedule(
            account_id=self.mentee.account_id, name=self.text("Hours"), zone="Europe/London", is_default=True
        )
        await self._save(self.schedule)
        self.stranger = self._person("Stranger", None, mine=False)
        self.outsider = self._person("Outsider", far, *ALL_ROLES, mine=False)
        await self._save(*self._accounts, hidden=False)
        await self._save(*self._belongings, hidden=False)

    def _person(
        self,
        name: str,
        place: Organisation | None,
        *roles: Role,
        mine: bool = True,
        capacity: int = 0,
        visibility: Visibility = Visibility.PARTNERS,
    ) -> Person:
        """A signed-in person, a member of `place`; only people of this house (`mine`) carry its word."""
        word = self.word if mine else "none"
        name = f"{name} {word}"
        email = f"{secrets.token_hex(6)}.{word}@example.org"
        account = Account(
            email=email, name=name, zone="Europe/London", password_hash="none", verified_at=clock.now()
        )
        session = SignInSession(account_id=account.id, seed=secrets.token_bytes(32))
        person = Person(account.id, email, name, "", session.id, self.world.client)
        door = self.world.door
        person.token = tokens.issue_access(
            account.id, session.id, keys=door.keys, issuer=door.settings.issuer
        )
        self._accounts.append(account)
        self._belongings.append(session)
        if place is not None:
            membership = Membership(
                organisation_id=place.id,
                account_id=account.id,
                name=name,
                headline=f"Headline {word}",
                bio=f"Bio {word}",
                roles=[role.value for role in (Role.MEMBER, *roles)],
                zone="Europe/London",
                capacity=capacity,
                visibility=visibility.value,
            )
            self._belongings.append(membership)
            person.membership_id, person.organisation_id = membership.id, place.id
        return person

    def _pairing(self, kind: Kind, status: Status, by: Person, *parts: tuple[Person, Part]) -> Pairing:
        made = Pairing(
            kind=kind.value,
            status=status.value,
            note=self.text("Note"),
            proposed_by_id=member(by),
            organisation_id=self.north.id if kind is Kind.CIRCLE else None,
            title=self.text("Circle") if kind is Kind.CIRCLE else None,
            agreement_text=self.text("Agreement"),
        )
        made.participants += [Participant(membership_id=member(who), role=part.value) for who, part in parts]
        return made

    async def _pairings(self) -> None:
        mentee, mentor = self.mentee, self.mentor
        pair = ((mentee, Part.MENTEE), (mentor, Part.MENTOR))
        self.active = self._pairing(Kind.ONE_TO_ONE, Status.ACTIVE, mentee, *pair)
        self.asked = self._pairing(
            Kind.PEERS, Status.PROPOSED, mentee, (mentee, Part.PEER), (mentor, Part.PEER)
        )
        self.circle = self._pairing(
            Kind.CIRCLE, Status.ACTIVE, self.coordinator, (mentor, Part.LEAD), (mentee, Part.MENTEE)
        )
        quiet = self._pairing(
            Kind.PEERS, Status.ACTIVE, mentee, (mentee, Part.PEER), (self.hermit, Part.PEER)
        )
        await self._save(self.active, self.asked, self.circle, quiet)
        self.goal = Goal(pairing_id=self.active.id, text=self.text("Goal"))
        self.circle_goal = Goal(pairing_id=self.circle.id, text=self.text("Goal"))
        await self._save(self.goal, self.circle_goal)

    def _meeting(self, pairing: Pairing, status: MeetingStatus, minutes: int) -> Meeting:
        starts = clock.now() + timedelta(minutes=minutes)
        return Meeting(
            pairing_id=pairing.id,
            proposed_by_id=member(self.mentor),
            starts_at=starts,
            ends_at=starts + timedelta(minutes=6),
            zone="Europe/London",
            title=self.text("Meeting"),
            status=status.value,
        )

    async def _meetings(self) -> None:
        self.booked = self._meeting(self.active, MeetingStatus.BOOKED, 1)
        self.circle_booked = self._meeting(self.circle, MeetingStatus.BOOKED, 8)
        self.proposed = self._meeting(self.active, MeetingStatus.PROPOSED, 1440)
        await self._save(self.booked, self.circle_booked, self.proposed)
        url = "ws://localhost:8001"
        # Also when the house is used for a while, the node is alive.
        seen_at = clock.now() + timedelta(minutes=1)
        await self._db.merge(Node(name=NODE, url=url, draining=False, calls=0, seen_at=seen_at))
        for meeting in (self.booked, self.circle_booked):
            during = Range(meeting.starts_at, meeting.ends_at, bounds="[)")
            self._db.add_all(
                Booking(meeting_id=meeting.id, account_id=who.account_id, during=during)
                for who in (self.mentee, self.mentor)
            )
        calls = [Call(meeting_id=meeting.id, node=NODE) for meeting in (self.booked, self.circle_booked)]
        await self._save(*calls)
        await self._save(
            *(
                Attendance(
                    id=new_id(),
                    call_id=call.id,
                    membership_id=member(who),
                    joined_at=clock.now(),
                    seen_at=clock.now(),
                )
                for call in calls
                for who in (self.mentee, self.mentor)
            )
        )

    async def _recordings(self) -> None:
        """Both people of each call were recorded; what lies on disk comes with the scenes."""
        self.recorded = await self._recording(self.booked)
        self.circle_recorded = await self._recording(self.circle_booked)

    async def _recording(self, meeting: Meeting) -> Recording:
        stays = await meetings.attendance(self._db, meeting.id)
        take = Recording(
            id=new_id(),
            call_id=stays[0].call_id,
            started_at=clock.now(),
            duration_ms=60_000,
            ended="stopped",
            cut=False,
            stay_ids=[stay.id for stay in stays],
        )
        await self._save(take)
        await self._save(*(recorded_file(take, stay.id) for stay in stays), hidden=False)
        return take

    async def _talks(self) -> None:
        self.talk = await self._talk(self.active)
        self.circle_talk = await self._talk(self.circle)
        self.meeting_talk = await self._talk(self.active, self.booked)

    async def _talk(self, pairing: Pairing, meeting: Meeting | None = None) -> Conversation:
        talk = Conversation(
            kind="meeting" if meeting else "pairing",
            pairing_id=pairing.id,
            meeting_id=meeting.id if meeting else None,
        )
        await self._save(talk, Stream(id=talk.id, kind=StreamKind.CONVERSATION.value, seq=2))
        for seq, who in enumerate((self.mentee, self.mentor), start=1):
            said = Message(
                conversation_id=talk.id,
                seq=seq,
                author_account_id=who.account_id,
                author_id=member(who),
                client_id=new_id(),
                text=self.text(f"Words {secrets.token_hex(6)} of {who.name}"),
            )
            event = StreamEvent(
                stream_id=talk.id,
                seq=seq,
                kind="message.posted",
                subject_id=said.id,
                by_account_id=who.account_id,
            )
            await self._save(said, event)
            self.said[talk.id, member(who)] = said
        return talk

    def _report(self, subject: Person | None, meeting: Meeting | None = None) -> Report:
        return Report(
            reporter_id=self.mentee.account_id,
            organisation_id=self.north.id,
            reporter_membership_id=member(self.mentee),
            subject_membership_id=subject.membership_id if subject else None,
            meeting_id=meeting.id if meeting else None,
            text=self.text("Report"),
        )

    async def _papers(self) -> None:
        self.invitation_secret = crypto.new_secret()
        self.invitation = Invitation(
            organisation_id=self.north.id,
            email=self.invited.email,
            roles=["member"],
            digest=crypto.digest(self.invitation_secret),
            invited_by_id=member(self.admin),
        )
        self.report, self.report_on_admin = self._report(self.mentor), self._report(self.admin)
        self.block = Block(
            blocker_id=self.mentee.account_id,
            blocked_id=self.nuisance.account_id,
            membership_id=member(self.nuisance),
        )
        await self._save(self.invitation, self.report, self.report_on_admin, self.block)


def recorded_file(take: Recording, stay_id: UUID) -> RecordingFile:
    """What a take holds of one stay."""
    return RecordingFile(
        recording_id=take.id,
        name=f"{stay_id}-camera-1.webm",
        participant_id=stay_id,
        sources=["camera", "microphone"],
        codecs=["opus", "vp8"],
        offset_ms=0,
        duration_ms=60_000,
        bytes=len(CONTENT),
    )


async def mailed_link(world: World, person: Person, password: str, **spoilt: datetime) -> str:
    """The secret of a link that proves a person's address, mailed for a sign-up with this password."""
    secret = crypto.new_secret()
    fields = {"expires_at": clock.now() + timedelta(hours=1), **spoilt}
    await world.save(
        MailedSecret(
            account_id=person.account_id,
            purpose=Purpose.VERIFY_EMAIL,
            digest=crypto.digest(secret),
            name=person.name,
            zone="Europe/London",
            password_hash=await passwords.hash_password(password),
            **fields,
        )
    )
    return secret


def member(person: Person) -> UUID:
    """The membership of someone who has one."""
    assert person.membership_id is not None
    return person.membership_id
