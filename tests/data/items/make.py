"""Writes what a version stores, as that version's own code writes it, to standard output.

    git worktree add /tmp/0.1 d2fc54e
    PYTHONPATH=/tmp/0.1/shared:/tmp/0.1 .venv/bin/python tests/data/items/make.py > 0.1.json

Accounts in every state, keys of every kind, days with running, dead and finished requests. Beside
the items stand the secrets of the keys and what the version itself then says of all this: later
versions must read the same from the same items (tests/unit/test_old_items.py).
"""

import dataclasses
import importlib
import importlib.util
import itertools
import json
import os
import sys
from datetime import UTC, date, datetime, timedelta
from typing import Any

import boto3
from moto import mock_aws

from local.table import create_table
from losi.errors import LosiError

IS_0_1 = importlib.util.find_spec("losi.auth") is not None


def room(today: str, in_0_1: str) -> Any:
    return importlib.import_module(in_0_1 if IS_0_1 else today)


accounts = room("losi.management.accounts", "losi.accounts")
Authenticator = room("losi.identity.authenticator", "losi.auth").Authenticator
Ledger = room("losi.metering.ledger", "losi.ledger").Ledger
Usage = room("losi.metering.usage", "losi.usage").Usage

TABLE = "losi"
#: The names that version 0.1 has; a key with all of them is full.
EVERYTHING = frozenset(
    {"chat.completions", "models.list", "usage.read", "api_keys.read", "api_keys.write"}
)
FIRST, SECOND, TODAY = (
    datetime(2026, 11, day, 12, 0, 5, tzinfo=UTC).timestamp() for day in (21, 22, 23)
)
MINUTE = 60.0


class World:
    """One deployment of that version, at a time that the story sets."""

    def __init__(self) -> None:
        self.now = FIRST
        self.client = boto3.client("dynamodb", region_name="us-east-1")
        create_table(self.client, TABLE)
        plans = () if IS_0_1 else (importlib.import_module("tests.catalogue").CATALOGUE.plans,)
        self.ledger = Ledger(self.client, TABLE, self.clock)
        self.accounts = accounts.Accounts(self.client, TABLE, self.ledger, *plans, self.clock)
        # a process that has nothing cached
        self.authenticator: Any = lambda: Authenticator(self.client, TABLE, *plans, self.clock)
        self.secrets: dict[str, Any] = {}
        self._numbers = itertools.count()

    def clock(self) -> float:
        return self.now

    def key(self, account: Any, name: str, permissions: Any = EVERYTHING, **fields: Any) -> str:
        key, self.secrets[name] = self.accounts.create_key(
            account.id, accounts.NewKey(name, frozenset(permissions), **fields)
        )
        return str(key.id)

    def change(self, name: str, **fields: Any) -> None:
        secret = self.secrets[name]
        self.accounts.change_key(
            secret.account_id, secret.key_id, lambda key: dataclasses.replace(key, **fields)
        )

    def rotate(self, name: str, overlap: timedelta) -> None:
        secret = self.secrets[name]
        made = self.accounts.rotate_key(secret.account_id, secret.key_id, overlap, lambda key: None)
        self.secrets[f"{name}, rotated"] = made.secret

    def authenticate(self, name: str) -> Any:
        secret = self.secrets[name]
        return self.authenticator().authenticate(f"Bearer {secret.text}" if IS_0_1 else secret)

    def request(self, name: str, model: str, usage: Any = None, lasts: float = 900) -> None:
        """With usage it is settled at once; without, it runs until it is dead."""
        admission = self.ledger.admit(
            self.authenticate(name),
            model,
            f"request{next(self._numbers):08}",
            100,
            600,
            self.now + lasts,
        )
        if usage is not None:
            self.ledger.settle(admission.hold, usage)


