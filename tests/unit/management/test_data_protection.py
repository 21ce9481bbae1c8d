"""What is stored of an account: all of it is exported, and none of it outlives the account."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from losi.identity.audit import Origin, origin
from losi.identity.authenticator import Authenticator
from losi.identity.key import NewKey
from losi.identity.principal import ALL_PERMISSIONS
from losi.identity.session import Sessions
from losi.management import table_check
from losi.management.accounts import Accounts
from losi.management.export import export_account
from losi.management.logins import Identity, Logins, SelfSignUp
from losi.metering.usage import Usage
from losi.store.table import Table
from tests.catalogue import CATALOGUE
from tests.dynamodb_client import TABLE
from tests.ledger_world import BlockingLedger, Clock, admit

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

NAME, EMAIL, DEVICE = "Ada Lovelace", "ada@example.com", "Ada's browser"
KEY_NAME = "Ada's laptop"
PERSON = Identity("https://issuer.example", "subject-of-ada", EMAIL, NAME)
PERSONAL = (NAME, EMAIL, DEVICE, KEY_NAME, "subject-of-ada")


@pytest.fixture
def sessions(client: DynamoDBClient, clock: Clock) -> Sessions:
    return Sessions(client, TABLE, CATALOGUE.plans, clock)


@pytest.fixture
def account_id(
    client: DynamoDBClient,
    accounts: Accounts,
    authenticator: Authenticator,
    ledger: BlockingLedger,
    sessions: Sessions,
    clock: Clock,
) -> Iterator[str]:
    """An account that has had everything: made by a sign-in, with keys of both kinds, used on two
    days, one key deleted, one hold left.
    """
    token = origin.set(Origin("203.0.113.10", "req_1"))
    logins = Logins(Table(client, TABLE), accounts, SelfSignUp("pro", 10), clock)
    account = logins.account_for(PERSON)
    accounts.set_api_access(account.id, True)
    keys = [
        accounts.create_key(account.id, NewKey(KEY_NAME, ALL_PERMISSIONS, test=test))
        for test in (False, False, True)
    ]
    for _ in range(2):
        for _, secret in keys:
            principal = authenticator.authenticate(secret)
            ledger.settle(admit(ledger, principal, clock).hold, Usage(100, 50))
            admit(ledger, principal, clock)
        clock.advance(86_400)
    clock.advance(-86_400)
    accounts.delete_key(account.id, keys[1][0].id)
    sessions.open(account.id, DEVICE)
    yield account.id
    origin.reset(token)


def stored(client: DynamoDBClient) -> list[dict[str, Any]]:
    return client.scan(TableName=TABLE, ConsistentRead=True)["Items"]


def of_account(client: DynamoDBClient, account_id: str) -> list[dict[str, Any]]:
    return [item for item in stored(client) if account_id in json.dumps(item)]


def test_of_a_deleted_account_the_audit_log_stays_and_nothing_else(
    client: DynamoDBClient, accounts: Accounts, account_id: str, clock: Clock
) -> None:
    assert {word for word in PERSONAL if word in json.dumps(stored(client))} >= {NAME, EMAIL}

    accounts.delete_account(account_id)

    left = of_account(client, account_id)
    audit = [item for item in left if item["pk"]["S"] == f"AUDIT#{account_id}"]
    marks = [item for item in left if item not in audit]
    assert len(audit) > 3
    for mark in marks:  # until cached authentications are over, everywhere
        assert set(mark) == {"pk", "sk", "v_p", "ttl"}
        assert int(mark["ttl"]["N"]) - clock.now <= 2 * 86_400
    assert not [word for word in PERSONAL if word in json.dumps(stored(client))]
    others = {item["pk"]["S"] for item in stored(client)} - {item["pk"]["S"] for item in left}
    assert all(pk == "EMAIL#" or pk.startswith("SIGNUPS#") for pk in others), others


def test_a_person_whose_account_was_deleted_can_begin_again(
    client: DynamoDBClient, accounts: Accounts, account_id: str, clock: Clock
) -> None:
    accounts.delete_account(account_id)

    again = Logins(Table(client, TABLE), accounts, SelfSignUp("pro", 10), clock).account_for(PERSON)

    assert again.id != account_id


def test_every_kind_of_item_of_an_account_is_in_its_export(
    client: DynamoDBClient,
    accounts: Accounts,
    ledger: BlockingLedger,
    sessions: Sessions,
    account_id: str,
    clock: Clock,
) -> None:
    today = datetime.fromtimestamp(clock.now, UTC).date()
    kinds = set(table_check.check(of_account(client, account_id)).counts)

    export = export_account(accounts, ledger, sessions, CATALOGUE, account_id, today)

    where = {
        "accounts": export["account"]["name"],
        "keys": export["keys"],
        "audit records": export["audit_log"],
        "sessions": export["sessions"],
        "notes of sign-ins": export["sign_ins"],
        "sign-ins": export["sign_ins"],
        "e-mail addresses": export["account"]["email"],
        "days": export["usage"],
        "side items": [
            pair
            for day in export["usage"]
            for pair in day["by_key_and_model"]
            if pair["key"] not in {key["id"] for key in export["keys"]}
        ],
        "days of test keys": export["test_usage"],
        # that there was usage on a day, and nothing else
        "entries of the register": export["usage"],
    }
    assert kinds == set(where)
    assert all(where.values()), where
    assert export["account"]["end_user_id"] == accounts.account(account_id).tag


def test_no_secret_is_in_it(
    client: DynamoDBClient,
    accounts: Accounts,
    ledger: BlockingLedger,
    sessions: Sessions,
    account_id: str,
) -> None:
    hashes = [item["hash"]["S"] for item in stored(client) if "hash" in item]
    today = datetime.now(UTC).date()

    text = json.dumps(export_account(accounts, ledger, sessions, CATALOGUE, account_id, today))

    assert len(hashes) == 3
    assert not [hash for hash in hashes if hash in text]
