"""What is written about the house is true, and each check here can also say no."""

import json
import re
import subprocess
from pathlib import Path
from unittest.mock import MagicMock

import pytest

from app.cli import cli
from app.settings import Settings
from signalling.settings import Settings as SignallingSettings
from tests import conftest
from tests.frontdoor import house
from tests.frontdoor.house import ROOT

ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()
README = (ROOT / "README.md").read_text()


def test_architecture_matches_the_tree() -> None:
    assert list(house.lies_of_the_tree(ARCHITECTURE, house.listed())) == []


def test_architecture_is_one_page() -> None:
    assert len(ARCHITECTURE.splitlines()) < 120


@pytest.mark.parametrize(
    ("change", "lie"),
    [
        (lambda page, files: (page.replace("  blocks/ ", "  bricks/ "), files), "app/bricks is drawn"),
        (lambda page, files: (page, [*files, "app/matching/models.py"]), "app/matching is not drawn"),
        (lambda page, files: (page, [*files, "app/extra.py"]), "app/extra.py is not drawn"),
        (lambda page, files: (page, [*files, "signalling/sfu.py"]), "signalling/sfu.py is not drawn"),
        (lambda page, files: (page, [*files, "attic/box.py"]), "attic is not drawn"),
        (lambda page, files: (page.replace("`clock` ", ""), files), "app/core/clock.py"),
        (lambda page, files: (page, [*files, "app/core/spare.py"]), "app/core/spare.py"),
    ],
)
def test_a_lie_about_the_tree_is_noticed(change: object, lie: str) -> None:
    assert callable(change)
    page, files = change(ARCHITECTURE, house.listed())
    assert any(found.startswith(lie) for found in house.lies_of_the_tree(page, files))


def test_files_and_functions_keep_to_their_budgets() -> None:
    names = [n for n in house.listed() if n.endswith(".py") and n.split("/")[0] in house.CODE]
    # What a migration did is a list as long as it is, and history is not tidied.
    names = [n for n in names if not n.startswith("migrations/versions/")]
    assert len(names) > 100
    assert [line for name in names for line in house.over_budget(name, (ROOT / name).read_text())] == []


def test_a_file_or_function_over_budget_is_noticed() -> None:
    long_function = "def f() -> None:\n" + "    x = 1\n" * house.LONGEST_FUNCTION
    assert list(house.over_budget("a.py", long_function)) == ["a.py: f has 51 lines"]
    assert list(house.over_budget("b.py", "x = 1\n" * 401)) == ["b.py has 401 lines"]


def test_there_is_no_attic() -> None:
    assert house.attics(house.listed()) == []
    assert house.attics(["app/core/utils.py", "web/common/x.js", "app/x.py"]) == [
        "app/core/utils.py",
        "web/common/x.js",
    ]


@pytest.mark.parametrize("of", ["", "-dev", "-node", "-uv"])
def test_python_lock_files_have_hashes_and_no_addresses(of: str) -> None:
    text = (ROOT / f"requirements{of}.lock").read_text()
    assert house.addresses(text) == []
    packages = re.findall(r"^[a-z0-9][a-z0-9._-]*==", text, re.MULTILINE)
    blocks = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert len(packages) == len(blocks) > 0
    assert [block.split()[0] for block in blocks if "--hash=sha256:" not in block] == []


def test_the_web_lock_file_has_hashes_and_no_addresses() -> None:
    text = (ROOT / "web" / "package-lock.json").read_text()
    packages = {name: entry for name, entry in json.loads(text)["packages"].items() if name}
    assert packages
    assert [name for name, entry in packages.items() if "resolved" in entry or "integrity" not in entry] == []
    assert "omit-lockfile-registry-resolved=true" in (ROOT / "web" / ".npmrc").read_text()


def test_an_address_in_a_lock_file_is_noticed() -> None:
    assert house.addresses("--index-url https://pypi.example/simple\nfoo==1")
    assert house.addresses("foo @ https://files.example/foo.whl")


