"""Single writes to the store, each tried once: the port of the ledger's hot path.

Whoever calls decides how often and how long to try again, because only the caller knows what a
write is worth. So a client of the store needs to do no more than this to take boto3's place.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import anyio
import anyio.to_thread

from losi.errors import StoreUnansweredError, StoreUnavailableError
from losi.store.client import Item, partition, store_errors

if TYPE_CHECKING:
    from botocore.exceptions import ClientError
    from mypy_boto3_dynamodb import DynamoDBClient

logger = logging.getLogger("losi.store")

T = TypeVar("T")

#: Arguments of UpdateItem but for the table's name.
Update = dict[str, Any]

_FAILED_CONDITION = {"ConditionalCheckFailedException", "ConditionalCheckFailed"}
#: Failures inside DynamoDB, after which a write may have been done:
#: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
_MAY_HAVE_LANDED = {"InternalServerError", "ServiceUnavailable", "TransactionInProgressException"}


@dataclass(frozen=True, slots=True)
class Written:
    """Whether the write's condition was met, and the item afterwards, or as it refused."""

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
    """The port on boto3, in worker threads of its own: what hangs here holds back nothing else."""

    def __init__(self, client: "DynamoDBClient", table: str, *, threads: int = 64) -> None:
        self._client = client
        self._table = table
        self._threads = threads
        self._limiter: anyio.CapacityLimiter | None = None

    async def update(self, update: Update) -> Written:
        def write() -> Written:
            answer = self._client.update_item(
                TableName=self._table,
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
                **update,
            )
            return Written(True, answer["Attributes"])

        return await self._in_thread(lambda: _written(write))

    async def transact(self, updates: Sequence[Update]) -> Written:
        items: Any = [
            {
                "Update": {
                    "TableName": self._table,
                    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                    **update,
                }
            }
            for update in updates
        ]

        def write() -> Written:
            self._client.transact_write_items(TransactItems=items)
            return Written(True)

        return await self._in_thread(lambda: _written(write))

    async def newest(self, account_id: str, first: str, last: str) -> list[Item]:
        def read() -> list[Item]:
            answer = self._client.query(
                TableName=self._table,
                KeyConditionExpression="pk = :account AND sk BETWEEN :first AND :last",
                ExpressionAttributeValues={
                    ":account": {"S": partition(account_id)},
                    ":first": {"S": first},
                    ":last": {"S": last},
                },
                ConsistentRead=True,
                ScanIndexForward=False,
                Limit=10,
            )
            return answer["Items"]

        with store_errors():
            return await self._in_thread(read)

    async def _in_thread(self, call: Callable[[], T]) -> T:
        if self._limiter is None:  # belongs to the loop that runs, so it is made there
            self._limiter = anyio.CapacityLimiter(self._threads)
        return await anyio.to_thread.run_sync(call, limiter=self._limiter, abandon_on_cancel=True)


def _written(write: Callable[[], Written]) -> Written:
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        ConnectTimeoutError,
        EndpointConnectionError,
    )

    try:
        return write()
    except ClientError as error:
        return _refused(error)
    except (EndpointConnectionError, ConnectTimeoutError) as error:  # nobody took the request
        raise StoreUnavailableError from error
    except BotoCoreError as error:
        raise StoreUnansweredError from error


def _refused(error: "ClientError") -> Written:
    response: Any = error.response
    cancelled = response.get("CancellationReasons", [])
    codes = {response["Error"]["Code"], *(reason["Code"] for reason in cancelled)}
    if codes & _FAILED_CONDITION:
        items = [response.get("Item"), *(reason.get("Item") for reason in cancelled[:1])]
        return Written(False, next((item for item in items if item), None))
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if codes & _MAY_HAVE_LANDED or status >= 500:
        raise StoreUnansweredError from error
    logger.warning("the store refused a write: %s", ", ".join(sorted(codes)))
    raise StoreUnavailableError from error
