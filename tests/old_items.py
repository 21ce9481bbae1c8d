"""Items that earlier versions wrote, as those versions left them (tests/data/items/README.md)."""

import json
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from losi.identity.secret import Secret, parse
from losi.identity.session import SessionToken

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

FOLDER = Path(__file__).parent / "data" / "items"
VERSIONS = sorted(path.stem for path in FOLDER.glob("*.json"))


@dataclass(frozen=True)
class OldItems:
    made_at: str
    #: The keys themselves, by their names.
    secrets: dict[str, Secret]
    items: list[dict[str, Any]]
    #: What the version that wrote them reads from them.
    says: dict[str, Any]
    #: The tokens of sessions, by what they are; version 0.1 had none.
    tokens: dict[str, SessionToken] = field(default_factory=dict)

    @property
    def now(self) -> float:
        return datetime.fromisoformat(self.made_at).timestamp()

    def item(self, sort_prefix: str, name: str) -> dict[str, Any]:
        """The one item of that kind with that name."""
        [found] = [
            item
            for item in self.items
            if item["sk"]["S"].startswith(sort_prefix) and item.get("name", {}).get("S") == name
        ]
        return found

    def load(self, client: "DynamoDBClient", table: str) -> None:
        for stored in self.items:
            client.put_item(TableName=table, Item=stored)


@cache
def written_by(version: str) -> OldItems:
    stored = json.loads((FOLDER / f"{version}.json").read_text())
    keys = {name: parse(text) for name, text in stored.pop("secrets").items()}
    secrets = {name: key for name, key in keys.items() if key is not None}
    sessions = {name: SessionToken.parse(text) for name, text in stored.pop("tokens", {}).items()}
    tokens = {name: token for name, token in sessions.items() if token is not None}
    return OldItems(secrets=secrets, tokens=tokens, **stored)
