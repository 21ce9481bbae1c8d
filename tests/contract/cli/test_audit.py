"""`losi audit`: who changed what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from losi.cli import session
from losi.cli.connection import Connection
from losi.management.accounts import Accounts
from tests.contract.cli.command_line import data, losi, output
from tests.dynamodb_client import TABLE

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

pytestmark = pytest.mark.usefixtures("elsewhere")


@pytest.fixture(autouse=True)
def local(client: DynamoDBClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "connect", lambda *_: Connection(client, TABLE, "http://x"))


@pytest.fixture
def account(accounts: Accounts) -> str:
    """It was made, and its plan changed."""
    id = accounts.create_account("free", name="Ada").id
    accounts.set_plan(id, "pro")
    return f"acct_{id}"


def test_changes_are_listed_the_newest_first(
    account: str, accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")

    head, _, *rows = output("audit", account).splitlines()

    newest, oldest = accounts.audit_log(account[5:], 10)
    assert " ".join(head.split()) == "WHEN (UTC) WHO WHAT WHICH CHANGE"
    at = f"{newest.at:%Y-%m-%d %H:%M}"
    rows = [" ".join(row.split()) for row in rows]
    assert rows[0] == f"{at} operator {newest.action} {account} plan: free -> pro"
    assert "plan: - -> free" in " ".join(rows[1:])
    assert data("audit", account) == [newest.as_json(), oldest.as_json()]


def test_no_more_than_were_asked_for(account: str) -> None:
    assert len(data("audit", account, "--limit", "1")) == 1
    assert losi("audit", account, "--limit", "0").exit_code == 2


def test_what_is_gone_is_shown_with_what_it_was(account: str, accounts: Accounts) -> None:
    accounts.delete_account(account[5:])

    assert "-> -" in " ".join(output("audit", account).split())
