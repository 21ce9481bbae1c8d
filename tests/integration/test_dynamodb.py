"""The lean client of DynamoDB against Amazon's own DynamoDB Local."""

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import pytest

from losi import http1
from losi.store.dynamodb import DynamoDB, DynamoDBError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEY = {"pk": {"S": "ACCOUNT#a"}, "sk": {"S": "PROFILE"}}


@pytest.fixture
async def lean(lean_dynamodb: DynamoDB) -> AsyncIterator[DynamoDB]:
    yield lean_dynamodb
    lean_dynamodb.close()
    await asyncio.sleep(0)  # lets the transports end


def update(table: str, **more: Any) -> dict[str, Any]:
    return {
        "TableName": table,
        "Key": KEY,
        "UpdateExpression": "ADD #n :one",
        "ExpressionAttributeNames": {"#n": "n"},
        "ExpressionAttributeValues": {":one": {"N": "1"}},
        "ReturnValues": "ALL_NEW",
        **more,
    }


async def test_a_write_lands_and_boto3_reads_it(
    lean: DynamoDB, dynamodb: "DynamoDBClient", losi_table: str
) -> None:
    answer = await lean.call("UpdateItem", update(losi_table))

    assert answer["Attributes"]["n"] == {"N": "1"}
    assert dynamodb.get_item(TableName=losi_table, Key=KEY)["Item"]["n"] == {"N": "1"}


async def test_many_at_once_land_once_each(lean: DynamoDB, losi_table: str) -> None:
    writes = (lean.call("UpdateItem", update(losi_table)) for _ in range(100))

    seen = {answer["Attributes"]["n"]["N"] for answer in await asyncio.gather(*writes)}

    assert seen == {str(number) for number in range(1, 101)}


async def test_a_failed_condition_tells_the_item(lean: DynamoDB, losi_table: str) -> None:
    await lean.call("UpdateItem", update(losi_table))
    refused = update(
        losi_table,
        ConditionExpression="#n > :one",
        ReturnValuesOnConditionCheckFailure="ALL_OLD",
    )

    with pytest.raises(DynamoDBError) as caught:
        await lean.call("UpdateItem", refused)

    assert caught.value.code == "ConditionalCheckFailedException"
    assert caught.value.answer["Item"]["n"] == {"N": "1"}


async def test_a_cancelled_transaction_tells_its_reasons(lean: DynamoDB, losi_table: str) -> None:
    check = {"TableName": losi_table, "Key": KEY, "ConditionExpression": "attribute_exists(pk)"}

    with pytest.raises(DynamoDBError) as caught:
        await lean.call("TransactWriteItems", {"TransactItems": [{"ConditionCheck": check}]})

    assert caught.value.code == "TransactionCanceledException"
    [reason] = caught.value.answer["CancellationReasons"]
    assert reason["Code"] == "ConditionalCheckFailed"


async def test_a_table_that_does_not_exist(lean: DynamoDB) -> None:
    with pytest.raises(DynamoDBError) as caught:
        await lean.call("UpdateItem", update("no-such-table"))

    assert (caught.value.code, caught.value.status) == ("ResourceNotFoundException", 400)


async def test_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")
    with pytest.raises(http1.ConnectError):
        await DynamoDB("us-east-1", "http://127.0.0.1:1").call("UpdateItem", update("t"))
