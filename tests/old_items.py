"""Items that version 0.1.0 wrote (tests/data/items/0.1.json): two accounts, keys and their usage.

The file was made once, by that version's own code, and is not edited. Its secrets are those of the
keys in it, by the keys' names.
"""

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from losi.identity.secret import Secret, parse

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

FILE = Path(__file__).parent / "data" / "items" / "0.1.json"


@cache
def _file() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(FILE.read_text())
    return loaded


def items() -> list[dict[str, Any]]:
    return list(_file()["items"])


def secret(name: str) -> Secret:
    """The key as its owner has it."""
    found = parse(_file()["secrets"][name])
    assert found is not None
    return found


def item(sort_prefix: str, name: str) -> dict[str, Any]:
    """The one item of that kind with that name."""
    [found] = [
        item
        for item in items()
        if item["sk"]["S"].startswith(sort_prefix) and item.get("name", {}).get("S") == name
    ]
    return found


def load(client: "DynamoDBClient", table: str) -> None:
    for stored in items():
        client.put_item(TableName=table, Item=stored)
