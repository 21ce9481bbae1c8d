"""The table of template.yaml, made on DynamoDB Local as the local runner and the tests make it."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from local.table import create_table, table_definition
from losi.management.emails import INDEXED

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def test_the_template_s_table_can_be_made(dynamodb: DynamoDBClient, losi_table: str) -> None:
    table = dynamodb.describe_table(TableName=losi_table)["Table"]

    assert [(key["AttributeName"], key["KeyType"]) for key in table["KeySchema"]] == [
        ("pk", "HASH"),
        ("sk", "RANGE"),
    ]
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"


def test_items_expire_by_their_ttl(dynamodb: DynamoDBClient, losi_table: str) -> None:
    description = dynamodb.describe_time_to_live(TableName=losi_table)["TimeToLiveDescription"]

    assert description["AttributeName"] == "ttl"
    assert description["TimeToLiveStatus"] == "ENABLED"


def test_making_it_again_keeps_what_is_there(dynamodb: DynamoDBClient, losi_table: str) -> None:
    item = {"pk": {"S": "ACCOUNT#1"}, "sk": {"S": "PROFILE"}}
    dynamodb.put_item(TableName=losi_table, Item=item)

    create_table(dynamodb, losi_table)

    assert dynamodb.get_item(TableName=losi_table, Key=item)["Item"] == item


def test_a_call_that_was_answered_too_late_and_is_repeated_ends_the_same(
    dynamodb: DynamoDBClient,
) -> None:
    name = f"losi-{uuid.uuid4().hex}"
    dynamodb.create_table(TableName=name, **table_definition())

    create_table(dynamodb, name)

    assert dynamodb.scan(TableName=name)["Items"] == [INDEXED]
    description = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    assert description["TimeToLiveStatus"] == "ENABLED"
    dynamodb.delete_table(TableName=name)
