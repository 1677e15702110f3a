"""A stand-in for an engine that answers by itself: it says what its script holds."""

from collections import deque
from collections.abc import Iterable, Sequence
from uuid import UUID

from signalling.contracts.calls import StayQuality
from signalling.media.description import check_candidate, check_description
from signalling.media.port import Admission, OnRecorded, Outlet, Recording, RecordingRefused
from signalling.protocol.codes import ErrorCode
from signalling.protocol.messages import Answer, AnswerFrom, CandidateFrom, Offer, OfferFrom, Signal
from signalling.protocol.negotiation import SignalRefused
from signalling.protocol.parts import Source, Topology, Viewed


class ScriptedEngine:
    """Answers each offer with the next line of `answers`, and remembers everything it was told."""

    topology: Topology = "forwarded"

    def __init__(self, outlet: Outlet, answers: Iterable[str] = ()) -> None:
        self._outlet = outlet
        self._answers = deque(answers)
        self._calls: dict[UUID, dict[UUID, Admission]] = {}
        self.heard: list[Signal] = []

    def tell_recordings(self, to: OnRecorded) -> None:
        pass

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def admit(self, admission: Admission) -> None:
        self._calls.setdefault(admission.call_id, {})[admission.participant_id] = admission

    async def signal(self, call_id: UUID, sender: UUID, signal: Signal) -> None:
        who = self._calls.get(call_id, {}).get(sender)
        if who is None or signal.to is not None:
            raise SignalRefused(ErrorCode.UNKNOWN_PARTICIPANT, "Nobody of that id is in the call.")
        if isinstance(signal, Offer | Answer):
            check_description(signal.sdp, may_publish=who.may_publish)
        elif signal.candidate is not None:
            check_candidate(signal.candidate)
        self.heard.append(signal)
        if isinstance(signal, Offer) and self._answers:
            answer = AnswerFrom(pc=signal.pc, generation=signal.generation, sdp=self._answers.popleft())
            self._outlet(call_id, sender, answer)
            self._outlet(
                call_id, sender, CandidateFrom(pc=signal.pc, generation=signal.generation, candidate=None)
            )

    def offer(self, call_id: UUID, to: UUID, generation: int, sdp: str) -> None:
        """Offer the subscribe connection to one participant, as a forwarding engine does."""
        if to in self._calls.get(call_id, {}):
            self._outlet(call_id, to, OfferFrom(pc="subscribe", generation=generation, sdp=sdp))

    async def returned(self, call_id: UUID, participant_id: UUID) -> None:
        pass

    async def offer_again(self, call_id: UUID, participant_id: UUID, *, anew: bool) -> None:
        pass

    async def look(self, call_id: UUID, participant_id: UUID, tracks: Sequence[Viewed]) -> None:
        pass

    async def mute(self, call_id: UUID, participant_id: UUID, sources: frozenset[Source]) -> None:
        pass

    def measured(self, call_id: UUID, participant_id: UUID) -> StayQuality | None:
        return None

    async def dismiss(self, call_id: UUID, participant_id: UUID) -> None:
        self._calls.get(call_id, {}).pop(participant_id, None)

    async def end(self, call_id: UUID) -> None:
        self._calls.pop(call_id, None)

    async def record(self, call_id: UUID, take_id: UUID, agreed: tuple[UUID, ...] = ()) -> None:
        raise RecordingRefused("unsupported", "Nothing of this call passes here, so it cannot be recorded.")

    async def stop_recording(self, call_id: UUID) -> Recording | None:
        return None
