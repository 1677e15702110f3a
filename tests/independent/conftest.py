"""The services that the independent client calls on, and two people with a meeting."""

import contextlib
import importlib.util
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.independent.circle import PASSWORD, new_person
from tests.independent.rest import Refused, Rest
from tests.independent.services import Services

# The WebRTC engine exists for Linux only among the machines that tests run on.
collect_ignore_glob = (
    ["test_*wrtc*.py", "test_forwarded*.py"] if importlib.util.find_spec("wrtc") is None else []
)


@dataclass
class People:
    """Two people, signed in, and what joins them."""

    priya: Rest
    amara: Rest
    pairing_id: str
    sign_ins: dict[str, dict[str, Any]]


@pytest.fixture(scope="session")
async def services(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Services]:
    services = Services(tmp_path_factory.mktemp("services"))
    try:
        await services.start()
        yield services
    finally:
        services.stop()


@pytest.fixture(scope="session")
async def people(services: Services) -> AsyncIterator[People]:
    async with Rest(services.url) as priya, Rest(services.url) as amara:
        demo = {each["name"].split()[0]: each for each in (await priya.config())["demo"]}
        for name, rest in (("Priya", priya), ("Amara", amara)):
            await rest.sign_in(demo[name]["email"], demo[name]["password"])
        pairing = await priya.active_pairing_with("Amara")
        yield People(priya, amara, pairing["id"], demo)


@pytest.fixture(scope="session")
async def ruth(services: Services, people: People) -> AsyncIterator[Rest]:
    """A coordinator, who is not in Priya's and Amara's mentorship."""
    async with Rest(services.url) as rest:
        await rest.sign_in(people.sign_ins["Ruth"]["email"], people.sign_ins["Ruth"]["password"])
        yield rest


@pytest.fixture(scope="session")
async def colleagues(services: Services, ruth: Rest) -> AsyncIterator[People]:
    """Two newcomers of one organisation, who are each other's peers: their calls are direct."""
    async with Rest(services.url) as priya, Rest(services.url) as amara:
        sign_ins, ids = {}, []
        for name, rest in (("Priya", priya), ("Amara", amara)):
            sign_ins[name] = {"email": f"{name.lower()}@direct.example", "password": PASSWORD}
            await new_person(rest, ruth, sign_ins[name]["email"], f"{name} Novak")
            ids.append((await rest.me())["memberships"][0]["id"])
        pairing = await priya.ask(*ids)
        await amara.accept_pairing(pairing["id"])
        yield People(priya, amara, pairing["id"], sign_ins)


@pytest.fixture
async def direct_meeting_id(colleagues: People) -> AsyncIterator[str]:
    """The same for two of one organisation."""
    async with booked_now(colleagues) as found:
        yield found


@pytest.fixture(scope="session")
async def conversation_id(people: People) -> str:
    (conversation,) = await people.priya.conversations(pairing_id=people.pairing_id)
    return str(conversation["id"])


@pytest.fixture
async def meeting_id(people: People) -> AsyncIterator[str]:
    """A booked meeting of people of two organisations that begins now."""
    async with booked_now(people) as found:
        yield found


@contextlib.asynccontextmanager
async def booked_now(people: People) -> AsyncIterator[str]:
    """A booked meeting that begins now. It is cancelled afterwards, as nobody can be booked twice."""
    meeting = await people.priya.propose(people.pairing_id, datetime.now(UTC))
    await people.amara.accept(meeting["id"])
    yield meeting["id"]
    with contextlib.suppress(Refused):  # a test may have cancelled it itself
        await people.priya.cancel(meeting["id"])
