"""One server for all end-to-end tests that only call it."""

from collections.abc import Iterator

import pytest
from openai import OpenAI

from tests.dynamodb_local import free_port
from tests.e2e.server import Server, running_server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("make-run"), free_port()) as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[OpenAI]:
    """OpenAI's SDK with nothing changed but the base URL and the key."""
    with OpenAI(base_url=server.base_url, api_key=server.api_key) as sdk:
        yield sdk
