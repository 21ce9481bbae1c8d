"""Anything at all, at every endpoint: no failure of ours, and no refusal without its envelope.

`make hostile` sends 500 requests to each endpoint; HOSTILE and SEED choose how many, and which.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from losi.web.endpoints import FUNCTIONS, Endpoint
from tests.dynamodb_local import dynamodb_environment, free_port
from tests.e2e.server import running_server
from tests.front_door import FrontDoor, template_routes
from tests.hostile.attack import attack
from tests.hostile.requests import ALL
from tests.hostile.target import Target, local_target

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

COUNT = int(os.environ.get("HOSTILE", "20"))
SEED = int(os.environ.get("SEED", "1"))

pytestmark = pytest.mark.timeout(60 + 10 * COUNT)


@pytest.fixture(scope="module")
def make_run(
    dynamodb: DynamoDBClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Target]:
    """Its table is in another process: what the embedded one takes to scan itself is not ours."""
    folder = tmp_path_factory.mktemp("hostile")
    environment = dynamodb_environment(dynamodb.meta.endpoint_url, "hostile-make-run")
    with running_server(folder, free_port(), **environment) as server:
        yield local_target(server.base_url, folder, server.process.pid)


@pytest.fixture
def deployed(dynamodb: DynamoDBClient, losi_table: str) -> Iterator[Target]:
    """The functions as they are deployed, one process each. The sandbox answers."""
    environment = dynamodb_environment(dynamodb.meta.endpoint_url, losi_table)
    with FrontDoor(
        template_routes(), {**environment, "LOSI_SANDBOX_FALLBACK": "1"}, concurrency=1
    ) as door:

        def pids() -> list[int]:
            return [pid for function in FUNCTIONS for pid in door.pids(function)]

        yield Target(f"{door.url}/api/v1", dynamodb, losi_table, pids)


@pytest.mark.parametrize("endpoint", ALL, ids=lambda endpoint: endpoint.name)
def test_make_run(make_run: Target, endpoint: Endpoint) -> None:
    assert attack(make_run, endpoint, SEED, COUNT) == []


def test_the_deployed_functions(deployed: Target) -> None:
    found = {each.name: attack(deployed, each, SEED, COUNT) for each in ALL}

    assert {name: mistakes for name, mistakes in found.items() if mistakes} == {}
