"""An earlier release at work on items of today's: run with that release's code on PYTHONPATH.

Reads {"now", "secrets", "items"} from standard input, works on them as callers and an operator
would, and writes what it saw and the items as it left them, for
tests/integration/test_previous_release.py.
"""

import json
import sys
from dataclasses import replace
from datetime import timedelta
from typing import Any

import boto3
from moto import mock_aws

# of version 0.1, which had no rooms yet; mypy sees today's package
from losi import accounts, auth, keys, ledger, usage  # type: ignore[attr-defined]
from losi.errors import LosiError

TABLE = "losi"
KEYS: Any = [
    {"AttributeName": "pk", "KeyType": "HASH"},
    {"AttributeName": "sk", "KeyType": "RANGE"},
]


def main() -> None:
    given = json.load(sys.stdin)
    with mock_aws():
        client = boto3.client("dynamodb", region_name="us-east-1")
        client.create_table(
            TableName=TABLE,
            KeySchema=KEYS,
            AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in ("pk", "sk")],
            BillingMode="PAY_PER_REQUEST",
        )
        for item in given["items"]:
            client.put_item(TableName=TABLE, Item=item)
        told = work(client, given["secrets"], given["now"])
        told["items"] = client.scan(TableName=TABLE)["Items"]
    json.dump(told, sys.stdout)


def work(client: Any, secrets: dict[str, str], now: float) -> dict[str, Any]:
    clock = lambda: now  # noqa: E731
    books = ledger.Ledger(client, TABLE, clock)
    management = accounts.Accounts(client, TABLE, books, clock)

    def authenticated(name: str) -> Any:
        # a process that has nothing cached
        return auth.Authenticator(client, TABLE, clock).authenticate(f"Bearer {secrets[name]}")

    def verdict(name: str) -> str:
        try:
            authenticated(name)
        except LosiError as error:
            return error.code or ""
        return "good"

    told: dict[str, Any] = {"verdicts": {name: verdict(name) for name in secrets}}
    principal = authenticated("full")
    hold = books.admit(principal, "4o", "of the older", 10, 100, now + 60).hold
    told["settled"] = books.settle(hold, usage.Usage(5, 6))
    told["settled_again"] = books.settle(hold, usage.Usage(5, 6))
    told["running"] = books.admit(principal, "4o", "still running", 10, 100, now + 60).hold.tokens

    management.change_key(
        principal.account_id, principal.key_id, lambda key: replace(key, name="new")
    )
    ends = keys.parse(secrets["ends"])
    rotated = management.rotate_key(
        ends.account_id, ends.key_id, timedelta(hours=1), lambda key: None
    )
    told["rotated"] = rotated.secret.text
    weak = keys.parse(secrets["weak"])
    management.delete_key(weak.account_id, weak.key_id)
    told["after"] = {name: verdict(name) for name in ("full", "ends", "weak")}
    return told


if __name__ == "__main__":
    main()
