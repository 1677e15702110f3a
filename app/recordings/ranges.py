"""Parts of files, as `Range` asks for them (RFC 9110, section 14)."""

import re
from typing import Final

_ONE: Final = re.compile(r"bytes=[ \t]*(\d{0,18})-(\d{0,18})[ \t]*", re.IGNORECASE)


class Unsatisfiable(Exception):
    """No byte of the file lies there."""


def part_of(size: int, header: str | None) -> tuple[int, int] | None:
    """The first byte and how many, of a file of `size` bytes; None: all of it.

    What cannot be read, and several parts at once, are passed over, as a server may. Raises `Unsatisfiable`.
    """
    found = _ONE.fullmatch(header or "")
    if found is None or found.group(1) == found.group(2) == "":
        return None
    first, last = found.groups()
    if first and last and int(last) < int(first):
        return None
    if first:
        start, end = int(first), min(int(last) + 1, size) if last else size
    else:
        start, end = max(size - int(last), 0), size
    if start >= end:
        raise Unsatisfiable
    return start, end - start
