"""Asking a STUN or TURN server whether it is there, without an account on it (RFC 8489, RFC 7065)."""

import os
import re
import socket
import struct

MAGIC = 0x2112A442
BINDING_REQUEST, BINDING_SUCCESS = 0x0001, 0x0101
URL = re.compile(
    r"^(?P<scheme>stuns?|turns?):(?P<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:(?P<port>\d{1,5}))?"
    r"(\?transport=(?P<transport>udp|tcp))?$"
)


def problem_with(url: str, seconds: float) -> str | None:
    """Why a browser would get nothing from this server, or None when it answers."""
    parts = URL.match(url)
    if parts is None:
        return "is not a STUN or TURN address (turn:host:port?transport=udp)"
    secure = parts["scheme"].endswith("s")
    host, port = parts["host"].strip("[]"), int(parts["port"] or (5349 if secure else 3478))
    try:
        if secure or parts["transport"] == "tcp":
            socket.create_connection((host, port), timeout=seconds).close()
        elif not _binds(host, port, seconds):
            return "answers, but not as a STUN server"
    except TimeoutError:
        return "does not answer"
    except OSError as problem:
        return f"cannot be reached ({problem.strerror or problem})"
    return None


def _binds(host: str, port: int, seconds: float) -> bool:
    """Send a binding request; every STUN and TURN server answers one from anybody."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    transaction = os.urandom(12)
    with socket.socket(family, kind, protocol) as probe:
        probe.settimeout(seconds / 2)
        probe.connect(address)
        for attempt in (1, 2):
            probe.send(struct.pack("!HHI", BINDING_REQUEST, 0, MAGIC) + transaction)
            try:
                answer = probe.recv(1500)
            except TimeoutError:
                if attempt == 2:
                    raise
                continue
            break
    return answer[:2] == struct.pack("!H", BINDING_SUCCESS) and answer[8:20] == transaction
