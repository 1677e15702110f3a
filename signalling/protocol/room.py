"""One call: who is in it, who may come in, who hears what, and how stays end.

Every method takes what the outside world knows (ids, tokens, the time) and returns the effects to carry out,
in order. Nothing here waits, reads a clock or draws a random number.
"""

from collections.abc import Iterable
from dataclasses import replace
from uuid import UUID

from signalling.protocol import muting
from signalling.protocol.codes import CloseCode, ErrorCode
from signalling.protocol.consent import Consent
from signalling.protocol.effects import (
    CarriedOver,
    Close,
    Effect,
    Entered,
    Left,
    Look,
    Negotiate,
    OfferAgain,
    Refused,
    Returned,
    Send,
    Silence,
)
from signalling.protocol.messages import (
    PONG_FRAME,
    Answer,
    Candidate,
    ClientMessage,
    DeliveredSignal,
    Ended,
    Error,
    Forward,
    Hello,
    Leave,
    Media,
    Mute,
    Offer,
    ParticipantConnection,
    ParticipantJoined,
    ParticipantLeft,
    Ping,
    Promoted,
    Record,
    Restart,
    Signal,
    Told,
    View,
    Welcome,
    body,
    frame,
)
from signalling.protocol.negotiation import Generations, SignalRefused, Stale
from signalling.protocol.parts import (
    MAX_CANDIDATES,
    ConnectionState,
    EndReason,
    LeaveReason,
    MediaState,
    Topology,
)
from signalling.protocol.peer import STRIKES, Dismissed, Entrant, Peer, Resumed, SocketLost, tell_all

CAPACITY: dict[Topology, int] = {"direct": 2, "forwarded": 50}
# A ticket signed before a removal has expired long before this; from then on app's word counts again.
REFUSE_SECONDS = 120.0


