"""Hints on Valkey: sharded streams, written in pipelines; every node reads all shards with one blocking read.

A reader stands at a known entry of every shard and reads on from there, so nothing slips through between two
reads. What it cannot have read it announces as missed: after every interruption, and when a shard was trimmed
past the place where it stood.

Trimming takes the oldest entries and always leaves at least `FEWEST`, which is not less than `COUNT`. So if
any entry after our place is gone, at least `COUNT` others follow, and the answer for that shard is full: only
then must we look. And if an entry after our place is gone, so is every one before it, and the oldest that is
left comes after our place. It also does when exactly what we had read is gone; that is unlikely, and saying
`missed` once too often costs a sync.
"""

import asyncio
import logging
import time
from collections.abc import Iterable, Sequence
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as ConnectionLost
from redis.exceptions import ResponseError

from signalling.contracts.bus_valkey_packing import Unreadable, pack, subject, unpack
from signalling.contracts.envelope import Hint, Hints

SHARDS = 16
KEPT = 10_000
COUNT = 500
FEWEST = COUNT
# Long messages must not fill the server's memory: a shard of them keeps fewer.
SHARD_BYTES = 4 * 1024 * 1024
BLOCK_SECONDS = 0.5
WARN_SECONDS = 60.0
_START = b"0-0"
_KEYS = [b"mentorspan:hints:%d" % shard for shard in range(SHARDS)]
_SHARDS = {key: shard for shard, key in enumerate(_KEYS)}

log = logging.getLogger(__name__)


