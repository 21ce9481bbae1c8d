"""The API around a provider that fails, on a table in this process."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from losi.management.emails import INDEXED
from losi.upstream import backoff
from tests.dynamodb_client import TABLE, client_of
from tests.dynamodb_model import Table
from tests.faults.api import Caller, new_caller, open_api
from tests.over_boto3 import OverBoto3

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@pytest.fixture(scope="module")
def client() -> DynamoDBClient:
    made = client_of({TABLE: Table()})
    made.put_item(TableName=TABLE, Item=INDEXED)
    return made


@pytest.fixture(scope="module")
def caller(client: DynamoDBClient) -> Caller:
    """One for all faults: what each costs is told by the difference."""
    return new_caller(client, TABLE)


@pytest.fixture
def api(
    client: DynamoDBClient, caller: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Any:
    """Opens it: `async with api(providers={"openai": url}) as here`."""
    monkeypatch.setattr(backoff, "BACKOFF_SECONDS", 0.001)

    def opening(**options: Any) -> Any:
        return open_api(client, TABLE, caller, tmp_path, OverBoto3(client), **options)

    return opening
