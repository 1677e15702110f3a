"""The one question to app: how do streams and sessions stand? Over HTTP, signed with this node's key.

A connection is kept open in one thread, so that the loop that carries the sockets never waits for it.
"""

import asyncio
import contextlib
import http.client
import socket
import time
import urllib.parse
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import ValidationError

from signalling.contracts.standing import PATH, StandingAsk, StandingRead
from signalling.contracts.tickets import issue_node_token

ANSWER_SECONDS = 2.0
MAX_ANSWER_BYTES = 64 * 1024 * 1024

log = structlog.get_logger()


class NoAnswer(Exception):
    """App could not be asked, or refused to answer: ask again in a moment."""


class Doorbell:
    """Asks app at the first of its addresses that answers."""

    def __init__(
        self,
        urls: Sequence[str],
        node: str,
        key: Ed25519PrivateKey,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._doors = [_Door(url) for url in urls]
        self._node = node
        self._key = key
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="doorbell")
        self._answers = True
        self._closed = False

    async def ask(self, ask: StandingAsk) -> StandingRead:
        """Ask once. Raises `NoAnswer`."""
        if self._closed:
            raise NoAnswer("This server is stopping.")
        token = issue_node_token(self._node, key=self._key, now=self._clock())
        loop = asyncio.get_running_loop()
        try:
            answer = await loop.run_in_executor(self._thread, self._ring, ask.model_dump_json(), token)
        except NoAnswer as no_answer:
            self._note(False, str(no_answer))
            raise
        self._note(True, "")
        return answer

    async def close(self) -> None:
        """Ask no more, and do not wait for an answer that is still to come."""
        if self._closed:
            return
        self._closed = True
        for door in self._doors:
            door.interrupt()
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _close(self) -> None:
        for door in self._doors:
            door.close()

    def _ring(self, body: str, token: str) -> StandingRead:
        reasons = []
        for door in list(self._doors):
            try:
                answer = StandingRead.model_validate_json(door.ask(body, token))
            except (OSError, http.client.HTTPException, ValidationError, NoAnswer) as error:
                door.close()
                reasons.append(f"{door.url}: {type(error).__name__}: {str(error)[:200]}")
                # The next question begins where the last one was answered.
                self._doors.append(self._doors.pop(0))
            else:
                return answer
        raise NoAnswer("; ".join(reasons))

    def _note(self, answers: bool, reason: str) -> None:
        if answers != self._answers:
            self._answers = answers
            if answers:
                log.info("app_answers")
            else:
                log.warning("app_does_not_answer", reason=reason)


class _Door:
    """One address of app, and the connection to it."""

    def __init__(self, url: str) -> None:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"not an http(s) address: {url}")
        self.url = url
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.hostname, parts.port, timeout=ANSWER_SECONDS)
        self._path = parts.path.rstrip("/") + PATH

    def ask(self, body: str, token: str) -> bytes:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        kept_open = self._connection.sock is not None
        try:
            self._connection.request("POST", self._path, body, headers)
            answer = self._connection.getresponse()
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            # App may close a connection that was idle; asking twice is asking once.
            self.close()
            if not kept_open:
                raise
            self._connection.request("POST", self._path, body, headers)
            answer = self._connection.getresponse()
        content = answer.read(MAX_ANSWER_BYTES)
        if answer.status != HTTPStatus.OK:
            raise NoAnswer(f"{answer.status} {content[:200].decode(errors='replace')}")
        return content

    def interrupt(self) -> None:
        """From another thread: whoever waits for this door waits no longer."""
        open_socket = self._connection.sock
        if open_socket is not None:
            with contextlib.suppress(OSError):
                open_socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._connection.close()
