"""`losi`, the operator's command line, against a local DynamoDB."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from losi.cli import connection
from losi.errors import LosiError
from losi.identity.authenticator import Authenticator
from losi.identity.principal import ALL_PERMISSIONS, PERMISSIONS
from losi.identity.secret import Secret, parse
from losi.ids import random_id
from losi.metering.usage import Usage
from tests.account_world import two_adas
from tests.catalogue import CATALOGUE
from tests.contract.cli.command_line import data, error, losi, output
from tests.dynamodb_client import TABLE
from tests.dynamodb_local import free_port
from tests.ledger_world import BlockingLedger

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

pytestmark = pytest.mark.usefixtures("elsewhere")

ENDPOINT = "http://127.0.0.1:8000"


def secret_of(text: str) -> Secret:
    secret = parse(text)
    assert secret is not None
    return secret


@pytest.fixture
def local(client: DynamoDBClient, monkeypatch: pytest.MonkeyPatch) -> DynamoDBClient:
    """What answers at `ENDPOINT`, and there only."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", ENDPOINT)
    monkeypatch.setenv("LOSI_TABLE", TABLE)
    made = {ENDPOINT: client}
    monkeypatch.setattr(connection, "_local_client", made.__getitem__)
    return client


@pytest.fixture
def account(local: DynamoDBClient) -> str:
    account_id: str = data("account", "create", "--name", "Ada Lovelace", "--plan", "pro")["id"]
    return account_id


def call(client: DynamoDBClient, text: str) -> None:
    """A chat completion, as far as the ledger sees it."""
    principal = Authenticator(client, TABLE, CATALOGUE.plans).authenticate(secret_of(text))
    ledger = BlockingLedger(client, TABLE)
    admission = ledger.admit(
        principal, "4o", f"req_{random_id(8)}", input_tokens=10, hold_tokens=20, expires_at=4e9
    )
    ledger.settle(admission.hold, Usage(400_000, 2_000))


class TestAccounts:
    def test_a_new_account_is_shown_with_what_comes_next(self, local: DynamoDBClient) -> None:
        text = output("account", "create", "--name", "Ada", "--email", "ada@example.com")

        assert re.search(r"^Account +acct_\w{10}$", text, re.MULTILINE)
        assert re.search(r"^Plan +free$", text, re.MULTILINE)
        assert re.search(r"^Status +active$", text, re.MULTILINE)
        assert "Next: losi key create acct_" in text

    def test_it_is_shown_and_listed(self, account: str) -> None:
        shown = data("account", "show", account)

        assert shown["name"] == "Ada Lovelace"
        assert shown["plan"] == "pro"
        assert shown in data("account", "list")
        assert account in output("account", "show", account)
        assert account in output("account", "list")

    def test_its_plan_and_its_switches_change(self, account: str) -> None:
        assert data("account", "set-plan", account, "ultra")["plan"] == "ultra"
        assert data("account", "api-access", account, "off")["api_access"] is False
        assert "no API access" in output("account", "show", account)
        assert data("account", "api-access", account, "on")["api_access"] is True
        assert data("account", "disable", account)["disabled"] is True
        assert "disabled" in output("account", "list")
        assert data("account", "enable", account)["disabled"] is False

    def test_names_are_shown_as_they_are(self, local: DynamoDBClient) -> None:
        output("account", "create", "--name", "[bold]Bob[/bold] ключ")

        assert "[bold]Bob[/bold]" in output("account", "list")

    def test_an_account_can_start_without_api_access(self, local: DynamoDBClient) -> None:
        made = data("account", "create", "--name", "x", "--no-api-access")

        assert made["api_access"] is False


class TestDeletion:
    def test_it_says_what_goes_and_asks(self, local: DynamoDBClient, account: str) -> None:
        call(local, data("key", "create", account, "--name", "k")["key"])

        result = losi("account", "delete", account, input="n\n")

        assert result.exit_code == 1
        said = " ".join(result.stderr.split())
        assert f"This removes {account} (Ada Lovelace, plan pro) for good" in said
        assert "its API keys (1) and its usage (1 days)" in said
        assert data("account", "show", account)

    def test_yes_deletes(self, account: str) -> None:
        assert f"Deleted {account}" in output("account", "delete", account, input="y\n")

        assert "No such account" in error("account", "show", account)

    def test_it_need_not_ask(self, account: str) -> None:
        deleted = data("account", "delete", account, "--yes")

        assert deleted["deleted"] == {"id": account, "keys": 0, "days_of_usage": 0}

    def test_it_says_what_is_left_and_until_when(self, account: str) -> None:
        today = datetime.now(UTC).date()

        left = data("account", "delete", account, "--yes")["left_until"]

        [mark, audit] = left.items()
        assert mark == ("a mark of today that holds its id", f"{today + timedelta(2)}")
        assert "audit log" in audit[0] and audit[1] == f"{today + timedelta(400)}"

    def test_without_anyone_to_ask_nothing_is_deleted(self, account: str) -> None:
        assert losi("account", "delete", account).exit_code == 1

        assert data("account", "show", account)

    def test_the_export_is_json(self, local: DynamoDBClient, account: str) -> None:
        key = data("key", "create", account, "--name", "k")
        call(local, key["key"])

        export = json.loads(output("account", "export", account))

        assert export["account"]["id"] == account
        assert export["keys"][0]["id"] == key["id"]
        assert export["usage"][0]["input_tokens"] == 400_000
        assert key["key"] not in json.dumps(export)


