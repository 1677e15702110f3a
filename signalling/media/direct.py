"""Two browsers talk to each other; the server only passes their signals on."""

from collections.abc import Sequence
from uuid import UUID

from signalling.contracts.calls import StayQuality
from signalling.media.description import (
    check_candidate,
    check_description,
    relay_only_candidate,
    relay_only_description,
)
from signalling.media.port import Admission, OnRecorded, Outlet, Recording, RecordingRefused
from signalling.protocol.codes import ErrorCode
from signalling.protocol.messages import (
    Answer,
    AnswerFrom,
    Candidate,
    CandidateFrom,
    DeliveredSignal,
    Offer,
    OfferFrom,
    Signal,
)
from signalling.protocol.negotiation import SignalRefused
from signalling.protocol.parts import IceCandidate, Source, Topology, Viewed


class DirectEngine:
    """Relays checked signals between the participants of a call."""

    topology: Topology = "direct"

    def __init__(self, outlet: Outlet) -> None:
        self._outlet = outlet
        self._calls: dict[UUID, dict[UUID, Admission]] = {}

    def tell_recordings(self, to: OnRecorded) -> None:
        pass

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def admit(self, admission: Admission) -> None:
        self._calls.setdefault(admission.call_id, {})[admission.participant_id] = admission

    async def signal(self, call_id: UUID, sender: UUID, signal: Signal) -> None:
        admitted = self._calls.get(call_id, {})
        if sender not in admitted or signal.to not in admitted or signal.to == sender:
            raise SignalRefused(ErrorCode.UNKNOWN_PARTICIPANT, "Nobody of that id is in the call.")
        passed_on = _pass_on(admitted[sender], signal)
        if passed_on is not None:
            self._outlet(call_id, signal.to, passed_on)

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
        admitted = self._calls.get(call_id, {})
        admitted.pop(participant_id, None)
        if not admitted:
            self._calls.pop(call_id, None)

    async def end(self, call_id: UUID) -> None:
        self._calls.pop(call_id, None)

    async def record(self, call_id: UUID, take_id: UUID, agreed: tuple[UUID, ...] = ()) -> None:
        raise RecordingRefused("unsupported", "Nothing of this call passes here, so it cannot be recorded.")

    async def stop_recording(self, call_id: UUID) -> Recording | None:
        return None


def _pass_on(who: Admission, signal: Signal) -> DeliveredSignal | None:
    sender, pc, generation = who.participant_id, signal.pc, signal.generation
    match signal:
        case Offer():
            return OfferFrom(sender=sender, pc=pc, generation=generation, sdp=_described(who, signal.sdp))
        case Answer():
            return AnswerFrom(sender=sender, pc=pc, generation=generation, sdp=_described(who, signal.sdp))
        case Candidate():
            shown = _shown(who, signal.candidate)
            if shown is None and signal.candidate is not None:
                return None
            return CandidateFrom(sender=sender, pc=pc, generation=generation, candidate=shown)


def _shown(who: Admission, candidate: IceCandidate | None) -> IceCandidate | None:
    if candidate is None:
        return None
    check_candidate(candidate)
    return relay_only_candidate(candidate) if who.ice_policy == "relay" else candidate


def _described(who: Admission, sdp: str) -> str:
    check_description(sdp, may_publish=who.may_publish)
    return relay_only_description(sdp) if who.ice_policy == "relay" else sdp
