"""A provider's server, on a real socket, that answers what the test wants it to."""

from collections.abc import AsyncIterator

import pytest

from tests.fake_upstream import FakeUpstream


@pytest.fixture
async def upstream() -> AsyncIterator[FakeUpstream]:
    async with FakeUpstream() as server:
        yield server
