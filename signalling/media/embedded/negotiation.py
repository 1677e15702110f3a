"""What is agreed with one participant: offers read, answers written, and the other way round. No I/O."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from signalling.media.embedded import codecs, sdp
from signalling.media.embedded.codecs import Forwarded, Palette
from signalling.media.embedded.layer import Layer
from signalling.media.embedded.publisher import Ingress
from signalling.media.embedded.sdp import Description, Section, Transport, Unacceptable
from signalling.media.embedded.track import Track
from signalling.protocol.parts import PublishedTrack, Source

KIND_OF = {"microphone": "audio", "screen_audio": "audio", "camera": "video", "screen": "video"}


def read_offer(text: str) -> Description:
    """Read a publish offer. Raises `Unacceptable`."""
    description = _bundled(sdp.parse(text))
    for section in description.sections:
        if not section.rejected and section.transport is not None and section.transport.setup == "passive":
            raise Unacceptable("The server is the DTLS server: offer a=setup:actpass.")
    return description


def read_answer(text: str) -> Description:
    """Read the answer to a subscribe offer. Raises `Unacceptable`."""
    description = _bundled(sdp.parse(text))
    if any(each.transport is not None and each.transport.setup != "active" for each in description.sections):
        raise Unacceptable("The server is the DTLS server: answer with a=setup:active.")
    return description


def _bundled(description: Description) -> Description:
    """With everything that is not in the bundle rejected."""
    sections = tuple(
        section if section.mid in description.bundle else replace(section, rejected=True, transport=None)
        for section in description.sections
    )
    alive = [section for section in sections if not section.rejected]
    if not alive and any(not section.rejected for section in description.sections):
        raise Unacceptable(
            "The sections have to share one transport: use bundlePolicy max-bundle (RFC 9143)."
        )
    if any(not section.multiplexed for section in alive):
        raise Unacceptable("Each section needs a=rtcp-mux (RFC 5761).")
    return replace(description, sections=sections)


def transport_of(description: Description) -> Transport | None:
    """That of the bundle: its first section tells it (RFC 9143, section 7.1)."""
    return next((each.transport for each in description.sections if each.transport is not None), None)


def sources_of(description: Description, tracks: Sequence[PublishedTrack] | None) -> dict[str, Source]:
    """What each sending section carries, by mid. Raises `Unacceptable`."""
    sending = {
        section.mid: section.kind
        for section in description.sections
        if not section.rejected and section.direction in ("sendonly", "sendrecv")
    }
    if tracks is None:
        defaults: dict[str, Source] = {"audio": "microphone", "video": "camera"}
        tracks = [
            PublishedTrack(mid=mid, source=defaults[kind])
            for mid, kind in sending.items()
            if kind in defaults
        ]
    named: dict[str, Source] = {}
    for track in tracks:
        if track.mid in named or track.source in named.values():
            raise Unacceptable("`tracks` names a section or a source twice.")
        if track.mid in sending:
            if sending[track.mid] != KIND_OF[track.source]:
                raise Unacceptable(
                    f"Section {track.mid} cannot be a {track.source}: it is {sending[track.mid]}."
                )
            named[track.mid] = track.source
    return named


def ingresses_of(
    description: Description,
    sources: Mapping[str, Source],
    known: Mapping[str, Ingress],
    palette: Palette,
    *,
    participant_id: UUID,
    cname: str,
) -> dict[str, Ingress]:
    """Which sections are taken, and the tracks that they feed; what was known before goes on."""
    found = {}
    for section in description.sections:
        chosen = codecs.choose(section) if section.mid in sources else None
        if chosen is None:
            continue
        source, forwarded = sources[section.mid], palette.forwarded(chosen)
        before = known.get(section.mid)
        if before is not None and _goes_on(before, section, source, forwarded):
            track = before.track
        else:
            layers = [Layer(rid, chosen.codec.clock_rate) for rid in section.rids or ("",)]
            track = Track(participant_id, source, cname, forwarded, layers)
        ids = {uri: local for local, uri in codecs.extensions_taken(section)}
        renamed = tuple((local, codecs.IDS[uri]) for uri, local in ids.items() if local != codecs.IDS[uri])
        found[section.mid] = Ingress(section, chosen, track, renamed, ids)
    return found


def _goes_on(before: Ingress, section: Section, source: Source, forwarded: Forwarded) -> bool:
    """Whether it still is the same for those who receive it."""
    track = before.track
    same = (track.source, track.forwarded) == (source, forwarded)
    return same and before.section.rids == section.rids


def answer(offer: Description, ingresses: Mapping[str, Ingress], transport: Transport, version: int) -> str:
    """The answer to a publish offer."""
    sections = []
    for section in offer.sections:
        if section.rejected or (section.mid not in ingresses and section.kind not in ("audio", "video")):
            sections.append(replace(section, rejected=True, codecs=()))
            continue
        ingress = ingresses.get(section.mid)
        # A section that does not send (now) stays, with a codec that it could send.
        chosen = ingress.chosen if ingress else codecs.choose(section)
        if chosen is None:
            sections.append(replace(section, rejected=True, codecs=()))
            continue
        taken = codecs.taken(section, chosen)
        direction = taken.direction if ingress else "inactive"
        sections.append(replace(taken, direction=direction, transport=transport))
    return sdp.write(_whole(sections, version))


def offer(sections: Sequence[Section], transport: Transport, version: int) -> str:
    """A subscribe offer."""
    return sdp.write(_whole([replace(section, transport=transport) for section in sections], version))


_SESSION_ID = secrets.randbelow(1 << 62)


def _whole(sections: Sequence[Section], version: int) -> Description:
    bundle = tuple(section.mid for section in sections if not section.rejected)
    return Description(tuple(sections), bundle, session_id=_SESSION_ID, version=version, lite=True)
