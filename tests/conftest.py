"""Fixtures that every test may ask for."""

from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

import tests.quick_boto3  # noqa: F401
from losi.catalogue import loader
from losi.management.emails import INDEXED
from tests.catalogue import FOLDER
from tests.dynamodb_client import client_of
from tests.dynamodb_model import Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

pytest_plugins = ["tests.dynamodb_local", "tests.deployment", "tests.parallel"]


gc.disable()  # until all tests are collected

# no example is too slow: on a busy machine any may be
settings.register_profile(
    "losi",
    max_examples=150 if os.environ.get("CI") else 25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("losi")


def pytest_collection_finish() -> None:
    """Thousands of tests and their modules stay to the end: no collector need look through them."""
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def catalogue_of_the_tests() -> Iterator[None]:
    """What runs in this process loads the tests' catalogue where it would load the operator's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loader, "FOLDERS", (FOLDER,))
        yield


@pytest.fixture
def table() -> tuple[DynamoDBClient, str]:
    """boto3's client for an empty table within this process, and the table's name.

    It is a model of DynamoDB (tests/dynamodb_model.py); for DynamoDB itself take `losi_table`.
    """
    client = client_of({"losi": Table()})
    client.put_item(TableName="losi", Item=INDEXED)
    return client, "losi"
