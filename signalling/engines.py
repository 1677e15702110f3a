"""The media engines of this node, and what the effects of the core mean to the one that carries a call."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any
from uuid import UUID, uuid4

import structlog

from signalling.media.port import MediaEngine, OnRecorded, RecordingRefused
from signalling.protocol.effects import (
    CarriedOver,
    Close,
    Effect,
    Entered,
    Left,
    Look,
    Negotiate,
    OfferAgain,
    Returned,
    RunRecording,
    Send,
    Silence,
)
from signalling.protocol.negotiation import SignalRefused
from signalling.protocol.parts import Topology
from signalling.protocol.room import Room
from signalling.reports import Reports
from signalling.stays import Stays

log = structlog.get_logger()


class Engines:
    """One for each topology.

    `send` writes an answer of the core to a socket; `recorded` is told of recordings that are over.
    """

    def __init__(
        self,
        engines: Iterable[MediaEngine],
        stays: Stays,
        reports: Reports,
        send: Callable[[Send], None],
        recorded: OnRecorded,
    ) -> None:
        self._engines: dict[Topology, MediaEngine] = {engine.topology: engine for engine in engines}
        self._stays = stays
        self._reports = reports
        self._send = send
        self._tasks: set[asyncio.Task[object]] = set()
        self._runs: dict[UUID, int] = {}
        """Which recording of its call each take is."""
        for engine in self._engines.values():
            engine.tell_recordings(recorded)

    async def open(self) -> None:
        """Make them ready. Raises `OSError` when a port of theirs is taken."""
        for engine in self._engines.values():
            await engine.open()

    async def close(self) -> None:
        """Let go of what they hold."""
        for engine in self._engines.values():
            await engine.close()

    def carry(self, topology: Topology) -> bool:
        """Whether calls of this kind can be held here."""
        return topology in self._engines

    def report_quality(self, room: Room) -> None:
        """Tell app how well everybody is connected, as far as the engine of this call knows."""
        for peer in room.peers.values():
            self._report_quality(room, peer.who.participant_id, peer.who.membership_id)

    def _report_quality(self, room: Room, participant_id: UUID, membership_id: UUID) -> None:
        engine = self._engines.get(room.topology)
        measured = engine.measured(room.call_id, participant_id) if engine is not None else None
        if measured is not None:
            self._reports.quality(room, participant_id, membership_id, measured)

    async def tell(self, room: Room, effects: Iterable[Effect]) -> None:
        """Carry out what concerns the engine of this call."""
        engine = self._engines.get(room.topology)
        if engine is None:
            return
        effects = list(effects)
        if any(isinstance(effect, RunRecording) and not effect.on for effect in effects):
            # First of all, whatever becomes of the rest.
            await self._stop_recording(engine, room)
        for effect in effects:
            match effect:
                case Send() | Close():
                    pass
                case Entered() | Left() | CarriedOver():
                    await self._move(engine, room, effect)
                case RunRecording():
                    if effect.on:
                        # Whoever agreed last need not wait for the disk.
                        self._in_background(self._record(engine, room, effect))
                case Negotiate():
                    await self._negotiate(engine, room, effect)
                case _:
                    await _pass_on(engine, room.call_id, effect)

    async def _move(self, engine: MediaEngine, room: Room, effect: Entered | Left | CarriedOver) -> None:
        match effect:
            case Entered():
                await self._admit(engine, effect.participant_id)
            case CarriedOver():
                await self._engines["direct"].end(room.call_id)
                for participant_id in list(room.peers):
                    await self._admit(engine, participant_id)
            case Left():
                self._report_quality(room, effect.participant_id, effect.membership_id)
                await engine.dismiss(room.call_id, effect.participant_id)

    async def _admit(self, engine: MediaEngine, participant_id: UUID) -> None:
        stay = self._stays.get(participant_id)
        if stay is not None:
            await engine.admit(stay.terms)

    async def _record(self, engine: MediaEngine, room: Room, effect: RunRecording) -> None:
        take_id, run = uuid4(), effect.run
        self._runs[take_id] = run
        try:
            await engine.record(room.call_id, take_id, effect.agreed)
        except Exception as failure:
            self._runs.pop(take_id, None)
            refused = isinstance(failure, RecordingRefused)
            if not refused:
                log.exception("recording_failed", call=str(room.call_id))
            if room.consent.is_running(run):
                self._say(room.unrecorded(str(failure) if refused else "The recording could not begin."))
        else:
            if not room.consent.is_running(run):
                # While the engine made ready somebody came in, left, or said no.
                await self._stop_recording(engine, room)

    def broke_off(self, room: Room | None, take_id: UUID, why: str | None) -> None:
        """A take is over. Where it should have gone on, everybody is told why."""
        run = self._runs.pop(take_id, 0)
        if room is not None and why is not None and room.consent.is_running(run):
            self._say(room.unrecorded(why))

    def _say(self, effects: Iterable[Effect]) -> None:
        """At once, so that numbers leave in order. There is nothing to stop any more."""
        for effect in effects:
            if isinstance(effect, Send):
                self._send(effect)

    async def _stop_recording(self, engine: MediaEngine, room: Room) -> None:
        """From now on nothing is recorded; nobody waits until the disk has the rest."""
        self._in_background(engine.stop_recording(room.call_id))
        await asyncio.sleep(0)

    def _in_background(self, work: Coroutine[Any, Any, object]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _negotiate(self, engine: MediaEngine, room: Room, effect: Negotiate) -> None:
        try:
            await engine.signal(room.call_id, effect.sender, effect.signal)
        except SignalRefused as refusal:
            room.generations.take_back(effect.sender, effect.signal)
            about = effect.signal.type
            for answer in room.refuse(effect.sender, refusal.code, refusal.detail, about):
                self._send(answer)
        else:
            for silence in room.negotiated(effect.sender, effect.signal):
                await _pass_on(engine, room.call_id, silence)


async def _pass_on(
    engine: MediaEngine, call_id: UUID, effect: Returned | OfferAgain | Silence | Look
) -> None:
    match effect:
        case Returned():
            await engine.returned(call_id, effect.participant_id)
        case OfferAgain():
            await engine.offer_again(call_id, effect.participant_id, anew=effect.anew)
        case Silence():
            await engine.mute(call_id, effect.participant_id, effect.sources)
        case Look():
            await engine.look(call_id, effect.participant_id, effect.tracks)
