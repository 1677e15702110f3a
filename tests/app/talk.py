"""What the chat tests have in common: finding a conversation, saying something, and reading streams."""

from collections import Counter
from typing import Any
from uuid import uuid4

from tests.world import ALL_ROLES, Person, World


async def conversation_of(person: Person, pairing: Any) -> Any:
    """The conversation of a mentorship, as this person sees it."""
    (found,) = (await person.ok("GET", f"/v1/conversations?pairing_id={pairing['id']}"))["items"]
    return found


async def pair(world: World) -> tuple[Person, Person, Any]:
    """A mentee, a mentor, and their conversation."""
    mentee, mentor = await world.two()
    return mentee, mentor, await conversation_of(mentee, await world.pair(mentee, mentor))


async def conversation_at(person: Person, meeting: Any) -> Any:
    """The conversation of a meeting, as this person sees it."""
    (found,) = (await person.ok("GET", f"/v1/conversations?meeting_id={meeting['id']}"))["items"]
    return found


def message(text: str = "Hello there", **fields: Any) -> dict[str, Any]:
    """The body of something new to say."""
    return {"client_id": str(uuid4()), "text": text, **fields}


def messages(talk: Any) -> str:
    """The path of a conversation's messages."""
    return f"/v1/conversations/{talk['id']}/messages"


async def say(person: Person, talk: Any, text: str = "Hello there", **fields: Any) -> Any:
    """Something said, and accepted."""
    return await person.ok("POST", messages(talk), message(text, **fields))


async def seen(person: Person, talk: Any) -> Any:
    """The conversation as it is now."""
    return await person.ok("GET", f"/v1/conversations/{talk['id']}")


async def texts(person: Person, talk: Any, query: str = "") -> list[str]:
    """What this person reads."""
    return [row["text"] for row in (await person.ok("GET", messages(talk) + query))["items"]]


async def events(world: World, stream: Any) -> list[tuple[int, str, str]]:
    """Number, kind and subject of everything that happened in a stream, whose numbers have no holes."""
    rows = await world.run(
        "SELECT seq, kind, subject_id FROM stream_event WHERE stream_id = :id ORDER BY seq", id=stream
    )
    heads = await world.run("SELECT seq FROM stream WHERE id = :id", id=stream)
    assert [row.seq for row in rows] == list(range(1, (heads[0].seq if heads else 0) + 1))
    return [(row.seq, row.kind, str(row.subject_id)) for row in rows]


async def told(world: World, person: Person) -> Counter[tuple[str, str]]:
    """What this person's membership was told about conversations, and how often."""
    found = await events(world, person.membership_id)
    return Counter((kind, subject) for _, kind, subject in found if kind.startswith("conversation."))


async def roster_version(world: World, talk: Any) -> int:
    (row,) = await world.run("SELECT roster_version FROM stream WHERE id = :id", id=talk["id"])
    return int(row.roster_version)


async def circle(world: World, *names: str) -> tuple[Person, list[Person], Any]:
    """A coordinator, the people of a circle (the first one leads it), and the circle."""
    place = await world.organisation()
    coordinator = await world.member(place, "Coordinator", roles=ALL_ROLES)
    people = [await world.member(place, name) for name in names]
    return coordinator, people, await world.circle(coordinator, people[:1], people[1:])
