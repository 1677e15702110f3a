"""Every import contract holds, and breaks when somebody climbs through the wall."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.frontdoor.house import ROOT

# Contract id -> a module and the import that must not be there.
BREACHES = {
    "rooms": ("app/accounts/queries.py", "import app.pairings.service"),
    "signalling": ("signalling/protocol/codes.py", "import signalling.hub"),
    "signalling-alone": ("signalling/keys.py", "import app.core.clock"),
    "wall": ("app/scheduling/queries.py", "import signalling.protocol.codes"),
    "light-contracts": ("signalling/contracts/tickets.py", "import fastapi"),
    "events": ("signalling/events/rosters.py", "import signalling.events.delivery"),
    "sans-io": ("signalling/protocol/room.py", "import asyncio"),
    "one-place-for-aiortc": ("signalling/media/direct.py", "import aiortc"),
}
# Other ways through the same walls, each tried with its own contract alone, which is quicker.
FURTHER = [
    ("rooms", "app/core/clock.py", "import app.audit.service"),
    ("rooms", "app/stray.py", "X = 1"),
    ("signalling", "signalling/stray.py", "X = 1"),
    ("signalling", "signalling/contracts/calls.py", "import signalling.protocol.codes"),
    ("signalling-alone", "signalling/hub.py", "import sqlalchemy"),
    ("wall", "app/main.py", "import signalling.main"),
    ("sans-io", "signalling/protocol/peer.py", "import time"),
]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The code and its contracts, to be spoilt."""
    for name in ("app", "signalling"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def broken(place: Path, *only: str) -> set[str]:
    """Ids of the contracts that the tool finds broken there."""
    contracts = tomllib.loads((place / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    choice = [word for name in only for word in ("--contract", name)]
    command = [
        sys.executable,
        "-c",
        "from importlinter.cli import lint_imports_command as go; go()",
        "--no-cache",
    ]
    answer = subprocess.run([*command, *choice], cwd=place, capture_output=True, text=True)
    found = {c["id"] for c in contracts if f"{c['name']} BROKEN" in answer.stdout}
    kept = {c["id"] for c in contracts if f"{c['name']} KEPT" in answer.stdout}
    assert found | kept == (set(only) or {c["id"] for c in contracts}), answer.stdout + answer.stderr
    assert bool(found) == (answer.returncode != 0)
    return found


def spoil(place: Path, module: str, line: str) -> None:
    path = place / module
    path.write_text(f"{line}\n{path.read_text() if path.exists() else ''}")


def test_the_walls_stand(copy: Path) -> None:
    assert broken(copy) == set()


def test_there_is_a_breach_for_every_wall() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    assert {contract["id"] for contract in contracts} == set(BREACHES)


@pytest.mark.parametrize("wall", BREACHES)
def test_a_breach_is_seen(copy: Path, wall: str) -> None:
    spoil(copy, *BREACHES[wall])
    assert wall in broken(copy)


@pytest.mark.parametrize(("wall", "module", "line"), FURTHER)
def test_other_ways_through_are_seen(copy: Path, wall: str, module: str, line: str) -> None:
    spoil(copy, module, line)
    assert broken(copy, wall) == {wall}
