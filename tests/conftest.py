"""Fixtures that every test may ask for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import boto3
import pytest
from hypothesis import HealthCheck, settings
from moto import mock_aws
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.dynamodb.models import dynamodb_backends

import tests.quick_boto3  # noqa: F401
from local.table import create_table
from losi.catalogue import loader
from losi.management.emails import INDEXED
from tests.catalogue import FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

pytest_plugins = ["tests.dynamodb_local", "tests.deployment", "tests.parallel"]


# no example is too slow: on a busy machine any may be
settings.register_profile(
    "losi",
    max_examples=150 if os.environ.get("CI") else 40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("losi")


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
        client = boto3.client("dynamodb")
        create_table(client, "losi")
        yield client


@pytest.fixture
def table(moto_client: DynamoDBClient) -> Iterator[tuple[DynamoDBClient, str]]:
    """A client for an empty table within this process, and the table's name.

    Fast, and enough for one request after another; for concurrency take `losi_table`.
    """
    moto_client.put_item(TableName="losi", Item=INDEXED)
    yield moto_client, "losi"
    dynamodb_backends[DEFAULT_ACCOUNT_ID]["us-east-1"].get_table("losi").items.clear()
