"""Hints as entries of a Valkey stream: one field, whose name is a small binary head and whose value the rest.

An envelope's frame travels as it is; nothing is quoted or parsed on its way. The first letter says what the
entry is. A changed layout takes another letter, and nodes that do not know it yet pass such entries over.
"""

from functools import lru_cache
from struct import Struct, error
from uuid import UUID

from signalling.contracts.envelope import Envelope, Hint, Presence, PresenceState, Typing

_ENVELOPE, _TYPING, _PRESENCE = b"e", b"t", b"p"
# stream, seq, roster version, whether `by` is somebody, by, length of the epoch; epoch and kind follow.
_ENVELOPE_HEAD = Struct(">c16sqq?16sH")
_TYPING_HEAD = Struct(">c16s16s?")
_PRESENCE_HEAD = Struct(">c16sB")
_STATES: tuple[PresenceState, ...] = ("online", "away", "offline", "hidden")
_NOBODY = bytes(16)
# Most hints are about the same few things, and making a UUID is the slowest part of reading one.
_uuid = lru_cache(10_000)(lambda octets: UUID(bytes=octets))


class Unreadable(Exception):
    """The entry is nothing that this version knows."""


def subject(hint: Hint) -> UUID:
    """What the hint is about: hints about the same thing keep their order."""
    return hint.account_id if isinstance(hint, Presence) else hint.stream


def pack(hint: Hint) -> tuple[bytes, bytes]:
    """The name and the value of the one field."""
    if isinstance(hint, Envelope):
        by, epoch = hint.by, hint.epoch.encode()
        head = _ENVELOPE_HEAD.pack(
            _ENVELOPE,
            hint.stream.bytes,
            hint.seq,
            hint.roster_version,
            by is not None,
            by.bytes if by is not None else _NOBODY,
            len(epoch),
        )
        return head + epoch + hint.kind.encode(), hint.frame
    if isinstance(hint, Typing):
        head = _TYPING_HEAD.pack(_TYPING, hint.stream.bytes, hint.account_id.bytes, hint.typing)
        return head, b""
    state = _STATES.index(hint.state)
    return _PRESENCE_HEAD.pack(_PRESENCE, hint.account_id.bytes, state), hint.node.encode()


def unpack(name: bytes, value: bytes) -> Hint:
    """The hint again. Raises `Unreadable`."""
    try:
        return _unpack(name, value)
    except (error, UnicodeDecodeError, IndexError) as problem:
        raise Unreadable(str(problem)) from problem


def _unpack(name: bytes, value: bytes) -> Hint:
    letter = name[:1]
    if letter == _ENVELOPE:
        _, stream, seq, roster_version, somebody, by, length = _ENVELOPE_HEAD.unpack_from(name)
        end = _ENVELOPE_HEAD.size + length
        if end > len(name):
            raise Unreadable("the head is cut short")
        return Envelope(
            stream=_uuid(stream),
            epoch=name[_ENVELOPE_HEAD.size : end].decode(),
            seq=seq,
            roster_version=roster_version,
            kind=name[end:].decode(),
            by=_uuid(by) if somebody else None,
            frame=value,
        )
    if letter == _TYPING:
        _, stream, account, typing = _TYPING_HEAD.unpack(name)
        return Typing(_uuid(stream), _uuid(account), typing)
    if letter == _PRESENCE:
        _, account, state = _PRESENCE_HEAD.unpack(name)
        return Presence(_uuid(account), value.decode(), _STATES[state])
    raise Unreadable(f"unknown letter {letter!r}")
