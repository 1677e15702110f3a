"""What tests of the worker share: parts that run meanwhile, and what nodes say and hear."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from app.core import clock, nodes
from app.core.nodes import NodeCommand
from signalling.contracts.bus import Bus
from signalling.contracts.calls import (
    Command,
    NodeAlive,
)
from tests.world import NODE


@contextlib.asynccontextmanager
async def running(*work: Any) -> AsyncIterator[list[asyncio.Task[Any]]]:
    tasks = [asyncio.create_task(one) for one in work]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(condition: Callable[[], Any], seconds: float = 5) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.02)


def alive(name: str = NODE) -> NodeAlive:
    return NodeAlive(node=name, url="ws://localhost:8001", at=clock.now())


def waiting(command: Command, node: str = NODE, *, age: float = 0, **fields: Any) -> NodeCommand:
    """What a node must do, as a transaction so many seconds ago left it."""
    at = clock.now() - timedelta(seconds=age)
    row: dict[str, Any] = {"payload": command.model_dump(mode="json"), "created_at": at, **fields}
    return NodeCommand(id=command.id, node=node, repeat_at=at + nodes.UNANSWERED, **row)


async def obeyed(bus: Bus, heard: list[Command], node: str = NODE) -> None:
    async for command in bus.commands(node):
        heard.append(command)


async def acknowledged(bus: Bus, heard: list[UUID], node: str = NODE) -> None:
    async for fact_id in bus.acknowledgements(node):
        heard.append(fact_id)
