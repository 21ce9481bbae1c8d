"""A thousand schedules of faults on the model of DynamoDB; a smaller draw on DynamoDB Local, which
the model is held against write by write.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from losi.store.writes import Update, Written
from tests import virtual_time
from tests.dynamodb_model import Table
from tests.fault_world import World

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SCHEDULES = 1_000
ON_DYNAMODB_LOCAL = 12


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Each schedule logs hundreds of lines."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def outcome(seed: int, table: Table | None = None) -> list[str]:
    world = World(seed, table)
    virtual_time.run(world.live())
    return world.mistakes()


@pytest.mark.timeout(600)
def test_a_thousand_schedules_lose_double_and_leave_nothing() -> None:
    mistakes = {seed: found for seed in range(SCHEDULES) if (found := outcome(seed))}

    assert mistakes == {}


class Mirrored(Table):
    """Every write goes to the model and to DynamoDB Local; they must agree."""

    def __init__(self, client: DynamoDBClient, name: str) -> None:
        super().__init__()
        self._client, self._name = client, name

    def update(self, update: Update) -> Written:
        expected = super().update(update)
        failed: Any = self._client.exceptions.ConditionalCheckFailedException
        try:
            answer = self._client.update_item(
                TableName=self._name,
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
                **update,
            )
            actual = Written(True, answer.get("Attributes"))
        except failed as error:
            actual = Written(False, error.response.get("Item"))
        assert actual == expected, update
        return actual

    def transact(self, updates: Sequence[Update]) -> Written:
        expected = super().transact(updates)
        items: Any = [{"Update": {"TableName": self._name, **update}} for update in updates]
        try:
            self._client.transact_write_items(TransactItems=items)
            landed = True
        except self._client.exceptions.TransactionCanceledException:
            landed = False
        assert landed == expected.landed, updates
        return expected


@pytest.mark.timeout(600)
def test_a_smaller_draw_on_dynamodb_local(dynamodb: DynamoDBClient, losi_table: str) -> None:
    for seed in range(ON_DYNAMODB_LOCAL):
        assert outcome(seed, Mirrored(dynamodb, losi_table)) == []
        for item in dynamodb.scan(TableName=losi_table)["Items"]:
            key: Any = {name: item[name] for name in ("pk", "sk")}
            dynamodb.delete_item(TableName=losi_table, Key=key)
