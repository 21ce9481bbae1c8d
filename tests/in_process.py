"""Fixtures: the table, modelled in this process, and what works on it; a place to run `losi` in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from losi.identity.authenticator import Authenticator
from losi.management.accounts import Accounts
from losi.management.emails import INDEXED
from tests.catalogue import CATALOGUE
from tests.dynamodb_client import TABLE, client_of
from tests.dynamodb_model import Table
from tests.ledger_world import BlockingLedger, Clock

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@pytest.fixture
def table() -> tuple[DynamoDBClient, str]:
    """boto3's client for an empty table within this process, and the table's name.

    It is a model of DynamoDB (tests/dynamodb_model.py); for DynamoDB itself take `losi_table`.
    """
    client = client_of({TABLE: Table()})
    client.put_item(TableName=TABLE, Item=INDEXED)
    return client, TABLE


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client(table: tuple[DynamoDBClient, str]) -> DynamoDBClient:
    """A DynamoDB client with the empty table `TABLE`."""
    return table[0]


@pytest.fixture
def ledger(client: DynamoDBClient, clock: Clock) -> BlockingLedger:
    return BlockingLedger(client, TABLE, clock, CATALOGUE.plans.values())


@pytest.fixture
def accounts(client: DynamoDBClient, ledger: BlockingLedger, clock: Clock) -> Accounts:
    return Accounts(client, TABLE, ledger, CATALOGUE.plans, clock)


@pytest.fixture
def account_id(accounts: Accounts) -> str:
    return accounts.create_account("pro").id


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
