"""Where a take lies, and what is written about it: `<call>/<take>/manifest.json` beside its files.

The process that records holds a lock on the take's folder, which ends with it.
"""

import contextlib
import fcntl
import hashlib
import os
from pathlib import Path
from typing import Final
from uuid import UUID

from pydantic import TypeAdapter

from signalling.media.port import Recording

NAME: Final = "manifest.json"
_FORMAT: Final = TypeAdapter(Recording)


class Folder:
    """A take's, locked."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock = lock

    @classmethod
    def create(cls, recordings: Path, call_id: UUID, take_id: UUID) -> "Folder":
        """Raises `FileExistsError` when there is such a take, `OSError` when the disk does."""
        path = recordings / str(call_id) / str(take_id)
        for place in (recordings, path.parent):
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.mkdir(mode=0o700)
        for place in (path.parent, recordings):
            _sync(place)
        folder = cls.lock(path)
        assert folder is not None, "nobody else knows of it yet"
        return folder

    @classmethod
    def lock(cls, path: Path) -> "Folder | None":
        """None when a process that lives records into it."""
        lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return None
        return cls(path, lock)

    def release(self) -> None:
        os.close(self._lock)

    def remove(self) -> None:
        """There is nothing in it. Raises `OSError`."""
        for name in (f"{NAME}.tmp", NAME):
            (self.path / name).unlink(missing_ok=True)
        self.path.rmdir()

    def read(self) -> Recording:
        """Raises `ValueError` when it is none of ours, `OSError`."""
        return _FORMAT.validate_json((self.path / NAME).read_bytes())

    def write(self, recording: Recording) -> None:
        """As a whole or not at all. Raises `OSError`."""
        data = _FORMAT.dump_json(recording, indent=2)
        temporary = self.path / f"{NAME}.tmp"
        try:
            with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(data + b"\n")
                file.flush()
                os.fsync(file.fileno())
            self.put(temporary, NAME)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise

    def put(self, temporary: Path, name: str) -> None:
        """A file that is complete takes its place."""
        temporary.replace(self.path / name)
        _sync(self.path)

    def digest(self, name: str) -> str:
        """SHA-256 of a file, in hexadecimal."""
        with (self.path / name).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(folder: Path) -> None:
    """What was created or renamed in it stays so after a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
