"""One running Mentorspan for all the tests of this folder."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.e2e.arrange import Acting, Api, as_person
from tests.e2e.served import Served, serving


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The product in development mode with its demo world; a lost socket is given up after three seconds."""
    state = tmp_path_factory.mktemp("served")
    with serving(state, MENTORSPAN_RESUME_GRACE_SECONDS="3") as running:
        yield running


@pytest.fixture
async def acting(served: Served) -> AsyncIterator[Acting]:
    """People who act by REST; their connections are closed whatever happens."""
    people: list[Api] = []

    async def act(email: str) -> Api:
        people.append(await as_person(served, email))
        return people[-1]

    yield act
    for person in people:
        await person.client.aclose()
