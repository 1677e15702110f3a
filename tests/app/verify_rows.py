"""What is played for everybody: each operation as its owner calls it, and the circumstances that matter."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import NAMESPACE_OID, uuid4, uuid5

from app.core import clock, crypto
from app.organisations.models import Invitation, Organisation
from app.scheduling import calls
from app.scheduling.models import Meeting
from signalling.contracts.calls import fact_adapter
from tests.app.house import member
from tests.app.verify_action import Play, Stage
from tests.app.visibility import operations
from tests.app.visibility_table import ROWS
from tests.world import NODE, meeting

Act = Callable[[Stage], Awaitable[object]]

PLAYS: Final = [
    Play(row.operation, row.scene, label=row.label) for row in ROWS if operations()[row.operation][0] != "GET"
]


def play(name: str, label: str, act: Act, *, before: Act | None = None, also: tuple[str, ...] = ()) -> None:
    PLAYS.append(Play(name, act=act, before=before, also=also, label=label))


def block(by: str, whom: str) -> Act:
    """Someone blocks someone."""
    return lambda s: s.person(by).ok(
        "POST", "/v1/blocks", {"membership_id": str(s.person(whom).membership_id)}
    )


def unblock(by: str) -> Act:
    """Someone takes their newest block back."""

    async def act(s: Stage) -> None:
        newest = (await s.person(by).ok("GET", "/v1/blocks"))["items"][0]
        await s.person(by).ok("DELETE", f"/v1/blocks/{newest['id']}")

    return act


def profile(who: str, **fields: Any) -> Act:
    """Someone edits their profile."""
    return lambda s: s.person(who).ok("PATCH", f"/v1/memberships/{s.person(who).membership_id}", fields)


def first(*acts: Act) -> Act:
    """One after the other."""

    async def act(s: Stage) -> None:
        for each in acts:
            await each(s)

    return act


# Accounts and organisations

play("edit_me", "to what it is", lambda s: s.house.mentee.ok("PATCH", "/v1/me", {"zone": "Europe/London"}))
play("edit_me", "presence", lambda s: s.house.mentee.ok("PATCH", "/v1/me", {"show_presence": False}))
play("edit_profile", "name", profile("mentee", name="Mia Renamed"), also=("nuisance",))
play("edit_profile", "bio", profile("mentee", bio="More about me."))
play("edit_profile", "to what it is", profile("mentee", capacity=1))
play("edit_profile", "of someone blocked", profile("nuisance", name="Nick Renamed"), also=("nuisance",))
play(
    "edit_profile",
    "kept apart in a circle",
    profile("mentor", zone="Asia/Tokyo"),
    before=block("colleague", "mentor"),
)
play("edit_profile", "of a lead", profile("mentor", headline="Leads"))


def roles(who: str, *names: str) -> Act:
    """An administrator gives roles."""
    return lambda s: s.house.admin.ok(
        "PUT", f"/v1/memberships/{s.person(who).membership_id}/roles", {"roles": names}
    )


play("set_roles", "taken", roles("coordinator"))
play("set_roles", "as they are", roles("coordinator", "coordinator"))


def invited(who: str, *names: str) -> Act:
    """Someone accepts an invitation to the house's first organisation, with roles."""

    async def act(s: Stage) -> None:
        secret, person = crypto.new_secret(), s.person(who)
        await s.world.save(
            Invitation(
                organisation_id=s.house.north.id,
                email=person.email,
                roles=["member", *names],
                digest=crypto.digest(secret),
                invited_by_id=member(s.house.admin),
            )
        )
        await person.ok("POST", "/v1/invitations/accept", {"token": secret})

    return act


def membership_ended(s: Stage) -> Awaitable[object]:
    return s.world.run(
        "UPDATE membership SET ended_at = now() WHERE id = :id", id=s.house.mentee.membership_id
    )


play("accept_invitation", "as coordinator", invited("invited", "coordinator"), also=("invited",))
play("accept_invitation", "with more roles", invited("colleague", "coordinator"))
play("accept_invitation", "coming back", invited("mentee"), before=membership_ended)
play("propose_partnership", "answered", lambda s: s.house.admin.ok(
    "POST", f"/v1/organisations/{s.house.north.id}/partnerships", {"partner_slug": s.house.lone.slug}
))  # fmt: skip


# Blocks

