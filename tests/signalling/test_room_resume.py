"""Stays that lose their sockets or end: who comes back as the same, and who as somebody new."""

from uuid import uuid4

import pytest

from signalling.protocol.codes import CloseCode
from signalling.protocol.effects import Close, Entered, Left, Negotiate
from signalling.protocol.messages import Leave, Media
from signalling.protocol.peer import KEPT_MESSAGES
from tests.signalling.test_room import ON, TOKEN, Meeting, told, types


def test_a_lost_socket_comes_back_and_misses_nothing() -> None:
    meeting = Meeting()
    room, a, b = meeting.room, meeting.a.participant_id, meeting.b.participant_id
    assert types(room.lost(a, 100), b) == ["participant_connection"]
    assert told(room.receive(b, Media(audio=False, video=False)), a) == []
    effects = room.resume(a, ON, 0, TOKEN)
    replayed = told(effects, a)
    assert [(m["type"], m["seq"]) for m in replayed] == [
        ("welcome", 0),
        ("participant_joined", 1),
        ("participant_media", 2),
    ]
    assert replayed[0]["resumed"] is True
    assert told(effects, b)[0]["state"] == "online"
    assert room.expire(1000) == []


@pytest.mark.parametrize("last_seq", [0, 999])
def test_whoever_missed_too_much_comes_back_as_a_newcomer(last_seq: int) -> None:
    meeting = Meeting()
    room, a, b, new = meeting.room, meeting.a.participant_id, meeting.b.participant_id, uuid4()
    room.receive(a, meeting.offer(1))
    room.receive(a, meeting.offer(2))
    for number in range(KEPT_MESSAGES):
        room.receive(b, Media(audio=bool(number % 2), video=True))
    assert not room.can_replay(a, last_seq)
    effects = room.begin_again(a, new, ON, TOKEN)
    (welcome,) = told(effects, new)
    assert (welcome["resumed"], welcome["seq"], welcome["participant_id"]) == (False, 0, str(new))
    assert [(other["id"], other["polite"]) for other in welcome["participants"]] == [(str(b), False)]
    left, joined = told(effects, b)
    assert (left["participant_id"], left["reason"]) == (str(a), "connection_lost")
    assert (joined["participant"]["id"], joined["participant"]["polite"]) == (str(new), True)
    assert told(effects, a) == []
    facts = [effect for effect in effects if isinstance(effect, Entered | Left)]
    membership = meeting.a.membership_id
    assert facts == [Left(a, membership, "connection_lost"), Entered(new, membership)]
    # Between the two all begins anew, so there is one offer and one who waits for it.
    assert isinstance(room.receive(new, meeting.offer(1))[0], Negotiate)


def test_coming_back_is_told_even_if_nobody_noticed_the_loss() -> None:
    meeting = Meeting()
    a, b = meeting.a.participant_id, meeting.b.participant_id
    (online,) = told(meeting.room.resume(a, ON, 1, TOKEN), b)
    assert (online["type"], online["participant_id"], online["state"]) == (
        "participant_connection",
        str(a),
        "online",
    )


def test_errors_are_replayed_like_everything_that_has_a_number() -> None:
    meeting = Meeting()
    a = meeting.a.participant_id
    meeting.room.receive(a, meeting.offer(7))
    replayed = told(meeting.room.resume(a, ON, 1, TOKEN), a)
    assert [message["type"] for message in replayed] == ["welcome", "error"]


def test_grace_runs_out_once() -> None:
    meeting = Meeting()
    room, a, b = meeting.room, meeting.a.participant_id, meeting.b.participant_id
    room.lost(a, 100)
    assert room.expire(114.9) == []
    effects = room.expire(115)
    assert told(effects, b)[0]["reason"] == "connection_lost"
    assert Left(a, meeting.a.membership_id, "connection_lost") in effects
    assert room.expire(200) == []
    assert not room.can_replay(a, 0)


def test_leaving_says_goodbye_to_both_sides() -> None:
    meeting = Meeting()
    a, b = meeting.a.participant_id, meeting.b.participant_id
    meeting.room.receive(a, meeting.offer())
    effects = meeting.room.receive(a, Leave())
    assert told(effects, a)[0]["reason"] == "left"
    assert Close(a, CloseCode.NORMAL) in effects
    assert told(effects, b)[0]["reason"] == "left"
    assert meeting.room.generations._now == {}
    assert meeting.room.receive(a, Leave()) == []
    assert meeting.room.lost(a, 0) == []


def test_stopping_and_dropping() -> None:
    meeting = Meeting()
    a, b = meeting.a.participant_id, meeting.b.participant_id
    assert Close(a, CloseCode.FLOODING) in meeting.room.drop(a, CloseCode.FLOODING)
    effects = meeting.room.stop()
    assert Close(b, CloseCode.GOING_AWAY) in effects
    assert told(effects, b)[0]["reason"] == "server_stopped"
    assert meeting.room.leave(b) == []
