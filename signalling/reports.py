"""What app is told of the calls here: who was in them, how well connected, and what was recorded."""

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

import structlog

from signalling.contracts.calls import (
    CallForwarded,
    CallRecorded,
    ParticipantJoined,
    ParticipantLeft,
    ParticipantQuality,
    RecordedPart,
    StayQuality,
)
from signalling.facts import FactKeeper
from signalling.media.port import Recording
from signalling.protocol.effects import CarriedOver, Entered, Left
from signalling.protocol.room import Room

log = structlog.get_logger()


class Reports:
    """Makes facts of what happens in rooms."""

    def __init__(self, node: str, facts: FactKeeper, clock: Callable[[], float]) -> None:
        self._node = node
        self._facts = facts
        self._clock = clock

    def now(self) -> datetime:
        """What time it is, by this node's clock."""
        return datetime.fromtimestamp(self._clock(), UTC)

    def stay(self, room: Room, effect: Entered | Left | CarriedOver) -> None:
        """Somebody came in or left, or the call is forwarded from now on."""
        if isinstance(effect, CarriedOver):
            self._facts.keep(CallForwarded.model_validate(self._said(room)))
            return
        said = self._said(room) | _of(effect.participant_id, effect.membership_id)
        if isinstance(effect, Entered):
            self._facts.keep(ParticipantJoined.model_validate(said))
        else:
            self._facts.keep(ParticipantLeft.model_validate({**said, "reason": effect.reason}))
            log.info("left", call=str(room.call_id), reason=effect.reason)

    def quality(self, room: Room, participant_id: UUID, membership_id: UUID, measured: StayQuality) -> None:
        """How somebody's connection was until now."""
        said = self._said(room) | _of(participant_id, membership_id)
        self._facts.keep(ParticipantQuality.model_validate({**said, "quality": measured}))

    def recording(self, recording: Recording) -> None:
        """A take is over."""
        files = [
            RecordedPart(**{name: getattr(each, name) for name in RecordedPart.model_fields})
            for each in recording.files
        ]
        self._facts.keep(
            CallRecorded(
                id=recording.take_id,
                node=self._node,
                call_id=recording.call_id,
                started_at=recording.started_at,
                duration_ms=recording.duration_ms,
                ended=recording.ended or "interrupted",
                cut=recording.cut,
                agreed=recording.agreed,
                files=tuple(files),
                at=self.now(),
            )
        )

    def _said(self, room: Room) -> dict[str, object]:
        return {
            "node": self._node,
            "call_id": room.call_id,
            "epoch": room.epoch,
            "at": self.now(),
        }


def _of(participant_id: UUID, membership_id: UUID) -> dict[str, object]:
    return {"participant_id": participant_id, "membership_id": membership_id}
