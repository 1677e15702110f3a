"""Which peer connection a signal is about, and whether it is still wanted."""

from dataclasses import dataclass, field
from uuid import UUID

from signalling.protocol.codes import ErrorCode
from signalling.protocol.messages import Answer, Candidate, DeliveredSignal, Offer, Restart, Signal
from signalling.protocol.parts import Pc, Topology

# Who may say what on which connection. In forwarded calls one side only ever offers, so glare cannot happen.
SPOKEN: dict[Topology, set[tuple[type, Pc]]] = {
    "direct": {(Offer, "direct"), (Answer, "direct"), (Candidate, "direct")},
    "forwarded": {
        (Offer, "publish"),
        (Candidate, "publish"),
        (Answer, "subscribe"),
        (Candidate, "subscribe"),
    },
}

Link = tuple[frozenset[UUID], Pc]


class Stale(Exception):
    """The signal is of an older generation, or its offer was lost: it is dropped without a word."""


class SignalRefused(Exception):
    """The signal is not carried out; its sender is told why."""

    def __init__(self, code: ErrorCode, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


@dataclass(slots=True)
class Generations:
    """The present generation of every peer connection of a call."""

    topology: Topology
    _now: dict[Link, int] = field(default_factory=dict)
    # Generations whose first offer the media engine has not passed on yet.
    _unproven: dict[Link, int] = field(default_factory=dict)
    _was_direct: bool = False

    def promote(self) -> None:
        """The call was direct and is forwarded from now on."""
        self.topology, self._was_direct = "forwarded", True
        self._now.clear()
        self._unproven.clear()

    def check(self, sender: UUID, signal: Signal) -> None:
        """Let a client's signal pass, or raise `Stale` or `SignalRefused`."""
        addressed = signal.to is not None
        if self._was_direct and signal.pc == "direct":
            # Sent before its sender had heard of the promotion.
            raise Stale
        if (type(signal), signal.pc) not in SPOKEN[self.topology] or addressed != (self.topology == "direct"):
            raise SignalRefused(ErrorCode.WRONG_CONNECTION, "This call has no such connection for that.")
        link = _link(sender, signal.to, signal.pc)
        present = self._now.get(link, 0)
        if signal.generation < present:
            raise Stale
        is_next = signal.generation == present + 1
        if isinstance(signal, Candidate) and is_next:
            # Its offer was lost with a socket; when it is said again, it carries this candidate.
            raise Stale
        begins = isinstance(signal, Offer) and is_next
        if signal.generation > present and not begins:
            raise SignalRefused(
                ErrorCode.UNKNOWN_GENERATION,
                f"The present generation is {present}, and only an offer begins the next.",
            )
        if begins:
            self._unproven[link] = signal.generation
        self._now[link] = signal.generation

    def check_restart(self, sender: UUID, restart: Restart) -> bool:
        """Whether a new connection is asked for, not just a new path. Raises `Stale` or `SignalRefused`."""
        present = self._now.get(_link(sender, None, restart.pc), 0)
        if self.topology == "direct":
            raise SignalRefused(ErrorCode.WRONG_CONNECTION, "This call has no such connection.")
        if restart.generation < present:
            raise Stale
        if restart.generation > present + 1 or not present:
            raise SignalRefused(ErrorCode.UNKNOWN_GENERATION, f"The present generation is {present}.")
        return restart.generation > present

    def take_back(self, sender: UUID, signal: Signal) -> None:
        """The engine refused `signal`: an offer that it refuses begins nothing."""
        link = _link(sender, signal.to, signal.pc)
        if isinstance(signal, Offer) and self._unproven.get(link) == signal.generation:
            del self._unproven[link]
            self._now[link] -= 1

    def is_present(self, to: UUID, signal: DeliveredSignal) -> bool:
        """Whether what an engine sends is of the present generation; its own offers begin new ones."""
        link = _link(to, signal.sender, signal.pc)
        present = self._now.get(link, 0)
        if signal.sender is None and signal.type == "offer" and signal.generation > present:
            self._now[link] = present = signal.generation
        if signal.generation != present:
            return False
        self._unproven.pop(link, None)
        return True

    def forget(self, participant: UUID) -> None:
        """Forget every connection of someone who left."""
        for link in [link for link in self._now if participant in link[0]]:
            del self._now[link]
            self._unproven.pop(link, None)


def _link(one: UUID, other: UUID | None, pc: Pc) -> Link:
    return frozenset({one} if other is None else {one, other}), pc