play("block_person", "a pair", block("mentee", "mentor"))
play("block_person", "in a circle", block("colleague", "mentor"))
play("block_person", "seen as coordinator", block("coordinator", "mentor"))
play("block_person", "who asked", block("mentor", "mentee"))
play("block_person", "twice", block("mentee", "nuisance"), also=("nuisance",))
play("block_person", "already apart", block("mentor", "mentee"), before=block("mentee", "mentor"))
play("unblock_person", "a pair", unblock("mentee"), before=block("mentee", "mentor"))
play("unblock_person", "in a circle", unblock("colleague"), before=block("colleague", "mentor"))
play(
    "unblock_person",
    "and still apart",
    unblock("mentee"),
    before=first(block("mentee", "mentor"), block("mentor", "mentee")),
)


# Pairings and meetings


def ask_again(s: Stage) -> Awaitable[object]:
    body = {
        "membership_id": str(s.house.mentee.membership_id),
        "counterpart_id": str(s.house.fresh.membership_id),
    }
    return s.house.mentee.ok("POST", "/v1/pairings", body, headers={"Idempotency-Key": "the-same-request"})


def in_circle(who: str, method: str, rest: str, body: Any = None) -> Act:
    """Someone does something with the circle."""
    return lambda s: s.person(who).ok(method, f"/v1/pairings/{s.house.circle.id}/{rest}", body)


def later() -> datetime:
    return clock.now() + timedelta(days=30)


AGREEMENT: Final = {"text": "We meet monthly.", "version": 0}
APART: Final = block("colleague", "mentor")
play("ask_for_pairing", "again", ask_again, before=ask_again, also=("fresh",))
play("leave_circle", "the lead", in_circle("mentor", "POST", "leave"))
play("leave_circle", "one of three", in_circle("colleague", "POST", "leave"))
play("edit_agreement", "kept apart", in_circle("mentor", "PUT", "agreement", AGREEMENT), before=APART)
play("add_goal", "kept apart", in_circle("colleague", "POST", "goals", {"text": "Write."}), before=APART)
play(
    "propose_meeting",
    "booked by the lead",
    lambda s: in_circle("mentor", "POST", "meetings", meeting(later()))(s),
    before=APART,
)
play("end_pairing", "kept apart", in_circle("coordinator", "POST", "end"), before=APART)


# Calls: what nodes say, and what the worker does


def says(kind: str, who: str, which: str = "booked", **fields: Any) -> Act:
    """A node reports of someone in the call of a meeting of the house; those of a pair have come in."""

    async def act(s: Stage) -> None:
        meeting: Meeting = getattr(s.house, which)
        rows = await s.world.run(
            "SELECT call.id, attendance.id AS stay FROM call LEFT JOIN attendance ON call_id = call.id "
            "AND membership_id = :member WHERE meeting_id = :meeting",
            member=s.person(who).membership_id,
            meeting=meeting.id,
        )
        stay = rows[0].stay or uuid5(NAMESPACE_OID, f"{who} {rows[0].id}")
        whole = {"node": NODE, "call_id": rows[0].id, "epoch": 1, "at": clock.now() + timedelta(seconds=1)}
        if kind == "participants_present":
            whole["participant_ids"] = (stay,)
        else:
            whole |= {"participant_id": stay, "membership_id": s.person(who).membership_id}
        fact = fact_adapter.validate_python({"kind": kind, **whole, **fields})
        async with s.world.database.transaction() as db:
            await calls.apply(db, fact)

    return act


def silent(s: Stage) -> Awaitable[object]:
    """The node has said nothing for a long time."""
    return s.world.run("UPDATE attendance SET seen_at = now() - interval '10 minutes'")


async def lapse(s: Stage) -> None:
    """The worker closes what nobody renews."""
    async with s.world.database.transaction() as db:
        assert await calls.lapse(db, s.world.door.settings)


