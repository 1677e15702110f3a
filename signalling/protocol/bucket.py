"""How fast one socket may talk."""

from dataclasses import dataclass

BURST = 200.0
PER_SECOND = 50.0
BYTES_PER_TOKEN = 4096


@dataclass(slots=True)
class Bucket:
    """A token bucket; the caller brings the time."""

    filled_at: float
    tokens: float = BURST

    def take(self, now: float, size: int) -> bool:
        """Pay for a message of `size` bytes; False when there is not enough left."""
        self.tokens = min(BURST, self.tokens + max(0.0, now - self.filled_at) * PER_SECOND)
        self.filled_at = now
        cost = 1 + size // BYTES_PER_TOKEN
        if cost > self.tokens:
            return False
        self.tokens -= cost
        return True
