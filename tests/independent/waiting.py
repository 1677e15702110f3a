"""What tests of the events client wait for."""

from tests.independent.events_client import EventsClient
from tests.independent.rest import Rest


async def membership(rest: Rest) -> str:
    (mine,) = (await rest.me())["memberships"]
    return str(mine["id"])


async def shows(client: EventsClient, conversation_id: str, texts: list[str]) -> None:
    """Waits until these are the last texts of the conversation."""
    there = slice(-len(texts), None)
    await client.until(lambda me: me.mirror.texts(conversation_id)[there] == texts, f"it shows {texts}")


async def is_told(client: EventsClient, stream: str, kind: str, id_: str, times: int = 1) -> None:
    await client.until(
        lambda me: me.mirror.told(stream).count((kind, id_)) >= times, f"{kind} is told {times} times"
    )


async def sees(client: EventsClient, membership_id: str, state: str) -> None:
    await client.until(lambda me: me.presence.get(membership_id) == state, f"somebody is seen as {state}")


async def has_unread(client: EventsClient, conversation_id: str, count: int) -> None:
    await client.until(lambda me: me.mirror.unread(conversation_id) == count, f"{count} are unread")
