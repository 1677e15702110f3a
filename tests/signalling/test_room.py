"""The protocol core without an event loop: what each message does in each state, and what never happens."""

import json
from typing import Any, get_args
from uuid import UUID, uuid4

import pytest

from signalling.protocol.codes import CloseCode, ErrorCode
from signalling.protocol.effects import CarriedOver, Close, Effect, Entered, Left, Negotiate, Refused, Send
from signalling.protocol.messages import (
    AnswerFrom,
    Candidate,
    ClientMessage,
    Forward,
    Hello,
    Media,
    Offer,
    OfferFrom,
    Ping,
)
from signalling.protocol.parts import MAX_CANDIDATES, MediaState
from signalling.protocol.peer import MOVES, STRIKES, Entrant, State
from signalling.protocol.room import CAPACITY, REFUSE_SECONDS, Room
from tests.signalling.world import SDP

ON = MediaState(audio=True, video=True)
TOKEN = "t" * 32


def entrant(membership: UUID | None = None, **other: Any) -> Entrant:
    """Somebody."""
    return Entrant(
        participant_id=uuid4(),
        membership_id=membership or uuid4(),
        session_id=other.pop("session_id", uuid4()),
        name="A",
        organisation="O",
        role="mentor",
        **other,
    )


def told(effects: list[Effect], to: UUID) -> list[dict[str, Any]]:
    """What one participant is sent."""
    return [json.loads(effect.frame) for effect in effects if isinstance(effect, Send) and effect.to == to]


def types(effects: list[Effect], to: UUID) -> list[str]:
    """The types of what one participant is sent."""
    return [message["type"] for message in told(effects, to)]


class Meeting:
    """A room with two people in it."""

    def __init__(self, **other: Any) -> None:
        self.room = Room(uuid4(), grace=15, **other)
        self.a, self.b = entrant(), entrant()
        self.entry_a = self.room.admit(self.a, ON, TOKEN, 0)
        self.entry_b = self.room.admit(self.b, ON, TOKEN, 0)

    def offer(self, generation: int = 1, **other: Any) -> Offer:
        """From a to b unless told otherwise."""
        to = other.get("to", self.b.participant_id)
        return Offer(to=to, pc=other.get("pc", "direct"), generation=generation, sdp=SDP)

    def candidate(self, generation: int = 1) -> Candidate:
        """From a to b."""
        return Candidate(to=self.b.participant_id, pc="direct", generation=generation, candidate=None)


def refused(room: Room, who: Entrant, now: float = 0) -> Refused:
    """The refusal that an entry meets."""
    with pytest.raises(Refused) as refusal:
        room.admit(who, ON, TOKEN, now)
    return refusal.value


# The table


def test_every_client_message_has_a_move_and_nothing_moves_what_is_gone() -> None:
    in_table = {event for _, event in MOVES if event in client_models()}
    assert in_table == client_models()
    assert not [state for state, _ in MOVES if state is State.GONE]


def client_models() -> set[type]:
    """The models of `ClientMessage`."""
    return set(get_args(get_args(ClientMessage)[0]))


@pytest.mark.parametrize("state", [State.RECONNECTING, State.LEAVING, State.GONE, State.GREETING])
def test_only_who_is_online_may_speak(state: State) -> None:
    meeting = Meeting()
    meeting.room.peers[meeting.a.participant_id].state = state
    effects = meeting.room.receive(meeting.a.participant_id, meeting.offer())
    assert not [effect for effect in effects if isinstance(effect, Negotiate)]


def test_a_second_hello_is_unexpected() -> None:
    meeting = Meeting()
    hello = Hello(version=1, ticket="x" * 20, media=ON)
    (error,) = told(meeting.room.receive(meeting.a.participant_id, hello), meeting.a.participant_id)
    assert (error["code"], error["about"]) == ("unexpected_message", "hello")


# Coming in


def test_entering() -> None:
    meeting = Meeting()
    a, b = meeting.a.participant_id, meeting.b.participant_id
    assert [type(effect) for effect in meeting.entry_a] == [Entered, Send]
    (welcome,) = told(meeting.entry_b, b)
    assert [person["id"] for person in welcome["participants"]] == [str(a)]
    assert welcome["participants"][0]["polite"] is False
    (joined,) = told(meeting.entry_b, a)
    assert (joined["seq"], joined["participant"]["polite"]) == (1, True)


def test_a_full_call_refuses_whoever_comes() -> None:
    meeting = Meeting(topology="forwarded")
    for _ in range(CAPACITY["forwarded"] - 2):
        meeting.room.admit(entrant(), ON, TOKEN, 0)
    refusal = refused(meeting.room, entrant())
    assert (refusal.error, refusal.close) == (ErrorCode.CALL_FULL, CloseCode.CALL_FULL)


# From direct to forwarded


def test_a_third_person_promotes_a_direct_call() -> None:
    meeting = Meeting()
    third = entrant()
    effects = meeting.room.admit(third, ON, TOKEN, 0)
    for one in (meeting.a, meeting.b):
        assert types(effects, one.participant_id) == ["promoted", "participant_joined"]
    assert told(effects, third.participant_id)[0]["topology"] == "forwarded"
    assert effects.index(CarriedOver()) < effects.index(Entered(third.participant_id, third.membership_id))
    assert meeting.room.topology == "forwarded"


