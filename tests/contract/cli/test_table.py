"""`losi table`: what it says, and how it ends. tests/integration has what is in the copies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from losi.cli import session, table
from losi.cli.connection import Connection
from losi.management.accounts import Accounts
from losi.management.emails import INDEXED
from losi.metering.reconciliation import STATE
from tests.contract.cli.command_line import data, error, losi, output
from tests.dynamodb_client import TABLE, client_of
from tests.dynamodb_model import Table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

pytestmark = pytest.mark.usefixtures("elsewhere")

OTHER = "losi-other"
WHOLE = {"accounts": 1, "audit records": 1, "e-mail addresses": 1}
NO_MISTAKES = """\
KIND               ITEMS
────────────────────────
accounts               1
audit records          1
e-mail addresses       1

No mistakes.
"""


@pytest.fixture
def client() -> DynamoDBClient:
    """Two tables, empty as an API writes them at first."""
    made = client_of({TABLE: Table(), OTHER: Table()})
    for name in (TABLE, OTHER):
        made.put_item(TableName=name, Item=INDEXED)
    return made


@pytest.fixture(autouse=True)
def connected(client: DynamoDBClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "connect", lambda *_: Connection(client, TABLE, "http://x"))


@pytest.fixture
def other() -> tuple[str, str]:
    return ("--table", OTHER)


@pytest.fixture
def export(accounts: Accounts, tmp_path: Path) -> str:
    """A file with the three items of a table with one account."""
    accounts.create_account("pro", name="Ada")
    file = str(tmp_path / "losi.jsonl")
    output("table", "export", file)
    return file


class TestExport:
    def test_it_says_how_many_items_are_where(self, accounts: Accounts, tmp_path: Path) -> None:
        accounts.create_account("pro", name="Ada")
        file = str(tmp_path / "losi.jsonl")

        assert output("table", "export", file) == f"3 items are in {file}.\n"
        assert data("table", "export", file) == {"items": 3, "file": file}

    def test_of_another_table(self, other: tuple[str, str], tmp_path: Path) -> None:
        assert data("table", "export", str(tmp_path / "x"), *other)["items"] == 1

    def test_a_file_that_cannot_be_written(self, tmp_path: Path) -> None:
        file = str(tmp_path / "missing" / "losi.jsonl")

        said = error("table", "export", file)

        assert said == f"{file} cannot be written: No such file or directory."


class TestImport:
    def test_it_says_what_was_written_and_what_comes_next(
        self, export: str, other: tuple[str, str]
    ) -> None:
        said = output("table", "import", export, *other)

        assert said == "3 items were written. Next: losi table check\n"
        assert data("table", "check", *other)["items"] == WHOLE

    def test_what_an_api_writes_by_itself_is_no_data(
        self, export: str, other: tuple[str, str], client: DynamoDBClient
    ) -> None:
        client.put_item(TableName=OTHER, Item=STATE)

        assert data("table", "import", export, *other) == {"items": 3}

    def test_a_table_with_data_is_written_only_again(self, export: str) -> None:
        result = losi("table", "import", export)

        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.startswith("Error: The table is not empty. ")
        assert data("table", "import", export, "--again") == {"items": 3}

    def test_a_file_that_is_no_copy_or_missing(
        self, other: tuple[str, str], tmp_path: Path
    ) -> None:
        (tmp_path / "bad").write_text("no copy")

        said = error("table", "import", str(tmp_path / "bad"), *other)
        assert said.startswith("Line 1 of ")
        missing = str(tmp_path / "missing")
        said = error("table", "import", missing, *other)
        assert said == f"{missing} cannot be read: No such file or directory."


class TestCheck:
    def test_a_table_in_which_all_is_right(self, accounts: Accounts) -> None:
        accounts.create_account("pro", name="Ada")

        assert output("table", "check") == NO_MISTAKES
        assert data("table", "check") == {"items": WHOLE, "mistakes": []}

    def test_a_mistake_is_named_and_makes_the_exit_code_1(self, client: DynamoDBClient) -> None:
        client.put_item(TableName=TABLE, Item={"pk": {"S": "WHAT"}, "sk": {"S": "1"}})
        why = "WHAT 1: no version that is known here writes it"

        shown, told = losi("table", "check"), losi("table", "check", "--json")

        assert (shown.exit_code, shown.stderr) == (1, f"{why}\n")
        assert shown.stdout.endswith("\n\n1 mistakes.\n")
        assert told.exit_code == 1
        assert json.loads(told.stdout)["mistakes"] == [why]


@pytest.mark.parametrize(("every", "said"), [(3, "3 items of 3 written\n"), (2, "")])
def test_a_long_copy_says_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, export: str, other: tuple[str, str], every: int, said: str
) -> None:
    monkeypatch.setattr(table, "EVERY", every)

    assert losi("table", "import", export, *other).stderr == said


def test_of_an_empty_table_nothing_is_shown(
    client: DynamoDBClient, other: tuple[str, str], tmp_path: Path
) -> None:
    client.delete_item(TableName=TABLE, Key={"pk": INDEXED["pk"], "sk": INDEXED["sk"]})
    file = str(tmp_path / "losi.jsonl")

    result = losi("table", "export", file, "--json")

    assert (result.stderr, json.loads(result.stdout)["items"]) == ("", 0)
    assert data("table", "import", file, *other) == {"items": 0}
