"""What somebody hostile, broken or merely curious sends to a port."""

import json
import random
from collections.abc import Callable

from tests.streams.stand_in import masked

LONG = 40_000
_NAMES = ("type", "version", "ticket", "resume", "stream", "streams", "typing", "state", "token", "seq", "")
_TYPES = (
    "hello",
    "ping",
    "typing",
    "presence",
    "watch",
    "event",
    "welcome",
    "sync",
    "offer",
    "__proto__",
    "",
)


def _value(dice: random.Random, depth: int = 0) -> object:
    plain: list[Callable[[], object]] = [
        lambda: None,
        lambda: dice.random() < 0.5,
        lambda: dice.choice([0, -1, 2**31, 2**63, 10**400, 1e308, -0.0, float("1e-320")]),
        lambda: "".join(chr(dice.choice([0, 9, 65, 0x7F, 0xE9, 0x200F, 0xFFFD, 0x1F600])) for _ in range(5)),
        lambda: "A" * dice.choice([1, 100, 5000]),
        lambda: "00000000-0000-0000-0000-000000000000",
        lambda: dice.choice(_TYPES),
    ]
    if depth < 4 and dice.random() < 0.4:
        if dice.random() < 0.5:
            return [_value(dice, depth + 1) for _ in range(dice.randrange(4))]
        return {dice.choice(_NAMES): _value(dice, depth + 1) for _ in range(dice.randrange(4))}
    return dice.choice(plain)()


def _some_json(dice: random.Random) -> bytes:
    message = {dice.choice(_NAMES): _value(dice) for _ in range(dice.randrange(6))}
    if dice.random() < 0.8:
        message["type"] = dice.choice(_TYPES[:-3])
    return masked(json.dumps(message).encode())


def _broken_json(dice: random.Random) -> bytes:
    text = json.dumps({"type": "typing", "stream": "x" * dice.randrange(60), "typing": True})
    place = dice.randrange(len(text))
    return masked(
        (text[:place] + dice.choice(["", "\\", "}", '"', "\u0000", "NaN"]) + text[place + 1 :]).encode()
    )


FRAMES: list[Callable[[random.Random], bytes]] = [
    _some_json,
    _some_json,
    _broken_json,
    lambda dice: masked(dice.randbytes(dice.randrange(1, 400))),  # not UTF-8
    lambda dice: masked(dice.randbytes(64), 2),  # binary
    lambda dice: masked(b"[" * dice.choice([10, 1000, LONG])),
    lambda dice: masked(b'{"a":' * dice.choice([10, 1000, 8000])),
    lambda dice: masked(b'{"type":"ping"', first=0x01),  # a fragment that is never finished
    lambda dice: masked(b"rest", 0),  # a continuation of nothing
    lambda dice: masked(b"x" * 10, dice.choice([3, 4, 5, 6, 7, 11, 12, 15])),  # reserved opcodes
    lambda dice: masked(b"{}", first=dice.choice([0xC1, 0xA1, 0x91, 0xF1])),  # reserved bits
    lambda dice: masked(b"p" * 126, 9),  # too long for a ping
    lambda dice: masked(
        dice.choice([b"\x03", b"\x03\xe9", b"\x00\x00", b"\xff\xff\xff\xfe", b"\x03\xe8\xff"]), 8
    ),
    lambda dice: b"\x81\x05hello",  # not masked
    lambda dice: b"\x81\xff" + (2**63).to_bytes(8, "big") + bytes(4),  # absurdly long
    lambda dice: b"\x81\xff" + (2**40).to_bytes(8, "big") + bytes(4) + b"x" * 100,
    lambda dice: masked(b"y" * 70_000),  # over the limit
    lambda dice: dice.randbytes(dice.randrange(1, 60)),
    lambda dice: masked(json.dumps({"type": "watch", "streams": ["z"] * 500}).encode()),
    lambda dice: masked(
        b'{"type":"hello","version":1,"ticket":"' + b"e" * dice.choice([10, 3000, LONG]) + b'"}'
    ),
]
"""Each makes a frame, or what pretends to be one."""

_KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
_UPGRADE = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" + _KEY
_HOST = b"Host: localhost\r\n"

HANDSHAKES: list[Callable[[random.Random], bytes]] = [
    lambda dice: dice.randbytes(dice.randrange(1, 300)),
    lambda dice: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + dice.randbytes(200),  # TLS
    lambda dice: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    lambda dice: b"GET /events HTTP/1.1\r\n" + _HOST + b"\r\n",  # no upgrade
    lambda dice: b"POST /events HTTP/1.1\r\n" + _HOST + _UPGRADE + b"\r\n",
    lambda dice: b"GET /events HTTP/0.9\r\n\r\n",
    lambda dice: b"GET /events?token=x HTTP/1.1\r\n" + _HOST + _UPGRADE + b"\r\n",
    lambda dice: b"GET /../../etc/passwd HTTP/1.1\r\n" + _HOST + _UPGRADE + b"\r\n",
    lambda dice: (
        b"GET /calls/" + b"9" * dice.choice([1, 36, 7000]) + b" HTTP/1.1\r\n" + _HOST + _UPGRADE + b"\r\n"
    ),
    lambda dice: b"GET /events HTTP/1.1\r\n" + _HOST + _UPGRADE + b"Origin: https://evil.example\r\n\r\n",
    lambda dice: b"GET /events HTTP/1.1\r\n" + _HOST + _UPGRADE.replace(b"13", b"99") + b"\r\n",
    lambda dice: b"GET /events HTTP/1.1\r\n" + _HOST + _UPGRADE.replace(b"dGhl", b"!!!!") + b"\r\n",
    lambda dice: b"GET /events HTTP/1.1\r\n" + _HOST + _UPGRADE.replace(_KEY, b"") + b"\r\n",
    lambda dice: (
        b"GET /events HTTP/1.1\r\n" + _HOST + b"X: " + b"y" * dice.choice([9000, 200_000]) + b"\r\n\r\n"
    ),
    lambda dice: b"GET /events HTTP/1.1\r\n" + b"A: b\r\n" * dice.choice([200, 5000]) + b"\r\n",
    lambda dice: b"GET /events HTTP/1.1\r\nHost: local\x00host\r\n\r\n",
    lambda dice: b"GET /events HTTP/1.1\r\n" + _HOST + b"Content-Length: 99999\r\n" + _UPGRADE + b"\r\n",
    lambda dice: b"GET /events HTTP/1.1\r\n" + _HOST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    lambda dice: b"GET " + b"/" * dice.choice([100, 20_000]) + b" HTTP/1.1\r\n" + _HOST + b"\r\n",
    lambda dice: b"GET /events HTTP/1.1\r\n" + _HOST + b"\xff\xfe: \x80\r\n\r\n",
    lambda dice: b"GET /eve",  # and never the rest
]
"""Each makes what is sent instead of a proper handshake."""
