"""`mentorspan serve`: everything on one machine, started in order, kept running, stopped in order.

App, worker and signalling are processes of their own, because one busy Python process must not make another's
media wait.
"""

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

from app import probes
from app.core import migrate
from app.core.children import Child
from app.core.engines import PrivatePostgres, PrivateValkey
from app.core.private_places import EngineError, make_state
from app.core.processes import Busy, FileLock
from app.running import Engines, given, leave_note, let_the_last_run_end
from app.settings import Settings

START_SECONDS = 60.0
LOOK_EVERY = 0.25
CHILDREN = {  # in the order in which they are started; stopped in the opposite one
    "worker": ("app.cli", "worker"),
    "app": ("app.cli", "app"),
    "signalling": ("signalling",),
}


class CannotServe(RuntimeError):
    """Serving is impossible as things are; the text says what to do."""


class Supervisor:
    """Starts, watches and stops. `say` tells a person in one line what is going on."""

    def __init__(self, settings: Settings, say: Callable[[str], None], *, parent: int = 0) -> None:
        self.settings = settings
        self.say = say
        self.state = make_state(settings.state_dir)
        self.children: list[Child] = []
        self._planned = [self._plan(name, *words) for name, words in CHILDREN.items()]
        self._engines: list[PrivatePostgres | PrivateValkey] = []
        self._parent = parent
        self._asked_to_stop = threading.Event()
        self._ready = False

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Everything started and ready inside; everything stopped after, whatever happened."""
        with contextlib.ExitStack() as undo:
            self._take_signals()
            self._lock(undo)
            let_the_last_run_end(self.state, self.say)
            for child in self._planned:
                child.clear_leftover()
            if problems := probes.port_problems(self.settings):
                raise CannotServe("\n".join(problems))
            try:
                engines = self._start_engines(undo)
                undo.callback(leave_note(self.state, engines).unlink, missing_ok=True)
                self._prepare(engines)
                self._start_children(undo, engines)
                self._wait_until_ready()
                # From here on `watch` looks whether we were asked to stop.
                self._ready = True
                yield
            finally:
                self.say("Stopping ...")

    def watch(self) -> None:
        """Return when somebody asked us to stop; until then start again what falls over."""
        while not self._asked_to_stop.wait(LOOK_EVERY):
            if self._parent and os.getppid() != self._parent:
                self.say("The program that started this run is gone.")
                return
            self._look_after_engines()
            for child in self.children:
                if words := child.look(time.monotonic()):
                    self.say(words)
                if child.hopeless():
                    raise CannotServe(f"{child.name} keeps falling over.\n{child.last_words()}")

    def _take_signals(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        """First: stop in order. While that goes on, a second one kills what still lives."""
        if self._asked_to_stop.is_set():
            for child in self.children:
                if child.process is not None and child.process.poll() is None:
                    child.process.kill()
            return
        self._asked_to_stop.set()
        if not self._ready:
            raise KeyboardInterrupt

    def _lock(self, undo: contextlib.ExitStack) -> None:
        lock = FileLock(self.state / "lock")
        try:
            lock.acquire()
        except Busy as problem:
            raise CannotServe(
                f"Mentorspan is running here already ({problem}).\n"
                "Stop that one first, or give this one another MENTORSPAN_STATE_DIR and other ports."
            ) from None
        undo.callback(lock.release)

    def _start_engines(self, undo: contextlib.ExitStack) -> Engines:
        """Private engines for whichever address is not given."""
        addresses = given(self.settings)
        database, valkey = addresses.database_url, addresses.valkey_url
        if not database:
            postgres = PrivatePostgres(self.state)
            database = self._start_engine(undo, postgres, "PostgreSQL")
        if not valkey:
            valkey = self._start_engine(undo, PrivateValkey(self.state), "Valkey")
        return Engines(database, valkey)

    def _start_engine(
        self, undo: contextlib.ExitStack, engine: PrivatePostgres | PrivateValkey, name: str
    ) -> str:
        self.say(f"Starting a private {name} ...")
        undo.callback(engine.stop)
        url = engine.start()
        self._engines.append(engine)
        return url

    def _look_after_engines(self) -> None:
        for engine in self._engines:
            if not engine.alive():
                self.say(f"{type(engine).__name__.removeprefix('Private')} fell over and is started again.")
                engine.stop()
                engine.start()

    def _prepare(self, engines: Engines) -> None:
        """The newest schema, and in development a demo world where there is nothing yet."""
        self.say("Looking at the database ...")
        if migrate.upgrade(engines.database_url):
            self.say("The database has the newest schema now.")
        empty = migrate.is_empty(engines.database_url)
        if self.settings.development and empty:
            self.say("Making a demo world ...")
            seed = Child("seed", _python("app.cli", "demo", "seed"), self._environment(engines))
            seed.start()
            assert seed.process is not None
            try:
                if seed.process.wait() != 0:
                    raise CannotServe("The demo world could not be made; the reason is above.")
            finally:
                seed.stop()

    def _start_children(self, undo: contextlib.ExitStack, engines: Engines) -> None:
        """Stopped in the opposite order: sockets first, so that what they report is still written down."""
        self.say("Starting app, worker and signalling ...")
        for child in self._planned:
            child.environment = self._environment(engines)
            undo.callback(child.stop)
            child.start()
            self.children.append(child)

    def _plan(self, name: str, module: str, *arguments: str) -> Child:
        """In development the words of each go to a file, so that the address stays on the screen."""
        log = self.state / "log" / f"{name}.log" if self.settings.development else None
        return Child(name, _python(module, *arguments), log=log, pid_file=self.state / f"{name}.pid")

    def _environment(self, engines: Engines) -> dict[str, str]:
        """What the children need to agree with us, whatever our own environment says."""
        chosen = {
            "DATABASE_URL": engines.database_url,
            "VALKEY_URL": engines.valkey_url,
            "MENTORSPAN_MODE": self.settings.mode,
            "MENTORSPAN_STATE_DIR": str(self.state),
        }
        return {**os.environ, **chosen}

    def _wait_until_ready(self) -> None:
        waiting = {
            "app": probes.app_address(self.settings) + "/readyz",
            "signalling": probes.signalling_address(self.settings) + "/readyz",
        }
        deadline = time.monotonic() + START_SECONDS
        while waiting:
            for child in self.children:
                if not child.alive():
                    raise CannotServe(f"{child.name} did not start.\n{child.last_words()}")
            waiting = {name: url for name, url in waiting.items() if probes.fetch(url)[0] != 200}
            if time.monotonic() > deadline:
                raise CannotServe(f"{' and '.join(waiting)} did not become ready in {START_SECONDS:g} s.")
            time.sleep(0.05)


def _python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]


__all__ = ["CannotServe", "EngineError", "Supervisor"]