def test_a_ticket_for_a_forwarded_call_promotes_it_and_an_older_one_still_counts() -> None:
    room, first, second, third = Room(uuid4()), entrant(), entrant(), entrant()
    assert CarriedOver() not in room.admit(first, ON, TOKEN, 0, topology="direct")
    effects = room.admit(second, ON, TOKEN, 0, topology="forwarded")
    assert types(effects, first.participant_id) == ["promoted", "participant_joined"]
    effects = room.admit(third, ON, TOKEN, 0, topology="direct")
    assert CarriedOver() not in effects
    assert told(effects, third.participant_id)[0]["topology"] == "forwarded"


def test_whoever_is_refused_promotes_nothing() -> None:
    meeting = Meeting()
    meeting.room.remove([uuid := uuid4()], 0)
    with pytest.raises(Refused):
        meeting.room.admit(entrant(uuid), ON, TOKEN, 1, topology="forwarded")
    assert meeting.room.topology == "direct"


def test_one_of_them_can_have_the_call_forwarded() -> None:
    meeting = Meeting()
    room, a, b = meeting.room, meeting.a.participant_id, meeting.b.participant_id
    room.receive(a, meeting.offer())
    effects = room.receive(a, Forward())
    assert [types(effects, each) for each in (a, b)] == [["promoted"], ["promoted"]]
    assert effects[-1] == CarriedOver()
    assert room.receive(b, Forward()) == [], "asked by both at once"
    assert room.receive(a, meeting.candidate()) == [], "said before it was heard"
    assert room.receive(b, meeting.offer(to=a, generation=7)) == []
    publish = meeting.offer(to=None, pc="publish")
    assert room.receive(a, publish) == [Negotiate(a, publish)]
    late = OfferFrom(sender=a, pc="direct", generation=1, sdp=SDP)
    assert room.deliver(b, late) == [], "nothing of the direct call comes after it"


def test_a_promotion_that_was_missed_is_replayed() -> None:
    meeting = Meeting()
    room, a, b = meeting.room, meeting.a.participant_id, meeting.b.participant_id
    room.lost(b, 0)
    seq = room.peers[b].seq
    assert types(room.receive(a, Forward()), b) == []
    effects = room.resume(b, ON, seq, TOKEN)
    assert types(effects, b)[:2] == ["welcome", "promoted"]
    assert told(effects, b)[0]["topology"] == "forwarded"


def test_a_newer_socket_of_the_same_membership_replaces_the_older() -> None:
    meeting = Meeting()
    again = entrant(meeting.a.membership_id)
    effects = meeting.room.admit(again, ON, TOKEN, 0)
    old, b = meeting.a.participant_id, meeting.b.participant_id
    assert told(effects, old)[0]["reason"] == "replaced"
    assert Close(old, CloseCode.REPLACED) in effects
    assert Left(old, meeting.a.membership_id, "replaced") in effects
    assert types(effects, b) == ["participant_left", "participant_joined"]
    assert set(meeting.room.peers) == {b, again.participant_id}


def test_removed_and_ended_keep_out_those_who_hold_tickets_for_a_while() -> None:
    meeting = Meeting()
    effects = meeting.room.remove([meeting.a.membership_id], 10)
    assert told(effects, meeting.a.participant_id)[0] == {"seq": 2, "type": "ended", "reason": "removed"}
    assert Close(meeting.a.participant_id, CloseCode.REMOVED) in effects
    assert refused(meeting.room, entrant(meeting.a.membership_id), 11).error == ErrorCode.REMOVED
    meeting.room.admit(entrant(meeting.a.membership_id), ON, TOKEN, 10 + REFUSE_SECONDS)
    effects = meeting.room.end(200)
    assert len([effect for effect in effects if isinstance(effect, Left)]) == 2
    assert refused(meeting.room, entrant(), 201).error == ErrorCode.CALL_ENDED
    assert not meeting.room.forgettable(201)
    assert meeting.room.forgettable(200 + REFUSE_SECONDS)


def test_revoking_puts_out_exactly_that_session() -> None:
    room = Room(uuid4())
    a, b = entrant(), entrant()
    room.admit(a, ON, TOKEN, 0)
    room.admit(b, ON, TOKEN, 0)
    room.revoke(a.session_id)
    assert set(room.peers) == {b.participant_id}


# Signals


def test_a_signal_goes_to_the_engine_and_back_to_the_other_side_only() -> None:
    meeting = Meeting()
    a, b = meeting.a.participant_id, meeting.b.participant_id
    assert meeting.room.receive(a, meeting.offer()) == [Negotiate(a, meeting.offer())]
    (send,) = meeting.room.deliver(b, OfferFrom(sender=a, pc="direct", generation=1, sdp=SDP))
    assert send.to == b
    assert json.loads(send.frame)["from"] == str(a)


