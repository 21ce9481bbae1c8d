"""What tests of accounts and keys need around them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from losi.errors import LosiError
from losi.identity.audit import Actor
from losi.identity.authenticator import Authenticator
from losi.identity.key import Key, NewKey
from losi.identity.principal import ALL_PERMISSIONS, Principal
from losi.identity.secret import Secret
from losi.ids import random_id
from losi.management.accounts import Accounts
from losi.metering.usage import Usage
from losi.store.table import Table
from tests import old_items
from tests.dynamodb_client import TABLE
from tests.ledger_world import BlockingLedger

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CHAT = frozenset({"chat.completions"})
WRITER = frozenset({"api_keys.write"})
A_KEY = NewKey("a key", CHAT)


def items(client: DynamoDBClient, account_id: str) -> dict[str, Any]:
    return {item["sk"]["S"]: item for item in Table(client, TABLE).query(account_id)}


def disabled(key: Key) -> Key:
    return replace(key, is_enabled=False)


def holder(authenticator: Authenticator, secret: Secret) -> Actor:
    """Who has the key, as a request with it is let in now."""
    return Actor.of(authenticator.authenticate(secret, fresh=True))


def key_id(actor: Actor) -> str:
    assert actor.caller is not None
    return actor.caller.key_id


def refusal(authenticator: Authenticator, key: Secret, *, fresh: bool = True) -> LosiError:
    with pytest.raises(LosiError) as refused:
        authenticator.authenticate(key, fresh=fresh)
    assert key.secret not in refused.value.message
    return refused.value


def first_key(
    accounts: Accounts,
    authenticator: Authenticator,
    account_id: str,
    permissions: frozenset[str] = ALL_PERMISSIONS,
) -> Actor:
    """Who has a key that the operator made."""
    _, secret = accounts.create_key(account_id, NewKey("first", permissions))
    return holder(authenticator, secret)


def two_adas(client: DynamoDBClient, table: str = TABLE) -> None:
    """Items of version 0.1, where nothing kept two accounts from having one address."""
    old = old_items.written_by("0.1")
    old.load(client, table)
    again = {"pk": {"S": "ACCOUNT#AdaAgain00"}, "name": {"S": "Ada again"}}
    address = {"email": {"S": "Ada@Example.com"}}
    again_item = {**old.item("PROFILE", "Ada Lovelace"), **again, **address}
    client.put_item(TableName=table, Item=again_item)


class Caller:
    """A warm process that has the key's authentication cached, and keeps calling."""

    def __init__(
        self, authenticator: Authenticator, ledger: BlockingLedger, secret: Secret
    ) -> None:
        self._ledger = ledger
        self.principal: Principal = authenticator.authenticate(secret)

    def call(self) -> None:
        request_id = f"req_{random_id(8)}"
        admission = self._ledger.admit(
            self.principal, "4o", request_id, input_tokens=1, hold_tokens=2, expires_at=4e9
        )
        self._ledger.settle(admission.hold, Usage(3, 4))
