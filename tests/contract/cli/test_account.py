"""`losi account`: what each command says, to the letter, and what it changes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from losi.cli import session
from losi.cli.connection import Connection
from losi.management.accounts import Accounts
from losi.management.emails import INDEXED
from tests.account_world import two_adas
from tests.contract.cli.command_line import data, error, losi, output
from tests.dynamodb_client import TABLE

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

pytestmark = pytest.mark.usefixtures("elsewhere")

Connect = Callable[..., None]
NO_ADDRESS = "Invalid value for 'email': it is not an address such as ada@example.com."


@pytest.fixture
def connect(client: DynamoDBClient, monkeypatch: pytest.MonkeyPatch) -> Connect:
    def connect(**more: Any) -> None:
        made = Connection(client, TABLE, **more)
        monkeypatch.setattr(session, "connect", lambda *_: made)

    return connect


@pytest.fixture(autouse=True)
def local(connect: Connect) -> None:
    connect(endpoint="http://x")


@pytest.fixture
def ada(accounts: Accounts) -> str:
    account = accounts.create_account("pro", name="Ada Lovelace", email="ada@example.com")
    return f"acct_{account.id}"


def day(days: int) -> str:
    return str(datetime.now(UTC).date() + timedelta(days))


def created(accounts: Accounts, id: str, form: str) -> str:
    return f"{accounts.account(id.removeprefix('acct_')).created_at:{form}}"


def shown(accounts: Accounts, id: str, **changes: str) -> str:
    fields = {
        "Account": id,
        "Name": "Ada Lovelace",
        "Email": "ada@example.com",
        "Plan": "pro",
        "Status": "active",
        "API keys": "0",
        "Created": created(accounts, id, "%Y-%m-%d %H:%M UTC"),
    }
    return "".join(f"{name:8}  {value}\n" for name, value in {**fields, **changes}.items())


class TestShow:
    def test_an_account_s_fields(self, accounts: Accounts, ada: str) -> None:
        assert output("account", "show", ada) == shown(accounts, ada)
        assert data("account", "show", ada) == accounts.account(ada[5:]).as_json()

    def test_a_new_one_s_are_followed_by_what_comes_next(self, accounts: Accounts) -> None:
        text = output("account", "create", "--name", "Bob")

        [account] = accounts.list_accounts()
        id = f"acct_{account.id}"
        fields = shown(accounts, id, Name="Bob", Email="-", Plan="free")
        assert text == f"{fields}\nNext: losi key create {id} --name my-key\n"

    @pytest.mark.parametrize(
        ("change", "fields"),
        [
            (["disable"], {"Status": "disabled"}),
            (["enable"], {}),
            (["set-plan", "ultra"], {"Plan": "ultra"}),
            (["api-access", "off"], {"Status": "no API access"}),
            (["api-access", "on"], {}),
        ],
    )
    def test_what_a_change_made_of_it(
        self, accounts: Accounts, ada: str, change: list[str], fields: dict[str, str]
    ) -> None:
        command, *value = change

        assert output("account", command, ada, *value) == shown(accounts, ada, **fields)

    def test_operators_are_made_and_unmade(self, accounts: Accounts, ada: str) -> None:
        for switch, is_operator in (("on", True), ("off", False)):
            assert output("account", "operator", ada, switch) == shown(accounts, ada)
            assert accounts.account(ada[5:]).operator is is_operator


class TestList:
    def test_all_accounts(self, accounts: Accounts, ada: str) -> None:
        head, _, row = output("account", "list").splitlines()

        made = created(accounts, ada, "%Y-%m-%d")
        assert head == "ACCOUNT           NAME           PLAN   STATUS   CREATED      KEYS"
        assert row == f"{ada}   Ada Lovelace   pro    active   {made}      0"
        assert data("account", "list") == [accounts.account(ada[5:]).as_json()]


class TestEmails:
    def test_an_old_table_is_indexed_by_the_first_address(
        self, client: DynamoDBClient, accounts: Accounts
    ) -> None:
        client.delete_item(TableName=TABLE, Key={name: INDEXED[name] for name in ("pk", "sk")})

        output("account", "create", "--name", "Bob")
        assert not accounts.emails_indexed()

        output("account", "create", "--name", "Ada", "--email", "ada@example.com")
        assert accounts.emails_indexed()

    def test_no_address_is_that_of_two(self, ada: str) -> None:
        said = "Every e-mail address is that of one account.\n"
        assert output("account", "index") == said
        assert data("account", "index") == {"duplicates": []}

    def test_those_that_share_one_are_listed(self, client: DynamoDBClient) -> None:
        two_adas(client, TABLE)

        said = output("account", "index")
        [same] = data("account", "index")["duplicates"]

        assert said.startswith("These share an address; sign-in by it leads to the first of each:")
        rows = [" ".join(row.split()) for row in said.splitlines()[4:]]
        assert rows == [f"{same[0]['email']} {one['id']} {one['name']}" for one in same]
        assert "EMAIL" in said and len(same) == 2

    @pytest.mark.parametrize(
        "email", ["ada", "@example.com", "ada@", "a da@example.com", "ada\x7f@example.com"]
    )
    def test_what_is_no_address_is_refused(self, accounts: Accounts, email: str) -> None:
        assert error("account", "create", "--name", "Ada", "--email", email) == NO_ADDRESS
        assert accounts.list_accounts() == []

    def test_the_longest_address(self, accounts: Accounts) -> None:
        longest = "a" * 242 + "@example.com"

        assert data("account", "create", "--name", "Ada", "--email", longest)["email"] == longest
        assert error("account", "create", "--name", "B", "--email", f"a{longest}") == NO_ADDRESS


class TestDelete:
    def test_it_asks_on_stderr_and_says_what_is_left(self, accounts: Accounts, ada: str) -> None:
        result = losi("account", "delete", ada, input="y\n")

        assert result.stderr.startswith(f"This removes {ada} (Ada Lovelace, plan pro) for good:\n")
        assert result.stderr.rstrip().endswith("Delete it? [y/N]:")
        assert result.stdout.endswith(
            f"Deleted {ada}: 0 keys, 0 days of usage. Left are\n"
            f"  until {day(2)}  a mark of today that holds its id\n"
            f"  until {day(400)}  its audit log, with ids and IP addresses, without names\n"
        )
        assert accounts.list_accounts() == []

    @pytest.mark.parametrize(
        ("parameters", "days"),
        [
            ({}, [2, 400, 30, 35]),
            ({"LogRetentionDays": "7", "AuditDays": "90", "MonthlyBackups": "off"}, [2, 90, 7, 35]),
            ({"MonthlyBackups": "on"}, [2, 400, 30, 35, 365]),
        ],
    )
    def test_what_a_stack_keeps_of_it(
        self, ada: str, connect: Connect, parameters: dict[str, str], days: list[int]
    ) -> None:
        connect(stack="losi", region="eu-west-1", parameters=parameters)

        left = data("account", "delete", ada, "--yes")["left_until"]

        assert list(left.values()) == [day(each) for each in days]
