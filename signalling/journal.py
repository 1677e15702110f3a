"""What a node still has to tell app, on disk: a node that is killed sends it after its next start.

One line for each fact and one for each commit. A line is with the kernel before the client hears anything,
so `kill -9` loses none; nothing is synced, so a power cut may lose the last seconds. What cannot be written
stays in memory: a full disk must not end a call.
"""

import errno
import fcntl
import os
import time
from pathlib import Path
from uuid import UUID

import structlog

from signalling.contracts.calls import Fact, fact_adapter

SLACK_BYTES = 256 * 1024
"""How much the file may hold beyond four times what is alive."""
RETRY_SECONDS = 5.0
LOCK_SECONDS = 1.0
_COMMITTED = b'{"committed":"'
_FLAGS = os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW

log = structlog.get_logger()


class JournalBusy(Exception):
    """Another process has the same node name; the text is for the operator."""


class Journal:
    """The file of one node, `<state_dir>/facts/<node>.jsonl`. Only one process may have it."""

    def __init__(self, state_dir: Path, node: str) -> None:
        self._directory = state_dir / "facts"
        self._path = self._directory / f"{node}.jsonl"
        self._node = node
        self._lines: dict[UUID, bytes] = {}
        self._alive = 0
        self._size = 0
        self._lock: int | None = None
        self._file: int | None = None
        self._failing = False
        self._retry_at = 0.0

    def open(self) -> list[Fact]:
        """What was kept and not committed, oldest first. Raises `JournalBusy`."""
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._directory.chmod(0o700)
            self._lock = self._lock_own()
            for fact in _read(self._path):
                self._note(fact)
            self._rewrite()
            self._adopt()
        except OSError as problem:
            self._fail(problem)
        if self._lines:
            log.info("facts_of_an_earlier_run", count=len(self._lines))
        return [fact_adapter.validate_json(line) for line in self._lines.values()]

    def add(self, fact: Fact) -> None:
        """Write a fact down. It is there when this returns, if the disk allows."""
        self._append(self._note(fact))

    def remove(self, fact_id: UUID) -> None:
        """App has it. Unknown ones are ignored."""
        line = self._lines.pop(fact_id, None)
        if line is None:
            return
        self._alive -= len(line)
        self._append(_COMMITTED + f'{fact_id}"}}\n'.encode())

    def close(self) -> None:
        """Leave the file to the next process."""
        for handle in (self._file, self._lock):
            if handle is not None:
                os.close(handle)
        self._file = self._lock = None

    def _note(self, fact: Fact) -> bytes:
        line = fact.model_dump_json().encode() + b"\n"
        self._lines[fact.id] = line
        self._alive += len(line)
        return line

    def _append(self, line: bytes) -> None:
        try:
            if self._file is None:
                self._repair()
            elif not self._lines:
                os.ftruncate(self._file, 0)
                self._size = 0
            elif self._size + len(line) > SLACK_BYTES + 4 * self._alive:
                self._rewrite()
            else:
                _write(self._file, line)
                self._size += len(line)
        except OSError as problem:
            self._fail(problem)

    def _repair(self) -> None:
        """After a failure, write all that is alive anew; now and again, for trying costs time too."""
        if self._lock is not None and time.monotonic() >= self._retry_at:
            self._rewrite()
            log.info("facts_are_written_again", file=str(self._path))
            self._failing = False

    def _rewrite(self) -> None:
        """A new file with what is alive takes the place of the old one, whole or not at all."""
        draft = self._path.with_suffix(".new")
        handle = os.open(draft, _FLAGS | os.O_WRONLY | os.O_TRUNC | os.O_APPEND, 0o600)
        content = b"".join(self._lines.values())
        try:
            _write(handle, content)
            draft.replace(self._path)
        except OSError:
            os.close(handle)
            raise
        if self._file is not None:
            os.close(self._file)
        self._file = handle
        self._size = len(content)

    def _fail(self, problem: OSError) -> None:
        """Go on in memory. What may be torn now is not written to any more: `_repair` replaces it."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
        self._retry_at = time.monotonic() + RETRY_SECONDS
        if not self._failing:
            self._failing = True
            log.error(
                "facts_are_only_in_memory",
                file=str(self._path),
                problem=str(problem),
                meaning="If this process is killed now, app may not hear who was in a call.",
            )

    def _lock_own(self) -> int:
        """Take the lock of our name; another process may look into an orphan of that name for a moment."""
        until = time.monotonic() + LOCK_SECONDS
        while (handle := _lock(self._path)) is None:
            if time.monotonic() > until:
                raise JournalBusy(
                    f"Another process runs as the node {self._node} and has its facts in {self._directory}. "
                    "Stop it, or set MENTORSPAN_NODE to another name for this one."
                )
            time.sleep(0.02)
        return handle

    def _adopt(self) -> None:
        """Take over from nodes that do not run: a container's default name never comes back.

        Their facts become ours, since only the node that a fact names hears that app has it.
        """
        for path in sorted(self._directory.glob("*.jsonl")):
            handle = None
            try:
                handle = _lock(path) if path != self._path else None
                if handle is not None:
                    for fact in _read(path):
                        self._note(fact.model_copy(update={"node": self._node}))
                    self._rewrite()
                    path.unlink()
                    _lock_file(path).unlink()
            except OSError as problem:  # it stays for the next start; facts may come twice
                log.warning("facts_left_alone", file=str(path), problem=str(problem))
            finally:
                if handle is not None:
                    os.close(handle)


def _lock_file(path: Path) -> Path:
    return path.with_suffix(".lock")


def _lock(path: Path) -> int | None:
    """The lock that goes with a file; None when another process has it."""
    while True:
        handle = os.open(_lock_file(path), _FLAGS | os.O_RDWR, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(handle).st_nlink:
                return handle
        except BlockingIOError:
            os.close(handle)
            return None
        except OSError:
            os.close(handle)
            raise
        os.close(handle)  # its last holder has removed it meanwhile


def _read(path: Path) -> list[Fact]:
    """The facts in a file that it does not call committed. What has no end of line was torn by a kill."""
    found: dict[UUID, Fact] = {}
    unreadable = 0
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    for line in lines:
        try:
            if line.startswith(_COMMITTED):
                found.pop(UUID(line[len(_COMMITTED) : -2].decode()), None)
            else:
                fact = fact_adapter.validate_json(line)
                found[fact.id] = fact
        except ValueError:
            unreadable += 1
    if unreadable:
        log.warning("facts_unreadable", file=str(path), lines=unreadable)
    return list(found.values())


def _write(handle: int, content: bytes) -> None:
    if os.write(handle, content) < len(content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
