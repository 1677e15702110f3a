"""The load process, the same for every server: raw sockets that read what comes and count messages in it.

It is told on stdin, in one line of JSON, where to connect and with what to begin; it says `ready`, and when
everything expected has arrived `done`, with the times of arrival if it was asked to keep them.
"""

import json
import re
import selectors
import socket
import sys
import time
from dataclasses import dataclass, field
from typing import Any

MARK = b'"bench-'
_NUMBER = re.compile(rb'"bench-(\d+)"')
WAIT_SECONDS = 60.0
KEY = "dGhlIHNhbXBsZSBub25jZQ=="


@dataclass(slots=True)
class Receiver:
    """One socket."""

    socket: socket.socket
    tail: bytes = b""
    numbers: list[tuple[int, float]] = field(default_factory=list)


def _frame(text: str) -> bytes:
    """A client's frame, masked with zeros."""
    payload = text.encode()
    length = bytes([0x80 | min(len(payload), 126)])
    if len(payload) > 125:
        length += len(payload).to_bytes(2, "big")
    return b"\x81" + length + bytes(4) + payload


def _read_until(connection: socket.socket, word: bytes) -> None:
    found = b""
    while word not in found:
        more = connection.recv(65536)
        if not more:
            raise ConnectionError(f"closed after {found!r}")
        found += more


def _connect(port: int, path: str, talk: list[list[str]]) -> socket.socket:
    """Open one socket; with a path, shake hands. `talk`: what to say, and a word of the answer to await."""
    connection = socket.create_connection(("127.0.0.1", port))
    if path:
        connection.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        _read_until(connection, b"\r\n\r\n")
    for say, await_word in talk:
        connection.sendall(_frame(say))
        _read_until(connection, await_word.encode())
    connection.setblocking(False)
    return connection


def _count(receiver: Receiver, data: bytes) -> int:
    """How many messages these bytes complete. A mark may be cut in two by the end of a read."""
    data = receiver.tail + data
    receiver.tail = data[-(len(MARK) - 1) :]
    return data.count(MARK)


def _stamp(receiver: Receiver, data: bytes, now: float) -> int:
    data = receiver.tail + data
    last = 0
    found = 0
    for match in _NUMBER.finditer(data):
        receiver.numbers.append((int(match[1]), now))
        last = match.end()
        found += 1
    receiver.tail = data[max(last, len(data) - 20) :]
    return found


def _receive(order: dict[str, Any], receivers: list[Receiver]) -> int:
    """Read until everything expected is there, or nothing has come for a long time."""
    selector = selectors.DefaultSelector()
    for receiver in receivers:
        selector.register(receiver.socket, selectors.EVENT_READ, receiver)
    expected, stamped, count = order["expected"] * len(receivers), order["stamped"], 0
    while count < expected:
        ready = selector.select(WAIT_SECONDS)
        if not ready:
            break
        for key, _ in ready:
            data = key.data.socket.recv(262144)
            if not data:
                raise ConnectionError("the server closed a connection")
            count += _stamp(key.data, data, time.monotonic()) if stamped else _count(key.data, data)
    return count


def main() -> None:
    """Connect, receive, report; again for each further order."""
    order = json.loads(sys.stdin.readline())
    receivers = [Receiver(_connect(order["port"], order["path"], talk)) for talk in order["talks"]]
    print("ready", flush=True)
    for line in sys.stdin:
        count = _receive(json.loads(line), receivers)
        times = [receiver.numbers for receiver in receivers]
        print(json.dumps({"count": count, "times": times}), flush=True)
        for receiver in receivers:
            receiver.numbers = []


if __name__ == "__main__":
    main()
