"""How many bits a second pass."""

from typing import Final

WINDOW_SECONDS: Final = 0.5


class Allowance:
    """So much is allowed per second, and so much at once (a token bucket)."""

    def __init__(self, per_second: float, at_once: float) -> None:
        self._per_second = per_second
        self._at_once = at_once
        self._left = at_once
        self._at: float | None = None

    def take(self, amount: float, now: float) -> bool:
        """Whether that much more is allowed now; if so, it is used up. Monotonic seconds."""
        if self._at is not None:
            self._left = min(self._at_once, self._left + (now - self._at) * self._per_second)
        self._at = now
        if amount > self._left:
            return False
        self._left -= amount
        return True


class Rate:
    """Counts octets, and says now and then how many bits a second that was of late."""

    def __init__(self) -> None:
        self.bitrate = 0.0
        self.octets = 0
        """All that were ever counted."""
        self._before = 0
        self._since: float | None = None

    def measure(self, now: float) -> float:
        """The bit rate; `now` is monotonic, in seconds. To be asked several times a second."""
        if self._since is None:
            self._since, self._before = now, self.octets
        elapsed = now - self._since
        if elapsed >= WINDOW_SECONDS:
            latest = (self.octets - self._before) * 8 / elapsed
            self.bitrate = latest if self.bitrate == 0 else (self.bitrate + latest) / 2
            self._since, self._before = now, self.octets
        return self.bitrate
