"""Fixtures that every test may ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3
import pytest
from moto import mock_aws

from local.table import create_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

pytest_plugins = ["tests.dynamodb_local", "tests.deployment"]


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[DynamoDBClient, str]]:
    """A client for a new, empty table within this process, and the table's name.

    Fast, and enough for one request after another; for concurrency take `losi_table`.
    """
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        client = boto3.client("dynamodb")
        create_table(client, "losi")
        yield client, "losi"
