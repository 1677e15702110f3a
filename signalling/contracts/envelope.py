"""Hints: what app and nodes tell all nodes about sockets. A lost one does no harm: streams repair it.

An envelope is one event of a stream, ready to be written to every socket that may hear it. Typing and
presence are never stored anywhere.
"""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

PresenceState = Literal["online", "away", "hidden", "offline"]


@dataclass(frozen=True, slots=True)
class Envelope:
    """One event of one stream, rendered once with what every hearer may see."""

    stream: UUID
    epoch: str
    seq: int
    roster_version: int
    """Whoever knows only an older roster asks app before delivering this."""
    kind: str
    by: UUID | None
    """The account whose doing it was; hearers kept apart from it are sent the number without the content."""
    frame: bytes
    """The JSON text of the `event` message."""


@dataclass(frozen=True, slots=True)
class Typing:
    """Someone is writing, or has stopped."""

    stream: UUID
    account_id: UUID
    typing: bool


@dataclass(frozen=True, slots=True)
class Presence:
    """Whether one account is there at one node; a node repeats this now and again while it is not offline.

    Whoever is hidden at one node is offline to everybody, whatever the other nodes say.
    """

    account_id: UUID
    node: str
    state: PresenceState


Hint = Envelope | Typing | Presence


@dataclass(frozen=True, slots=True)
class Hints:
    """What came since the last time, in the order of each stream; often nothing, which also says something.

    `missed`: the bus was out of sight, so others may have gone by.
    """

    items: tuple[Hint, ...]
    missed: bool = False