JOINED, LEFT, PRESENT = "participant_joined", "participant_left", "participants_present"
AT: Final = clock.now()
play("fact", "joined", says(JOINED, "colleague", "circle_booked"))
play("fact", "joined, kept apart", says(JOINED, "colleague", "circle_booked"), before=APART)
play(
    "fact",
    "joined, told twice",
    says(JOINED, "colleague", "circle_booked", at=AT),
    before=says(JOINED, "colleague", "circle_booked", at=AT),
)
play("fact", "left", says(LEFT, "mentee", reason="left"))
play(
    "fact",
    "left, told twice",
    says(LEFT, "mentee", reason="left", at=AT),
    before=says(LEFT, "mentee", reason="left", at=AT),
)
play(
    "fact",
    "left, after leaving the circle",
    says(LEFT, "mentee", "circle_booked", reason="removed"),
    before=in_circle("mentee", "POST", "leave"),
)
play("fact", "left, after a block", says(LEFT, "mentee", reason="removed"), before=block("mentee", "mentor"))
play("fact", "still there", says(PRESENT, "mentee"))
play("fact", "still there after all", says(PRESENT, "mentee"), before=first(silent, lapse))
play("worker", "lapse", lapse, before=silent)
play("worker", "lapse, kept apart", lapse, before=first(APART, silent))


# Reports


def report(**fields: Any) -> Act:
    """The mentee reports."""
    return lambda s: s.house.mentee.ok("POST", "/v1/reports", {"text": "Something is wrong.", **fields})


def on(who: str) -> Act:
    return lambda s: report(membership_id=str(s.person(who).membership_id))(s)


async def resolve(s: Stage, by: str, place: Organisation) -> None:
    """Someone resolves the newest report of their organisation."""
    newest = (await s.person(by).ok("GET", f"/v1/organisations/{place.id}/reports"))["items"][0]
    await s.person(by).ok("POST", f"/v1/reports/{newest['id']}/resolve", {"note": "Done."})


play("file_report", "on a coordinator", on("admin"))
play("file_report", "on someone of a partner", on("mentor"))
play("resolve_report", "of a partner", lambda s: resolve(s, "steward", s.house.river), before=on("mentor"))
play(
    "resolve_report", "of one's own", lambda s: resolve(s, "coordinator", s.house.north), before=on("mentor")
)


async def who_was_there(s: Stage) -> None:
    """A coordinator of the circle's organisation is in the circle, and leaves it."""
    await s.world.run(
        "UPDATE membership SET roles = '{member,coordinator}' WHERE id = :id",
        id=s.house.colleague.membership_id,
    )
    await in_circle("colleague", "POST", "leave")(s)


play(
    "file_report",
    "about a meeting, not told who was there",
    lambda s: report(meeting_id=str(s.house.circle_booked.id))(s),
    before=who_was_there,
)


# Chat


def said(who: str, talk: str, text: str = "Hello.", client_id: str | None = None, **fields: Any) -> Act:
    """Someone says something in a conversation of the house."""

    async def act(s: Stage) -> None:
        body = {"client_id": client_id or str(uuid4()), "text": text, **fields}
        await s.person(who).ok("POST", f"/v1/conversations/{getattr(s.house, talk).id}/messages", body)

    return act


def of_own(who: str, talk: str, method: str, body: Any = None) -> Act:
    """Someone changes what they said first."""

    async def act(s: Stage) -> None:
        message = s.house.said[getattr(s.house, talk).id, member(s.person(who))]
        await s.person(who).ok(method, f"/v1/messages/{message.id}", body)

    return act


def naming(*names: str) -> Callable[[Stage], list[str]]:
    return lambda s: [str(s.person(name).membership_id) for name in names]


def read(who: str, talk: str, seq: int) -> Act:
    """Someone has read a conversation."""
    return lambda s: s.person(who).ok(
        "POST", f"/v1/conversations/{getattr(s.house, talk).id}/read", {"seq": seq}
    )


ONCE: Final = str(uuid4())
play("send_message", "naming someone", lambda s: said(
    "mentor", "circle_talk", mentions=naming("mentee", "colleague")(s)
)(s))  # fmt: skip
play(
    "send_message",
    "again",
    said("mentee", "talk", client_id=ONCE),
    before=said("mentee", "talk", client_id=ONCE),
)
play("send_message", "kept apart", said("colleague", "circle_talk"), before=APART)
play("edit_message", "kept apart", of_own("mentor", "circle_talk", "PATCH", {"text": "No."}), before=APART)
play("delete_message", "kept apart", of_own("mentor", "circle_talk", "DELETE"), before=APART)
play("delete_message", "read already", of_own("mentor", "talk", "DELETE"), before=read("mentee", "talk", 2))
play(
    "delete_message",
    "twice",
    of_own("mentor", "talk", "DELETE"),
    before=of_own("mentor", "talk", "DELETE"),
)
play("mark_read", "backwards", read("mentee", "talk", 1), before=read("mentee", "talk", 2))