class Room:
    """One call on this node."""

    def __init__(
        self,
        call_id: UUID,
        *,
        topology: Topology = "direct",
        grace: float = 15.0,
        heartbeat: float = 5.0,
        may_be_recorded: bool = False,
    ) -> None:
        self.call_id = call_id
        self.topology = topology
        self.grace = grace
        self.heartbeat = heartbeat
        # Which placement of the call app speaks of; it grows when the call moves between nodes.
        self.epoch = 0
        self.peers: dict[UUID, Peer] = {}
        self.generations = Generations(topology)
        self.consent = Consent(possible=may_be_recorded)
        self._entries = 0
        self._removed_until: dict[UUID, float] = {}
        self._ended_until: float | None = None

    # Coming in

    def admit(
        self,
        who: Entrant,
        media: MediaState,
        token: str,
        now: float,
        *,
        topology: Topology | None = None,
    ) -> list[Effect]:
        """Let someone in who has shown a ticket (for a call of `topology`). Raises `Refused`."""
        if self._ended_until is not None and now < self._ended_until:
            raise Refused(ErrorCode.CALL_ENDED, CloseCode.CALL_ENDED, "The call has ended.")
        if now < self._removed_until.get(who.membership_id, now):
            raise Refused(ErrorCode.REMOVED, CloseCode.REMOVED, "You were removed from this call.")
        others = {peer.who.membership_id for peer in self.peers.values()} - {who.membership_id}
        if len(others) >= CAPACITY["forwarded"]:
            raise Refused(ErrorCode.CALL_FULL, CloseCode.CALL_FULL, "The call is full.")
        if not self.peers and topology is not None:
            self.topology = topology
            self.generations = Generations(topology)
        crowd = len(others) >= CAPACITY[self.topology]
        effects = self.promote() if crowd or topology == "forwarded" else []
        for earlier in [p for p in self.peers.values() if p.who.membership_id == who.membership_id]:
            effects += self._end(earlier, "replaced", CloseCode.REPLACED)
        return effects + self._enter(who, media, token)

    def promote(self) -> list[Effect]:
        """From here on the server carries the media. A call that is forwarded stays so."""
        if self.topology == "forwarded":
            return []
        self.topology = "forwarded"
        self.generations.promote()
        for peer in self.peers.values():
            peer.candidates.clear()
        silences = muting.silences(self.peers.values())
        return [*tell_all(self.peers.values(), Promoted()), CarriedOver(), *silences]

    def can_replay(self, participant: UUID, last_seq: int) -> bool:
        """Whether everything that came after `last_seq` is still known."""
        peer = self.peers.get(participant)
        return peer is not None and peer.missed(last_seq) is not None

    def resume(self, participant: UUID, media: MediaState, last_seq: int, token: str) -> list[Effect]:
        """Go on with a stay on a new socket. Only after `can_replay`."""
        peer = self.peers[participant]
        peer.move(Resumed)
        peer.deadline = None
        effects: list[Effect] = [self._welcome(peer, token, last_seq)]
        effects += [Send(participant, kept) for kept in peer.missed(last_seq) or ()]
        # Also when nobody had noticed the loss: whoever waits for an answer then offers again.
        effects += self._connection(peer, "online")
        effects += muting.returned(peer, self.peers.values(), media, last_seq)
        return [*effects, Returned(participant)]

    def begin_again(self, participant: UUID, new: UUID, media: MediaState, token: str) -> list[Effect]:
        """Someone has missed too much: end their stay, and let them in as the newcomer `new`."""
        peer = self.peers[participant]
        effects = self._end(peer, "connection_lost", CloseCode.REPLACED)
        return effects + self._enter(replace(peer.who, participant_id=new), media, token)

    def _enter(self, who: Entrant, media: MediaState, token: str) -> list[Effect]:
        self._entries += 1
        peer = Peer(who=who, order=self._entries, media=muting.allowed(who, media))
        peer.move(Hello)
        older = list(self.peers.values())
        interrupted = self.consent.entered(older)
        effects: list[Effect] = [Entered(who.participant_id, who.membership_id), self._welcome(peer, token)]
        self.peers[who.participant_id] = peer
        if older:
            # Everybody who is here already is polite towards the newcomer, so one encoding fits all of them.
            effects += tell_all(older, ParticipantJoined(participant=peer.seen_by(older[0])))
        return [*interrupted, *effects, *muting.silences([peer])]

    # What participants send

    def receive(self, participant: UUID, message: ClientMessage) -> list[Effect]:
        """Carry out one message of someone who is in."""
        peer = self.peers.get(participant)
        if peer is None:
            return []
        if not peer.move(type(message)):
            return self._strike(peer, ErrorCode.UNEXPECTED_MESSAGE, "Not now.", message.type)
        match message:
            case Ping():
                return [Send(participant, PONG_FRAME)]
            case Media() | Mute() | Record():
                return self._say(peer, message)
            case Offer() | Answer() | Candidate() | Restart() | Forward() | View():
                return self._about_paths(peer, message)
            case Leave():
                return self._end(peer, "left", CloseCode.NORMAL)
            case Hello():  # pragma: no cover - MOVES has no second hello
                return []

    def _about_paths(self, peer: Peer, message: Signal | Restart | Forward | View) -> list[Effect]:
        match message:
            case Restart():
                return self._offer_again(peer, message)
            case Forward():
                return self.promote()
            case View():
                return [Look(peer.who.participant_id, message.tracks)]
            case _:
                return self._negotiate(peer, message)

    def invalid(self, participant: UUID, detail: str, about: str | None) -> list[Effect]:
        """Answer something that is not a message of this protocol."""
        peer = self.peers.get(participant)
        return self._strike(peer, ErrorCode.INVALID_MESSAGE, detail, about) if peer else []

    def refuse(self, participant: UUID, code: ErrorCode, detail: str, about: str | None) -> list[Send]:
        """Tell someone that a message of theirs was not carried out."""
        peer = self.peers.get(participant)
        return peer.tell(body(Error(code=code, detail=detail, about=about))) if peer else []

    def deliver(self, to: UUID, told: Told) -> list[Send]:
        """Pass on what the media engine says to one participant."""
        peer = self.peers.get(to)
        if peer is None:
            return []
        if isinstance(told, DeliveredSignal) and not self.generations.is_present(to, told):
            return []
        return peer.tell(body(told))

    # Going

    def lost(self, participant: UUID, now: float) -> list[Effect]:
        """A socket is gone without a goodbye: the stay waits for `grace` seconds."""
        peer = self.peers.get(participant)
        if peer is None or not peer.move(SocketLost):
            return []
        peer.deadline = now + self.grace
        return self._connection(peer, "reconnecting")

    def expire(self, now: float) -> list[Effect]:
        """End the stays whose grace has run out."""
        effects: list[Effect] = []
        for peer in [p for p in self.peers.values() if p.deadline is not None and p.deadline <= now]:
            effects += self._end(peer, "connection_lost", CloseCode.NORMAL)
        return effects

    def drop(self, participant: UUID, code: CloseCode) -> list[Effect]:
        """End the stay of someone who broke the rules of the socket; there is no grace for that."""
        peer = self.peers.get(participant)
        return self._end(peer, "connection_lost", code) if peer else []

    def leave(self, participant: UUID) -> list[Effect]:
        """End the stay of someone who closed the socket with a goodbye."""
        peer = self.peers.get(participant)
        return self._end(peer, "left", CloseCode.NORMAL) if peer else []

    def remove(self, memberships: Iterable[UUID], now: float) -> list[Effect]:
        """Put these memberships out, and refuse the tickets that they may still hold."""
        effects: list[Effect] = []
        for membership in memberships:
            self._removed_until[membership] = now + REFUSE_SECONDS
            effects += self._end_all("removed", CloseCode.REMOVED, membership_id=membership)
        return effects

    def revoke(self, session: UUID) -> list[Effect]:
        """Put out whoever entered with this sign-in session."""
        return self._end_all("removed", CloseCode.REMOVED, session_id=session)

    def end(self, now: float) -> list[Effect]:
        """End the call for everybody, and refuse the tickets that are still about."""
        self._ended_until = now + REFUSE_SECONDS
        return self._end_all("call_ended", CloseCode.CALL_ENDED)

    def stop(self) -> list[Effect]:
        """The node is going away."""
        return self._end_all("server_stopped", CloseCode.GOING_AWAY)

    def forgettable(self, now: float) -> bool:
        """Whether nobody is here and nobody has to be kept out."""
        refusals = [*self._removed_until.values(), self._ended_until or 0.0]
        return not self.peers and all(until <= now for until in refusals)

    # Inner workings

    def _welcome(self, peer: Peer, token: str, resumed_from: int | None = None) -> Send:
        others = tuple(o.seen_by(peer) for o in self.peers.values() if o is not peer)
        welcome = Welcome(
            call_id=self.call_id,
            participant_id=peer.who.participant_id,
            resume_token=token,
            resumed=resumed_from is not None,
            topology=self.topology,
            heartbeat_seconds=self.heartbeat,
            grace_seconds=self.grace,
            recording=self.consent.now(),
            participants=others,
        )
        return Send(peer.who.participant_id, frame(resumed_from or 0, body(welcome)))

    def _negotiate(self, peer: Peer, signal: Signal) -> list[Effect]:
        me = peer.who.participant_id
        if signal.to is not None and (signal.to == me or signal.to not in self.peers):
            detail = "Nobody of that id is in the call."
            return [*self.refuse(me, ErrorCode.UNKNOWN_PARTICIPANT, detail, signal.type)]
        try:
            self.generations.check(me, signal)
        except Stale:
            return []
        except SignalRefused as refusal:
            return [*self.refuse(me, refusal.code, refusal.detail, signal.type)]
        line = (signal.to, signal.pc)
        count = peer.candidates.get(line, 0) + 1 if isinstance(signal, Candidate) else 0
        if count > MAX_CANDIDATES:
            detail = f"More than {MAX_CANDIDATES} candidates for one description."
            return [*self.refuse(me, ErrorCode.TOO_MANY_CANDIDATES, detail, signal.type)]
        peer.candidates[line] = count
        return [Negotiate(me, signal)]

    def negotiated(self, sender: UUID, signal: Signal) -> list[Silence]:
        """The engine has taken a signal: what follows from that."""
        peer = self.peers.get(sender)
        return muting.offered(peer, signal) if peer is not None and isinstance(signal, Offer) else []

    def _offer_again(self, peer: Peer, message: Restart) -> list[Effect]:
        me = peer.who.participant_id
        try:
            anew = self.generations.check_restart(me, message)
        except Stale:
            return []
        except SignalRefused as refusal:
            return [*self.refuse(me, refusal.code, refusal.detail, message.type)]
        return [OfferAgain(me, anew)]

    def _say(self, peer: Peer, message: Media | Mute | Record) -> list[Effect]:
        try:
            match message:
                case Mute():
                    return muting.mute(peer, self.peers, message, self.topology)
                case Record():
                    return self.consent.say(peer, self.peers.values(), message, self.promote)
                case Media():
                    return muting.say(peer, self.peers.values(), message)
        except SignalRefused as refusal:
            return [*self.refuse(peer.who.participant_id, refusal.code, refusal.detail, message.type)]

    def unrecorded(self, detail: str) -> list[Effect]:
        """The engine cannot record, or not any more: everybody is told why."""
        return self.consent.failed(detail, self.peers.values())

    def _connection(self, peer: Peer, state: ConnectionState) -> list[Effect]:
        message = ParticipantConnection(participant_id=peer.who.participant_id, state=state)
        return tell_all(self._others(peer), message)

    def _strike(self, peer: Peer, code: ErrorCode, detail: str, about: str | None) -> list[Effect]:
        peer.strikes += 1
        effects: list[Effect] = [*self.refuse(peer.who.participant_id, code, detail, about)]
        if peer.strikes >= STRIKES:
            effects += self._end(peer, "connection_lost", CloseCode.PROTOCOL_ERROR)
        return effects

    def _end_all(
        self,
        reason: EndReason,
        code: CloseCode,
        *,
        membership_id: UUID | None = None,
        session_id: UUID | None = None,
    ) -> list[Effect]:
        leaving = [
            peer
            for peer in self.peers.values()
            if membership_id in (None, peer.who.membership_id) and session_id in (None, peer.who.session_id)
        ]
        effects: list[Effect] = []
        for peer in leaving:
            effects += self._part(peer, reason, code)
        # Whoever goes too need not hear who else is going.
        for peer in leaving:
            effects += self._tell_of_leaving(peer, reason)
        return effects

    def _end(self, peer: Peer, reason: LeaveReason, code: CloseCode) -> list[Effect]:
        return self._part(peer, reason, code) + self._tell_of_leaving(peer, reason)

    def _part(self, peer: Peer, reason: LeaveReason, code: CloseCode) -> list[Effect]:
        """Say goodbye to someone, and forget everything about them."""
        me = peer.who.participant_id
        goodbye: list[Effect] = []
        if reason != "connection_lost":
            goodbye += peer.tell(body(Ended(reason=reason)))
        peer.move(Dismissed)
        peer.deadline = None
        del self.peers[me]
        self.generations.forget(me)
        for other in self.peers.values():
            for line in [line for line in other.candidates if line[0] == me]:
                del other.candidates[line]
        return [*goodbye, Close(me, code), Left(me, peer.who.membership_id, reason)]

    def _tell_of_leaving(self, peer: Peer, reason: LeaveReason) -> list[Effect]:
        me, peers = peer.who.participant_id, self.peers.values()
        return tell_all(peers, ParticipantLeft(participant_id=me, reason=reason)) + self.consent.left(
            me, peers
        )

    def _others(self, peer: Peer) -> list[Peer]:
        return [other for other in self.peers.values() if other is not peer]