def test_lock_files_hold_what_the_project_asks_for() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    asked = re.findall(
        r'^    "([A-Za-z0-9_-]+)', text.split("dependencies = [")[1].split("]\n")[0], re.MULTILINE
    )
    locked = (ROOT / "requirements.lock").read_text()
    assert [name for name in asked if f"\n{name.lower()}==" not in locked] == []


def test_make_alone_lists_every_target() -> None:
    answer = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True)
    shown = set(re.findall(r"^  make (\w+)", answer.stdout, re.MULTILINE))
    assert shown == house.targets(MAKEFILE)
    assert {"run", "test", "check", "bench", "openapi", "migrate"} <= shown


def test_documents_name_only_commands_that_exist() -> None:
    commands = {
        command.name or (command.callback and command.callback.__name__)
        for command in cli.registered_commands
    }
    commands |= {group.name for group in cli.registered_groups}
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]:
        text = page.read_text()
        assert set(re.findall(r"`make (\w+)`", text)) <= house.targets(MAKEFILE), page
        assert set(re.findall(r"`mentorspan (\w+)", text)) <= commands, page


def test_the_readme_is_short_and_names_the_two_commands() -> None:
    assert len(README.splitlines()) < 80
    assert re.findall(r"^```\n(make \w+)\n```$", README, re.MULTILINE) == ["make run", "make test"]


def test_links_between_documents_lead_somewhere() -> None:
    for name in house.listed():
        if name.endswith(".md") and not name.startswith("tests/"):
            page = ROOT / name
            for link in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text()):
                assert (page.parent / link).exists(), f"{name} links to {link}"


def test_decisions_are_short_and_have_their_parts() -> None:
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    for number, page in enumerate(pages, start=1):
        text = page.read_text()
        assert page.name.startswith(f"{number:04d}-")
        assert len(text.splitlines()) <= 45, page
        parts = re.findall(r"^## (\w+)", text, re.MULTILINE)
        assert parts == ["Context", "Decision", "Consequences", "Alternatives"], page


def test_every_library_has_its_reason() -> None:
    reasons = (ROOT / "docs" / "decisions" / "0001-libraries.md").read_text().lower()
    text = (ROOT / "pyproject.toml").read_text()
    asked = re.findall(
        r'^    "([A-Za-z0-9_-]+)', text.split("dependencies = [")[1].split("]\n")[0], re.MULTILINE
    )
    assert [name for name in asked if name.lower() not in reasons] == []


def test_every_setting_is_described_and_nothing_else_is() -> None:
    page = (ROOT / "docs" / "operating.md").read_text()
    rows = [row.split("|")[1] for row in page.splitlines() if row.startswith("| `")]
    described = {name.removeprefix("MENTORSPAN_") for row in rows for name in re.findall(r"`([A-Z_]+)`", row)}
    there = {name.upper() for name in {**Settings.model_fields, **SignallingSettings.model_fields}}
    assert described == there


def test_nothing_made_by_machines_is_kept() -> None:
    kept = house.listed()
    assert [
        n for n in kept if "node_modules" in n or n.endswith(".pyc") or n.startswith((".venv", ".mentorspan"))
    ] == []
    assert "uv.lock" not in kept
    assert "/uv.lock" in (ROOT / ".gitignore").read_text().splitlines()


def test_the_licence_is_whole() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert Path(ROOT / "pyproject.toml").read_text().count('license = "Apache-2.0"') == 1


def test_a_marked_test_that_nobody_looks_for_is_refused() -> None:
    item = MagicMock(spec=pytest.Item, path=Path(__file__), nodeid="here")
    for mark in conftest.ROOMS:
        item.get_closest_marker.side_effect = [mark].count
        with pytest.raises(pytest.UsageError, match=mark):
            conftest.pytest_collection_modifyitems([item])
