"""What a node asks app: who may hear a stream, which sign-in sessions have ended, and who is hidden.

The one question goes over HTTP to app's internal port, signed with the node's own key, which app knows from
the node's `NodeAlive`.
"""

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

MOST = 500
PATH = "/internal/standing"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Roster(_Part):
    """Who hears a stream. An unknown stream has an empty roster of version 0."""

    stream: UUID
    version: int
    members: dict[UUID, UUID | None]
    """Accounts, and the membership by which the others know each (null in streams that have one hearer)."""
    apart: tuple[tuple[UUID, UUID], ...] = ()
    """Pairs of accounts among the members that must not hear each other."""


class StandingAsk(_Part):
    """At most `MOST` of each per question."""

    streams: Annotated[tuple[UUID, ...], Field(max_length=MOST)] = ()
    sessions: Annotated[tuple[UUID, ...], Field(max_length=MOST)] = ()


class StandingRead(_Part):
    """How things stand: a roster for each stream asked about, and which of the sessions have ended."""

    rosters: tuple[Roster, ...]
    ended_sessions: tuple[UUID, ...]
    hidden_accounts: dict[UUID, int] = {}
    """Of the sessions that live: accounts that do not show whether they are there, with its version."""
