"""One process that is kept running: started again when it falls over, after growing waits, not for ever."""

import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from app.core.processes import stop, stop_leftover, the_watchdog

STOP_STEPS: list[tuple[int, float]] = [(signal.SIGTERM, 12.0)]
LONGEST_WAIT = 30.0
HEALTHY_SECONDS = 60.0  # a child that lived this long is forgiven what was before
MOST_FALLS = 8  # in a row; something is wrong then that starting again does not cure
LOG_LIMIT = 8 * 1024 * 1024


@dataclass
class Child:
    """A command that should always run. With `log` its output goes to that file, else to ours."""

    name: str
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    log: Path | None = None
    pid_file: Path | None = None
    process: "subprocess.Popen[bytes] | None" = None
    falls: int = 0
    started_at: float = 0.0
    again_at: float | None = None

    def start(self) -> None:
        """Start it in a session of its own, so that a Ctrl-C in the terminal reaches only its keeper."""
        guard = the_watchdog()
        out = None if self.log is None else self._open_log(self.log)
        try:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=self.environment,
                start_new_session=True,
            )
        finally:
            if out is not None:
                os.close(out)
        guard.guard(self.process.pid, signal.SIGTERM)
        if self.pid_file is not None:
            self.pid_file.write_text(str(self.process.pid))
        self.started_at, self.again_at = time.monotonic(), None

    def clear_leftover(self) -> None:
        """Stop what an earlier run left, if supervisor and watchdog were both killed."""
        if self.pid_file is not None and self.pid_file.exists():
            text = self.pid_file.read_text()
            if text.isdigit():
                stop_leftover(int(text), " ".join(self.command), STOP_STEPS)
            self.pid_file.unlink()

    def alive(self) -> bool:
        """Whether it runs at this moment."""
        return self.process is not None and self.process.poll() is None

    def look(self, now: float) -> str | None:
        """Notice a fall and start it again when its time has come; returns what a person should hear."""
        if self.alive():
            return None
        if self.again_at is None:
            return self._fell(now)
        if now >= self.again_at and self.falls <= MOST_FALLS:
            self.start()
        return None

    def hopeless(self) -> bool:
        """Whether it fell so often that keeping on would only hide the reason."""
        return self.falls > MOST_FALLS

    def stop(self) -> None:
        """End it, gently first. Harmless when it does not run."""
        if self.process is not None:
            stop(self.process, STOP_STEPS)
            self.process = None
            if self.pid_file is not None:
                self.pid_file.unlink(missing_ok=True)

    def last_words(self) -> str:
        """The end of its log, for a person who wants to know why."""
        if self.log is None or not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-12:])

    def _fell(self, now: float) -> str:
        assert self.process is not None
        the_watchdog().release(self.process.pid)
        self.falls = 1 if now - self.started_at > HEALTHY_SECONDS else self.falls + 1
        wait = min(LONGEST_WAIT, 0.5 * 2 ** (self.falls - 1))
        self.again_at = now + wait
        where = f"; its words are in {self.log}" if self.log else ""
        how = _how_it_ended(self.process.returncode)
        if self.hopeless():
            return f"{self.name} {how}, {self.falls} times in a row{where}."
        return f"{self.name} {how} and is started again in {wait:g} s{where}."

    def _open_log(self, log: Path) -> int:
        log.parent.mkdir(mode=0o700, exist_ok=True)
        if log.exists() and log.stat().st_size > LOG_LIMIT:
            log.replace(log.with_suffix(".log.1"))
        return os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def _how_it_ended(code: int) -> str:
    return f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
