"""The files of takes: `<call>/<take>/<name>` below the directory that nodes write to. All of it blocks."""

import contextlib
import os
import shutil
import stat
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, NamedTuple
from uuid import UUID


class Take(NamedTuple):
    """Which folder."""

    call_id: UUID
    id: UUID

    def below(self, root: Path) -> Path:
        return root / str(self.call_id) / str(self.id)


def open_file(root: Path, take: Take, name: str) -> tuple[BinaryIO, int]:
    """A file for reading, and its size. `name` is one that a row holds, never a caller's.

    Raises `FileNotFoundError` when no such file is there, and `OSError`.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(take.below(root) / name, flags)
    seen = os.fstat(descriptor)
    if not stat.S_ISREG(seen.st_mode):
        os.close(descriptor)
        raise FileNotFoundError(name)
    return os.fdopen(descriptor, "rb"), seen.st_size


def remove(root: Path, take: Take) -> None:
    """Remove a take and all that lies in it; one that is gone is gone. Raises `OSError`; can be repeated."""
    if not root.is_dir():
        # A disk that is not mounted must not look like one that is empty.
        raise NotADirectoryError(f"{root} is not there")
    folder = take.below(root)
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        if folder.exists():  # somebody else is at it, too
            raise


def untouched(root: Path, before: datetime) -> Iterator[Take]:
    """The takes in which nothing has been written since then. What has another kind of name is not ours."""
    for call in _folders(root):
        for take in _folders(call):
            if take.stat().st_mtime < before.timestamp():
                yield Take(UUID(call.name), UUID(take.name))


def drop_empty(root: Path, before: datetime) -> None:
    """Remove the folders of calls that have no take any more, unless one is about to be put there."""
    for call in _folders(root):
        with contextlib.suppress(OSError):
            if call.stat().st_mtime < before.timestamp():
                call.rmdir()


def _folders(place: Path) -> list[Path]:
    """Those that are named by an id, as ids are written."""
    with os.scandir(place) as found:
        return [Path(each.path) for each in found if each.is_dir(follow_symlinks=False) and _is_id(each.name)]


def _is_id(name: str) -> bool:
    try:
        return str(UUID(name)) == name
    except ValueError:
        return False
