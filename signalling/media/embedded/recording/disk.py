"""The thread that writes recordings, and how much may wait for it."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

MOST_WAITING: Final = 32 * 1024 * 1024
"""Bytes. With ten people who send 1 Mbit/s each that is half a minute."""

T = TypeVar("T")


class Overrun(OSError):
    """The disk is slower than what comes."""


class Disk:
    """Jobs are done one after the other, in order."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="recording")
        self._waiting = 0

    def put(self, job: Callable[[], T], octets: int = 0) -> asyncio.Future[T]:
        """Do this in turn; `octets` is what it holds in memory until then. Raises `Overrun`."""
        if octets and self._waiting + octets > MOST_WAITING:
            raise Overrun("Too much waits to be written.")
        future = asyncio.get_running_loop().run_in_executor(self._pool, job)
        self._waiting += octets
        future.add_done_callback(lambda _: self._done(octets))
        return future

    def _done(self, octets: int) -> None:
        self._waiting -= octets

    def close(self) -> None:
        """Take no more jobs."""
        self._pool.shutdown(wait=False)