class TestKeys:
    def test_a_new_key_is_printed_once_and_works(self, local: DynamoDBClient, account: str) -> None:
        text = output("key", "create", account, "--name", "laptop")

        [key] = [line for line in text.splitlines() if line.startswith("losi-")]
        principal = Authenticator(local, TABLE, CATALOGUE.plans).authenticate(secret_of(key))
        assert principal.permissions == ALL_PERMISSIONS, "the first can make the others"
        assert "Save it now" in text
        assert key not in output("key", "list", account)

    def test_further_keys_get_what_an_application_needs(self, account: str) -> None:
        output("key", "create", account, "--name", "first")

        second = data("key", "create", account, "--name", "second")

        assert second["permissions"] == ["chat.completions", "models.list"]

    def test_it_can_be_shown_changed_disabled_and_rotated(self, account: str) -> None:
        made = data("key", "create", account, "--name", "first")
        key = ("key", "change", account, made["id"])

        assert data(*key, "--name", "new", "--expires-at", "2100-01-31T00:00:00Z")["name"] == "new"
        narrow = data(*key, "--permission", "models.list", "--expires-at", "never")
        assert (narrow["permissions"], narrow["expires_at"]) == (["models.list"], None)
        assert data("key", "disable", account, made["id"])["is_enabled"] is False
        assert data("key", "enable", account, made["id"])["is_enabled"] is True
        rotated = data("key", "rotate", account, made["id"], "--overlap", "0")
        assert rotated["key"] not in (made["key"], "••••••••")
        assert "by operator" in output("key", "show", account, made["id"])
        assert "Nothing to change" in error(*key)
        assert "key.rotated" in output("audit", account)

    def test_everything_about_it_can_be_chosen(self, account: str) -> None:
        made = data(
            *("key", "create", account, "--name", "ci", "--test"),
            *("--permission", "usage.read", "--permission", "models.list"),
            *("--expires-at", "2100-01-31T01:00:00+01:00"),
        )

        assert made["key"].startswith("losi-test-")
        assert made["permissions"] == ["models.list", "usage.read"]
        assert made["expires_at"] == "2100-01-31T00:00:00Z"
        listed = output("key", "list", account)
        assert "active, test" in listed
        assert "2100-01-31" in listed
        assert data("key", "list", account) == [{**made, "key": "••••••••"}]

    def test_its_last_use_is_listed(self, local: DynamoDBClient, account: str) -> None:
        call(local, data("key", "create", account, "--name", "k")["key"])

        [listed] = data("key", "list", account)

        assert listed["last_used_at"] is not None

    def test_a_revoked_key_opens_nothing(self, local: DynamoDBClient, account: str) -> None:
        made = data("key", "create", account, "--name", "k")

        assert output("key", "revoke", account, made["id"]) == f"Revoked {made['id']}.\n"

        with pytest.raises(LosiError, match="does not exist or was deleted"):
            Authenticator(local, TABLE, CATALOGUE.plans).authenticate(secret_of(made["key"]))
        assert "No API key with this id" in error("key", "revoke", account, made["id"])


class TestUsage:
    def test_it_is_a_table_of_days_with_a_total(self, local: DynamoDBClient, account: str) -> None:
        text = data("key", "create", account, "--name", "k")["key"]
        call(local, text)
        call(local, text)

        table = output("usage", account)

        assert re.search(r"^\d{4}-\d\d-\d\d +2 +800,000 +4,000 +\$\d", table, re.MULTILINE)
        assert re.search(r"^Total +2 +800,000 +4,000 +\$\d", table, re.MULTILINE)
        [day] = data("usage", account)
        assert (day["requests"], day["output_tokens"]) == (2, 4_000)
        assert day["by_key_and_model"][0]["model"] == "gpt-4o"

    def test_other_days(self, account: str) -> None:
        none = output("usage", account, "--from", "2020-01-01", "--to", "2020-01-31")
        assert none == "No usage from 2020-01-01 to 2020-01-31.\n"
        assert data("usage", account, "--to", "2020-01-31") == []

    @pytest.mark.parametrize(
        ("options", "says"),
        [
            (("--from", "yesterday"), "--from must be a date"),
            (("--to", "2026-02-30"), "--to must be a date"),
            (("--from", "2026-02-02", "--to", "2026-02-01"), "Swap them"),
        ],
    )
    def test_bad_days(self, account: str, options: tuple[str, ...], says: str) -> None:
        assert says in error("usage", account, *options)


