"""Where the media port is reached, as operators write it."""

from ipaddress import ip_address


def split_address(text: str) -> tuple[str, int | None]:
    """An IP address, with a port or without: `192.0.2.1:40000`, `2001:db8::1`, `[2001:db8::1]:40000`.

    Raises `ValueError`.
    """
    host, number = text, ""
    if text.startswith("[") or text.count(":") == 1:
        host, _, number = text.rpartition(":")
    port = int(number) if number else None
    if port is not None and not 0 < port < 65536:
        raise ValueError(f"{port} is no port")
    return str(ip_address(host.strip("[]"))), port
