"""One running Mentorspan for all the tests of this folder."""

from collections.abc import Iterator

import pytest

from tests.e2e.served import Served, serving


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The product in development mode with its demo world; a lost socket is given up after three seconds."""
    state = tmp_path_factory.mktemp("served")
    with serving(state, MENTORSPAN_RESUME_GRACE_SECONDS="3") as running:
        yield running
