"""Rows of the visibility matrix: accounts, organisations, blocks, people; and what rows are made with."""

import secrets
from collections.abc import Awaitable, Callable
from typing import Any, Final

from sqlalchemy import update

from app.accounts import passwords, queries, tokens
from app.accounts.models import Account
from app.core.mailbox import MailboxMessage
from tests.app.house import House, mailed_link, member
from tests.app.visibility import Cells, Expect, Principal, Row, Scene
from tests.world import Person

H, F, C, S, A = Expect.HIDDEN, Expect.FORBIDDEN, Expect.CONFLICT, Expect.SILENT, Expect.ALLOWED
Build = Callable[[House], Scene]
ROWS: list[Row] = []


def cells(
    outside: Expect,
    role: Expect,
    *,
    blocked: Expect = A,
    ended: Expect = A,
    left: Expect = A,
    parted: Expect = A,
    gone: Expect = H,
    side: Expect | None = None,
    anonymous: Expect = Expect.REFUSED,
) -> Cells:
    """The principals of a row. `gone` is someone whose membership ended; `parted`, whose partnership did."""
    cells = {
        Principal.ANONYMOUS: anonymous,
        Principal.STRANGER: outside,
        Principal.OTHER_ORGANISATION: outside,
        Principal.WRONG_ROLE: role,
        Principal.OWNER: A,
        Principal.BLOCKED: blocked,
        Principal.BLOCKER: blocked,
        Principal.PAIRING_ENDED: ended,
        Principal.CIRCLE_LEFT: left,
        Principal.PARTNERSHIP_ENDED: parted,
        Principal.MEMBERSHIP_ENDED: gone,
    }
    return cells if side is None else {**cells, Principal.WRONG_SIDE: side}


def row(operation: str, cells: Cells, build: Build, label: str = "") -> None:
    async def scene(house: House) -> Scene:
        return build(house)

    ROWS.append(Row(operation, scene, cells, label))


def row_with(
    operation: str, cells: Cells, scene: Callable[[House], Awaitable[Scene]], label: str = ""
) -> None:
    ROWS.append(Row(operation, scene, cells, label))


def shown(*values: object) -> frozenset[str]:
    return frozenset(str(value) for value in values)


# Accounts. What needs no sign-in is the same for everybody.

PUBLIC: Final = cells(A, A, gone=A, anonymous=A)
OWN: Final = cells(S, S, gone=A)


async def _verify(house: House) -> Scene:
    password = "a long sentence"
    secret = await mailed_link(house.world, house.invited, password)
    return Scene(house.mentee, body={"token": secret, "password": password}, other=house.mentor)


async def _sign_in(house: House) -> Scene:
    password = "a long sentence"
    async with house.world.database.transaction() as db:
        hashed = await passwords.hash_password(password)
        account = update(Account).where(Account.id == house.mentee.account_id)
        await db.execute(account.values(password_hash=hashed))
    return Scene(house.mentee, body={"email": house.mentee.email, "password": password}, other=house.mentor)


async def _refresh(house: House) -> Scene:
    async with house.world.database.transaction() as db:
        session = await queries.session(db, house.mentee.session_id)
        assert session is not None
        token = tokens.refresh_token(session, keys=house.world.door.keys)
    return Scene(house.mentee, body={"refresh_token": token}, other=house.mentor)


async def _mailbox(house: House) -> Scene:
    words = house.text("Hello")
    await house.world.save(MailboxMessage(to=house.mentee.email, subject=words, text=words))
    return Scene(house.mentee, other=house.mentor, hidden=shown(words), development=True)


def _sign_up(house: House) -> Scene:
    body = {"email": f"{secrets.token_hex(8)}@example.org", "password": "a long sentence", "name": "Nia"}
    return Scene(house.mentee, body=body, other=house.mentor)


def _mine(house: House) -> Scene:
    return Scene(house.mentee, other=house.mentor)


row_with("verify_email", PUBLIC, _verify)
row_with("sign_in", PUBLIC, _sign_in)
row_with("refresh_session", PUBLIC, _refresh)
row_with(
    "list_mailbox",
    cells(H, H, blocked=H, ended=H, left=H, parted=H, gone=H, anonymous=H),
    _mailbox,
)
row("sign_up", PUBLIC, _sign_up)
row("resend_verification", PUBLIC, lambda h: Scene(h.mentee, body={"email": h.mentee.email}, other=h.mentor))
for _public in ("read_config", "healthz", "readyz"):
    row(_public, PUBLIC, _mine)
row("sign_out", OWN, _mine)
row(
    "read_me",
    cells(S, S, gone=A),
    lambda h: Scene(
        h.mentee, other=h.mentor, hidden=shown(h.mentee.account_id, h.mentee.email, h.mentee.name)
    ),
)
row(
    "read_me",
    cells(S, S, gone=S),
    lambda h: Scene(h.mentee, other=h.mentor, hidden=shown(h.mentee.membership_id)),
    "memberships",
)
row(
    "edit_me",
    OWN,
    lambda h: Scene(
        h.mentee, body={"zone": "Europe/Paris"}, other=h.mentor, hidden=shown(h.mentee.account_id)
    ),
)


# Organisations

