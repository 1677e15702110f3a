"""A media port, and whoever comes to it."""

from collections.abc import AsyncIterator

import pytest
from aiortc import RTCCertificate

from signalling.media.embedded.port import MediaPort
from tests.signalling.media.caller import Stage


@pytest.fixture(scope="session")
def certificate() -> RTCCertificate:
    return RTCCertificate.generateCertificate()


@pytest.fixture
async def stage(certificate: RTCCertificate) -> AsyncIterator[Stage]:
    made = Stage(await MediaPort.open("127.0.0.1"), certificate)
    yield made
    await made.close()
