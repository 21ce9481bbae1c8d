"""A model of DynamoDB's table in this process: what its operations do to items, and refuse.

It holds what this project uses, answers as DynamoDB does, and raises `ValidationError` where
DynamoDB answers ValidationException, and for what it does not know:
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Operations_Amazon_DynamoDB.html
`tests/integration/test_dynamodb_model.py` holds it against Amazon's DynamoDB Local, and so does
`test_ledger_faults.py`, write by write.
"""

from __future__ import annotations

import marshal
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from hashlib import md5
from typing import Any, TypeVar

from losi.store.client import partition
from losi.store.writes import Update, Written
from tests.dynamodb_expressions import Expressions
from tests.dynamodb_items import Item, RefusedError, ValidationError, check_item, item_bytes

T = TypeVar("T")
Key = tuple[str, str]
Request = dict[str, Any]
Answer = dict[str, Any]

KEYS = {"pk", "sk"}
_SHOWN = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}

#: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.Pagination.html
LARGEST_PAGE = 1024 * 1024
READ_BATCH, WRITE_BATCH, TRANSACTION = 100, 25, 100


class ConditionFailedError(RefusedError):
    """`item` is as the condition refused it, if the request asks for it and it exists."""

    code = "ConditionalCheckFailedException"

    def __init__(self, item: Item | None) -> None:
        super().__init__("The conditional request failed")
        self.item = item

    def answer(self) -> Answer:
        return {**super().answer(), **({"Item": self.item} if self.item else {})}


class CancelledError(RefusedError):
    """A condition of a transaction failed, and nothing was written; why, for each of its items."""

    code = "TransactionCanceledException"

    def __init__(self, reasons: list[dict[str, Any]]) -> None:
        super().__init__(f"Transaction cancelled [{', '.join(each['Code'] for each in reasons)}]")
        self.reasons = reasons

    def answer(self) -> Answer:
        return {**super().answer(), "CancellationReasons": self.reasons}


def _at_once(operation: Callable[[Table, Any], T]) -> Callable[[Table, Any], T]:
    @wraps(operation)
    def call(table: Table, given: Any) -> T:
        with table.lock:
            return operation(table, given)

    return call


@dataclass(frozen=True)
class Write:
    """One write of any kind: where, on what condition, and what it makes of the item."""

    where: Key
    met: Callable[[Item], bool]
    made: Callable[[Item], Item | None]
    shows_refused: bool


class Table:
    """Items by partition and sort key. Every operation happens at once, all of it or nothing."""

    def __init__(self) -> None:
        self.items: dict[Key, Item] = {}
        self.lock = threading.RLock()

    def update(self, update: Update) -> Written:
        try:
            item = self.update_item({**_SHOWN, **update})
            return Written(True, item if update.get("ReturnValues") == "ALL_NEW" else None)
        except ConditionFailedError as error:
            return Written(False, error.item)

    def transact(self, updates: Sequence[Update]) -> Written:
        try:
            self.transact_write_items([{"Update": {**_SHOWN, **update}} for update in updates])
        except CancelledError as error:
            first = error.reasons[0].get("Item") or self.items.get(_where(updates[0]["Key"]))
            return Written(False, _copy(first))
        return Written(True)

    def newest(self, account_id: str, first: str, last: str) -> list[Item]:
        found = sorted(
            sort for pk, sort in self.items if pk == partition(account_id) and first <= sort <= last
        )
        return [self.items[partition(account_id), sort] for sort in reversed(found)][:10]

    @_at_once
    def batch_get_item(self, keys: list[Item]) -> list[Item]:
        """Those that exist."""
        where = [_where(key) for key in keys]
        _distinct(where, READ_BATCH)
        return [_copy(self.items[key]) for key in where if key in self.items]

    @_at_once
    def put_item(self, request: Request) -> None:
        self._write(_put(request))

    @_at_once
    def update_item(self, request: Request) -> Item:
        """The item afterwards."""
        item: Item = _copy(self._write(_update(request)))
        return item

    @_at_once
    def delete_item(self, request: Request) -> None:
        self._write(_delete(request))

    @_at_once
    def batch_write_item(self, requests: list[Request]) -> None:
        """Puts and deletions, without conditions."""
        writes = [_WRITES[kind.removesuffix("Request")](each) for kind, each in _only(requests)]
        _distinct([write.where for write in writes], WRITE_BATCH)
        for write in writes:
            self._write(write)

    @_at_once
    def transact_write_items(self, requests: list[Request]) -> None:
        writes = [_WRITES[kind](each) for kind, each in _only(requests)]
        _distinct([write.where for write in writes], TRANSACTION)
        reasons = [self._refusal(write) for write in writes]
        if any(reason["Code"] != "None" for reason in reasons):
            raise CancelledError(reasons)
        made = [write.made(self.items.get(write.where, {})) for write in writes]
        for write, item in zip(writes, made, strict=True):
            self._keep(write.where, item)

    @_at_once
    def query(self, request: Request) -> Answer:
        expressions, condition = Expressions(request), request["KeyConditionExpression"]
        pk = expressions.partition(condition)
        filtered = request.get("FilterExpression")
        if filtered and expressions.attributes(filtered) & KEYS:
            raise ValidationError("Filter Expression can only contain non-primary key attributes")
        found = sorted(
            where
            for where, item in self.items.items()
            if where[0] == pk and expressions.met(condition, item)
        )
        if not request.get("ScanIndexForward", True):
            found.reverse()
        return self._page(request, expressions, found)

    @_at_once
    def scan(self, request: Request) -> Answer:
        """In an order that says nothing, as DynamoDB's: by a hash of the partition."""
        found = sorted(self.items, key=lambda where: (md5(where[0].encode()).digest(), where[1]))
        return self._page(request, Expressions(request), found)

    def _page(self, request: Request, expressions: Expressions, found: list[Key]) -> Answer:
        if "ExclusiveStartKey" in request:
            found = found[found.index(_where(request["ExclusiveStartKey"])) + 1 :]
        limit, filtered = request.get("Limit", len(found) + 1), request.get("FilterExpression")
        page, size = list[Key](), 0
        for where in found:
            page.append(where)
            size += item_bytes(self.items[where])
            if len(page) == limit or size >= LARGEST_PAGE:
                break
        read = (self.items[where] for where in page)
        items = [_copy(item) for item in read if not filtered or expressions.met(filtered, item)]
        answer: Answer = {"Items": items, "Count": len(items), "ScannedCount": len(page)}
        if len(page) == limit or len(page) < len(found):
            answer["LastEvaluatedKey"] = _key(page[-1])
        return answer

    def _write(self, write: Write) -> Item:
        """The item afterwards; empty where there is none."""
        refusal = self._refusal(write)
        if refusal["Code"] != "None":
            raise ConditionFailedError(refusal.get("Item"))
        made = write.made(self.items.get(write.where, {}))
        self._keep(write.where, made)
        return made or {}

    def _refusal(self, write: Write) -> dict[str, Any]:
        item = self.items.get(write.where, {})
        if write.met(item):
            return {"Code": "None"}
        shown = {"Item": _copy(item)} if item and write.shows_refused else {}
        return {
            "Code": "ConditionalCheckFailed",
            "Message": "The conditional request failed",
            **shown,
        }

    def _keep(self, where: Key, item: Item | None) -> None:
        if item is None:
            self.items.pop(where, None)
        else:
            self.items[where] = item


