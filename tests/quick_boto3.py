"""boto3 and moto, at a third of what they cost under coverage. `tests/conftest.py` imports it.

Nothing that they answer changes: what is read from files is read once, what is copied is what may
change, and nobody traces code that is not ours.
"""

from __future__ import annotations

import copy
import sys
from collections import defaultdict
from collections.abc import Callable
from functools import cache, wraps
from typing import Any

import botocore.session
from botocore.client import BaseClient
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table


def untraced(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, which calls nothing of ours, while coverage looks away: Python 3.11 runs traced
    code at half its speed, also code of which coverage wants to know nothing.
    """

    @wraps(function)
    def call(*given: Any, **named: Any) -> Any:
        tracer = sys.gettrace()
        sys.settrace(None)
        try:
            return function(*given, **named)
        finally:
            sys.settrace(tracer)
            _resume()

    return call


def _resume() -> None:
    """A tracer is at work again from the next call on: this one."""


def _sharing_items(table: Table, memo: dict[int, Any]) -> Table:
    """moto copies a table for each action of a transaction, to go back to it where one is refused.
    Items need no copying for that, as long as an update changes one of its own (`_on_a_copy`).
    """
    copied = copy.copy(table)
    copied.items = defaultdict(dict, {key: dict(items) for key, items in table.items.items()})
    return copied


def _on_a_copy(update_item: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(update_item)
    def update(backend: DynamoDBBackend, table: str, key: Any, *given: Any, **named: Any) -> Any:
        items = backend.get_table(table).items.get(DynamoType(key["pk"]), {})
        if (sort_key := DynamoType(key["sk"])) in items:
            items[sort_key] = copy.deepcopy(items[sort_key])
        return update_item(backend, table, key, *given, **named)

    return update


def _quicker(owner: Any, name: str, made: Callable[[Any], Any]) -> None:
    setattr(owner, name, made(getattr(owner, name)))


# descriptions of services, megabytes of JSON, which each session reads anew
_quicker(botocore.session, "create_loader", cache)
_quicker(botocore.session.Session, "__init__", untraced)
_quicker(botocore.session.Session, "create_client", untraced)
_quicker(BaseClient, "_make_api_call", untraced)
Table.__deepcopy__ = _sharing_items  # type: ignore[attr-defined]
_quicker(DynamoDBBackend, "update_item", _on_a_copy)
