"""After which failures a write may still have landed: then nobody may write it again unseen."""

from typing import Any

import pytest

from losi.errors import StoreUnansweredError, StoreUnavailableError
from losi.http1 import ConnectError, ConnectionLostError
from losi.store.dynamodb import DynamoDBError
from losi.store.signing import NoCredentialsError
from losi.store.writes import DynamoDBWrites, Written


class Store:
    """Answers every call alike, or fails as DynamoDB does:
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
    """

    def __init__(self, answer: dict[str, Any] | Exception) -> None:
        self._answer = answer
        self.asked: list[tuple[str, dict[str, Any]]] = []

    async def call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        self.asked.append((operation, request))
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


def refusal(code: str, status: int = 400, **answer: Any) -> DynamoDBError:
    return DynamoDBError(code, status, answer)


def cancelled(*reasons: dict[str, Any]) -> DynamoDBError:
    return refusal("TransactionCanceledException", CancellationReasons=list(reasons))


@pytest.mark.parametrize(
    ("failure", "may_have_landed"),
    [
        (refusal("InternalServerError", 500), True),
        (refusal("ServiceUnavailable", 503), True),
        (refusal("InternalServerError"), True),
        (refusal("ServiceUnavailable"), True),
        (refusal("TransactionInProgressException"), True),
        (refusal("SomethingNew", 500), True),
        (refusal("SomethingNew", 502), True),
        (refusal("SomethingNew", 499), False),
        (refusal("ThrottlingException"), False),
        (refusal("ProvisionedThroughputExceededException"), False),
        (refusal("ValidationException"), False),
        (cancelled({"Code": "None"}, {"Code": "TransactionConflict"}), False),
        (ConnectionLostError("gone"), True),
        (ConnectError("nobody there"), False),
        (NoCredentialsError(), False),
    ],
    ids=repr,
)
async def test_a_failed_write_may_have_landed_or_has_not(
    failure: Exception, may_have_landed: bool
) -> None:
    writes = DynamoDBWrites(Store(failure), "losi")

    for write in (writes.update({}), writes.transact([{}])):
        with pytest.raises(StoreUnavailableError) as caught:
            await write
        assert isinstance(caught.value, StoreUnansweredError) is may_have_landed
        assert caught.value.__cause__ is failure


ITEM, OTHER = {"a": {"N": "1"}}, {"b": {"N": "2"}}


@pytest.mark.parametrize(
    ("failure", "item"),
    [
        (refusal("ConditionalCheckFailedException", Item=ITEM), ITEM),
        (refusal("ConditionalCheckFailedException"), None),
        (cancelled({"Code": "ConditionalCheckFailed", "Item": ITEM}, {"Code": "None"}), ITEM),
        (cancelled({"Code": "ConditionalCheckFailed"}, {"Code": "None"}), None),
        (cancelled({"Code": "None"}, {"Code": "ConditionalCheckFailed", "Item": OTHER}), None),
    ],
)
async def test_a_condition_that_is_not_met_comes_with_the_first_item(
    failure: Exception, item: Any
) -> None:
    assert await DynamoDBWrites(Store(failure), "losi").transact([{}]) == Written(False, item)


async def test_a_write_that_landed() -> None:
    store = Store({})
    writes = DynamoDBWrites(store, "losi")

    assert await writes.update({"Key": {}}) == Written(True)
    assert await writes.transact([{"Key": {}}]) == Written(True)

    written = {
        "TableName": "losi",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        "Key": {},
    }
    assert store.asked == [
        ("UpdateItem", written),
        ("TransactWriteItems", {"TransactItems": [{"Update": written}]}),
    ]


async def test_an_item_comes_back_only_when_it_is_asked_for() -> None:
    store = Store({"Attributes": ITEM})

    written = await DynamoDBWrites(store, "losi").update({"Key": {}, "ReturnValues": "ALL_NEW"})

    assert written == Written(True, ITEM)
    assert store.asked[0][1]["ReturnValues"] == "ALL_NEW"


async def test_the_newest_items_of_a_range_are_read_consistently() -> None:
    store = Store({"Items": [ITEM]})

    assert await DynamoDBWrites(store, "losi").newest("0123456789", "a", "b") == [ITEM]

    assert store.asked == [
        (
            "Query",
            {
                "TableName": "losi",
                "KeyConditionExpression": "pk = :account AND sk BETWEEN :first AND :last",
                "ExpressionAttributeValues": {
                    ":account": {"S": "ACCOUNT#0123456789"},
                    ":first": {"S": "a"},
                    ":last": {"S": "b"},
                },
                "ConsistentRead": True,
                "ScanIndexForward": False,
                "Limit": 10,
            },
        )
    ]


@pytest.mark.parametrize(
    "failure", [refusal("InternalServerError", 500), ConnectionLostError(""), NoCredentialsError()]
)
async def test_a_read_that_fails_may_be_tried_again(failure: Exception) -> None:
    with pytest.raises(StoreUnavailableError) as caught:
        await DynamoDBWrites(Store(failure), "losi").newest("0123456789", "a", "b")

    assert not isinstance(caught.value, StoreUnansweredError)