row("create_organisation", OWN, lambda h: Scene(h.mentee, body={"name": "Newfound"}, other=h.mentor))
row(
    "list_organisations",
    cells(S, A, gone=S),
    lambda h: Scene(h.mentee, other=h.mentor, hidden=shown(h.north.id, h.north.name)),
)


def organisation(house: House, caller: Person, body: Any = None, **more: Any) -> Scene:
    return Scene(
        caller,
        {"organisation_id": house.north.id},
        body,
        seen_at=f"/v1/organisations/{house.north.id}",
        **more,
    )


row("read_organisation", cells(H, A), lambda h: organisation(h, h.mentee))
row(
    "list_memberships",
    cells(H, A, blocked=S),
    lambda h: organisation(h, h.mentee, other=h.admin, hidden=shown(h.admin.membership_id, h.admin.name)),
)
row(
    "list_memberships",
    cells(H, A),
    lambda h: organisation(h, h.coordinator, hidden=shown(h.colleague.membership_id)),
    "as a coordinator",
)


def _membership(house: House, caller: Person, whose: Person, body: Any = None, **more: Any) -> Scene:
    seen_at = f"/v1/memberships/{whose.membership_id}"
    return Scene(caller, {"membership_id": member(whose)}, body, seen_at=seen_at, **more)


row("read_membership", cells(H, A, blocked=H), lambda h: _membership(h, h.mentee, h.admin, other=h.admin))
row("read_membership", cells(H, A), lambda h: _membership(h, h.admin, h.mentee, other=h.mentee), "as admin")
row(
    "edit_profile",
    cells(H, F, side=F),
    lambda h: _membership(h, h.mentee, h.mentee, {"headline": "New"}, side=h.admin),
)
row(
    "set_roles",
    cells(H, F, side=F),
    lambda h: _membership(h, h.admin, h.mentee, {"roles": ["coordinator"]}, side=h.coordinator),
)
row(
    "invite",
    cells(H, F, side=F),
    lambda h: organisation(
        h,
        h.admin,
        {"email": f"{secrets.token_hex(8)}@example.org", "roles": ["coordinator"]},
        side=h.coordinator,
    ),
)
row("list_invitations", cells(H, F), lambda h: organisation(h, h.coordinator))
row(
    "revoke_invitation",
    cells(H, H),
    lambda h: Scene(h.coordinator, {"invitation_id": h.invitation.id}),
)
row(
    "accept_invitation",
    cells(H, H, blocked=A, gone=A),
    lambda h: Scene(h.invited, body={"token": h.invitation_secret}, other=h.admin),
)


def _partnership(house: House, ended_by: Person | None, which: str, **more: Any) -> Scene:
    partnership = getattr(house, which)

    async def ending() -> None:
        await (ended_by or house.admin).ok("POST", f"/v1/partnerships/{partnership.id}/end")

    seen_at = f"/v1/organisations/{house.north.id}/partnerships"
    return Scene(house.admin, {"partnership_id": partnership.id}, seen_at=seen_at, ending=ending, **more)


row(
    "propose_partnership",
    cells(H, F, side=F),
    lambda h: organisation(h, h.admin, {"partner_slug": h.lone.slug}, side=h.coordinator),
)
row(
    "list_partnerships",
    cells(H, A),
    lambda h: organisation(h, h.mentee, hidden=shown(h.partnership.id, h.river.name)),
)
for _verb in ("accept_partnership", "decline_partnership"):
    row(_verb, cells(H, F, ended=C, parted=C), lambda h: _partnership(h, None, "offer"))
row("end_partnership", cells(H, F, ended=C, parted=C), lambda h: _partnership(h, None, "partnership"))


# Blocks and people


def about(house: House, caller: Person, whose: Person, **more: Any) -> Scene:
    return Scene(caller, body={"membership_id": str(whose.membership_id), **more}, other=whose)


row("block_person", cells(H, H), lambda h: about(h, h.mentee, h.hermit))
row(
    "list_blocks",
    cells(S, S, gone=A),
    lambda h: Scene(h.mentee, other=h.mentor, hidden=shown(h.block.id, h.nuisance.name)),
)
row("unblock_person", cells(H, H, gone=A), lambda h: Scene(h.mentee, {"block_id": h.block.id}))
row(
    "search_people",
    cells(S, A, blocked=S, parted=S, gone=S),
    lambda h: Scene(h.mentee, other=h.fresh, hidden=shown(h.fresh.membership_id, h.fresh.name)),
)
row(
    "search_people",
    cells(S, A, blocked=S, gone=S),
    lambda h: Scene(h.hermit, other=h.mentor, hidden=shown(h.mentor.membership_id)),
    "colleagues",
)
row(
    "read_person",
    cells(H, A, blocked=H, parted=H),
    lambda h: Scene(h.mentee, {"membership_id": member(h.fresh)}, other=h.fresh),
)
row(
    "read_person",
    cells(H, H, blocked=H),
    lambda h: Scene(h.mentor, {"membership_id": member(h.hermit)}, other=h.hermit),
    "who opened themselves to colleagues only",
)


row(
    "read_person",
    cells(H, H, blocked=H, side=H),
    lambda h: Scene(h.coordinator, {"membership_id": member(h.colleague)}, other=h.colleague, side=h.mentor),
    "who mentors nobody, for partners",
)
