"""`losi key`: what each command says, to the letter, and what it changes."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from losi.cli import key as commands
from losi.cli import session
from losi.cli.connection import Connection
from losi.identity.key import Key, NewKey
from losi.identity.principal import PERMISSIONS
from losi.management.accounts import Accounts
from tests.contract.cli.command_line import data, error, losi, output
from tests.dynamodb_client import TABLE

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

pytestmark = pytest.mark.usefixtures("elsewhere")

LIST = frozenset({"models.list"})


@pytest.fixture(autouse=True)
def local(client: DynamoDBClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "connect", lambda *_: Connection(client, TABLE, "http://x"))


@pytest.fixture
def key(accounts: Accounts, account_id: str) -> Key:
    return accounts.create_key(account_id, NewKey("laptop", LIST))[0]


def minute(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M}"


def fields(key: Key, **changes: str) -> str:
    named = {
        "Key id": f"key_{key.id}",
        "Name": "laptop",
        "Permissions": "models.list",
        "Expires": "never",
        "Status": "active",
        "Created": f"{minute(key.created_at)} UTC, by operator",
        "Last used": "never",
    }
    named.update({name.replace("_", " "): value for name, value in changes.items()})
    return "".join(f"{name:11}  {value}\n" for name, value in named.items())


def test_a_new_key_is_shown_with_its_secret(accounts: Accounts, account_id: str) -> None:
    text = output("key", "create", f"acct_{account_id}", "--name", "laptop", "--permission", *LIST)

    [key] = accounts.keys(account_id)
    first, secret, last = text.split("\n\n")
    assert first == "\n".join(fields(key).splitlines()[:4])
    assert secret.startswith(f"losi-{account_id}{key.id}")
    assert last == "Save it now: it cannot be shown again.\n"
    made = data("key", "create", f"acct_{account_id}", "--name", "json")
    assert made["name"] == "json" and made["key"].startswith("losi-")


def test_an_account_s_first_key_may_do_all_and_the_next_what_applications_need(
    account_id: str,
) -> None:
    first, second, third = (
        data("key", "create", f"acct_{account_id}", "--name", name)["permissions"] for name in "abc"
    )

    assert first == list(PERMISSIONS)
    assert second == third == ["chat.completions", "models.list"]


def test_its_fields(accounts: Accounts, account_id: str, key: Key) -> None:
    which = (f"acct_{account_id}", f"key_{key.id}")

    assert output("key", "show", *which) == fields(key)
    assert data("key", "show", *which) == key.as_json()
    assert output("key", "disable", *which) == fields(key, Status="disabled")
    assert data("key", "show", *which)["is_enabled"] is False
    assert output("key", "enable", *which) == fields(key)
    changed = output("key", "change", *which, "--name", "ci", "--expires-at", "2100-01-31T09:05Z")
    assert changed == fields(key, Name="ci", Expires="2100-01-31 09:05 UTC")
    wider = output("key", "change", *which, "--permission", "usage.read", "--expires-at", "never")
    assert wider == fields(key, Name="ci", Permissions="usage.read")


def test_of_one_that_was_used_or_that_an_old_version_made(
    monkeypatch: pytest.MonkeyPatch, account_id: str, key: Key
) -> None:
    used = datetime(2026, 11, 26, 14, 3, 59, tzinfo=UTC)
    old = replace(key, created_by="", last_used_at=used)
    monkeypatch.setattr(Accounts, "key", lambda *_: old)
    monkeypatch.setattr(Accounts, "keys", lambda *_: [old])

    shown = output("key", "show", f"acct_{account_id}", f"key_{key.id}")
    listed = output("key", "list", f"acct_{account_id}")

    made = f"{minute(key.created_at)} UTC, by unknown"
    assert shown == fields(key, Created=made, Last_used="2026-11-26 14:03 UTC")
    assert "never" in listed and "14:03" in listed


class TestList:
    def test_all_of_an_account(self, account_id: str, key: Key) -> None:
        head, _, *row = output("key", "list", f"acct_{account_id}").splitlines()

        assert " ".join(head.split()) == "KEY NAME, PERMISSIONS STATUS EXPIRES LAST USED"
        assert [" ".join(line.split()) for line in row] == [
            f"key_{key.id} laptop active never never",
            "models.list",
        ]
        assert data("key", "list", f"acct_{account_id}") == [key.as_json()]

    def test_of_an_account_that_does_not_exist(self) -> None:
        assert "No such account" in error("key", "list", "acct_0000000000")


NOW = datetime(2026, 11, 26, 14, 3, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("expires_at", "is_enabled", "test", "status"),
    [
        (None, True, False, "active"),
        (None, True, True, "active, test"),
        (None, False, False, "disabled"),
        (NOW + SECOND, True, False, "active"),
        (NOW + SECOND, False, True, "disabled, test"),
        (NOW, True, False, "expired"),
        (NOW - SECOND, False, True, "expired, test"),
    ],
)
def test_its_status(
    key: Key, expires_at: datetime | None, is_enabled: bool, test: bool, status: str
) -> None:
    one = replace(key, expires_at=expires_at, is_enabled=is_enabled, test=test)

    assert commands._status(one, NOW) == status


def test_a_rotated_key_s_old_secret_stays_good_for_a_day_unless_it_is_said(
    accounts: Accounts, account_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[timedelta] = []
    rotate = Accounts.rotate_key

    def noting(accounts: Accounts, account: str, key: str, overlap: timedelta) -> object:
        asked.append(overlap)
        return rotate(accounts, account, key, overlap)

    monkeypatch.setattr(Accounts, "rotate_key", noting)
    key, secret = accounts.create_key(account_id, NewKey("laptop", LIST))
    which = ("key", "rotate", f"acct_{account_id}", f"key_{key.id}")

    text = output(*which)
    made = data(*which, "--overlap", "90")

    assert asked == [timedelta(days=1), timedelta(seconds=90)]
    assert text.endswith("\n\nSave it now: it cannot be shown again.\n")
    assert secret.text not in text and made["key"] not in text
    assert losi(*which, "--overlap", "-1").exit_code == 2
    assert losi(*which, "--overlap", "2592001").exit_code == 2


def test_a_revoked_key_is_gone(accounts: Accounts, account_id: str, key: Key) -> None:
    other = accounts.create_key(account_id, NewKey("other", LIST))[0]

    assert data("key", "revoke", f"acct_{account_id}", f"key_{key.id}") == {
        "deleted": f"key_{key.id}"
    }
    assert (
        output("key", "revoke", f"acct_{account_id}", f"key_{other.id}")
        == f"Revoked key_{other.id}.\n"
    )
    assert accounts.keys(account_id) == []


class TestLeaked:
    def test_it_says_of_each_what_became_of_it(self, accounts: Accounts, account_id: str) -> None:
        key, secret = accounts.create_key(account_id, NewKey("laptop", LIST))

        told = json.loads(losi("key", "leaked", "--json", input=secret.text).stdout)
        said = losi("key", "leaked", input=secret.text)

        names = {"account": f"acct_{account_id}", "key": f"key_{key.id}"}
        assert told == [{**names, "outcome": "deleted"}]
        assert said.stdout == f"key_{key.id} of acct_{account_id}: there is none any more.\n"
        assert said.stderr == ""

    def test_on_a_terminal_it_says_how_to_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("typer.testing._NamedTextIOWrapper.isatty", lambda _: True)

        result = losi("key", "leaked", input="nothing")

        assert result.stderr == "Paste the key, or a text that contains it; then press Ctrl-D.\n"
        assert result.stdout == "The text contains no key of this API.\n"
