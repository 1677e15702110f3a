"""The media engines of this node, and what the effects of the core mean to the one that carries a call."""

import asyncio
from collections.abc import Callable, Iterable
from uuid import UUID, uuid4

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
        for effect in effects:
            match effect:
                case Send() | Close():
                    pass
                case Entered() | Left() | CarriedOver():
                    await self._move(engine, room, effect)
                case RunRecording():
                    await self._record(engine, room, effect)
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
                if not room.peers:
                    await engine.end(room.call_id)

    async def _admit(self, engine: MediaEngine, participant_id: UUID) -> None:
        stay = self._stays.get(participant_id)
        if stay is not None:
            await engine.admit(stay.terms)

    async def _record(self, engine: MediaEngine, room: Room, effect: RunRecording) -> None:
        if not effect.on:
            await self._stop_recording(engine, room)
            return
        try:
            await engine.record(room.call_id, uuid4())
        except RecordingRefused as refusal:
            for said in room.unrecorded(str(refusal)):
                if isinstance(said, Send):
                    self._send(said)
        if not room.consent.is_running(effect.run):
            # While the engine made ready somebody came in, or said no.
            await self._stop_recording(engine, room)

    async def _stop_recording(self, engine: MediaEngine, room: Room) -> None:
        """From now on nothing is recorded; nobody waits until the disk has the rest."""
        task = asyncio.create_task(engine.stop_recording(room.call_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.sleep(0)

    async def _negotiate(self, engine: MediaEngine, room: Room, effect: Negotiate) -> None:
        try:
            await engine.signal(room.call_id, effect.sender, effect.signal)
        except SignalRefused as refusal:
            room.generations.take_back(effect.sender, effect.signal)
            about = effect.signal.type
            for answer in room.refuse(effect.sender, refusal.code, refusal.detail, about):
                self._send(answer)


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
