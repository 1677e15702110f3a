"""Which addresses on the net may be visited on behalf of people who name them. Pure."""

from collections.abc import Collection
from ipaddress import IPv4Address, ip_address, ip_network
from typing import Final, NamedTuple
from urllib.parse import urlsplit

_NOT_PUBLIC_4: Final = tuple(
    ip_network(block)
    for block in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",
        "100.64.0.0/10",  # behind a carrier's NAT
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local; clouds keep their secrets there
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",  # documentation, as two below
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
_PUBLIC_6: Final = ip_network("2000::/3")
"""All that is given out; so loopback, ULA, link-local, multicast, NAT64 and IPv4 in IPv6 lie outside."""
_NOT_PUBLIC_6: Final = tuple(
    ip_network(block)
    for block in (
        "2001::/23",  # special purposes, Teredo among them
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: carries an IPv4 address
        "3fff::/20",  # documentation
    )
)
WEB_PORTS: Final = (80, 443)
FIRST_FREE_PORT: Final = 1024
_WHOLE: Final = "Give the whole address, such as https://calendar.example.org/private.ics."


class BadAddress(ValueError):
    """The text says what to give instead."""


class Address(NamedTuple):
    """Where a calendar is: the address as it will be asked for, and what may be shown of it."""

    url: str
    host: str


def is_public(address: str) -> bool:
    """Whether this IP address belongs to the public net, whatever it is disguised as."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, IPv4Address):
        return not any(found in block for block in _NOT_PUBLIC_4)
    return found in _PUBLIC_6 and not any(found in block for block in _NOT_PUBLIC_6)


def is_named(host: str, allowed: Collection[str]) -> bool:
    """Whether the operator has named this host as one that may be visited wherever it is."""
    return host.lower().rstrip(".") in {one.lower().rstrip(".") for one in allowed}


def understood(text: str, allowed: Collection[str], *, with_password: bool) -> Address:
    """The address that a person gave for their calendar. Raises `BadAddress`."""
    text = text.strip()
    try:
        parts = urlsplit(text)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        raise BadAddress(_WHOLE) from None
    # What is named webcal is a secret address as a rule, so it is asked for by HTTPS only.
    scheme = {"webcal": "https", "webcals": "https"}.get(parts.scheme, parts.scheme)
    if scheme not in ("https", "http"):
        raise BadAddress("Give an address that begins with https://, http:// or webcal://.")
    if not host or any(sign <= " " or sign == "\x7f" for sign in text):
        raise BadAddress(_WHOLE)
    if parts.username is not None or parts.password is not None:
        raise BadAddress("Give user name and password in their own fields, not in the address.")
    refused = refusal(host, port, allowed)
    if refused is not None:
        raise BadAddress(refused)
    if with_password and scheme == "http" and not is_named(host, allowed):
        raise BadAddress("A password is sent by https:// only.")
    # What stands after # is the browser's business.
    return Address(parts._replace(scheme=scheme, fragment="").geturl(), host)


def refusal(host: str, port: int | None, allowed: Collection[str]) -> str | None:
    """Why nobody goes there, as far as the name alone tells."""
    if is_named(host, allowed):
        return None
    if port is not None and port not in WEB_PORTS and port < FIRST_FREE_PORT:
        return "No calendar is read from that port."
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return None
    return None if is_public(host.strip("[]")) else "That address leads into a private network."