def test_tables_fit_the_terminal(account: str) -> None:
    name = "n" * 100
    output("account", "create", "--name", name)
    every = [f"--permission={permission}" for permission in PERMISSIONS]
    output("key", "create", account, "--name", name, "--test", *every)

    for table in (output("account", "list"), output("key", "list", account)):
        assert max(map(len, table.splitlines())) <= 80


class TestMistakes:
    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (("account", "show", "ada"), "'ada' is not an account id"),
            (("account", "show", "acct_0000000000"), "No such account"),
            (("account", "disable", "acct_0000000000"), "No such account"),
            (("account", "delete", "acct_0000000000", "--yes"), "No such account"),
            (("account", "export", "acct_0000000000"), "No such account"),
            (("account", "create", "--name", "x", "--plan", "gold"), "free, plus, pro, ultra"),
            (("account", "create", "--name", "a\nb"), "control character"),
            (("account", "create", "--name", "x", "--email", "ada"), "not an address"),
            (("key", "create", "acct_0000000000", "--name", "x"), "No such account"),
            (("key", "list", "acct_0000000000"), "No such account"),
            (("key", "revoke", "acct_0000000000", "laptop"), "'laptop' is not a key id"),
            (("usage", "acct_0000000000"), "No such account"),
        ],
    )
    def test_they_are_told_in_a_line(
        self, local: DynamoDBClient, arguments: tuple[str, ...], says: str
    ) -> None:
        assert says in error(*arguments)

    @pytest.mark.parametrize(
        ("options", "says"),
        [
            (("--permission", "admin"), "'admin' does not exist"),
            (("--expires-at", "tomorrow"), "ISO 8601"),
            (("--expires-at", "2020-01-01T00:00:00Z"), "in the past"),
        ],
    )
    def test_bad_keys_are_not_made(self, account: str, options: tuple[str, ...], says: str) -> None:
        assert says in error("key", "create", account, "--name", "k", *options)
        assert data("key", "list", account) == []

    def test_the_switch_is_on_or_off(self, account: str) -> None:
        mistyped = losi("account", "api-access", account, "maybe")
        assert (mistyped.exit_code, "'maybe' is not one of" in mistyped.stderr) == (2, True)
        assert "free, plus, pro, ultra" in error("account", "set-plan", account, "gold")

    def test_a_plan_s_number_of_keys_does_not_bind_the_operator(self, account: str) -> None:
        output("account", "set-plan", account, "free")
        for name in ("one", "two"):
            output("key", "create", account, "--name", name)

        assert "API keys  2" in output("account", "show", account)

    def test_an_address_of_two_accounts_is_refused_or_listed(
        self, local: DynamoDBClient, account: str
    ) -> None:
        output("account", "create", "--name", "Eve", "--email", "eve@example.com")
        assert "already" in error("account", "create", "--name", "E", "--email", "EVE@example.com")
        assert "one account" in output("account", "index")

        two_adas(local, TABLE)

        assert "Ada again" in output("account", "index")


class TestTheLocalApi:
    def test_it_is_found_by_what_make_run_wrote(
        self, local: DynamoDBClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("AWS_ENDPOINT_URL_DYNAMODB", "LOSI_TABLE"):
            monkeypatch.delenv(name)
        state = tmp_path / ".losi" / "local.json"
        state.parent.mkdir()
        reach = {"dynamodb_endpoint": ENDPOINT, "table": TABLE}
        state.write_text(json.dumps(reach))
        (tmp_path / "deeper").mkdir()

        assert isinstance(data("account", "list"), list)
        monkeypatch.chdir(tmp_path / "deeper")
        assert isinstance(data("account", "list"), list)

    @pytest.mark.parametrize("text", ["", "[]", "{}", "null"])
    def test_a_damaged_file_is_said(self, tmp_path: Path, text: str) -> None:
        (tmp_path / ".losi").mkdir()
        (tmp_path / ".losi" / "local.json").write_text(text)

        assert "local.json is damaged" in error("account", "list")

    def test_nothing_that_says_which_api_is_meant(self) -> None:
        assert error("account", "list").startswith("Which API? Start a local one with `make run`")

    def test_a_server_that_is_not_running(self, monkeypatch: pytest.MonkeyPatch) -> None:
        endpoint = f"http://127.0.0.1:{free_port()}"
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", endpoint)
        monkeypatch.setenv("LOSI_TABLE", TABLE)

        said = error("account", "list")

        assert f"The database at {endpoint} failed. Is `make run` running?" in said
