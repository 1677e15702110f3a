"""Events and typing on their way to the sockets that may hear them, each stream in its order."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from uuid import UUID

from signalling.connection import prepare
from signalling.contracts.envelope import Envelope, Typing
from signalling.events.listeners import Listeners
from signalling.events.rosters import NO_AUDIENCE, Known, Rosters
from signalling.events.writing import Audience, Writer
from signalling.protocol.events import SYNC_TEXT, TypingSeen, hidden, text
from signalling.protocol.order import Order

MOST_ORDERS = 50_000
# What waits for app to say who may hear it.
MOST_WAITING_OF_STREAM = 1_000
MOST_WAITING = 20_000

SYNC = prepare(SYNC_TEXT)


@dataclass(slots=True)
class _Stream:
    """What is kept of a stream that somebody here hears."""

    order: Order[Envelope] = field(default_factory=Order)
    waiting: list[Envelope | Typing] = field(default_factory=list)


class Delivery:
    """Writes each envelope once, to every socket here of the accounts on its stream's roster."""

    def __init__(
        self,
        listeners: Listeners,
        rosters: Rosters,
        writer: Writer,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.lost = False
        """Whether something was given up, so that everybody must sync."""
        self._listeners = listeners
        self._rosters = rosters
        self._writer = writer
        self._monotonic = monotonic
        self._streams: OrderedDict[UUID, _Stream] = OrderedDict()
        self._waiting = 0
        self._gaps: set[UUID] = set()
        self._timer: asyncio.TimerHandle | None = None

    def take(self, envelope: Envelope) -> None:
        """Deliver an envelope, or keep it until what goes before it or a newer roster has come."""
        if not len(self._listeners):
            return
        known = self._rosters.get(envelope.stream, envelope.roster_version)
        if known is not None and known.hearers(self._listeners) is NO_AUDIENCE:
            self._let_go(envelope.stream)
            return
        stream = self._stream(envelope.stream)
        if stream.order.epoch not in ("", envelope.epoch):
            # The numbers of rosters may have begun anew with those of the events.
            self._rosters.forget(envelope.stream)
        for leaving in stream.order.take(envelope, self._monotonic()):
            self._send(stream, leaving)
        if stream.order.due is not None:
            self._gaps.add(envelope.stream)
            self._remind()

    def show_typing(self, typing: Typing) -> None:
        """Tell the others on the roster that somebody types."""
        if len(self._listeners):
            self._send(self._streams.get(typing.stream) or _Stream(), typing)

    def arrived(self, known: Known) -> None:
        """App has said who hears a stream: deliver what waited for that."""
        stream = self._streams.get(known.stream)
        if stream is not None and stream.waiting:
            waiting, stream.waiting = stream.waiting, []
            self._waiting -= len(waiting)
            for hint in waiting:
                self._send(stream, hint)
            self._writer.flush_soon()

    def drop(self, stream_id: UUID) -> None:
        """Nobody says who hears a stream: let go of what waits for it."""
        stream = self._streams.get(stream_id)
        if stream is not None and stream.waiting:
            self.lost = True
            self._let_go(stream_id)

    def forget(self) -> None:
        """Begin afresh with every stream."""
        self.lost |= bool(self._waiting or self._gaps)
        self._streams.clear()
        self._gaps.clear()
        self._waiting = 0

    def sync_everybody(self) -> None:
        """Tell every socket that something may have gone by."""
        self.lost = False
        self._writer.put(Audience([listener.link for listener in self._listeners.everyone()]), SYNC)
        self._writer.flush_soon()

    def _stream(self, stream_id: UUID) -> _Stream:
        stream = self._streams.get(stream_id)
        if stream is None:
            stream = self._streams[stream_id] = _Stream()
            if len(self._streams) > MOST_ORDERS:
                oldest = next(iter(self._streams))
                self.drop(oldest)
                self._let_go(oldest)
        else:
            self._streams.move_to_end(stream_id)
        return stream

    def _let_go(self, stream_id: UUID) -> None:
        stream = self._streams.pop(stream_id, None)
        if stream is not None:
            self._waiting -= len(stream.waiting)

    def _send(self, stream: _Stream, hint: Envelope | Typing) -> None:
        version = hint.roster_version if isinstance(hint, Envelope) else 0
        known = None if stream.waiting else self._rosters.get(hint.stream, version)
        if known is None:
            self._wait(hint, version)
        elif isinstance(hint, Envelope):
            self._deliver(hint, known)
        else:
            self._deliver_typing(hint, known)

    def _wait(self, hint: Envelope | Typing, version: int) -> None:
        stream = self._stream(hint.stream)
        stream.waiting.append(hint)
        self._waiting += 1
        too_many = len(stream.waiting) > MOST_WAITING_OF_STREAM or self._waiting > MOST_WAITING
        if too_many or not self._rosters.want(hint.stream, version):
            self.drop(hint.stream)

    def _deliver(self, envelope: Envelope, known: Known) -> None:
        hearers = known.hearers(self._listeners)
        by = envelope.by
        if hearers is NO_AUDIENCE:
            self._let_go(envelope.stream)
        elif by is not None and by not in known.members:
            # Its author has left since, so the roster does not say who is kept apart from them: app knows.
            # The versions do not tell: what is published again carries the newest one.
            self._writer.put(hearers, SYNC)
        elif by is not None and (apart := known.apart_from(by)):
            self._deliver_to_some(envelope, known, apart)
        else:
            self._writer.put(hearers, prepare(envelope.frame))

    def _deliver_to_some(self, envelope: Envelope, known: Known, apart: frozenset[UUID]) -> None:
        number_only = hidden(envelope.stream, envelope.epoch, envelope.seq)
        self._writer.put(self._sockets_of(known.members.keys() - apart), prepare(envelope.frame))
        self._writer.put(self._sockets_of(apart & known.members.keys()), prepare(number_only))

    def _sockets_of(self, accounts: Iterable[UUID]) -> Audience:
        return Audience([found.link for account in accounts for found in self._listeners.of(account)])

    def _deliver_typing(self, typing: Typing, known: Known) -> None:
        membership = known.members.get(typing.account_id)
        if membership is None:
            return
        seen = TypingSeen(stream=typing.stream, membership_id=membership, typing=typing.typing)
        frame = prepare(text(seen))
        but = known.apart_from(typing.account_id) | {typing.account_id}
        self._writer.put(self._sockets_of(known.members.keys() - but), frame)

    # What waits for what is missing

    def _remind(self) -> None:
        if self._timer is None:
            dues = [stream.order.due for id_ in self._gaps if (stream := self._streams.get(id_))]
            due = min((due for due in dues if due is not None), default=None)
            if due is not None:
                pause = max(0.0, due - self._monotonic())
                self._timer = asyncio.get_running_loop().call_later(pause, self._pass_over)

    def _pass_over(self) -> None:
        self._timer = None
        now = self._monotonic()
        for stream_id in list(self._gaps):
            stream = self._streams.get(stream_id)
            if stream is not None:
                for envelope in stream.order.pass_over(now):
                    self._send(stream, envelope)
            if stream is None or stream.order.due is None:
                self._gaps.discard(stream_id)
        self._writer.flush_soon()
        self._remind()
