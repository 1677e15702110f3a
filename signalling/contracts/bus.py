"""The bus between app and signalling: its two sides and their promises.

Commands and facts must not be lost even when the bus is: their *senders* keep them (app in rows, a node in
its journal) and send again until the receiver has them. Hints may be lost: their readers are told when.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol
from uuid import UUID

from signalling.contracts.calls import Command, Fact
from signalling.contracts.envelope import Hint, Hints


class FactDelivery(Protocol):
    """One fact in the hands of one consumer."""

    fact: Fact

    async def committed(self) -> None:
        """Say that the fact is in the database: it is not delivered again and its node may forget it."""


class Bus(Protocol):
    """At-least-once delivery while the bus lives.

    Methods may raise `BusUnavailable`; iterators never do: they wait until the bus is back. A command or an
    acknowledgement counts as dealt with when the next one is asked for.
    """

    async def publish_fact(self, fact: Fact) -> None:
        """Node to app. The node repeats it until `acknowledgements` names its id (`NodeAlive` excepted)."""

    def facts(self, consumer: str) -> AsyncIterator[FactDelivery]:
        """App: competing consumers; what a dead consumer held is delivered to another one."""

    def acknowledgements(self, node: str) -> AsyncIterator[UUID]:
        """Node: ids of its facts that app has committed."""

    async def publish_command(self, node: str, command: Command) -> None:
        """App to one node. App repeats it until a `CommandDone` fact names its id."""

    def commands(self, node: str) -> AsyncIterator[Command]:
        """Node: commands addressed to it, in order of publication."""

    async def publish_hints(self, hints: Sequence[Hint]) -> None:
        """To every node. What one sender says about one stream keeps its order."""

    def hints(self) -> AsyncIterator[Hints]:
        """Node: all hints from now on, in batches; an empty one at least every second says: up to date."""

    async def ping(self) -> None:
        """Return when the bus answers."""

    async def close(self) -> None:
        """Release connections; iterators end."""


class BusUnavailable(Exception):
    """The bus cannot be reached now; the sender keeps what it has and tries again."""