def _put(request: Request) -> Write:
    item = _copy(request["Item"])
    where = _where({name: item[name] for name in KEYS if name in item})
    check_item(item)
    return _conditional(request, where, lambda _: item)


def _delete(request: Request) -> Write:
    return _conditional(request, _where(request["Key"]), lambda _: None)


def _check(request: Request) -> Write:
    return _conditional(request, _where(request["Key"]), lambda item: item or None)


def _update(request: Request) -> Write:
    where, expressions = _where(request["Key"]), Expressions(request)
    writes = expressions.writes(request["UpdateExpression"])
    if any(path[0] in KEYS for path, _, _ in writes):
        raise ValidationError("Cannot update attribute. This attribute is part of the key")

    def made(item: Item) -> Item:
        changed = expressions.changed(writes, item or _key(where))
        check_item(changed)
        return changed

    return _conditional(request, where, made)


def _conditional(request: Request, where: Key, made: Callable[[Item], Item | None]) -> Write:
    expressions, condition = Expressions(request), request.get("ConditionExpression")
    shows = request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
    if condition is None:
        return Write(where, lambda _: True, made, shows)
    expressions.met(condition, {})  # a wrong one is refused whatever the item
    return Write(where, lambda item: expressions.met(condition, item), made, shows)


_WRITES = {"Put": _put, "Update": _update, "Delete": _delete, "ConditionCheck": _check}


def _only(requests: list[Request]) -> list[tuple[str, Request]]:
    return [(kind, each) for request in requests for kind, each in request.items()]


def _distinct(where: list[Key], most: int) -> None:
    if not 0 < len(where) <= most:
        raise ValidationError(f"Member must have length less than or equal to {most}")
    if len(set(where)) < len(where):
        raise ValidationError("multiple operations on one item, or duplicates")


def _where(key: Item) -> Key:
    if set(key) != KEYS:
        raise ValidationError("The provided key element does not match the schema")
    pk, sk = key["pk"].get("S"), key["sk"].get("S")
    if not pk or not sk:
        raise ValidationError(
            "The AttributeValue for a key attribute cannot contain an empty "
            "string value, and must be a string"
        )
    return pk, sk


def _key(where: Key) -> Item:
    return {"pk": {"S": where[0]}, "sk": {"S": where[1]}}


def _copy(item: Any) -> Any:
    """What is asked for is the caller's own: plain data, which marshal copies the fastest."""
    return marshal.loads(marshal.dumps(item))
