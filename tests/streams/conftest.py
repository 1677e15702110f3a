"""The product as processes, for the tests of this folder."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.streams.topology import Topology

Start = Callable[..., Topology]


@pytest.fixture
def topology(tmp_path: Path) -> Iterator[Start]:
    """Starts a topology, optionally with a planted fault; all of it is stopped after the test."""
    with contextlib.ExitStack() as undo:

        def start(fault: str = "", **environment: str) -> Topology:
            made = Topology(tmp_path / "topology", **environment)
            undo.callback(made.stop)
            made.start(fault)
            return made

        yield start
