"""Rows of the visibility matrix: streams."""

from typing import Any

from sqlalchemy import select

from app.chat.models import Conversation
from app.core.streams import Stream
from tests.app.house import House, member
from tests.app.visibility import Scene
from tests.app.visibility_rows import OWN, S, cells, row, row_with, shown
from tests.world import Person


def _afresh(house: House, *hidden: object) -> Scene:
    return Scene(house.mentee, body={"cursors": []}, other=house.mentor, hidden=shown(*hidden))


row("issue_events_ticket", OWN, lambda h: Scene(h.mentee, other=h.mentor))
row("sync_streams", OWN, lambda h: _afresh(h, h.mentee.account_id))
row("sync_streams", cells(S, S, gone=S), lambda h: _afresh(h, h.mentee.membership_id), "memberships")
row(
    "sync_streams",
    cells(S, S, blocked=S, gone=S),
    lambda h: _afresh(h, h.talk.id, h.meeting_talk.id),
    "conversations",
)
row("sync_streams", cells(S, S, left=S, gone=S), lambda h: _afresh(h, h.circle_talk.id), "circles")


async def _words(house: House, talk: Conversation) -> Scene:
    """Someone who has heard what the mentee said first, and not yet what the mentor answered."""
    (head,) = await house.world.rows(select(Stream).where(Stream.id == talk.id))
    cursor = {"stream": str(talk.id), "epoch": head.epoch, "seq": 1}

    def body(who: Person) -> dict[str, Any]:
        # A stream that is not theirs to hear is named back to them; here nothing is to be seen of the house.
        return {"cursors": [] if who in (house.stranger, house.outsider) else [cursor]}

    words = house.said[talk.id, member(house.mentor)].text
    return Scene(house.mentee, body=body, other=house.mentor, hidden=shown(words))


row_with("sync_streams", cells(S, S, blocked=S, gone=S), lambda h: _words(h, h.talk), "words")
row_with(
    "sync_streams",
    cells(S, S, blocked=S, left=S, gone=S),
    lambda h: _words(h, h.circle_talk),
    "words in circles",
)
