"""A bus whose hints a test can hold up, or let go by, as a bus in trouble does."""

from collections.abc import AsyncIterator

from typing_extensions import override

from signalling.contracts.bus_memory import Exchange, MemoryBus
from signalling.contracts.envelope import Hint, Hints


class FalteringBus(MemoryBus):
    """A node's end of a bus in this process, whose hints may be `away` or `late`."""

    def __init__(self, exchange: Exchange) -> None:
        super().__init__(exchange)
        self.away = False
        """What is said meanwhile goes by, and the next answer says that something may have."""
        self.late = False
        """What is said meanwhile comes afterwards, and nothing says that it is late."""
        self._kept: list[Hint] = []

    @override
    async def hints(self) -> AsyncIterator[Hints]:
        missed = False
        async for hints in super().hints():
            if self.away:
                missed = True
            elif self.late:
                self._kept += hints.items
            else:
                kept, self._kept = self._kept, []
                yield Hints((*kept, *hints.items), missed=hints.missed or missed)
                missed = False