def _command(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join([b"$%d\r\n%b\r\n" % (len(word), word) for word in words])


class HintLine:
    """A connection of its user's own.

    Those of the pool come back by themselves after a loss, and a reader would not know that it was away. It
    takes commands that are packed already, for redis-py is slow at that.
    """

    def __init__(self, redis: Redis) -> None:
        self._pool: Any = redis.connection_pool
        self._connection: Any = None
        self._closed = False

    async def ask(self, commands: bytes, answers: int) -> list[Any]:
        """Send commands and take their answers; what the server refuses is answered with a `ResponseError`.

        After any other failure the next question goes over a new connection.
        """
        try:
            connection = self._connection or await self._connect()
            await connection.send_packed_command([commands], check_health=False)
            return [await _answer(connection) for _ in range(answers)]
        except BaseException:
            await self._cut()
            raise

    async def mend(self) -> None:
        """For senders: take a new connection if the server has closed this one meanwhile."""
        if self._connection is not None and await self._connection.can_read():
            await self._cut()

    async def close(self) -> None:
        """Whoever waits for an answer is told that the connection is lost."""
        self._closed = True
        await self._cut()

    async def _connect(self) -> Any:
        connection = self._connection = self._pool.make_connection()
        await connection.connect()
        if self._closed:
            await connection.disconnect(nowait=True)
            raise ConnectionLost("this end of the bus is closed")
        return connection

    async def _cut(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect(nowait=True)


async def _answer(connection: Any) -> Any:
    try:
        return await connection.read_response(disable_decoding=True)
    except ResponseError as refusal:
        return refusal


class HintWriter:
    """Publishes hints, those of one call together."""

    def __init__(self, line: HintLine) -> None:
        self._line = line
        self._turn = asyncio.Lock()
        # How large the entries of each shard lately were.
        self._sizes = [SHARD_BYTES / KEPT] * SHARDS

    async def write(self, hints: Sequence[Hint]) -> None:
        """Raises an error of redis-py; then some may have been published."""
        if not hints:
            return
        commands = b"".join([self._add(hint) for hint in hints])
        async with self._turn:
            await self._line.mend()
            answers = await self._line.ask(commands, len(hints))
        for answer in answers:
            if isinstance(answer, ResponseError):
                raise answer

    def _add(self, hint: Hint) -> bytes:
        shard = subject(hint).int % SHARDS
        name, value = pack(hint)
        size = self._sizes[shard]
        size += (len(name) + len(value) - size) / 64
        self._sizes[shard] = size
        kept = b"%d" % max(FEWEST, min(KEPT, SHARD_BYTES // size))
        return _command(b"XADD", _KEYS[shard], b"MAXLEN", b"~", kept, b"*", name, value)


class HintReader:
    """One reader's place in all shards."""

    def __init__(self, line: HintLine) -> None:
        self._line = line
        self._places: list[bytes] = []
        self._missed = False
        self._unreadable = 0
        self._warn_at = 0.0

    async def read(self) -> Hints:
        """What came since the last time, at once if there is any, else after a short wait nothing.

        The first answer, and the first after a failure, comes without waiting and is empty: it says that from
        here on nothing goes by unnoticed.
        """
        try:
            if self._places and not self._missed:
                return await self._read_on()
            await self._take_place()
        except BaseException:
            self._missed = True
            raise
        missed, self._missed = self._missed, False
        return Hints((), missed)

    async def _take_place(self) -> None:
        """Stand at the end of every shard, or, after an interruption, where we stood.

        A server that came back without its data, or with older data, may count from below our place, and we
        would wait for its numbers to catch up. There we go on from its end: everything that comes from now on
        is read, and what came before now is announced as missed.
        """
        ends = [_end(state) for state in await self._states(range(SHARDS))]
        self._places = [
            min(place, end, key=_number) for place, end in zip(self._places or ends, ends, strict=True)
        ]

    async def _read_on(self) -> Hints:
        before = list(self._places)
        (answer,) = await self._line.ask(self._question(), 1)
        if isinstance(answer, ResponseError):
            raise answer
        items: list[Hint] = []
        full: list[int] = []
        for key, entries in answer or ():
            shard = _SHARDS[key]
            self._places[shard] = entries[-1][0]
            self._take_in(entries, items)
            if len(entries) >= COUNT:
                full.append(shard)
        return Hints(tuple(items), bool(full) and await self._trimmed(before, full))

    def _question(self) -> bytes:
        return _QUESTION + b"".join([b"$%d\r\n%b\r\n" % (len(place), place) for place in self._places])

    def _take_in(self, entries: Iterable[Any], items: list[Hint]) -> None:
        for entry, fields in entries:
            try:
                name, value = fields
                items.append(unpack(name, value))
            except (Unreadable, ValueError):
                self._unreadable += 1
                if time.monotonic() >= self._warn_at:
                    self._warn_at = time.monotonic() + WARN_SECONDS
                    log.warning(
                        "The bus holds hints that cannot be read: %d so far, lately %s",
                        self._unreadable,
                        entry.decode(),
                    )

    async def _trimmed(self, before: Sequence[bytes], shards: Sequence[int]) -> bool:
        """Whether trimming may have taken what followed our places in `before`."""
        for shard, state in zip(shards, await self._states(shards), strict=True):
            if state is None or state[b"first-entry"] is None:
                return True
            # Servers before Redis 7 do not say how many there ever were.
            all_there = state.get(b"entries-added") == state[b"length"]
            if not all_there and _number(state[b"first-entry"][0]) > _number(before[shard]):
                return True
        return False

    async def _states(self, shards: Sequence[int]) -> list[dict[bytes, Any] | None]:
        """What the server says about each shard; None about one that does not exist."""
        questions = [_command(b"XINFO", b"STREAM", _KEYS[shard]) for shard in shards]
        found: list[dict[bytes, Any] | None] = []
        for answer in await self._line.ask(b"".join(questions), len(questions)):
            if not isinstance(answer, ResponseError):
                found.append(dict(zip(answer[::2], answer[1::2], strict=True)))
            elif "no such key" in str(answer):
                found.append(None)
            else:
                raise answer
        return found


def _end(state: dict[bytes, Any] | None) -> bytes:
    return _START if state is None else bytes(state[b"last-generated-id"])


def _number(entry: bytes) -> tuple[int, int]:
    milliseconds, _, sequence = entry.partition(b"-")
    return int(milliseconds), int(sequence)


_WORDS = (b"XREAD", b"COUNT", b"%d" % COUNT, b"BLOCK", b"%d" % (BLOCK_SECONDS * 1000), b"STREAMS", *_KEYS)
# The places complete it.
_QUESTION = b"*%d\r\n" % (len(_WORDS) + SHARDS) + _command(*_WORDS).partition(b"\r\n")[2]
