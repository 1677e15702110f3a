"""Session descriptions as the load writes and reads them: just enough for both servers."""

import re
from dataclasses import dataclass

from signalling.media.embedded.codecs import ABS_SEND_TIME, AUDIO_LEVEL, TRANSPORT_SEQUENCE

AUDIO, VIDEO = 111, 96
"""Payload types of what the load sends."""
Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Local:
    """What a peer of the load says of itself."""

    ufrag: str
    password: str
    fingerprint: str
    address: Address

    def lines(self) -> list[str]:
        """The attributes of a section."""
        host, port = self.address
        return [
            f"a=ice-ufrag:{self.ufrag}",
            f"a=ice-pwd:{self.password}",
            f"a=fingerprint:sha-256 {self.fingerprint}",
            "a=setup:active",
            "a=rtcp-mux",
            f"a=candidate:1 1 udp 2130706431 {host} {port} typ host",
            "a=end-of-candidates",
        ]


@dataclass(frozen=True, slots=True)
class Remote:
    """What a server's description says of it."""

    ufrag: str
    password: str
    fingerprint: str
    address: Address
    extensions: dict[str, dict[str, int]]
    """By kind: local ids by URI."""


def read(sdp: str) -> Remote:
    """Read a server's offer or answer."""

    def first(pattern: str) -> str:
        match = re.search(pattern, sdp, re.MULTILINE)
        assert match is not None, (pattern, sdp)
        return match[1].strip()

    host, port = first(r"^a=candidate:\S+ 1 udp \d+ (\S+ \d+) typ host").split()
    extensions: dict[str, dict[str, int]] = {}
    for part in re.split(r"^(?=m=)", sdp, flags=re.MULTILINE)[1:]:
        found = re.findall(r"^a=extmap:(\d+)(?:/\w+)? (\S+)", part, re.MULTILINE)
        extensions[part[2:7]] = {uri: int(local) for local, uri in found}
    return Remote(
        first(r"^a=ice-ufrag:(.+)"),
        first(r"^a=ice-pwd:(.+)"),
        first(r"^a=fingerprint:sha-256 (.+)"),
        (host, int(port)),
        extensions,
    )


def offer(local: Local, audio: int, video: int) -> str:
    """A publisher's offer; `audio` and `video` are SSRCs."""
    section = ["c=IN IP4 0.0.0.0", *local.lines(), "a=sendonly"]
    lines = [
        *_head("0 1"),
        f"m=audio 9 UDP/TLS/RTP/SAVPF {AUDIO}",
        *section,
        "a=mid:0",
        f"a=extmap:1 {AUDIO_LEVEL}",
        f"a=extmap:2 {ABS_SEND_TIME}",
        f"a=extmap:3 {TRANSPORT_SEQUENCE}",
        f"a=rtpmap:{AUDIO} opus/48000/2",
        f"a=rtcp-fb:{AUDIO} transport-cc",
        f"a=ssrc:{audio} cname:load",
        f"m=video 9 UDP/TLS/RTP/SAVPF {VIDEO}",
        *section,
        "a=mid:1",
        f"a=extmap:2 {ABS_SEND_TIME}",
        f"a=extmap:3 {TRANSPORT_SEQUENCE}",
        f"a=rtpmap:{VIDEO} VP8/90000",
        *(f"a=rtcp-fb:{VIDEO} {each}" for each in ("nack", "nack pli", "ccm fir", "transport-cc")),
        f"a=ssrc:{video} cname:load",
    ]
    return "".join(f"{line}\r\n" for line in lines)


def answer(local: Local, offered: str) -> str:
    """A subscriber's answer, which accepts everything."""
    kept = ("m=", "c=", "a=mid", "a=rtpmap", "a=fmtp", "a=rtcp-fb", "a=extmap:")
    _, *parts = re.split(r"^(?=m=)", offered.replace("\r\n", "\n"), flags=re.MULTILINE)
    mids = re.findall(r"^a=mid:(\S+)", offered, re.MULTILINE)
    lines = _head(" ".join(mids))
    for part in parts:
        lines += [line for line in part.rstrip("\n").split("\n") if line.startswith(kept)]
        lines += [*local.lines(), "a=recvonly"]
    return "".join(f"{line}\r\n" for line in lines)


def _head(mids: str) -> list[str]:
    return ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0", f"a=group:BUNDLE {mids}"]