def test_generations() -> None:
    meeting = Meeting()
    room, a, b = meeting.room, meeting.a.participant_id, meeting.b.participant_id
    assert room.receive(a, meeting.candidate()) == [], "its offer was lost, and will be repeated with it"
    (error,) = told(room.receive(a, meeting.candidate(2)), a)
    assert error["code"] == "unknown_generation"
    (error,) = told(room.receive(a, meeting.offer(2)), a)
    assert error["code"] == "unknown_generation"
    assert room.receive(a, meeting.offer(1))
    # Both begin the next one at the same time: both offers pass, politeness decides.
    assert isinstance(room.receive(a, meeting.offer(2))[0], Negotiate)
    assert isinstance(room.receive(b, meeting.offer(2, to=a))[0], Negotiate)
    assert room.receive(a, meeting.candidate(1)) == []
    assert room.receive(a, meeting.offer(1)) == []
    assert room.deliver(b, AnswerFrom(sender=a, pc="direct", generation=1, sdp=SDP)) == []
    room.lost(a, 1)
    room.resume(a, ON, 0, TOKEN)
    assert isinstance(room.receive(a, meeting.offer(2))[0], Negotiate), "a resume does not reset generations"


def test_a_new_stay_begins_at_generation_one_again() -> None:
    meeting = Meeting()
    room, b = meeting.room, meeting.b.participant_id
    room.receive(meeting.a.participant_id, meeting.offer(1))
    room.receive(meeting.a.participant_id, meeting.offer(2))
    again = entrant(meeting.a.membership_id)
    room.admit(again, ON, TOKEN, 0)
    assert room.receive(again.participant_id, meeting.offer(1)) == [
        Negotiate(again.participant_id, meeting.offer(1, to=b))
    ]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"to": uuid4()}, "unknown_participant"),
        ({"to": None}, "wrong_connection"),
        ({"pc": "publish"}, "wrong_connection"),
    ],
)
def test_signals_that_lead_nowhere(change: dict[str, Any], code: str) -> None:
    meeting = Meeting()
    a = meeting.a.participant_id
    (error,) = told(meeting.room.receive(a, meeting.offer(**change)), a)
    assert (error["code"], error["about"]) == (code, "offer")


def test_nobody_negotiates_with_themselves() -> None:
    meeting = Meeting()
    a = meeting.a.participant_id
    (error,) = told(meeting.room.receive(a, meeting.offer(to=a)), a)
    assert error["code"] == "unknown_participant"


def test_candidates_are_counted_anew_after_each_description() -> None:
    meeting = Meeting()
    room, a = meeting.room, meeting.a.participant_id
    room.receive(a, meeting.offer())
    for _ in range(MAX_CANDIDATES):
        assert isinstance(room.receive(a, meeting.candidate())[0], Negotiate)
    (error,) = told(room.receive(a, meeting.candidate()), a)
    assert error["code"] == "too_many_candidates"
    room.receive(a, meeting.offer())
    assert isinstance(room.receive(a, meeting.candidate())[0], Negotiate)


def test_forwarded_calls_speak_with_the_server_and_cannot_glare() -> None:
    meeting = Meeting(topology="forwarded")
    room, a = meeting.room, meeting.a.participant_id
    publish = meeting.offer(to=None, pc="publish")
    assert room.receive(a, publish) == [Negotiate(a, publish)]
    (error,) = told(room.receive(a, meeting.offer(to=None, pc="subscribe")), a)
    assert error["code"] == "wrong_connection"
    (send,) = room.deliver(a, OfferFrom(pc="subscribe", generation=1, sdp=SDP))
    assert json.loads(send.frame)["from"] is None
    assert room.deliver(a, AnswerFrom(pc="publish", generation=2, sdp=SDP)) == []


# Saying


def test_media_is_told_to_the_others_when_it_changes() -> None:
    meeting = Meeting()
    a, b = meeting.a.participant_id, meeting.b.participant_id
    effects = meeting.room.receive(a, Media(audio=False, video=True))
    assert types(effects, b) == ["participant_media"]
    assert types(effects, a) == []
    assert meeting.room.receive(a, Media(audio=False, video=True)) == []


def test_who_may_not_publish_cannot_claim_to_send() -> None:
    room = Room(uuid4())
    listener = entrant(may_publish=False)
    room.admit(listener, ON, TOKEN, 0)
    assert room.peers[listener.participant_id].media == MediaState(audio=False, video=False)
    (error,) = told(
        room.receive(listener.participant_id, Media(audio=True, video=False)), listener.participant_id
    )
    assert error["code"] == "not_permitted"


def test_a_pong_is_not_numbered() -> None:
    meeting = Meeting()
    a = meeting.a.participant_id
    assert told(meeting.room.receive(a, Ping()), a) == [{"type": "pong"}]


def test_bad_messages_are_counted() -> None:
    meeting = Meeting()
    a = meeting.a.participant_id
    for _ in range(STRIKES - 1):
        assert types(meeting.room.invalid(a, "No.", None), a) == ["error"]
    effects = meeting.room.invalid(a, "No.", None)
    assert Close(a, CloseCode.PROTOCOL_ERROR) in effects
    assert a not in meeting.room.peers
