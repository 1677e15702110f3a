"""What nodes ask: who hears a stream, which sign-in sessions have ended, and who is hidden."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts import queries as accounts
from app.blocks import queries as blocks
from app.chat import access as chat
from app.core import clock, nodes
from app.core.errors import Unauthenticated
from app.core.streams import StreamKind
from app.live import queries
from app.organisations import queries as organisations
from signalling.contracts.standing import Roster, StandingAsk, StandingRead
from signalling.contracts.tickets import TokenRefused, node_named_by, read_node_key, verify_node_token

Members = dict[UUID, UUID | None]


async def must_be_a_node(db: AsyncSession, token: str) -> None:
    """Raise `Unauthenticated` unless a living node signed `token` lately."""
    try:
        named = node_named_by(token)
        node = await nodes.by_name(db, named)
        if node is None:
            raise TokenRefused("No such node.")
        key = read_node_key(node.public_key)
        verify_node_token(token, node=named, key=key, now=clock.now().timestamp())
    except TokenRefused as refusal:
        raise Unauthenticated("node_refused", "This door is for signalling nodes.") from refusal


async def read(db: AsyncSession, ask: StandingAsk) -> StandingRead:
    """How the streams and sessions asked about stand now."""
    live = await accounts.live_sessions(db, ask.sessions)
    return StandingRead(
        rosters=tuple(await rosters(db, ask.streams)),
        ended_sessions=tuple(session for session in ask.sessions if session not in live),
        hidden_accounts=await queries.hidden_accounts(db, live) if live else {},
    )


async def rosters(db: AsyncSession, ids: Sequence[UUID]) -> list[Roster]:
    """Who hears each of these streams.

    Versions are read first: who is added or removed while this runs makes the version too old, never too new.
    """
    found = await queries.known(db, ids)
    of_kind = {kind: [row.id for row in found.values() if row.kind == kind.value] for kind in StreamKind}
    members: dict[UUID, Members] = {stream: {stream: None} for stream in of_kind[StreamKind.ACCOUNT]}
    for membership, account in (
        await organisations.live_accounts(db, of_kind[StreamKind.MEMBERSHIP])
    ).items():
        members[membership] = {account: None}
    members.update(await chat.rosters(db, of_kind[StreamKind.CONVERSATION]))
    everyone = {account for here in members.values() if len(here) > 1 for account in here}
    apart = await blocks.pairs_among(db, everyone)
    return [
        Roster(
            stream=stream,
            version=found[stream].roster_version if stream in found else 0,
            members=members.get(stream, {}),
            apart=tuple(pair for pair in apart if set(pair) <= members.get(stream, {}).keys()),
        )
        for stream in dict.fromkeys(ids)
    ]
