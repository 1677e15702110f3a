"""The engine: calls, who is in them, and the clock that all of them share."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final
from uuid import UUID

import structlog
from aiortc import RTCCertificate

from signalling.contracts.calls import StayQuality
from signalling.media.description import check_candidate, check_description
from signalling.media.embedded import meter
from signalling.media.embedded.codecs import Palette
from signalling.media.embedded.participant import Participant, Site
from signalling.media.embedded.port import MediaPort
from signalling.media.embedded.recording.recorder import Recorder
from signalling.media.embedded.recording.take import Take
from signalling.media.embedded.sdp import Unacceptable
from signalling.media.embedded.selftest import check_libraries
from signalling.media.embedded.speakers import SILENCE
from signalling.media.embedded.speakers import Speakers as Voices
from signalling.media.port import Admission, OnRecorded, Outlet, Recording, RecordingRefused
from signalling.protocol.codes import ErrorCode
from signalling.protocol.messages import Answer, Candidate, Offer, Quality, Signal, Speakers
from signalling.protocol.negotiation import SignalRefused
from signalling.protocol.parts import Score, Source, Topology, Viewed

TICK_SECONDS: Final = 0.05

log = structlog.get_logger()


@dataclass(slots=True)
class _Call:
    palette: Palette = field(default_factory=Palette)
    participants: dict[UUID, Participant] = field(default_factory=dict)
    speakers: Voices = field(default_factory=Voices)
    measured: float | None = None
    take: Take | None = None

    def behind(self, participant_id: UUID) -> float | None:
        """By how many seconds a publisher's clock is behind ours."""
        found = self.participants.get(participant_id)
        return None if found is None or found.publisher is None else found.publisher.behind

    def listen(self, now: float) -> None:
        """Find out who speaks. Tells everybody when it has changed."""
        levels = {
            each.id: track.level() if track.layers[0].is_live(now) and not track.muted else SILENCE
            for each in self.participants.values()
            for track in each.tracks
            if track.source == "microphone"
        }
        if self.speakers.update(levels, now):
            for each in self.participants.values():
                each.tell(Speakers(participant_ids=self.speakers.now))

    def measure(self, now: float) -> None:
        """Find out how everybody's connection is: changed scores are for all, figures for each alone."""
        self.measured = self.measured or now
        if now - self.measured < meter.SECONDS:
            return
        self.measured = now
        found = [(each, *each.measure(now)) for each in self.participants.values()]
        scores = _scores(each for each, changed, _ in found if changed)
        for each, _, figures in found:
            if scores or figures is not None:
                each.tell(Quality(scores=scores, own=figures))

    def steps(self, now: float, wall: float) -> list[Callable[[], object]]:
        """What is due on every tick, each apart from the others."""
        steps: list[Callable[[], object]] = [lambda: self.listen(now), lambda: self.measure(now)]
        if self.take is not None:
            steps.append(partial(self.take.tick, now, wall, self.behind))
        dominant = self.speakers.now[0] if self.speakers.now else None
        people = self.participants.values()
        return steps + [partial(each.tick, now, wall, self.behind, dominant) for each in people]

    def settle(self) -> None:
        """Everybody is to receive everybody else."""
        tracks = [track for each in self.participants.values() for track in each.tracks]
        for each in self.participants.values():
            each.wish(track for track in tracks if track.participant_id != each.id)
        if self.take is not None:
            self.take.wish(tracks)


def _scores(participants: Iterable[Participant]) -> tuple[Score, ...]:
    return tuple(
        Score(participant_id=each.id, score=each.meter.steady.shown)
        for each in participants
        if each.meter.steady.shown is not None
    )


