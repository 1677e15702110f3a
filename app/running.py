"""The engines of this directory: given by address, those of a run in progress, or private for a moment."""

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from app.core.engines import PrivatePostgres, PrivateValkey, normalise_database_url
from app.core.private_places import EngineError, make_state
from app.core.processes import Busy, FileLock, the_watchdog, wait_for
from app.settings import Settings

WATCHDOG = "app/core/watchdog.py"  # as it shows in the list of processes


@dataclass(frozen=True)
class Engines:
    """Where the database and the bus are."""

    database_url: str
    valkey_url: str


def given(settings: Settings) -> Engines:
    """What the environment says; an empty string where a private engine is meant."""
    try:
        database = normalise_database_url(settings.database_url) if settings.database_url else ""
    except ValueError as problem:
        raise EngineError(str(problem)) from None
    return Engines(database, settings.valkey_url or "")


def leave_note(state: Path, engines: Engines) -> Path:
    """Tell other commands in this directory where the engines of this run are."""
    note = state / "run.json"
    with open(os.open(note, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        json.dump({"watchdog": the_watchdog().pid, **asdict(engines)}, out)
    return note


def let_the_last_run_end(state: Path, say: Callable[[str], None]) -> None:
    """A run that was killed leaves a watchdog that ends its processes; give it the time to."""
    note = state / "run.json"
    with contextlib.suppress(OSError, ValueError, KeyError):
        watchdog = int(json.loads(note.read_text())["watchdog"])
        if not wait_for(watchdog, WATCHDOG, 0):
            say("The last run was killed; waiting until its processes have ended ...")
            wait_for(watchdog, WATCHDOG, 60)
    note.unlink(missing_ok=True)


def of_the_run(settings: Settings) -> Engines | None:
    """The engines of a run in progress here, None when nothing runs."""
    state = settings.state_dir
    if not (state / "run.json").exists():
        return None
    lock = FileLock(state / "lock")
    try:
        lock.acquire()
    except Busy:
        with contextlib.suppress(OSError, ValueError, KeyError):
            note = json.loads((state / "run.json").read_text())
            return Engines(note["database_url"], note["valkey_url"])
        return None
    lock.release()
    return None


@contextlib.contextmanager
def engines(settings: Settings, *, bus: bool = True) -> Iterator[Engines]:
    """Engines for one command. Private ones are started for it and stopped after it."""
    known = given(settings)
    running = of_the_run(settings)
    with contextlib.ExitStack() as undo:
        database, valkey = known.database_url, known.valkey_url
        if not database and running:
            database = running.database_url
        if not database:
            postgres = PrivatePostgres(make_state(settings.state_dir))
            undo.callback(postgres.stop)
            database = postgres.start()
        if not valkey and running:
            valkey = running.valkey_url
        if not valkey and bus:
            private = PrivateValkey(make_state(settings.state_dir))
            undo.callback(private.stop)
            valkey = private.start()
        yield Engines(database, valkey)
