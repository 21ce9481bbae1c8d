"""Single requests to the store on the event loop: the port of the ledger's hot path.

Whoever calls decides how often and how long to try again, because only the caller knows what a
write is worth.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from losi.errors import StoreUnansweredError, StoreUnavailableError
from losi.http1 import ConnectError, HttpError
from losi.observe.request import Event, count
from losi.store.client import FAILED_CONDITION, Item, partition
from losi.store.dynamodb import THROTTLED, DynamoDBError, SendsToDynamoDB
from losi.store.signing import NoCredentialsError

logger = logging.getLogger("losi.store")

#: Arguments of UpdateItem but for the table's name.
Update = dict[str, Any]

#: Failures inside DynamoDB, after which a write may have been done:
#: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
_MAY_HAVE_LANDED = {"InternalServerError", "ServiceUnavailable", "TransactionInProgressException"}


@dataclass(frozen=True, slots=True)
class Written:
    """Whether the write's condition was met, and the item afterwards, if the update asks for it by
    `ReturnValues`, or as it refused.
    """

    landed: bool
    item: Item | None = None


class Writes(Protocol):
    """Each call is one request to the store. It raises StoreUnansweredError when the write may
    have landed or may land yet, StoreUnavailableError when it certainly has not and will not.
    """

    async def update(self, update: Update) -> Written: ...

    async def transact(self, updates: Sequence[Update]) -> Written:
        """All of the updates or none; the item is that of the first."""
        ...

    async def newest(self, account_id: str, first: str, last: str) -> list[Item]:
        """Items with sort keys from `first` to `last`, the greatest first, ten at most."""
        ...


class DynamoDBWrites:
    def __init__(self, dynamodb: SendsToDynamoDB, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    async def update(self, update: Update) -> Written:
        answer = await self._write(
            "UpdateItem",
            {
                "TableName": self._table,
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                **update,
            },
        )
        return answer if isinstance(answer, Written) else Written(True, answer.get("Attributes"))

    async def transact(self, updates: Sequence[Update]) -> Written:
        items = [
            {
                "Update": {
                    "TableName": self._table,
                    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                    **update,
                }
            }
            for update in updates
        ]
        answer = await self._write("TransactWriteItems", {"TransactItems": items})
        return answer if isinstance(answer, Written) else Written(True)

    async def newest(self, account_id: str, first: str, last: str) -> list[Item]:
        request = {
            "TableName": self._table,
            "KeyConditionExpression": "pk = :account AND sk BETWEEN :first AND :last",
            "ExpressionAttributeValues": {
                ":account": {"S": partition(account_id)},
                ":first": {"S": first},
                ":last": {"S": last},
            },
            "ConsistentRead": True,
            "ScanIndexForward": False,
            "Limit": 10,
        }
        try:
            answer = await self._dynamodb.call("Query", request)
        except (DynamoDBError, HttpError, NoCredentialsError) as error:
            raise StoreUnavailableError from error
        items: list[Item] = answer["Items"]
        return items

    async def _write(self, operation: str, request: dict[str, Any]) -> dict[str, Any] | Written:
        """The answer, or what refused the write."""
        try:
            return await self._dynamodb.call(operation, request)
        except DynamoDBError as error:
            return _refused(error)
        except (ConnectError, NoCredentialsError) as error:  # nobody took the request
            raise StoreUnavailableError from error
        except HttpError as error:
            raise StoreUnansweredError from error


def _refused(error: DynamoDBError) -> Written:
    cancelled = error.answer.get("CancellationReasons", [])
    codes = {error.code, *(reason["Code"] for reason in cancelled)}
    if codes & FAILED_CONDITION:
        items = [error.answer.get("Item"), *(reason.get("Item") for reason in cancelled[:1])]
        return Written(False, next((item for item in items if item), None))
    if codes & THROTTLED:
        count(Event.STORE_THROTTLED)
    if codes & _MAY_HAVE_LANDED or error.status >= 500:
        raise StoreUnansweredError from error
    logger.warning("the store refused a write: %s", ", ".join(sorted(codes)))
    raise StoreUnavailableError from error
