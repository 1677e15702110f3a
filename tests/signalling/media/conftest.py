"""A media port, and whoever comes to it."""

from collections.abc import AsyncIterator

import pytest
from aiortc import RTCCertificate

from signalling.media.embedded.port import MediaPort
from tests.signalling.media.caller import Stage


@pytest.fixture(scope="session")
def certificate() -> RTCCertificate:
    return RTCCertificate.generateCertificate()


@pytest.fixture(params=[True, False], ids=["batched", "plain"])
async def stage(certificate: RTCCertificate, request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    """Whatever is promised holds whether many packets are read with one call or one by one."""
    made = Stage(await MediaPort.open("127.0.0.1", batched=request.param), certificate)
    yield made
    await made.close()


@pytest.fixture(params=[True, False], ids=["batched", "plain"])
async def both_families(certificate: RTCCertificate, request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    """A port for IPv4 and IPv6."""
    try:
        port = await MediaPort.open("::", batched=request.param)
    except OSError as why:
        pytest.skip(f"there is no IPv6 here: {why}")
    made = Stage(port, certificate)
    yield made
    await made.close()
