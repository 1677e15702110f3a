"""Stretches of time as arithmetic: pure, and linear in how many there are.

A stretch is half open, `(start, end)` in whole seconds since 1970 UTC; a list of them is in order, and none
of it touches the next.
"""

from collections.abc import Iterable, Sequence

Span = tuple[int, int]


def union(spans: Iterable[Span]) -> list[Span]:
    """Whatever lies in any of these, which may come in any order."""
    found: list[Span] = []
    first, last = 0, -1
    for start, end in sorted(spans):
        if start >= end:
            continue
        if first <= last and start <= last:
            last = max(last, end)
        else:
            if first < last:
                found.append((first, last))
            first, last = start, end
    if first < last:
        found.append((first, last))
    return found


def intersection(left: Sequence[Span], right: Sequence[Span]) -> list[Span]:
    """What lies in both."""
    found: list[Span] = []
    here, there = 0, 0
    while here < len(left) and there < len(right):
        start = max(left[here][0], right[there][0])
        end = min(left[here][1], right[there][1])
        if start < end:
            found.append((start, end))
        if left[here][1] < right[there][1]:
            here += 1
        else:
            there += 1
    return found


def subtraction(left: Sequence[Span], right: Sequence[Span]) -> list[Span]:
    """What lies in the first and not in the second."""
    found: list[Span] = []
    there = 0
    for start, end in left:
        while there < len(right) and right[there][1] <= start:
            there += 1
        place = there
        while place < len(right) and right[place][0] < end:
            if start < right[place][0]:
                found.append((start, right[place][0]))
            start = max(start, right[place][1])
            place += 1
        if start < end:
            found.append((start, end))
    return found


def clip(spans: Sequence[Span], start: int, end: int) -> list[Span]:
    """What of these lies between two instants."""
    return intersection(spans, [(start, end)]) if start < end else []
