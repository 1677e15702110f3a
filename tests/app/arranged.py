"""Two people with a mentorship, a meeting of theirs, and what they can be seen to do with it."""

from datetime import datetime
from typing import Any, NamedTuple

import httpx2

from tests.world import Person, World, meeting


class Two(NamedTuple):
    """A mentee and a mentor with a mentorship."""

    world: World
    mentee: Person
    mentor: Person
    pairing: Any

    async def booked(self, at: datetime) -> "One":
        made = await self.world.meet(self.mentee, self.mentor, self.pairing["id"], at)
        return One(self, f"/v1/meetings/{made['id']}", made)


class One(NamedTuple):
    """A meeting of theirs, as it was when it was made."""

    two: Two
    path: str
    made: Any

    async def now(self, who: Person | None = None) -> Any:
        return await (who or self.two.mentee).ok("GET", self.path)

    async def wish(self, who: Person, at: datetime, minutes: int = 45, **fields: Any) -> httpx2.Response:
        return await who.post(f"{self.path}/reschedule", {**meeting(at, minutes), **fields})

    async def history(self, who: Person | None = None) -> list[Any]:
        items: list[Any] = (await (who or self.two.mentee).ok("GET", f"{self.path}/history"))["items"]
        return items

    async def put_off(self, **columns: Any) -> None:
        """Change its row, as time would."""
        sets = ", ".join(f"{name} = :{name}" for name in columns)
        await self.two.world.run(f"UPDATE meeting SET {sets} WHERE id = :id", id=self.made["id"], **columns)


def at_of(row: Any, name: str = "starts_at") -> datetime:
    return datetime.fromisoformat(row[name])


def refused(answer: httpx2.Response, status: int, code: str) -> Any:
    document = answer.json()
    assert (answer.status_code, document["code"]) == (status, code), answer.text
    return document


async def bookings(world: World) -> list[Any]:
    return await world.run("SELECT lower(during), upper(during) FROM booking ORDER BY lower(during)")
