"""A ledger whose books are checked when the test is over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.catalogue import CATALOGUE
from tests.ledger_invariants import check_invariants
from tests.ledger_world import BlockingLedger, Clock

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@pytest.fixture
def ledger(table: tuple[DynamoDBClient, str], clock: Clock) -> Iterator[BlockingLedger]:
    yield BlockingLedger(*table, clock, CATALOGUE.plans.values())
    check_invariants(*table)
