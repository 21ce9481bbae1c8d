"""Reads of single items on the event loop, for requests whose caller is not in the cache."""

import asyncio
import logging
import random
from collections.abc import Iterable
from typing import Any

from losi.errors import StoreUnavailableError
from losi.http1 import HttpError
from losi.observe.request import Event, count
from losi.store.client import Item, primary_key
from losi.store.dynamodb import THROTTLED, DynamoDBError, SendsToDynamoDB
from losi.store.signing import NoCredentialsError

logger = logging.getLogger("losi.store")

ATTEMPTS = 4
#: Pause (seconds) before the second attempt; each later pause is twice as long.
FIRST_PAUSE = 0.05


class Reads:
    """Consistent reads. A read changes nothing, so a failed one is repeated."""

    def __init__(self, dynamodb: SendsToDynamoDB, table: str, attempts: int = ATTEMPTS) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._attempts = attempts

    async def get_all(self, account_id: str, sorts: Iterable[str]) -> dict[str, Item]:
        """Existing items of the account by sort key, in one round trip. Raises
        StoreUnavailableError.
        """
        items = await self.items([primary_key(account_id, sort) for sort in sorts])
        return {item["sk"]["S"]: item for item in items}

    async def items(self, keys: list[Item]) -> list[Item]:
        """Those of up to 100 items that exist, in any order. Raises StoreUnavailableError."""
        wanted, found = keys, list[Item]()
        for attempt in range(self._attempts):
            await _pause(attempt)
            request = {self._table: {"Keys": wanted, "ConsistentRead": True}}
            answer = await self._call("BatchGetItem", {"RequestItems": request})
            if answer is None:
                continue
            found += answer["Responses"].get(self._table, [])
            if not (left := answer.get("UnprocessedKeys", {})):
                return found
            count(Event.STORE_THROTTLED)
            wanted = left[self._table]["Keys"]
        raise StoreUnavailableError

    async def page(self, pk: str, after: str, limit: int) -> list[Item]:
        """Up to `limit` items of a partition with sort keys greater than `after`, in order. Raises
        StoreUnavailableError.
        """
        request: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "pk = :pk AND sk > :after",
            # a sort key must not be empty, and a space sorts before all of ours
            "ExpressionAttributeValues": {":pk": {"S": pk}, ":after": {"S": after or " "}},
            "ConsistentRead": True,
            "Limit": limit,
        }
        for attempt in range(self._attempts):
            await _pause(attempt)
            if (answer := await self._call("Query", request)) is not None:
                found: list[Item] = answer["Items"]
                return found
        raise StoreUnavailableError

    async def _call(self, operation: str, request: dict[str, Any]) -> dict[str, Any] | None:
        """The answer; None if the store did not answer."""
        try:
            return await self._dynamodb.call(operation, request)
        except (DynamoDBError, HttpError, NoCredentialsError) as error:
            if isinstance(error, DynamoDBError) and error.code in THROTTLED:
                count(Event.STORE_THROTTLED)
            logger.warning("the store did not answer a read: %s", error)
            return None


async def _pause(attempt: int) -> None:
    """Wait before every attempt except the first."""
    if attempt:
        await asyncio.sleep(FIRST_PAUSE * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))
