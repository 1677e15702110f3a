"""Opens the bus that a URL names."""

from signalling.contracts.bus import Bus
from signalling.contracts.bus_memory import Exchange, MemoryBus
from signalling.contracts.bus_valkey import ValkeyBus

_EXCHANGES: dict[str, Exchange] = {}


def open_bus(url: str | None) -> Bus:
    """A new end of the bus at `url`.

    `None` and `memory://…` name a bus inside this process, shared by whoever opens the same URL; `redis://`,
    `rediss://` and `unix://` name a Valkey or Redis server. Nothing is connected before the first use.
    """
    if url is None or url.startswith("memory:"):
        return MemoryBus(_EXCHANGES.setdefault(url or "memory://", Exchange()))
    return ValkeyBus(url)
