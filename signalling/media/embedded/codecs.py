"""Which codecs and header extensions are forwarded, and by which numbers subscribers know them.

All subscribers know a codec by the same payload type, and an extension by the same id: so a packet is
renumbered once, when it comes in, and not for everybody whom it goes to.
"""

from dataclasses import dataclass, replace
from typing import Final

from signalling.media.embedded.sdp import Codec, Section, Unacceptable

AUDIO_LEVEL: Final = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
ABS_SEND_TIME: Final = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
TRANSPORT_SEQUENCE: Final = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
MID: Final = "urn:ietf:params:rtp-hdrext:sdes:mid"
RID: Final = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
REPAIRED_RID: Final = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"
ORIENTATION: Final = "urn:3gpp:video-orientation"
DEPENDENCIES: Final = (
    "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"
)

IDS: Final = {
    AUDIO_LEVEL: 1,
    ABS_SEND_TIME: 2,
    TRANSPORT_SEQUENCE: 3,
    MID: 4,
    RID: 10,
    REPAIRED_RID: 11,
    DEPENDENCIES: 12,
    ORIENTATION: 13,
}
"""Libwebrtc's own, so that what browsers send needs no renaming."""
_FROM_PUBLISHERS: Final = {
    "audio": {AUDIO_LEVEL, ABS_SEND_TIME, TRANSPORT_SEQUENCE, MID},
    "video": {ABS_SEND_TIME, TRANSPORT_SEQUENCE, MID, RID, REPAIRED_RID, ORIENTATION},
}
_TO_SUBSCRIBERS: Final = {"audio": (AUDIO_LEVEL,), "video": (ABS_SEND_TIME, ORIENTATION)}

# The parameters by which two streams of a codec differ: only these reach subscribers.
_PARAMETERS: Final = {
    "opus": frozenset({"minptime", "useinbandfec"}),
    "vp8": frozenset[str](),
    "vp9": frozenset({"profile-id"}),
    "h264": frozenset({"profile-level-id", "packetization-mode", "level-asymmetry-allowed"}),
    "av1": frozenset({"profile", "level-idx", "tier"}),
}
_KIND: Final = {"opus": "audio", "vp8": "video", "vp9": "video", "h264": "video", "av1": "video"}
_FROM_FEEDBACK: Final = {
    "audio": ("transport-cc",),
    "video": ("transport-cc", "ccm fir", "nack", "nack pli"),
}
_TO_FEEDBACK: Final[dict[str, tuple[str, ...]]] = {
    "audio": (),
    "video": ("goog-remb", "ccm fir", "nack", "nack pli"),
}
_FREE: Final = (*range(96, 128), *range(35, 64))


@dataclass(frozen=True, slots=True)
class Chosen:
    """What one section of a publisher sends."""

    codec: Codec
    repair: Codec | None
    """The retransmissions of it (RFC 4588)."""

    @property
    def name(self) -> str:
        return self.codec.name.lower()


def choose(section: Section) -> Chosen | None:
    """The first codec of an offered section that can be forwarded; None when there is none."""
    for codec in section.codecs:
        if _KIND.get(codec.name.lower()) == section.kind:
            return Chosen(codec, _repair(section, codec))
    return None


def _repair(section: Section, codec: Codec) -> Codec | None:
    apt = ("apt", str(codec.payload_type))
    return next(
        (each for each in section.codecs if each.name.lower() == "rtx" and apt in each.parameters), None
    )


def taken(section: Section, chosen: Chosen) -> Section:
    """The answer to a section, without its transport: what of the offer is taken, by the offer's numbers."""
    wanted = set(_FROM_FEEDBACK[section.kind])
    codec = replace(
        chosen.codec,
        parameters=_answered(chosen),
        feedback=tuple(each for each in dict.fromkeys(chosen.codec.feedback) if each in wanted),
    )
    codecs = (codec,) if chosen.repair is None else (codec, replace(chosen.repair, feedback=()))
    return Section(
        kind=section.kind,
        mid=section.mid,
        direction="recvonly",
        protocol=section.protocol,
        formats=tuple(str(each.payload_type) for each in codecs),
        codecs=codecs,
        extensions=extensions_taken(section),
        rids=section.rids,
    )


def extensions_taken(section: Section) -> tuple[tuple[int, str], ...]:
    """The offered extensions that are understood."""
    wanted = _FROM_PUBLISHERS[section.kind]
    return tuple((local, uri) for local, uri in section.extensions if uri in wanted)


def _answered(chosen: Chosen) -> tuple[tuple[str, str], ...]:
    if chosen.name == "opus":
        return (("minptime", "10"), ("useinbandfec", "1"))
    return _kept(chosen)


def _kept(chosen: Chosen) -> tuple[tuple[str, str], ...]:
    kept = _PARAMETERS[chosen.name]
    return tuple(sorted((name, value) for name, value in chosen.codec.parameters if name in kept))


@dataclass(frozen=True, slots=True)
class Forwarded:
    """A codec as subscribers know it."""

    codec: Codec
    repair: Codec | None

    def section(self, kind: str) -> Section:
        """The offer's part that only the codec decides."""
        codecs = (self.codec,) if self.repair is None else (self.codec, self.repair)
        return Section(
            kind=kind,
            mid="",
            formats=tuple(str(each.payload_type) for each in codecs),
            codecs=codecs,
            extensions=tuple((IDS[uri], uri) for uri in _TO_SUBSCRIBERS[kind]),
        )


class Palette:
    """The payload types of one call: the same stream, the same number, for everybody."""

    def __init__(self) -> None:
        self._free = list(reversed(_FREE))
        self._known: dict[tuple[str, tuple[tuple[str, str], ...]], Forwarded] = {}

    def forwarded(self, chosen: Chosen) -> Forwarded:
        """How subscribers know this codec. Raises `Unacceptable` when a call knows too many already."""
        parameters = _answered(chosen)
        key = (chosen.name, parameters)
        if key not in self._known:
            if len(self._free) < 2:
                raise Unacceptable("There are too many kinds of codecs in this call.")
            self._known[key] = self._number(chosen, parameters)
        return self._known[key]

    def _number(self, chosen: Chosen, parameters: tuple[tuple[str, str], ...]) -> Forwarded:
        kind = _KIND[chosen.name]
        codec = replace(
            chosen.codec,
            payload_type=self._free.pop(),
            parameters=parameters,
            feedback=_TO_FEEDBACK[kind],
        )
        if kind == "audio":
            return Forwarded(codec, None)
        # Offered also where the publisher has none: what was lost is sent again from what is kept here.
        apt = (("apt", str(codec.payload_type)),)
        return Forwarded(codec, Codec(self._free.pop(), "rtx", codec.clock_rate, parameters=apt))
