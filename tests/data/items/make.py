"""Writes what a version stores, as that version's own code writes it, to standard output.

    git worktree add /tmp/0.1 d2fc54e
    PYTHONPATH=/tmp/0.1/shared:/tmp/0.1 .venv/bin/python tests/data/items/make.py > 0.1.json

Accounts in every state, keys of every kind, days with running, dead and finished requests. Beside
the items stand the secrets of the keys and what the version itself then says of all this: later
versions must read the same from the same items (tests/unit/test_old_items.py).
"""

import asyncio
import dataclasses
import importlib
import importlib.util
import itertools
import json
import os
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import boto3
from anyio import to_thread
from moto import mock_aws

from local.table import create_table
from losi.errors import LosiError

IS_0_1 = importlib.util.find_spec("losi.auth") is not None


def room(today: str, in_0_1: str) -> Any:
    return importlib.import_module(in_0_1 if IS_0_1 else today)


accounts = room("losi.management.accounts", "losi.accounts")
Authenticator = room("losi.identity.authenticator", "losi.auth").Authenticator
Usage = room("losi.metering.usage", "losi.usage").Usage

TABLE = "losi"
#: A key with all of these is full.
EVERYTHING = (
    frozenset({"chat.completions", "models.list", "usage.read", "api_keys.read", "api_keys.write"})
    if IS_0_1
    else importlib.import_module("losi.identity.principal").ALL_PERMISSIONS
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
        self.ledger: Any = self._ledger(*plans)
        self.accounts = accounts.Accounts(self.client, TABLE, self.ledger, *plans, self.clock)
        # a process that has nothing cached
        self.authenticator: Any = lambda: Authenticator(self.client, TABLE, *plans, self.clock)
        self.sessions: Any = None
        if not IS_0_1:
            sessions = importlib.import_module("losi.identity.session").Sessions
            self.sessions = sessions(self.client, TABLE, *plans, self.clock)
            self.accounts.index_emails()
        self.secrets: dict[str, Any] = {}
        self.tokens: dict[str, Any] = {}
        self._numbers = itertools.count()

    def _ledger(self, plans: Any = None) -> Any:
        if IS_0_1:
            return importlib.import_module("losi.ledger").Ledger(self.client, TABLE, self.clock)
        blocking = importlib.import_module("tests.ledger_world").BlockingLedger
        return blocking(self.client, TABLE, self.clock, plans.values())

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
        check = [lambda key: None] if IS_0_1 else []
        made = self.accounts.rotate_key(secret.account_id, secret.key_id, overlap, *check)
        self.secrets[f"{name}, rotated"] = made.secret

    def authenticate(self, name: str) -> Any:
        secret = self.secrets[name]
        return self.authenticator().authenticate(f"Bearer {secret.text}" if IS_0_1 else secret)

    def request(self, name: str, model: str, usage: Any = None, lasts: float = 900) -> Any:
        """With usage it is settled at once; without, it runs until it is dead. Its hold."""
        return self.request_of(self.authenticate(name), model, usage, lasts)

    def request_of(self, principal: Any, model: str, usage: Any = None, lasts: float = 900) -> Any:
        id = f"request{next(self._numbers):08}"
        hold = self.ledger.admit(
            principal, model, id, input_tokens=100, hold_tokens=600, expires_at=self.now + lasts
        ).hold
        if usage is not None:
            self.ledger.settle(hold, usage)
        return hold

    def expire_today(self, account_id: str) -> None:
        """As an admission that finds no room does."""
        key = {"pk": {"S": f"ACCOUNT#{account_id}"}, "sk": {"S": "DAY#2026-11-23"}}
        item = self.client.get_item(TableName=TABLE, Key=key)["Item"]
        day = importlib.import_module("losi.metering.day_item").DayItem.from_item(item)

        async def one_by_one() -> None:
            """As moto loses writes that come at once."""
            to_thread.current_default_thread_limiter().total_tokens = 1
            await self.ledger.ledger.settle_expired(day)

        asyncio.run(one_by_one())


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
    if not IS_0_1:
        tell_since_0_2(world, ada.id, grace.id)


def tell_since_0_2(world: World, ada: str, grace: str) -> None:
    """What 0.1 did not store: sessions, sign-ins, operators, narrowed full keys, late writes."""
    logins = importlib.import_module("losi.management.logins")
    sign_up = logins.SelfSignUp("free", accounts_a_day=10)
    table = importlib.import_module("losi.store.table").Table(world.client, TABLE)
    people = logins.Logins(table, world.accounts, sign_up, world.clock)
    for name, email in (("Ada", "ada@example.com"), ("Katherine", "katherine@example.com")):
        people.account_for(logins.Identity("https://issuer.example", name, email, name))
    world.accounts.set_operator(ada, True)

    world.key(world.accounts.account(ada), "full, narrowed")
    world.change("full, narrowed", permissions=frozenset({"models.list", "usage.read"}))
    world.now -= 13 * 60 * MINUTE
    world.tokens["idle for too long"] = world.sessions.open(ada, "Firefox")
    world.now = TODAY
    world.tokens["Ada's"] = world.sessions.open(ada, "Firefox")
    key_id = world.secrets["of another account"].key_id
    world.tokens["of a key"] = world.sessions.open(grace, "Safari", key_id)
    world.tokens["ended"] = world.sessions.open(ada, "Chromium")
    world.sessions.end(ada, world.tokens["ended"].session_id)
    world.request_of(world.sessions.read(world.tokens["Ada's"]).principal, "4o", Usage(3, 4))

    # an admission that was not answered: its hold is given back, a tombstone stays
    unanswered = world.request("full", "4o")
    late_until = int(world.now) + 6 * 60
    world.ledger.release(dataclasses.replace(unanswered, late_until=late_until))

    # three whose process seemed dead: one stays estimated, two are settled after all
    world.key(world.accounts.account(grace), "folded", {"chat.completions"})
    late, of_folded, _ = (
        world.request(name, "4o", lasts=MINUTE)
        for name in ("of another account", "folded", "of another account")
    )
    world.now += 2 * MINUTE
    world.expire_today(grace)
    world.accounts.delete_key(grace, world.secrets["folded"].key_id)
    world.ledger.settle(late, Usage(90, 40))
    world.ledger.settle(of_folded, Usage(8, 9))


def at(now: float) -> datetime:
    return datetime.fromtimestamp(now, UTC)


def verdict(use: Callable[[], object]) -> str:
    try:
        use()
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


def audit_log(world: World, account_id: str) -> list[dict[str, Any]]:
    return [record.as_json() for record in world.accounts.audit_log(account_id, 100)]


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
        "verdicts": {
            name: verdict(partial(world.authenticate, name)) for name in sorted(world.secrets)
        },
        "sessions": {
            name: verdict(partial(world.sessions.read, token))
            for name, token in sorted(world.tokens.items())
        },
        "accounts": {
            account.name: {
                "id": account.id,
                "plan": account.plan_name,
                "keys": [key.as_json() for key in world.accounts.keys(account.id)],
                "usage": usage(world, account.id),
                "audit_log": [] if IS_0_1 else audit_log(world, account.id),
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
            "tokens": {name: token.text for name, token in sorted(world.tokens.items())},
            "items": sorted(items, key=lambda item: (item["pk"]["S"], item["sk"]["S"])),
            "says": what_it_says(world),
        }
    json.dump(made, sys.stdout, indent=1, sort_keys=True)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
