"""The table's operations beyond one plain call: batches, pages, and writes that meet another."""

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from losi.errors import StoreUnavailableError
from losi.store.client import FAILED_CONDITION, Item, partition, primary_key, store_errors

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

EXISTS = "attribute_exists(pk)"
ABSENT = "attribute_not_exists(pk)"

#: They take some seconds in all, so that dozens of concurrent changes of one account succeed.
ATTEMPTS = 20
#: What BatchWriteItem and BatchGetItem take at most.
BATCH, READ_BATCH = 25, 100
#: Temporary refusals that botocore does not retry: another write holds the item, or throttling.
_PASSING = {
    "TransactionConflictException",
    "TransactionConflict",
    "ThrottlingError",
    "ProvisionedThroughputExceeded",
}


class Table:
    """Reads are consistent. A write whose condition fails says so; it raises nothing."""

    def __init__(self, client: "DynamoDBClient", name: str) -> None:
        self._client = client
        self._name = name

    def get(self, account_id: str, sort: str) -> Item | None:
        with store_errors():
            response = self._client.get_item(
                TableName=self._name, Key=primary_key(account_id, sort), ConsistentRead=True
            )
        return response.get("Item")

    def get_all(self, account_id: str, sorts: Iterable[str]) -> dict[str, Item]:
        """Those of the account's items that exist, by sort key, in one round trip."""
        items = self._get(primary_key(account_id, sort) for sort in sorts)
        return {item["sk"]["S"]: item for item in items}

    def items(self, keys: Iterable[Any]) -> Iterator[Item]:
        """Those of any number of items that exist, in any order."""
        keys = iter(keys)
        while batch := list(islice(keys, READ_BATCH)):
            yield from self._get(batch)

    def _get(self, keys: Iterable[Any]) -> list[Item]:
        wanted, found = list(keys), list[Item]()
        for _ in _attempts():
            with store_errors():
                response = self._client.batch_get_item(
                    RequestItems={self._name: {"Keys": wanted, "ConsistentRead": True}}
                )
            found += response["Responses"].get(self._name, [])
            if not (left := response.get("UnprocessedKeys", {})):
                return found
            wanted = list(left[self._name]["Keys"])
        raise StoreUnavailableError

    def partition(self, pk: str) -> Iterator[Item]:
        """All items of a partition that is not an account's."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._name,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": pk}},
            ConsistentRead=True,
        )
        return _items(pages)

    def query(self, account_id: str, sort_prefix: str = "") -> Iterator[Item]:
        """All items of the account whose sort key starts so."""
        condition, values = "pk = :pk", {":pk": {"S": partition(account_id)}}
        if sort_prefix:  # begins_with refuses an empty prefix
            condition += " AND begins_with(sk, :sk)"
            values[":sk"] = {"S": sort_prefix}
        pages = self._client.get_paginator("query").paginate(
            TableName=self._name,
            KeyConditionExpression=condition,
            ExpressionAttributeValues=values,
            ConsistentRead=True,
        )
        return _items(pages)

    def newest(self, pk: str, limit: int, before: str | None, now: float) -> list[Item]:
        """Up to `limit` items of a partition, the last ones first, that have not expired."""
        values = {":pk": {"S": pk}, ":now": {"N": str(int(now))}}
        condition = "pk = :pk"
        if before is not None:
            condition += " AND sk < :before"
            values[":before"] = {"S": before}
        pages = self._client.get_paginator("query").paginate(
            TableName=self._name,
            KeyConditionExpression=condition,
            FilterExpression="#ttl > :now",
            ExpressionAttributeNames={"#ttl": "ttl"},
            ExpressionAttributeValues=values,
            ConsistentRead=True,
            ScanIndexForward=False,
            PaginationConfig={"PageSize": limit},
        )
        return list(islice(_items(pages), limit))

    def item(self, pk: str, sort: str) -> Item | None:
        """An item that is not an account's."""
        with store_errors():
            response = self._client.get_item(
                TableName=self._name,
                Key={"pk": {"S": pk}, "sk": {"S": sort}},
                ConsistentRead=True,
            )
        return response.get("Item")

    def scan(self, sort: str) -> Iterator[Item]:
        """The items of all accounts under one sort key. Reads the whole table."""
        pages = self._client.get_paginator("scan").paginate(
            TableName=self._name,
            FilterExpression="sk = :sk",
            ExpressionAttributeValues={":sk": {"S": sort}},
        )
        return _items(pages)

    def scan_between(self, spans: Iterable[tuple[str, str]]) -> Iterator[Item]:
        """The items of all accounts whose sort key is in one of the spans, ends included. Reads
        the whole table, once.
        """
        values, between = dict[str, Any](), list[str]()
        for n, (first, last) in enumerate(spans):
            between.append(f"sk BETWEEN :first{n} AND :last{n}")
            values |= {f":first{n}": {"S": first}, f":last{n}": {"S": last}}
        pages = self._client.get_paginator("scan").paginate(
            TableName=self._name,
            FilterExpression=" OR ".join(between),
            ExpressionAttributeValues=values,
        )
        return _items(pages)

    def everything(self) -> Iterator[Item]:
        """All items, each as it is when it is read."""
        pages = self._client.get_paginator("scan").paginate(
            TableName=self._name, ConsistentRead=True
        )
        return _items(pages)

    def put(self, item: Item) -> bool:
        """Store a new item; False when it exists."""
        return self._conditional(
            lambda: self._client.put_item(
                TableName=self._name, Item=item, ConditionExpression=ABSENT
            )
        )

    def update(
        self,
        account_id: str,
        sort: str,
        attributes: Mapping[str, Any],
        *,
        remove: Iterable[str] = (),
        condition: str = EXISTS,
        values: Mapping[str, Any] | None = None,
    ) -> bool:
        """Set and remove attributes of an item; False when the condition fails."""
        remove = list(remove)
        expression = "SET " + ", ".join(f"#{name} = :{name}" for name in attributes)
        if remove:
            expression += " REMOVE " + ", ".join(f"#{name}" for name in remove)
        names = {f"#{name}": name for name in (*attributes, *remove)}
        given = {f":{name}": value for name, value in attributes.items()}
        return self._conditional(
            lambda: self._client.update_item(
                TableName=self._name,
                Key=primary_key(account_id, sort),
                UpdateExpression=expression,
                ConditionExpression=condition,
                ExpressionAttributeNames=names,
                ExpressionAttributeValues={**given, **(values or {})},
            )
        )

    def change(self, update: Mapping[str, Any]) -> bool:
        """An UpdateItem as it is given; False when its condition fails."""
        return self._conditional(lambda: self._client.update_item(TableName=self._name, **update))

    def transact(self, *writes: tuple[str, dict[str, Any]]) -> bool:
        """All of the writes, such as `("Put", {...})`, or none: False when a condition fails."""
        items: list[Any] = [{kind: {"TableName": self._name, **w}} for kind, w in writes]
        return self._conditional(lambda: self._client.transact_write_items(TransactItems=items))

    def write_all(self, requests: list[Any]) -> None:
        """Put and delete requests of BatchWriteItem, in their order but not all at once."""
        for start in range(0, len(requests), BATCH):
            left: Any = {self._name: requests[start : start + BATCH]}
            for _ in _attempts():
                with store_errors():
                    response = self._client.batch_write_item(RequestItems=left)
                if not (left := response.get("UnprocessedItems", {})):
                    break
            else:
                raise StoreUnavailableError

    def _conditional(self, write: Callable[[], object]) -> bool:
        """Write, and repeat while another write holds the items. False if a condition failed."""
        from botocore.exceptions import ClientError

        for _ in _attempts():
            with store_errors():
                try:
                    write()
                except ClientError as error:
                    reasons = _reasons(error)
                    if reasons & FAILED_CONDITION:
                        return False
                    if not reasons & _PASSING:
                        raise
                else:
                    return True
        raise StoreUnavailableError


def _reasons(error: Any) -> set[str]:
    """Why DynamoDB refused a write; of a cancelled transaction, each item's reason."""
    cancelled = error.response.get("CancellationReasons", [])
    return {error.response["Error"]["Code"], *(reason["Code"] for reason in cancelled)}


def _attempts() -> Iterator[int]:
    """Attempts with random and growing pauses between them, so that writers do not collide."""
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(random.uniform(0, min(1.0, 0.02 * 2**attempt)))
        yield attempt


def _items(pages: Iterable[Any]) -> Iterator[Item]:
    with store_errors():
        for page in pages:
            yield from page["Items"]
