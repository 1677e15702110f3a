"""Random calls: whatever comes in whatever order, these things stay true."""

import json
from typing import Any
from uuid import UUID, uuid4

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from signalling.protocol.codes import CloseCode, ErrorCode
from signalling.protocol.effects import (
    CarriedOver,
    Close,
    Effect,
    Entered,
    Left,
    Negotiate,
    Refused,
    RunRecording,
    Send,
    Silence,
)
from signalling.protocol.messages import (
    Answer,
    Candidate,
    ClientMessage,
    Forward,
    Hello,
    Leave,
    Media,
    Mute,
    Offer,
    OfferFrom,
    Ping,
    Record,
)
from signalling.protocol.parts import MediaState, Pc, PublishedTrack, Source
from signalling.protocol.peer import Entrant, State
from signalling.protocol.room import CAPACITY, Room
from tests.signalling.world import SDP

MEMBERSHIPS = [UUID(int=number) for number in range(1, 5)]
media_states = st.builds(MediaState, audio=st.booleans(), video=st.booleans())
STRANGER = UUID(int=999)
SAID = ["offer", "answer", "candidate", "media", "mute", "ping", "forward", "record", "record", "hello"]
SOURCES: list[Source] = ["microphone", "camera", "screen", "screen_audio"]


class Calls(RuleBasedStateMachine):
    """One room, everybody who was ever in it, and what each of them has been told."""

    def __init__(self) -> None:
        super().__init__()
        self.room = Room(uuid4(), grace=5, may_be_recorded=True)
        self.now = 0.0
        self.ever: list[UUID] = []
        self.entered: list[UUID] = []
        self.left: list[UUID] = []
        self.closed: set[UUID] = set()
        self.seqs: dict[UUID, int] = {}
        self.rosters: dict[UUID, set[str]] = {}
        self.promotions = 0
        self.recorded = False
        self.agreed: set[UUID] = set()
        self.silenced: dict[UUID, frozenset[Source]] = {}
        """What the engine was told."""

    def run(self, effects: list[Effect]) -> None:
        """Carry effects out as a hub would, checking each."""
        for effect in effects:
            match effect:
                case Send():
                    assert effect.to not in self.closed, "a message to somebody who is gone"
                    self.hear(effect.to, json.loads(effect.frame))
                case Close():
                    self.closed.add(effect.to)
                case Entered():
                    self.entered.append(effect.participant_id)
                    self.silenced[effect.participant_id] = frozenset()
                case Left():
                    self.left.append(effect.participant_id)
                case Negotiate():
                    assert effect.sender in self.room.peers
                    assert (effect.signal.pc == "direct") == (self.room.topology == "direct")
                    self.run([*self.room.negotiated(effect.sender, effect.signal)])
                case CarriedOver():
                    self.promotions += 1
                case RunRecording():
                    assert effect.on != self.recorded, "begun twice, or ended twice"
                    assert set(effect.agreed) == (set(self.room.peers) if effect.on else set())
                    self.recorded = effect.on
                    self.silenced = dict.fromkeys(self.silenced, frozenset())
                case Silence():
                    self.silenced[effect.participant_id] = effect.sources

    def hear(self, to: UUID, message: dict[str, Any]) -> None:
        """Do what a client does with a message."""
        roster = self.rosters.setdefault(to, set())
        match message["type"]:
            case "pong":
                return
            case "welcome":
                roster.clear()
                roster.update(person["id"] for person in message["participants"])
            case "participant_joined":
                roster.add(message["participant"]["id"])
            case "participant_left":
                roster.discard(message["participant_id"])
        if message["type"] != "welcome":
            assert message["seq"] == self.seqs[to] + 1, "a hole in the numbering"
        self.seqs[to] = message["seq"]

    def someone(self, data: st.DataObject) -> UUID:
        """Anybody who was ever here, or nobody that is known."""
        return data.draw(st.sampled_from([*self.ever, STRANGER]))

    @rule(membership=st.sampled_from(MEMBERSHIPS), media=media_states)
    def enter(self, membership: UUID, media: MediaState) -> None:
        moderates = membership == MEMBERSHIPS[0]
        who = Entrant(uuid4(), membership, membership, "A", "O", "mentor", may_moderate=moderates)
        try:
            effects = self.room.admit(who, media, "t" * 32, self.now)
        except Refused:
            return
        self.ever.append(who.participant_id)
        self.run(effects)

    @rule(data=st.data(), kind=st.sampled_from(SAID))
    def speak(self, data: st.DataObject, kind: str) -> None:
        sender, to = self.someone(data), data.draw(st.sampled_from([*self.ever, STRANGER, None]))
        pcs: list[Pc] = ["direct", "direct", "direct", "publish", "subscribe"]
        pc = data.draw(st.sampled_from(pcs))
        generation = data.draw(st.integers(1, 3))
        message: ClientMessage
        match kind:
            case "offer":
                shared = data.draw(st.sets(st.sampled_from(SOURCES)))
                tracks = tuple(PublishedTrack(mid=source, source=source) for source in sorted(shared))
                message = Offer(to=to, pc=pc, generation=generation, sdp=SDP, tracks=tracks)
            case "answer":
                message = Answer(to=to, pc=pc, generation=generation, sdp=SDP)
            case "candidate":
                message = Candidate(to=to, pc=pc, generation=generation, candidate=None)
            case "media":
                message = Media(audio=data.draw(st.booleans()), video=data.draw(st.booleans()))
            case "mute":
                message = Mute(participant_id=to or STRANGER, source=data.draw(st.sampled_from(SOURCES)))
            case "ping":
                message = Ping()
            case "forward":
                message = Forward()
            case "record":
                message = Record(agree=data.draw(st.sampled_from([True, True, True, False])))
            case _:
                message = Hello(version=1, ticket="t" * 20, media=MediaState(audio=True, video=True))
        if isinstance(message, Record) and sender in self.room.peers:
            self.agreed = self.agreed | {sender} if message.agree else set()
        self.run(self.room.receive(sender, message))

    @rule(data=st.data())
    def engine_speaks(self, data: st.DataObject) -> None:
        sender, to = self.someone(data), self.someone(data)
        self.run([*self.room.deliver(to, OfferFrom(sender=sender, pc="direct", generation=1, sdp=SDP))])

    @rule(data=st.data())
    def nonsense(self, data: st.DataObject) -> None:
        self.run(self.room.invalid(self.someone(data), "No.", None))
        self.run([*self.room.refuse(self.someone(data), ErrorCode.INVALID_CANDIDATE, "No.", "candidate")])

    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        self.run(self.room.receive(self.someone(data), Leave()))

    @rule(data=st.data(), how=st.sampled_from(["lost", "leave", "drop"]))
    def socket_ends(self, data: st.DataObject, how: str) -> None:
        who = self.someone(data)
        match how:
            case "lost":
                self.run(self.room.lost(who, self.now))
            case "leave":
                self.run(self.room.leave(who))
            case _:
                self.run(self.room.drop(who, CloseCode.FLOODING))

    @rule(data=st.data(), media=media_states, behind=st.integers(-1, 300))
    def resume(self, data: st.DataObject, media: MediaState, behind: int) -> None:
        who = self.someone(data)
        last_seq = max(0, self.seqs.get(who, 0) - behind)
        if who not in self.room.peers:
            assert not self.room.can_replay(who, last_seq)
        elif self.room.can_replay(who, last_seq):
            self.run(self.room.resume(who, media, last_seq, "t" * 32))
        else:
            new = uuid4()
            self.ever.append(new)
            self.run(self.room.begin_again(who, new, media, "t" * 32))

    @rule(seconds=st.floats(0, 10))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.run(self.room.expire(self.now))

    @rule(membership=st.sampled_from(MEMBERSHIPS))
    def remove(self, membership: UUID) -> None:
        self.run(self.room.remove([membership], self.now))
        self.now += 121  # long enough for the refusal to lapse, so that the call fills up again
        self.run(self.room.expire(self.now))

    @rule(session=st.sampled_from(MEMBERSHIPS))
    def revoke(self, session: UUID) -> None:
        self.run(self.room.revoke(session))

    @precondition(lambda self: len(self.ever) > 6)
    @rule()
    def end(self) -> None:
        self.run(self.room.end(self.now))
        self.now += 121

    @precondition(lambda self: len(self.ever) > 6)
    @rule()
    def stop(self) -> None:
        self.run(self.room.stop())

    @invariant()
    def everyone_enters_and_leaves_once(self) -> None:
        assert len(set(self.entered)) == len(self.entered)
        assert len(set(self.left)) == len(self.left)
        assert set(self.entered) - set(self.left) == set(self.room.peers)
        assert set(self.left) == self.closed

    @invariant()
    def the_call_is_within_its_bounds(self) -> None:
        peers = self.room.peers.values()
        assert len(peers) <= CAPACITY[self.room.topology]
        assert self.promotions == (self.room.topology == "forwarded")
        assert len({peer.who.membership_id for peer in peers}) == len(peers)
        assert all(peer.state in (State.ONLINE, State.RECONNECTING) for peer in peers)
        assert all((peer.deadline is None) == (peer.state is State.ONLINE) for peer in peers)

    @invariant()
    def nobody_is_recorded_who_did_not_agree(self) -> None:
        assert not self.recorded or self.agreed >= self.room.peers.keys()
        assert self.recorded == (self.room.consent.state == "on")
        assert not self.recorded or (len(self.room.peers) > 1 and self.room.topology == "forwarded")

    @invariant()
    def whoever_is_online_has_the_true_roster(self) -> None:
        for participant, peer in self.room.peers.items():
            if peer.state is State.ONLINE:
                others = {str(other) for other in self.room.peers if other != participant}
                assert self.rosters[participant] == others
                assert self.seqs[participant] == peer.seq

    @invariant()
    def the_engine_knows_what_is_off(self) -> None:
        for participant, peer in self.room.peers.items() if self.room.topology == "forwarded" else ():
            off = self.silenced[participant]
            assert ("microphone" in off) is not peer.media.audio
            assert ("camera" in off) is not peer.media.video
            assert {*off} - {"microphone", "camera"} == {*peer.muted} - {"microphone", "camera"}
            assert not peer.muted.keys() - peer.offered - {"microphone", "camera"}, "never offered"

    @invariant()
    def exactly_one_side_is_polite(self) -> None:
        peers = list(self.room.peers.values())
        if len(peers) == 2:
            assert peers[0].seen_by(peers[1]).polite != peers[1].seen_by(peers[0]).polite


Calls.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None, database=None)
TestCalls = Calls.TestCase
