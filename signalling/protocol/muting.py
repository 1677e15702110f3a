"""Who is not heard or seen: as they say themselves, or as a moderator decides until they say otherwise."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from signalling.protocol.codes import ErrorCode
from signalling.protocol.effects import Effect, Silence
from signalling.protocol.messages import Media, Mute, Muted, Offer, ParticipantMedia, body
from signalling.protocol.negotiation import SignalRefused
from signalling.protocol.parts import MediaState, Source, Topology
from signalling.protocol.peer import Entrant, Peer, tell_all


def allowed(who: Entrant, media: MediaState) -> MediaState:
    """What somebody may send of what they say they send."""
    return media if who.may_publish else MediaState(audio=False, video=False)


def silences(peers: Iterable[Peer]) -> list[Effect]:
    """What an engine that did not know these people must be told."""
    return [each for peer in peers if (each := _silence(peer)).sources]


def say(peer: Peer, peers: Iterable[Peer], message: Media) -> list[Effect]:
    """Somebody says what they send. Raises `SignalRefused`."""
    media = MediaState(audio=message.audio, video=message.video)
    if allowed(peer.who, media) != media:
        raise SignalRefused(ErrorCode.NOT_PERMITTED, "You may listen and watch here, not send.")
    return _say(peer, peers, media)


def returned(peer: Peer, peers: Iterable[Peer], media: MediaState, last_seq: int) -> list[Effect]:
    """Somebody is back, sends `media`, and has heard all up to `last_seq`: not that they are muted since."""
    return _say(peer, peers, _without_muted(peer, allowed(peer.who, media), last_seq))


def mute(moderator: Peer, peers: Mapping[UUID, Peer], message: Mute, topology: Topology) -> list[Effect]:
    """A moderator silences somebody; in a direct call they are only told. Raises `SignalRefused`."""
    if not moderator.who.may_moderate:
        raise SignalRefused(ErrorCode.NOT_PERMITTED, "You may not mute others in this call.")
    target, source = peers.get(message.participant_id), message.source
    if target is None or target is moderator:
        raise SignalRefused(ErrorCode.UNKNOWN_PARTICIPANT, "Nobody else of that id is in the call.")
    if source in target.muted or not _is_on(target, source):
        return []
    told = target.tell(body(Muted(source=source, by=moderator.who.participant_id)))
    target.muted[source] = target.seq
    if topology == "direct":
        return [*told]
    # A screen that is silenced goes from the offers of the others; no message is needed for it.
    media = _without_muted(target, target.media)
    return [*told, *(_set(target, peers.values(), media) or [_silence(target)])]


def offered(peer: Peer, offer: Offer) -> list[Silence]:
    """An offer of theirs was taken. A muted screen stays muted until one has left it out."""
    peer.offered = frozenset(track.source for track in offer.tracks or ())
    over = [source for source in peer.muted if _is_screen(source) and source not in peer.offered]
    for source in over:
        del peer.muted[source]
    return [_silence(peer)] if over else []


def _say(peer: Peer, peers: Iterable[Peer], media: MediaState) -> list[Effect]:
    """What is on is not muted any more."""
    if media.audio:
        peer.muted.pop("microphone", None)
    if media.video:
        peer.muted.pop("camera", None)
    return _set(peer, peers, media)


def _set(peer: Peer, peers: Iterable[Peer], media: MediaState) -> list[Effect]:
    if media == peer.media:
        return []
    peer.media = media
    message = ParticipantMedia(participant_id=peer.who.participant_id, audio=media.audio, video=media.video)
    return [*tell_all([each for each in peers if each is not peer], message), _silence(peer)]


def _silence(peer: Peer) -> Silence:
    off: set[Source] = {source for source in peer.muted if _is_screen(source)}
    if not peer.media.audio:
        off.add("microphone")
    if not peer.media.video:
        off.add("camera")
    return Silence(peer.who.participant_id, frozenset(off))


def _without_muted(peer: Peer, media: MediaState, last_seq: int = -1) -> MediaState:
    """`media` without what was muted by a message that came after `last_seq`."""
    return MediaState(
        audio=media.audio and peer.muted.get("microphone", -1) <= last_seq,
        video=media.video and peer.muted.get("camera", -1) <= last_seq,
    )


def _is_on(peer: Peer, source: Source) -> bool:
    if _is_screen(source):
        return source in peer.offered
    return peer.media.audio if source == "microphone" else peer.media.video


def _is_screen(source: Source) -> bool:
    return source in ("screen", "screen_audio")
