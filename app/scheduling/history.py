"""What happened to a meeting, told from what is stored of it."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from app.pairings.models import Pairing
from app.scheduling.models import Meeting, MeetingMove, MeetingStatus, MoveStatus
from app.scheduling.schemas import HappenedRead, Viewer, What

_ENDS: Final[dict[str, What]] = {
    MoveStatus.ACCEPTED: "moved",
    MoveStatus.DECLINED: "move_declined",
    MoveStatus.WITHDRAWN: "move_withdrawn",
    MoveStatus.SUPERSEDED: "move_superseded",
}
Span = tuple[datetime, datetime]


class History:
    """The entries of one meeting as one person sees them."""

    def __init__(self, meeting: Meeting, pairing: Pairing, viewer: Viewer) -> None:
        self._meeting = meeting
        self._pairing = pairing
        self._viewer = viewer
        self._names = {part.membership_id: part.person.name for part in pairing.participants}

    def tell(self, moves: Sequence[MeetingMove], options: Sequence[datetime]) -> list[HappenedRead]:
        """In the order in which it happened."""
        meeting = self._meeting
        now = (meeting.starts_at, meeting.ends_at)
        carried_out = [move for move in moves if move.status == MoveStatus.ACCEPTED]
        agreed = (carried_out[0].from_starts_at, carried_out[0].from_ends_at) if carried_out else now
        first = (options[0], options[0] + (agreed[1] - agreed[0])) if options else agreed
        found = [self._entry("proposed", meeting.created_at, meeting.proposed_by_id, first)]
        if meeting.decided_at is not None:
            what: What = "declined" if meeting.status == MeetingStatus.DECLINED else "booked"
            found.append(self._entry(what, meeting.decided_at, meeting.decided_by_id, agreed))
        for move in moves:
            found += self._of_move(move)
        if meeting.cancelled_at is not None:
            by, reason = meeting.cancelled_by_id, meeting.cancel_reason
            found.append(self._entry("cancelled", meeting.cancelled_at, by, now, reason=reason))
        if meeting.outcome_at is not None:
            what = "held" if meeting.held else "not_held"
            found.append(self._entry(what, meeting.outcome_at, meeting.outcome_by_id, now))
        return sorted(found, key=lambda entry: entry.at)

    def _of_move(self, move: MeetingMove) -> Iterator[HappenedRead]:
        was, to = (move.from_starts_at, move.from_ends_at), (move.to_starts_at, move.to_ends_at)
        # What its proposer could decide alone was never waited for.
        if (move.status, move.decided_by_id) != (MoveStatus.ACCEPTED, move.proposed_by_id):
            yield self._entry("move_proposed", move.created_at, move.proposed_by_id, to, was, move.reason)
            reason = None
        else:
            reason = move.reason
        if move.decided_at is not None:
            yield self._entry(_ENDS[move.status], move.decided_at, move.decided_by_id, to, was, reason)

    def _entry(
        self,
        what: What,
        at: datetime,
        by: UUID | None,
        span: Span,
        was: Span | None = None,
        reason: str | None = None,
    ) -> HappenedRead:
        is_hidden = by is None or self._viewer.hides(self._pairing, by)
        return HappenedRead(
            what=what,
            at=at,
            by=None if is_hidden else by,
            name=None if by is None or is_hidden else self._names.get(by),
            reason=None if is_hidden else reason,
            starts_at=span[0],
            ends_at=span[1],
            from_starts_at=was[0] if was else None,
            from_ends_at=was[1] if was else None,
        )
