"""Addresses as the system has them, and the same as we compare them."""

import socket

import pytest

from signalling.media.embedded.addresses import for_python, of_python, packed, unpacked

EXAMPLES = [("192.0.2.7", 40000), ("2001:db8::1", 9), ("fe80::1%7", 65535), ("::", 1), ("::1", 2)]


@pytest.mark.parametrize("address", EXAMPLES)
def test_nothing_is_lost_on_the_way(address: tuple[str, int]) -> None:
    assert unpacked(packed(address, socket.AF_INET6)) == address
    assert of_python(for_python(address, socket.AF_INET6)) == address


def test_a_mapped_address_is_the_address_that_it_maps() -> None:
    plain = ("192.0.2.7", 40000)
    assert of_python(("::ffff:192.0.2.7", 40000, 0, 0)) == plain
    assert unpacked(packed(plain, socket.AF_INET6)) == unpacked(packed(plain, socket.AF_INET)) == plain
    assert of_python(("::ffff:0:1", 9, 0, 0)) == ("::ffff:0:1", 9), "it only looks like one"


def test_a_socket_for_ipv4_has_no_ipv6_addresses() -> None:
    with pytest.raises(ValueError, match="IPv6"):
        packed(("2001:db8::1", 9), socket.AF_INET)


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_the_system_reads_what_is_written(family: socket.AddressFamily, host: str) -> None:
    with socket.socket(family, socket.SOCK_DGRAM) as one, socket.socket(family, socket.SOCK_DGRAM) as other:
        try:
            one.bind((host, 0))
        except OSError as why:
            pytest.skip(f"there is no {host} here: {why}")
        to = of_python(one.getsockname())
        other.sendto(b"here", for_python(to, family))
        one.settimeout(2)
        assert one.recv(10) == b"here"
