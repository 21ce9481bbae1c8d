"""`losi key leaked`: whatever a key was found in, the key is stopped."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from losi.cli import session
from losi.cli.connection import Connection
from losi.identity.key import NewKey
from losi.identity.principal import ALL_PERMISSIONS
from losi.identity.secret import mint
from losi.management.accounts import Accounts
from tests.contract.cli.command_line import losi, output
from tests.dynamodb_client import TABLE

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

pytestmark = pytest.mark.usefixtures("elsewhere")


@pytest.fixture(autouse=True)
def local(client: DynamoDBClient, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(session, "connect", lambda *_: Connection(client, TABLE, "http://x"))
    yield


def made(accounts: Accounts, account_id: str) -> str:
    return accounts.create_key(account_id, NewKey("a", ALL_PERMISSIONS))[1].text


def test_every_key_of_a_report_is_deleted_and_no_other(accounts: Accounts, account_id: str) -> None:
    one, two, other = (made(accounts, account_id) for _ in range(3))

    said = output("key", "leaked", input=f'.env:3: KEY="{one}"\nsecrets.py: {two}, {two}\n')

    assert said.count(": deleted.") == 2
    assert one not in said and two not in said
    [kept] = accounts.keys(account_id)
    assert f"{account_id}{kept.id}" in other


def test_a_secret_that_was_replaced_is_no_reason_to_delete_the_key(
    accounts: Accounts, account_id: str
) -> None:
    old = made(accounts, account_id)
    [key] = accounts.keys(account_id)
    accounts.rotate_key(account_id, key.id, timedelta(0))

    assert "replaced before" in output("key", "leaked", input=old)
    assert len(accounts.keys(account_id)) == 1


def test_one_that_is_still_good_for_a_while_is(accounts: Accounts, account_id: str) -> None:
    old = made(accounts, account_id)
    [key] = accounts.keys(account_id)
    accounts.rotate_key(account_id, key.id, timedelta(days=30_000))

    assert ": deleted." in output("key", "leaked", input=old)


def test_a_key_that_is_gone_and_a_text_without_any(account_id: str) -> None:
    gone = mint(account_id)

    told = json.loads(losi("key", "leaked", "--json", input=gone.text).stdout)

    assert [one["outcome"] for one in told] == ["there is none any more"]
    assert "contains no key of this API" in output("key", "leaked", input="losi-" + "0" * 52)
