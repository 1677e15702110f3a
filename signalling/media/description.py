"""Session descriptions and candidates: are they acceptable, and what do they give away? Pure functions."""

import re

from signalling.protocol.codes import ErrorCode
from signalling.protocol.negotiation import SignalRefused
from signalling.protocol.parts import MAX_MEDIA_SECTIONS, IceCandidate, Pc

MAX_LINES = 2000
MAX_LINE_CHARACTERS = 4096

_LINE = re.compile(r"^[a-z]=[^\x00-\x08\x0a-\x1f]*$")
_CANDIDATE = re.compile(
    r"^(?:a=)?candidate:[A-Za-z0-9+/]{1,32} \d{1,5} [A-Za-z-]{2,8} \d{1,10} [0-9A-Za-z.:%_-]{1,255} \d{1,5}"
    r" typ (?P<type>host|srflx|prflx|relay)(?: [\x21-\x7e]{1,256}){0,40}$"
)
_SENDS = {"a=sendrecv", "a=sendonly"}
_DIRECTIONS = {*_SENDS, "a=recvonly", "a=inactive"}


def check_description(sdp: str, *, may_publish: bool, pc: Pc = "direct") -> None:
    """Accept a session description's shape, or raise `SignalRefused`."""
    lines = _lines(sdp)
    if lines[0] != "v=0" or len(lines) > MAX_LINES:
        raise _invalid("The description does not begin with v=0, or is too long.")
    if any(len(line) > MAX_LINE_CHARACTERS or not _LINE.match(line) for line in lines):
        raise _invalid("The description has a line that is too long or not of the form x=value.")
    if sum(line.startswith("m=") for line in lines) > MAX_MEDIA_SECTIONS[pc]:
        raise _invalid(f"The description has more than {MAX_MEDIA_SECTIONS[pc]} media sections.")
    if not may_publish and _sends_media(lines):
        raise SignalRefused(ErrorCode.NOT_PERMITTED, "You may listen and watch here, not send.")


def check_candidate(candidate: IceCandidate) -> None:
    """Accept a trickled candidate's shape, or raise `SignalRefused`. An empty one ends the list."""
    if not candidate.candidate:
        return
    if not _CANDIDATE.match(candidate.candidate):
        raise SignalRefused(ErrorCode.INVALID_CANDIDATE, "That is not an ICE candidate.")
    if candidate.sdp_mid is None and candidate.sdp_m_line_index is None:
        detail = "The candidate does not say which media section it is for."
        raise SignalRefused(ErrorCode.INVALID_CANDIDATE, detail)


def relay_only_description(sdp: str) -> str:
    """The description without anything that tells the sender's own addresses."""
    kept = (_blank(line) for line in _lines(sdp))
    return "".join(f"{line}\r\n" for line in kept if line is not None)


def relay_only_candidate(candidate: IceCandidate) -> IceCandidate | None:
    """The candidate without the sender's own addresses; None when nothing is left to tell."""
    if not candidate.candidate:
        return candidate
    line = _relayed(candidate.candidate)
    return candidate.model_copy(update={"candidate": line}) if line else None


def _lines(sdp: str) -> list[str]:
    return sdp.replace("\r\n", "\n").rstrip("\n").split("\n")


def _sends_media(lines: list[str]) -> bool:
    """Whether an audio or video section sends; sections without a direction do (RFC 8866, section 6.7)."""
    session_sends = True
    section: list[bool] | None = None
    found: list[list[bool]] = []
    for line in lines:
        if line.startswith("m="):
            rejected = line.split(" ")[1:2] == ["0"]
            section = [session_sends and not rejected]
            if line.startswith(("m=audio", "m=video")):
                found.append(section)
        elif line in _DIRECTIONS:
            if section is None:
                session_sends = line in _SENDS
            else:
                section[0] = line in _SENDS
    return any(sends for (sends,) in found)


def _blank(line: str) -> str | None:
    if line.startswith("a=candidate:"):
        return _relayed(line)
    if line.startswith("o="):
        # o=<username> <session id> <version> IN IP4 <address>
        words = line.split(" ")
        return " ".join([*words[:3], "IN", "IP4", "0.0.0.0"])
    if line.startswith("c="):
        return "c=IN IP4 0.0.0.0"
    if line.startswith("a=rtcp:"):
        return "a=rtcp:9 IN IP4 0.0.0.0"
    # Alternative ways of naming addresses that no browser needs.
    return None if line.startswith(("a=remote-candidates:", "a=alt:")) else line


def _relayed(line: str) -> str | None:
    match = _CANDIDATE.match(line)
    if match is None or match["type"] != "relay":
        return None
    return re.sub(r" rport \d+", " rport 0", re.sub(r" raddr \S+", " raddr 0.0.0.0", line))


def _invalid(detail: str) -> SignalRefused:
    return SignalRefused(ErrorCode.INVALID_DESCRIPTION, detail)
