"""Whether a call is recorded: only while everybody in it has said yes.

Somebody asks by saying yes first. When all have said it, it begins; a no of one ends it, and no earlier yes
counts any more: not even one on its way, if it says which question it answers. Whoever comes in later
interrupts it until they have said yes, too. It never begins because somebody left, and what goes on without
them is another one.
"""

from collections.abc import Callable, Collection, Iterable
from uuid import UUID

from signalling.protocol.codes import ErrorCode
from signalling.protocol.effects import Effect, RunRecording
from signalling.protocol.messages import Error, Record, Recording
from signalling.protocol.negotiation import SignalRefused
from signalling.protocol.parts import RecordingNow, RecordingState
from signalling.protocol.peer import Peer, tell_all

FEWEST = 2
"""Who is alone has nobody to record with."""


class Consent:
    """What everybody in one call has said. `possible`: whether this server records."""

    def __init__(self, *, possible: bool) -> None:
        self.possible = possible
        self.run = 0
        """Which recording of the call goes on, or went on last."""
        self.question = 0
        """Counts how often somebody has asked."""
        self._agreed: list[UUID] = []
        self._on = False

    @property
    def state(self) -> RecordingState:
        if not self.possible:
            return "unavailable"
        if self._on:
            return "on"
        return "asked" if self._agreed else "off"

    def is_running(self, run: int) -> bool:
        """Whether this recording still goes on."""
        return self._on and self.run == run

    def now(self) -> RecordingNow:
        """For whoever comes in."""
        return RecordingNow(state=self.state, agreed=tuple(self._agreed), question=self.question)

    def say(
        self, peer: Peer, peers: Collection[Peer], message: Record, promote: Callable[[], list[Effect]]
    ) -> list[Effect]:
        """Somebody says yes or no. Only the server can record: `promote` has it carry the call first.

        Raises `SignalRefused`.
        """
        if not self.possible:
            raise SignalRefused(ErrorCode.RECORDING_UNAVAILABLE, "Calls are not recorded on this server.")
        if not message.agree:
            return self._become(peers, [], on=False)
        if message.question is not None and (not self._agreed or message.question != self.question):
            return []
        me, everybody = peer.who.participant_id, {each.who.participant_id for each in peers}
        agreed = self._agreed if me in self._agreed else [*self._agreed, me]
        was_on = self._on
        effects = self._become(peers, agreed, on=len(everybody) >= FEWEST and everybody <= set(agreed))
        return effects if was_on or not self._on else [*effects[:-1], *promote(), effects[-1]]

    def failed(self, detail: str, peers: Collection[Peer]) -> list[Effect]:
        """It cannot go on: everybody is told why, and it has to be asked for anew."""
        error = Error(code=ErrorCode.RECORDING_UNAVAILABLE, detail=detail, about="record")
        return tell_all(peers, error) + self._become(peers, [], on=False)

    def entered(self, older: Collection[Peer]) -> list[Effect]:
        """Somebody came in, who is told by their welcome."""
        return self._become(older, self._agreed, on=False)

    def left(self, participant: UUID, peers: Collection[Peer]) -> list[Effect]:
        """Somebody is gone."""
        agreed = [each for each in self._agreed if each != participant]
        if not self._on:
            return self._become(peers, agreed, on=False)
        if len(peers) < FEWEST:
            return self._become(peers, [], on=False)
        # Whoever left is not to have what is said without them: the rest is another recording.
        ended = RunRecording(self.run, on=False)
        self.run += 1
        return [*self._become(peers, agreed, on=True), ended, self._run()]

    def _become(self, peers: Iterable[Peer], agreed: list[UUID], *, on: bool) -> list[Effect]:
        before, was_on = self.now(), self._on
        if agreed and not self._agreed:
            self.question += 1
        self._agreed, self._on = agreed, on
        if on and not was_on:
            self.run += 1
        now = self.now()
        message = Recording(state=now.state, agreed=now.agreed, question=now.question)
        told = tell_all(peers, message) if now != before else []
        return told + ([self._run()] if on != was_on else [])

    def _run(self) -> RunRecording:
        return RunRecording(self.run, on=self._on, agreed=tuple(self._agreed) if self._on else ())
