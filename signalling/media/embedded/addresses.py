"""IP addresses: as we compare them, and as the system takes them.

A socket for both families gives IPv4 addresses as mapped ones (RFC 4291, section 2.5.5.2). Everything here
takes such a one for the IPv4 address that it is, so that a client has the same address however they arrive.
"""

import socket
import struct
import sys
from ipaddress import ip_address
from typing import Any, Final

from signalling.media.embedded.ice import Address

_MAPPED: Final = bytes(10) + b"\xff\xff"
_PORT: Final = struct.Struct("!H")
_SCOPE: Final = struct.Struct("=I")
SOCKADDR_BYTES: Final = {socket.AF_INET: 16, socket.AF_INET6: 28}
"""Of a `struct sockaddr_in`, and of a `struct sockaddr_in6`."""


def of_python(given: tuple[Any, ...]) -> Address:
    """From what Python's sockets give."""
    host, port = given[:2]
    if host.startswith("::ffff:") and "." in host:
        host = host[7:]
    return (f"{host}%{given[3]}" if len(given) > 3 and given[3] else host), port


def for_python(address: Address, family: int) -> tuple[Any, ...]:
    """As Python's sockets of that family take it."""
    host, _, scope = address[0].partition("%")
    if family == socket.AF_INET:
        return host, address[1]
    return (host if ":" in host else f"::ffff:{host}"), address[1], 0, _scope(scope)


def packed(address: Address, family: int) -> bytes:
    """As sockets of that family have it: a `struct sockaddr`. Raises `ValueError` when they have no such."""
    host, _, scope = address[0].partition("%")
    data, port = ip_address(host).packed, _PORT.pack(address[1])
    head = family.to_bytes(2, sys.byteorder) + port
    if family == socket.AF_INET6:
        return head + bytes(4) + (data if len(data) == 16 else _MAPPED + data) + _SCOPE.pack(_scope(scope))
    if len(data) != 4:
        raise ValueError("A socket for IPv4 cannot reach an IPv6 address.")
    return head + data + bytes(8)


def unpacked(sockaddr: bytes) -> Address:
    """The address in a `struct sockaddr`."""
    (port,) = _PORT.unpack_from(sockaddr, 2)
    if len(sockaddr) == SOCKADDR_BYTES[socket.AF_INET]:
        return socket.inet_ntop(socket.AF_INET, sockaddr[4:8]), port
    host = socket.inet_ntop(socket.AF_INET6, sockaddr[8:24])
    return of_python((host, port, 0, *_SCOPE.unpack_from(sockaddr, 24)))


def _scope(text: str) -> int:
    """The interface of a link-local address: its number, or 0."""
    return int(text) if text.isdecimal() else 0