class EmbeddedEngine:
    """Forwards packets in this process, over one UDP port."""

    topology: Topology = "forwarded"

    def __init__(
        self,
        outlet: Outlet,
        *,
        host: str,
        port: int,
        addresses: Sequence[str] = (),
        recordings: Path | None = None,
    ) -> None:
        """`recordings`: where they lie; None: nothing is recorded."""
        self._outlet = outlet
        self._recorder = Recorder(recordings)
        self._host, self._number = host, port
        self._addresses = tuple(addresses) or (host,)
        self._calls: dict[UUID, _Call] = {}
        self._site: Site | None = None
        self._ticking: asyncio.Task[None] | None = None

    def tell_recordings(self, to: OnRecorded) -> None:
        self._recorder.on_recorded = to

    async def open(self) -> None:
        """Bind the port. Raises `OSError`, and `RuntimeError` when a library is not as it should be."""
        certificate = RTCCertificate.generateCertificate()
        await check_libraries(certificate)
        await self._recorder.open()
        port = await MediaPort.open(self._host, self._number)
        self._site = Site(port, certificate, self._addresses)
        self._ticking = asyncio.create_task(self._tick())
        log.info("media_port", host=self._host, port=port.address[1], announced=self._addresses)

    async def close(self) -> None:
        """End all calls and let go of the port."""
        if self._ticking is not None:
            self._ticking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._ticking
        for call_id in list(self._calls):
            await self.end(call_id)
        await self._recorder.close()
        if self._site is not None:
            self._site.port.close()

    async def admit(self, admission: Admission) -> None:
        call = self._calls.setdefault(admission.call_id, _Call())
        if admission.participant_id in call.participants or self._site is None:
            return
        call_id, me = admission.call_id, admission.participant_id
        call.participants[me] = Participant(
            me,
            self._site,
            call.palette,
            say=lambda signal: self._outlet(call_id, me, signal),
            changed=call.settle,
            may_publish=admission.may_publish,
        )
        if call.speakers.now:
            call.participants[me].tell(Speakers(participant_ids=call.speakers.now))
        if scores := _scores(call.participants.values()):
            call.participants[me].tell(Quality(scores=scores))
        call.settle()

    async def signal(self, call_id: UUID, sender: UUID, signal: Signal) -> None:
        participant = self._participant(call_id, sender)
        if participant is None:
            raise SignalRefused(ErrorCode.UNKNOWN_PARTICIPANT, "Nobody of that id is in the call.")
        try:
            match signal:
                case Offer():
                    check_description(signal.sdp, may_publish=participant.may_publish, pc=signal.pc)
                    participant.offered(signal)
                case Answer():
                    check_description(signal.sdp, may_publish=True, pc=signal.pc)
                    participant.answered(signal)
                case Candidate():
                    # We answer checks and send none, so where theirs will come from need not be known.
                    if signal.candidate is not None:
                        check_candidate(signal.candidate)
        except Unacceptable as why:
            raise SignalRefused(ErrorCode.INVALID_DESCRIPTION, str(why)) from None

    async def returned(self, call_id: UUID, participant_id: UUID) -> None:
        participant = self._participant(call_id, participant_id)
        if participant is not None:
            participant.repeat()

    async def offer_again(self, call_id: UUID, participant_id: UUID, *, anew: bool) -> None:
        participant = self._participant(call_id, participant_id)
        if participant is not None:
            participant.offer_again(anew=anew)

    async def look(self, call_id: UUID, participant_id: UUID, tracks: Sequence[Viewed]) -> None:
        participant = self._participant(call_id, participant_id)
        if participant is not None:
            participant.look(tracks)

    async def mute(self, call_id: UUID, participant_id: UUID, sources: frozenset[Source]) -> None:
        participant = self._participant(call_id, participant_id)
        if participant is not None:
            participant.mute(sources)

    def measured(self, call_id: UUID, participant_id: UUID) -> StayQuality | None:
        participant = self._participant(call_id, participant_id)
        return None if participant is None else participant.meter.stay

    async def dismiss(self, call_id: UUID, participant_id: UUID) -> None:
        call = self._calls.get(call_id)
        participant = call.participants.pop(participant_id, None) if call else None
        if call is None or participant is None:
            return
        try:
            call.settle()
        finally:
            await participant.close()
        if not call.participants and self._calls.get(call_id) is call:
            await self.end(call_id)

    async def record(self, call_id: UUID, take_id: UUID, agreed: tuple[UUID, ...] = ()) -> None:
        call = self._calls.get(call_id)
        if call is None:
            raise RecordingRefused("no_call", "There is nobody in the call.")
        if call.take is not None and not call.take.is_over:
            raise RecordingRefused("recorded", "The call is being recorded already.")
        take = await self._recorder.start(call_id, take_id, agreed)
        if self._calls.get(call_id) is not call or (call.take is not None and not call.take.is_over):
            take.end("call_ended")
            raise RecordingRefused("no_call", "The call ended, or is being recorded already.")
        call.take = take
        call.settle()

    async def stop_recording(self, call_id: UUID) -> Recording | None:
        call = self._calls.get(call_id)
        if call is None or call.take is None:
            return None
        take, call.take = call.take, None
        take.end("stopped")
        return await take.over()

    async def end(self, call_id: UUID) -> None:
        call = self._calls.pop(call_id, None)
        if call is not None:
            if call.take is not None:
                call.take.end("call_ended")
            people = list(call.participants.values())
            # Whose connection closes now settles nothing any more.
            call.participants.clear()
            await asyncio.gather(*(each.close() for each in people))

    def _participant(self, call_id: UUID, participant_id: UUID) -> Participant | None:
        call = self._calls.get(call_id)
        return None if call is None else call.participants.get(participant_id)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            now, wall = asyncio.get_running_loop().time(), time.time()
            for call in list(self._calls.values()):
                for step in call.steps(now, wall):
                    try:
                        step()
                    except Exception:  # one participant's trouble is not to end the others' reports
                        log.exception("tick_failed")
