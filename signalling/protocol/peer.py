"""One participant's stay in a call: its states, its numbering, and what is kept for a resume.

A stay outlives its sockets. `MOVES` is the whole of its life; what is not in the table is not allowed.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum, auto
from uuid import UUID

from signalling.protocol.effects import Effect, Send
from signalling.protocol.messages import (
    Answer,
    Candidate,
    Forward,
    Hello,
    Leave,
    Media,
    Mute,
    Numbered,
    Offer,
    Ping,
    Record,
    Restart,
    View,
    body,
    frame,
)
from signalling.protocol.parts import ConnectionState, MediaState, Participant, Pc, Source

KEPT_MESSAGES = 256
KEPT_BYTES = 512 * 1024
STRIKES = 10


class State(Enum):
    """Where a stay is."""

    GREETING = auto()
    ONLINE = auto()
    RECONNECTING = auto()
    LEAVING = auto()
    GONE = auto()


class SocketLost:
    """The socket is gone without a goodbye."""


class Resumed:
    """A new socket has brought the resume token."""


class Dismissed:
    """The stay is ended: removed, replaced, lapsed, or the call is over."""


MOVES: dict[tuple[State, type], State] = {
    (State.GREETING, Hello): State.ONLINE,
    (State.ONLINE, Offer): State.ONLINE,
    (State.ONLINE, Answer): State.ONLINE,
    (State.ONLINE, Candidate): State.ONLINE,
    (State.ONLINE, Restart): State.ONLINE,
    (State.ONLINE, Forward): State.ONLINE,
    (State.ONLINE, Record): State.ONLINE,
    (State.ONLINE, View): State.ONLINE,
    (State.ONLINE, Media): State.ONLINE,
    (State.ONLINE, Mute): State.ONLINE,
    (State.ONLINE, Ping): State.ONLINE,
    (State.ONLINE, Leave): State.LEAVING,
    (State.ONLINE, SocketLost): State.RECONNECTING,
    # The client may notice a dead socket before we do.
    (State.ONLINE, Resumed): State.ONLINE,
    (State.ONLINE, Dismissed): State.GONE,
    (State.RECONNECTING, Resumed): State.ONLINE,
    (State.RECONNECTING, Dismissed): State.GONE,
    (State.LEAVING, Dismissed): State.GONE,
}
CONNECTED = {State.ONLINE, State.LEAVING}


@dataclass(frozen=True, slots=True)
class Entrant:
    """Who enters, as their ticket says."""

    participant_id: UUID
    membership_id: UUID
    session_id: UUID
    name: str
    organisation: str
    role: str
    may_publish: bool = True
    may_moderate: bool = False


@dataclass(slots=True)
class Peer:
    """One stay. `order` counts entries into the call: whoever was there first is polite."""

    who: Entrant
    order: int
    media: MediaState
    state: State = State.GREETING
    seq: int = 0
    deadline: float | None = None
    strikes: int = 0
    candidates: dict[tuple[UUID | None, Pc], int] = field(default_factory=dict)
    offered: frozenset[Source] = frozenset()
    """What the last offer of `publish` sends."""
    muted: dict[Source, int] = field(default_factory=dict)
    """What a moderator muted and they have not switched on since; by which message they were told."""
    _kept: deque[bytes] = field(default_factory=deque)
    _kept_bytes: int = 0

    def move(self, event: type) -> bool:
        """Take the step that `MOVES` has for this event; False when it has none."""
        after = MOVES.get((self.state, event))
        if after is None:
            return False
        self.state = after
        return True

    def tell(self, encoded: bytes) -> list[Send]:
        """Number a message, keep it for a resume, and send it when there is a socket."""
        if self.state is State.GONE:
            return []
        self.seq += 1
        numbered = frame(self.seq, encoded)
        self._kept.append(numbered)
        self._kept_bytes += len(numbered)
        while len(self._kept) > KEPT_MESSAGES or self._kept_bytes > KEPT_BYTES:
            self._kept_bytes -= len(self._kept.popleft())
        return [Send(self.who.participant_id, numbered)] if self.state in CONNECTED else []

    def missed(self, last_seq: int) -> list[bytes] | None:
        """What came after `last_seq`, or None when that is not known (any more)."""
        count = self.seq - last_seq
        if not 0 <= count <= len(self._kept):
            return None
        return list(self._kept)[len(self._kept) - count :]

    def seen_by(self, other: "Peer") -> Participant:
        """How `other` sees this participant."""
        state: ConnectionState = "online" if self.state is State.ONLINE else "reconnecting"
        return Participant(
            id=self.who.participant_id,
            membership_id=self.who.membership_id,
            name=self.who.name,
            organisation=self.who.organisation,
            role=self.who.role,
            audio=self.media.audio,
            video=self.media.video,
            state=state,
            polite=other.order < self.order,
        )


def tell_all(peers: Iterable[Peer], message: Numbered) -> list[Effect]:
    """Say the same to several: encoded once, numbered for each."""
    encoded = body(message)
    return [effect for peer in peers for effect in peer.tell(encoded)]
