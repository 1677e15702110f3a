"""Who is not heard or seen: as they say themselves, or as a moderator decides until they say otherwise."""

from uuid import UUID

from signalling.protocol.codes import ErrorCode
from signalling.protocol.effects import Effect, Silence
from signalling.protocol.messages import Mute, Muted, Offer, body
from signalling.protocol.negotiation import SignalRefused
from signalling.protocol.parts import MediaState, Source
from signalling.protocol.peer import Peer


def silence(peer: Peer) -> Silence:
    """What is not to be forwarded of somebody now."""
    off: set[Source] = set()
    if not peer.media.audio:
        off.add("microphone")
    if not peer.media.video:
        off.add("camera")
    off.update(source for source in peer.muted if source in ("screen", "screen_audio"))
    return Silence(peer.who.participant_id, frozenset(off))


def check(moderator: Peer, target: Peer | None) -> Peer:
    """Whom a moderator may silence. Raises `SignalRefused`."""
    if not moderator.who.may_moderate:
        raise SignalRefused(ErrorCode.NOT_PERMITTED, "You may not mute others in this call.")
    if target is None or target is moderator:
        raise SignalRefused(ErrorCode.UNKNOWN_PARTICIPANT, "Nobody else of that id is in the call.")
    return target


def tell(target: Peer, message: Mute, by: UUID) -> list[Effect]:
    """Say to somebody that a source of theirs is muted; nothing, if it is off or they know already."""
    source = message.source
    if source in target.muted or not _is_on(target, source):
        return []
    told = target.tell(body(Muted(source=source, by=by)))
    target.muted[source] = target.seq
    return [*told]


def without_muted(peer: Peer, media: MediaState, last_seq: int = -1) -> MediaState:
    """`media` without what was muted by a message that came after `last_seq`."""
    return MediaState(
        audio=media.audio and peer.muted.get("microphone", -1) <= last_seq,
        video=media.video and peer.muted.get("camera", -1) <= last_seq,
    )


def said(peer: Peer, media: MediaState) -> None:
    """They say what they send: what is on is not muted any more."""
    if media.audio:
        peer.muted.pop("microphone", None)
    if media.video:
        peer.muted.pop("camera", None)


def offered(peer: Peer, offer: Offer) -> list[Effect]:
    """They offer to send. A muted screen stays muted until an offer has left it out."""
    peer.offered = frozenset(track.source for track in offer.tracks or ())
    over: list[Source] = [
        source for source in peer.muted if source in ("screen", "screen_audio") and source not in peer.offered
    ]
    for source in over:
        del peer.muted[source]
    return [silence(peer)] if over else []


def _is_on(peer: Peer, source: Source) -> bool:
    if source == "microphone":
        return peer.media.audio
    return peer.media.video if source == "camera" else source in peer.offered
