"""Fixtures that every test may ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3
import pytest
from moto import mock_aws

from local.table import create_table
from losi.catalogue import loader
from tests.catalogue import FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

pytest_plugins = ["tests.dynamodb_local", "tests.deployment", "tests.parallel"]


@pytest.fixture(scope="session", autouse=True)
def catalogue_of_the_tests() -> Iterator[None]:
    """What runs in this process loads the tests' catalogue where it would load the operator's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loader, "FOLDERS", (FOLDER,))
        yield


@pytest.fixture(scope="module")
def moto_client() -> Iterator[DynamoDBClient]:
    """One a module: making a client takes longer than a hundred requests."""
    with pytest.MonkeyPatch.context() as environment, mock_aws():
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        yield boto3.client("dynamodb")


@pytest.fixture
def table(moto_client: DynamoDBClient) -> Iterator[tuple[DynamoDBClient, str]]:
    """A client for a new, empty table within this process, and the table's name.

    Fast, and enough for one request after another; for concurrency take `losi_table`.
    """
    create_table(moto_client, "losi")
    yield moto_client, "losi"
    moto_client.delete_table(TableName="losi")  # moto's transactions copy all that there is
