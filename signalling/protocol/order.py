"""In which order the events of one stream leave: a short wait for what is missing, nothing twice."""

from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

# How long what follows a missing event waits for it.
WINDOW_SECONDS = 0.05
# So many numbers below the newest may still come late.
LATE = 64
MOST_WAITING = 256


class Placed(Protocol):
    """Something with a place in a stream."""

    @property
    def epoch(self) -> str: ...
    @property
    def seq(self) -> int: ...


T = TypeVar("T", bound=Placed)


@dataclass(slots=True)
class Order(Generic[T]):
    """Where one stream stands; the caller brings the time."""

    epoch: str = ""
    high: int = 0
    """The highest number that has left."""
    _holes: set[int] = field(default_factory=set)
    """Numbers below `high` that have not left."""
    _waiting: dict[int, tuple[float, T]] = field(default_factory=dict)
    """What came too early, and when."""

    @property
    def due(self) -> float | None:
        """When `pass_over` should be called, if nothing comes before."""
        if not self._waiting:
            return None
        return min(at for at, _ in self._waiting.values()) + WINDOW_SECONDS

    def take(self, item: T, now: float) -> list[T]:
        """What leaves now that `item` has come."""
        seq = item.seq
        if item.epoch != self.epoch:
            return self._begin(item)
        if seq == self.high + 1:
            self.high = seq
            return [item, *self._following()] if self._waiting else [item]
        if seq <= self.high:
            if seq not in self._holes:
                return []
            self._holes.remove(seq)
            return [item]
        self._waiting.setdefault(seq, (now, item))
        return self.pass_over(float("inf") if len(self._waiting) > MOST_WAITING else now)

    def pass_over(self, now: float) -> list[T]:
        """What leaves because it has waited long enough for what is missing."""
        leaving: list[T] = []
        while (due := self.due) is not None and due <= now:
            first = min(self._waiting)
            self._holes.update(range(max(self.high + 1, first - LATE), first))
            self._holes = {seq for seq in self._holes if seq >= first - LATE}
            self.high = first - 1
            leaving += self._following()
        return leaving

    def _begin(self, item: T) -> list[T]:
        self.epoch, self.high = item.epoch, item.seq
        self._holes = set(range(max(1, item.seq - LATE), item.seq))
        self._waiting.clear()
        return [item]

    def _following(self) -> list[T]:
        leaving: list[T] = []
        while (found := self._waiting.pop(self.high + 1, None)) is not None:
            self.high += 1
            leaving.append(found[1])
        return leaving
