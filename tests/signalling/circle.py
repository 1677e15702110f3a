"""Three people in a conversation and a stranger, for the tests of typing and presence."""

import asyncio
from typing import NamedTuple
from uuid import UUID, uuid4

from tests.signalling.world import Ear, World


class Circle(NamedTuple):
    """Three people in a conversation, and a stranger."""

    world: World
    stream: UUID
    amina: Ear
    ben: Ear
    carla: Ear
    stranger: Ear

    def membership(self, ear: Ear) -> str:
        """How the others know somebody."""
        return str(self.world.app.door.rosters[self.stream].members[ear.account_id])


async def gather(world: World) -> Circle:
    """Three people who listen, in a conversation, and a stranger."""
    ears = [await world.listen() for _ in range(4)]
    stream = uuid4()
    world.app.door.let_hear(stream, *[ear.account_id for ear in ears[:3]])
    return Circle(world, stream, *ears)


async def quiet(*ears: Ear) -> None:
    """Nothing more was told to these; what is told takes its way over the bus."""
    await asyncio.sleep(0.05)
    for ear in ears:
        await ear.nothing()
