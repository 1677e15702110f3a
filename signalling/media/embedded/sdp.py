"""Session descriptions (RFC 8866, RFC 9429) as a model: read from text, written to text. Pure functions.

Only what forwarding needs is kept. Everything else of an offer is left out of the model, so nothing that one
participant writes reaches another.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

Direction = Literal["sendrecv", "sendonly", "recvonly", "inactive"]
Setup = Literal["actpass", "active", "passive"]

MOST_CODECS: Final = 64
MOST_SSRCS: Final = 16
MOST_RIDS: Final = 3
MOST_CANDIDATES: Final = 32

_DIRECTIONS: Final = ("sendrecv", "sendonly", "recvonly", "inactive")
_TOKEN: Final = re.compile(r"[!#-'*+\-.0-9A-Z^-~]{1,64}")
_ICE: Final = re.compile(r"[A-Za-z0-9+/]{4,256}")
_MID: Final = re.compile(r"[!#-'*+\-.0-9A-Z^-~]{1,16}")
_RID: Final = re.compile(r"[A-Za-z0-9]{1,16}")
_RTPMAP: Final = re.compile(r"(\d{1,3}) ([A-Za-z0-9._-]{1,32})/(\d{4,6})(?:/(\d))?")
_FMTP: Final = re.compile(r"(\d{1,3}) ([A-Za-z0-9=;:,._+/ -]{0,512})")
_EXTMAP: Final = re.compile(r"(\d{1,3})(?:/\w+)? (\S{1,256})")
_HEX: Final = re.compile(r"[0-9A-F]{2}(?::[0-9A-F]{2}){15,63}")


class Unacceptable(ValueError):
    """A description that cannot be worked with; the text says why, for whoever wrote it."""


@dataclass(frozen=True, slots=True)
class Codec:
    """One payload type of a section."""

    payload_type: int
    name: str
    clock_rate: int
    channels: int = 1
    parameters: tuple[tuple[str, str], ...] = ()
    """Of `a=fmtp`, as they came."""
    feedback: tuple[str, ...] = ()
    """Of `a=rtcp-fb`, as `nack pli`."""


@dataclass(frozen=True, slots=True)
class Transport:
    """How a bundle is reached, and by which certificate it is known."""

    ufrag: str
    password: str
    fingerprints: tuple[tuple[str, str], ...]
    """Algorithm, and the digest in upper-case pairs with colons."""
    setup: Setup
    candidates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """One `m=` section."""

    kind: str
    mid: str
    direction: Direction = "inactive"
    rejected: bool = False
    protocol: str = "UDP/TLS/RTP/SAVPF"
    formats: tuple[str, ...] = ()
    """As they stand in the `m=` line, in the order of preference."""
    codecs: tuple[Codec, ...] = ()
    extensions: tuple[tuple[int, str], ...] = ()
    """Local id and URI (RFC 8285)."""
    ssrcs: tuple[int, ...] = ()
    repairs: tuple[tuple[int, int], ...] = ()
    """Pairs of a stream and that of its retransmissions (RFC 5576, `FID`)."""
    rids: tuple[str, ...] = ()
    """Simulcast layers in the order of the offer (RFC 8853): those that the client sends."""
    stream_id: str = ""
    cname: str = ""
    transport: Transport | None = None
    multiplexed: bool = True
    """Whether RTP and RTCP share the port (RFC 5761)."""


@dataclass(frozen=True, slots=True)
class Description:
    """All sections, and which of them share one transport."""

    sections: tuple[Section, ...]
    bundle: tuple[str, ...] = ()
    session_id: int = 0
    version: int = 1
    lite: bool = field(default=False)


# Reading


def parse(text: str) -> Description:
    """Read a description. Raises `Unacceptable`."""
    head, *parts = re.split(r"^(?=m=)", text.replace("\r\n", "\n"), flags=re.MULTILINE)
    session = _Lines(head)
    sections = tuple(_section(_Lines(part), session) for part in parts)
    mids = [section.mid for section in sections]
    if len(set(mids)) != len(mids):
        raise Unacceptable("Two sections have the same mid.")
    groups = [value.split()[1:] for value in session.all("group") if value.startswith("BUNDLE")]
    if any(mid not in mids for group in groups for mid in group):
        raise Unacceptable("The BUNDLE group names a section that is not there.")
    return Description(sections, tuple(groups[0]) if groups else (), lite=session.has("ice-lite"))


class _Lines:
    """The attributes of one part of a description."""

    def __init__(self, part: str) -> None:
        lines = part.rstrip("\n").split("\n")
        self.first = lines[0]
        self._values: dict[str, list[str]] = {}
        for line in lines:
            if line.startswith("a="):
                name, _, value = line[2:].partition(":")
                self._values.setdefault(name, []).append(value)

    def all(self, name: str) -> list[str]:
        return self._values.get(name, [])

    def has(self, name: str) -> bool:
        return name in self._values

    def one(self, name: str) -> str | None:
        return self._values.get(name, [None])[0]


def _section(lines: _Lines, session: _Lines) -> Section:
    words = lines.first[2:].split(" ")
    if len(words) < 4 or not words[1].split("/")[0].isdecimal():
        raise Unacceptable("A section begins with m=<kind> <port> <protocol> <formats>.")
    kind, port, protocol, *formats = words
    mid = lines.one("mid")
    if mid is None or not _MID.fullmatch(mid):
        raise Unacceptable("Each section needs a mid, a token of at most 16 characters.")
    if len(formats) > MOST_CODECS:
        raise Unacceptable(f"A section may offer at most {MOST_CODECS} formats.")
    if len(lines.all("candidate")) > MOST_CANDIDATES:
        raise Unacceptable(f"A section may name at most {MOST_CANDIDATES} candidates.")
    rejected = port == "0" and not lines.has("bundle-only")
    return Section(
        kind=kind,
        mid=mid,
        direction=_direction(lines, session),
        rejected=rejected,
        protocol=protocol,
        formats=tuple(formats),
        codecs=tuple(_codecs(lines, formats)),
        extensions=tuple(_extensions([*session.all("extmap"), *lines.all("extmap")])),
        ssrcs=tuple(_ssrcs(lines)),
        repairs=tuple(_repairs(lines)),
        rids=_simulcast(lines),
        transport=None if rejected else _transport(lines, session),
        multiplexed=lines.has("rtcp-mux"),
    )


def _direction(lines: _Lines, session: _Lines) -> Direction:
    for where in (lines, session):
        for direction in _DIRECTIONS:
            if where.has(direction):
                return direction
    return "sendrecv"


def _codecs(lines: _Lines, formats: list[str]) -> Iterator[Codec]:
    parameters: dict[str, tuple[tuple[str, str], ...]] = {}
    for match in _matches(_FMTP, lines.all("fmtp")):
        pairs = (pair.strip().partition("=") for pair in match[2].split(";") if pair.strip())
        parameters[match[1]] = tuple((name.lower(), value) for name, _, value in pairs)
    feedback: dict[str, list[str]] = {}
    for value in lines.all("rtcp-fb"):
        payload_type, _, what = value.partition(" ")
        feedback.setdefault(payload_type, []).append(what)
    maps = {match[1]: match for match in _matches(_RTPMAP, lines.all("rtpmap"))}
    for each in formats:
        if each in maps and int(each) < 128:
            match = maps[each]
            yield Codec(
                payload_type=int(each),
                name=match[2],
                clock_rate=int(match[3]),
                channels=int(match[4] or 1),
                parameters=parameters.get(each, ()),
                feedback=(*feedback.get(each, ()), *feedback.get("*", ())),
            )


def _matches(pattern: re.Pattern[str], values: Iterable[str]) -> Iterator[re.Match[str]]:
    return (match for value in values if (match := pattern.fullmatch(value)))


def _extensions(values: list[str]) -> Iterator[tuple[int, str]]:
    for match in _matches(_EXTMAP, values):
        # RFC 8285, section 4.2: ids of one-byte elements.
        if 1 <= int(match[1]) <= 14:
            yield int(match[1]), match[2]


def _ssrcs(lines: _Lines) -> list[int]:
    found = dict.fromkeys(_number(value.split(" ")[0]) for value in lines.all("ssrc"))
    if len(found) > MOST_SSRCS:
        raise Unacceptable(f"A section may name at most {MOST_SSRCS} SSRCs.")
    return list(found)


def _repairs(lines: _Lines) -> Iterator[tuple[int, int]]:
    for value in lines.all("ssrc-group")[:MOST_SSRCS]:
        words = value.split()
        if words[:1] == ["FID"] and len(words) == 3:
            yield _number(words[1]), _number(words[2])


def _number(word: str) -> int:
    if not word.isdecimal() or len(word) > 10 or int(word) >= 1 << 32:
        raise Unacceptable("An SSRC is a number of 32 bits.")
    return int(word)


def _simulcast(lines: _Lines) -> tuple[str, ...]:
    words = (lines.one("simulcast") or "").split(" ")
    named = dict(zip(words[::2], words[1::2], strict=False)).get("send", "")
    sent = {value.split(" ")[0] for value in lines.all("rid") if value.split(" ")[1:2] == ["send"]}
    # Of alternatives the first counts; a tilde says that the layer begins paused.
    rids = tuple(each.split(",")[0].lstrip("~") for each in named.split(";") if each) or tuple(sent)[:1]
    if len(rids) > MOST_RIDS or len(set(rids)) != len(rids):
        raise Unacceptable(
            f"A section may have at most {MOST_RIDS} simulcast layers, each with a name of its own."
        )
    if any(rid not in sent or not _RID.fullmatch(rid) for rid in rids):
        raise Unacceptable("Each simulcast layer needs its a=rid line with direction send.")
    return rids


def _transport(lines: _Lines, session: _Lines) -> Transport:
    def value(name: str) -> str:
        return lines.one(name) or session.one(name) or ""

    ufrag, password, setup = value("ice-ufrag"), value("ice-pwd"), value("setup")
    if not _ICE.fullmatch(ufrag) or not _ICE.fullmatch(password) or len(password) < 22:
        raise Unacceptable("Each section needs ice-ufrag and ice-pwd (RFC 8839, section 5.4).")
    if setup not in ("actpass", "active", "passive"):
        raise Unacceptable("Each section needs a=setup: actpass, active or passive.")
    prints = tuple(_fingerprints([*lines.all("fingerprint"), *session.all("fingerprint")]))
    if not prints:
        raise Unacceptable("Each section needs a fingerprint that is sha-256, sha-384 or sha-512.")
    return Transport(ufrag, password, prints, setup)  # type: ignore[arg-type]


def _fingerprints(values: list[str]) -> Iterator[tuple[str, str]]:
    for value in values[:8]:
        algorithm, _, digest = value.partition(" ")
        if algorithm.lower() in ("sha-256", "sha-384", "sha-512") and _HEX.fullmatch(digest.upper()):
            yield algorithm.lower(), digest.upper()


# Writing


def write(description: Description) -> str:
    """The text of a description."""
    lines = [
        "v=0",
        f"o=- {description.session_id} {description.version} IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
    ]
    if description.bundle:
        lines.append("a=group:BUNDLE " + " ".join(description.bundle))
    if description.lite:
        lines.append("a=ice-lite")
    lines += ["a=extmap-allow-mixed", "a=msid-semantic: WMS *"]
    for section in description.sections:
        lines += _written(section)
    return "".join(f"{line}\r\n" for line in lines)


def _written(section: Section) -> Iterator[str]:
    formats = " ".join(section.formats) or "0"
    yield f"m={section.kind} {0 if section.rejected else 9} {section.protocol} {formats}"
    yield "c=IN IP4 0.0.0.0"
    yield f"a=mid:{section.mid}"
    if section.rejected:
        yield "a=inactive"
        return
    yield f"a={section.direction}"
    yield "a=rtcp-mux"
    yield "a=rtcp-rsize"
    if section.transport is not None:
        yield from _transport_lines(section.transport)
    for local, uri in section.extensions:
        yield f"a=extmap:{local} {uri}"
    for codec in section.codecs:
        yield from _codec_lines(codec)
    for rid in section.rids:
        yield f"a=rid:{rid} recv"
    if len(section.rids) > 1:
        yield "a=simulcast:recv " + ";".join(section.rids)
    if section.stream_id:
        yield f"a=msid:{section.stream_id} {section.stream_id}.{section.mid}"
    for stream, repair in section.repairs:
        yield f"a=ssrc-group:FID {stream} {repair}"
    for ssrc in section.ssrcs:
        yield f"a=ssrc:{ssrc} cname:{section.cname}"


def _transport_lines(transport: Transport) -> Iterator[str]:
    yield f"a=ice-ufrag:{transport.ufrag}"
    yield f"a=ice-pwd:{transport.password}"
    for algorithm, digest in transport.fingerprints:
        yield f"a=fingerprint:{algorithm} {digest}"
    yield f"a=setup:{transport.setup}"
    for candidate in transport.candidates:
        yield f"a=candidate:{candidate}"
    yield "a=end-of-candidates"


def _codec_lines(codec: Codec) -> Iterator[str]:
    channels = f"/{codec.channels}" if codec.channels > 1 else ""
    yield f"a=rtpmap:{codec.payload_type} {codec.name}/{codec.clock_rate}{channels}"
    for each in codec.feedback:
        yield f"a=rtcp-fb:{codec.payload_type} {each}"
    if codec.parameters:
        pairs = ";".join(f"{name}={value}" if value else name for name, value in codec.parameters)
        yield f"a=fmtp:{codec.payload_type} {pairs}"
