"""Rows of the visibility matrix: what people say to each other."""

from typing import Any, Final
from uuid import uuid4

from app.chat.models import Conversation
from tests.app.house import House, member
from tests.app.visibility import Principal, Scene
from tests.app.visibility_rows import A, C, F, H, S, cells, row, shown

TALKS: Final = ("talk", "meeting_talk", "circle_talk")


def _talk(house: House, which: str, body: Any = None, *, message: bool = False, **more: Any) -> Scene:
    """The mentee, in the pair's conversation or its meeting's (beside them the mentor) or the circle's."""
    talk: Conversation = getattr(house, which)
    in_circle = talk is house.circle_talk

    async def ending() -> None:
        pairing, who = (house.circle, house.coordinator) if in_circle else (house.active, house.mentor)
        await who.ok("POST", f"/v1/pairings/{pairing.id}/end")

    settled: dict[str, Any] = {
        "other": house.mentor,
        "side": house.coordinator if in_circle else house.mentor,
        "seen_at": f"/v1/conversations/{talk.id}",
        "ending": ending,
    }
    own = house.said[talk.id, member(house.mentee)]
    path = {"message_id": own.id} if message else {"conversation_id": talk.id}
    return Scene(house.mentee, path, body, **{**settled, **more})


def _words(house: House, which: str, *more: object) -> frozenset[str]:
    """What the mentor said last."""
    return shown(house.said[getattr(house, which).id, member(house.mentor)].text, *more)


def _listed(house: House, which: str) -> Scene:
    talk = getattr(house, which)
    return Scene(house.mentee, other=house.mentor, hidden=_words(house, which, talk.id))


row("list_conversations", cells(S, S, blocked=S, gone=S), lambda h: _listed(h, "talk"))
row("list_conversations", cells(S, S, blocked=S, gone=S), lambda h: _listed(h, "meeting_talk"), "of meetings")
row("list_conversations", cells(S, S, left=S, gone=S), lambda h: _listed(h, "circle_talk"), "of circles")
row(
    "list_conversations",
    cells(S, S, blocked=S, left=S, gone=S),
    lambda h: Scene(h.mentee, other=h.mentor, hidden=_words(h, "circle_talk")),
    "words in circles",
)

for _which in TALKS:
    _label = "" if _which == "talk" else _which.partition("_")[0]
    _both: dict[str, Any] = {"left": H, "side": H} if _which == "circle_talk" else {"blocked": H}
    _reads = cells(H, H, **{"blocked": S, **_both})
    _writes = {**cells(H, H, **{**_both, "ended": C}), Principal.WRONG_SIDE: H}
    if _which != "circle_talk":
        del _writes[Principal.WRONG_SIDE]  # the other person of a pair may do all this too
    _authors = {**cells(H, H, **_both), Principal.WRONG_SIDE: H if _which == "circle_talk" else F}
    row(
        "read_conversation",
        _reads,
        lambda h, which=_which: _talk(  # type: ignore[misc]
            h, which, hidden=_words(h, which, h.mentor.name, h.mentor.membership_id)
        ),
        _label,
    )
    row(
        "read_messages",
        _reads,
        lambda h, which=_which: _talk(  # type: ignore[misc]
            h, which, hidden=_words(h, which, h.mentor.membership_id)
        ),
        _label,
    )
    row(
        "send_message",
        _writes,
        lambda h, which=_which: _talk(  # type: ignore[misc]
            h, which, {"client_id": str(uuid4()), "text": "Hello."}
        ),
        _label,
    )
    row(
        "edit_message",
        {**_authors, Principal.PAIRING_ENDED: C},
        lambda h, which=_which: _talk(h, which, {"text": "Hallo."}, message=True),  # type: ignore[misc]
        _label,
    )
    row(
        "delete_message",
        _authors,
        lambda h, which=_which: _talk(h, which, message=True),  # type: ignore[misc]
        _label,
    )
    row(
        "mark_read",
        cells(H, H, **_both),
        lambda h, which=_which: _talk(h, which, {"seq": 2}),  # type: ignore[misc]
        _label,
    )

for _operation, _body, _ended in (("edit_message", {"text": "Hallo."}, C), ("delete_message", None, A)):
    row(
        _operation,
        cells(H, H, blocked=H, ended=_ended),
        lambda h, body=_body: Scene(  # type: ignore[misc]
            h.mentor, {"message_id": h.said[h.talk.id, member(h.mentor)].id}, body, other=h.mentee
        ),
        "as the mentor",
    )
