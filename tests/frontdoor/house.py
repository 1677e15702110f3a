"""What the house promises about its own files, as functions that tests also run on houses that lie."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
LONGEST_FILE = 400
LONGEST_FUNCTION = 50
ATTICS = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}
# The tree in ARCHITECTURE.md names these folders whole, and these it opens.
OPENED = ("app", "signalling")
NOT_NAMED = {"__init__.py", "__main__.py", "__pycache__"}
CODE = ("app", "signalling", "migrations", "bench", "tests", "bootstrap.py", ".ci")


def listed(root: Path = ROOT) -> list[str]:
    """Files of the repository: tracked ones, and new ones that are not ignored."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    answer = subprocess.run(command, cwd=root, capture_output=True, text=True)
    if answer.returncode == 0:
        return [name for name in answer.stdout.splitlines() if (root / name).is_file()]
    return [str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()]


def drawn(page: str) -> list[str]:
    """Paths in the tree of ARCHITECTURE.md, which is its second fenced block."""
    block = page.split("```")[3]
    paths: list[str] = []
    parent = ""
    for line in block.splitlines():
        if not line.strip():
            continue
        name = line.split()[0]
        if line.startswith(" "):
            paths.append(f"{parent}/{name}".rstrip("/"))
        else:
            parent = name.rstrip("/")
            paths.append(parent)
    return paths


def lies_of_the_tree(page: str, files: list[str]) -> Iterator[str]:
    """Paths that are drawn and do not exist, and rooms and modules that exist and are not drawn."""
    paths = drawn(page)
    for path in paths:
        if not any(name == path or name.startswith(f"{path}/") for name in files):
            yield f"{path} is drawn and does not exist"
    for name in files:
        parts = name.split("/")
        if len(parts) > 1 and parts[0] not in paths and not parts[0].startswith("."):
            yield f"{parts[0]} is not drawn"
        if parts[0] in OPENED and parts[1] not in NOT_NAMED and "/".join(parts[:2]) not in paths:
            yield f"{parts[0]}/{parts[1]} is not drawn"
    yield from _lies_about_core(page, files)


def _lies_about_core(page: str, files: list[str]) -> Iterator[str]:
    paragraph = re.search(r"\*\*app/core/\*\*:(.*?)\n\n", page, re.DOTALL)
    named = set(re.findall(r"`(\w+)`", paragraph[1])) if paragraph else set()
    there = {Path(name).stem for name in files if re.fullmatch(r"app/core/\w+\.py", name)} - {"__init__"}
    for name in named ^ there:
        yield f"app/core/{name}.py is in one of page and tree only"


def over_budget(name: str, text: str) -> Iterator[str]:
    """Files and functions that have grown too long to be read."""
    if len(text.splitlines()) > LONGEST_FILE:
        yield f"{name} has {len(text.splitlines())} lines"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            length = node.end_lineno - node.lineno + 1
            if length > LONGEST_FUNCTION:
                yield f"{name}: {node.name} has {length} lines"


def attics(files: list[str]) -> list[str]:
    """Files and folders with a name that says nothing."""
    return [name for name in files if ATTICS & {Path(part).stem for part in name.split("/")}]


def addresses(text: str) -> list[str]:
    """Web addresses in a lock file, which would tie it to a registry."""
    return re.findall(r"https?://\S+|--(?:extra-)?index-url\S*|--find-links\S*", text)


def targets(makefile: str) -> set[str]:
    """What a person may ask `make` for."""
    return set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