def tell(world: World) -> None:
    """The story; days, keys and accounts are named for what they are."""
    ada = world.accounts.create_account("ultra", name="Ada Lovelace", email="ada@example.com")
    grace = world.accounts.create_account("plus", name="Grace")
    for name in ("full", "full, rotated twice"):
        world.key(ada, name)
    world.key(ada, "weak", {"models.list"})
    world.key(ada, "ci", {"chat.completions"}, test=True)
    world.key(grace, "of another account", {"chat.completions"})
    gone = world.key(grace, "deleted")
    world.request("deleted", "4o", Usage(7, 7))
    world.request("full", "4o", Usage(10, 20, cached_tokens=4, reasoning_tokens=5))
    world.accounts.delete_key(grace.id, gone)

    world.now = SECOND
    world.request("full", "c35", Usage(11, 21, cached_tokens=3, cache_write_tokens=2))
    world.request("full", "4om", lasts=MINUTE)  # its process died, and nobody came since
    world.request("ci", "sbx", Usage(1, 1))
    world.key(ada, "ended", {"chat.completions"}, expires_at=at(SECOND + 3_600))
    world.rotate("full, rotated twice", timedelta(hours=1))

    world.now = TODAY - 10 * MINUTE
    world.key(ada, "ends", {"chat.completions"}, expires_at=datetime(2030, 1, 1, tzinfo=UTC))
    world.key(ada, "off", {"chat.completions"})
    world.change("off", is_enabled=False)
    world.rotate("ci", timedelta(days=1))
    world.rotate("full, rotated twice", timedelta(0))
    world.request("ends", "4o", Usage(2, 3))
    world.request("ends", "4om", lasts=MINUTE)  # dead too, on a day that goes on

    world.now = TODAY
    world.request("full", "4o", Usage(12, 30, cached_tokens=4, reasoning_tokens=5))
    world.request("ci", "sbx", Usage(1, 2))
    world.request("full", "c35")  # still running
    for name, plan in (("No access", "free"), ("Disabled", "ultra"), ("Closed", "free")):
        account = world.accounts.create_account(plan, name=name)
        world.key(account, f"of {name}", {"chat.completions"})
        world.request(f"of {name}", "4om", Usage(5, 5))
        if name == "No access":
            world.accounts.set_api_access(account.id, False)
        elif name == "Disabled":
            world.accounts.set_disabled(account.id, True)
        else:
            world.accounts.delete_account(account.id)
    world.accounts.set_plan(grace.id, "ultra")


def at(now: float) -> datetime:
    return datetime.fromtimestamp(now, UTC)


def verdict(world: World, name: str) -> str:
    try:
        world.authenticate(name)
    except LosiError as error:
        return error.code or type(error).__name__
    return "good"


def usage(world: World, account_id: str) -> list[dict[str, Any]]:
    return [
        {
            "day": day.day.isoformat(),
            "requests": day.requests,
            "total": figures(day.total),
            "by_key_model": {
                " ".join(pair): [requests, figures(used)]
                for pair, (requests, used) in sorted(day.by_key_model.items())
            },
        }
        for day in world.ledger.usage(account_id, date(2026, 11, 1), date(2026, 11, 30))
    ]


def figures(used: Any) -> list[int]:
    return [
        used.input_tokens,
        used.output_tokens,
        used.cached_tokens,
        used.cache_write_tokens,
        used.reasoning_tokens,
    ]


def what_it_says(world: World) -> dict[str, Any]:
    """Read after the items were taken: reading usage settles what is dead."""
    listed = sorted(world.accounts.list_accounts(), key=lambda account: str(account.name))
    return {
        "verdicts": {name: verdict(world, name) for name in sorted(world.secrets)},
        "accounts": {
            account.name: {
                "id": account.id,
                "plan": account.plan_name,
                "keys": [key.as_json() for key in world.accounts.keys(account.id)],
                "usage": usage(world, account.id),
            }
            for account in listed
        },
    }


def main() -> None:
    os.environ.update(AWS_ACCESS_KEY_ID="local", AWS_SECRET_ACCESS_KEY="local")
    with mock_aws():
        world = World()
        tell(world)
        items = world.client.scan(TableName=TABLE)["Items"]
        made = {
            "made_at": at(world.now).isoformat(),
            "secrets": {name: secret.text for name, secret in sorted(world.secrets.items())},
            "items": sorted(items, key=lambda item: (item["pk"]["S"], item["sk"]["S"])),
            "says": what_it_says(world),
        }
    json.dump(made, sys.stdout, indent=1, sort_keys=True)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
