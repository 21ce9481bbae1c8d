"""The table, modelled in this process, and what works on it; a place to run `losi` in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import uvloop

from losi.identity.authenticator import Authenticator
from losi.management.accounts import Accounts
from tests.catalogue import CATALOGUE
from tests.ledger_world import BlockingLedger, Clock

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TABLE = "losi"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client(table: tuple[DynamoDBClient, str]) -> DynamoDBClient:
    """A DynamoDB client with the empty table `TABLE`."""
    client, name = table
    assert name == TABLE
    return client


@pytest.fixture
def ledger(client: DynamoDBClient, clock: Clock) -> BlockingLedger:
    return BlockingLedger(client, TABLE, clock, CATALOGUE.plans.values())


@pytest.fixture
def accounts(client: DynamoDBClient, ledger: BlockingLedger, clock: Clock) -> Accounts:
    return Accounts(client, TABLE, ledger, CATALOGUE.plans, clock)


@pytest.fixture
def authenticator(client: DynamoDBClient, clock: Clock) -> Authenticator:
    return Authenticator(client, TABLE, CATALOGUE.plans, clock)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever else boto3 is asked for in this process, moto answers."""
    from moto import mock_aws  # few tests need it

    with mock_aws():
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        yield


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command line in an empty directory, with nothing around that says which API is meant."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("AWS_ENDPOINT_URL_DYNAMODB", "LOSI_TABLE", "LOSI_STACK", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Function
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Tests run on asyncio's own loop, or on each that their module names in LOOPS."""
    known = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
    return {name: known[name] for name in getattr(item.module, "LOOPS", ("asyncio",))}
