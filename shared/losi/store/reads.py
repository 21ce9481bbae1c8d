"""Reads of single items on the event loop, for requests whose caller is not known here yet."""

import asyncio
import logging
import random
from collections.abc import Iterable

from losi.errors import StoreUnavailableError
from losi.http1 import HttpError
from losi.store.client import Item, primary_key
from losi.store.dynamodb import DynamoDBError, SendsToDynamoDB
from losi.store.signing import NoCredentialsError

logger = logging.getLogger("losi.store")

ATTEMPTS = 4
#: Before the second attempt; each later pause is twice as long.
FIRST_PAUSE = 0.05


class Reads:
    """Consistent reads. A read changes nothing, so what failed is tried again."""

    def __init__(self, dynamodb: SendsToDynamoDB, table: str, attempts: int = ATTEMPTS) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._attempts = attempts

    async def get_all(self, account_id: str, sorts: Iterable[str]) -> dict[str, Item]:
        """Those of the account's items that exist, by sort key, in one round trip.

        Raises StoreUnavailableError.
        """
        wanted = [primary_key(account_id, sort) for sort in sorts]
        found: dict[str, Item] = {}
        for attempt in range(self._attempts):
            if attempt:
                pause = FIRST_PAUSE * 2 ** (attempt - 1)
                await asyncio.sleep(pause * random.uniform(0.5, 1.5))
            keys = {self._table: {"Keys": wanted, "ConsistentRead": True}}
            try:
                answer = await self._dynamodb.call("BatchGetItem", {"RequestItems": keys})
            except (DynamoDBError, HttpError, NoCredentialsError) as error:
                logger.warning("the store did not answer a read: %s", error)
                continue
            items = answer["Responses"].get(self._table, [])
            found |= {item["sk"]["S"]: item for item in items}
            if not (left := answer.get("UnprocessedKeys", {})):
                return found
            wanted = left[self._table]["Keys"]
        raise StoreUnavailableError
