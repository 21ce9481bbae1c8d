"""A table goes into a file and back into a new table, and everything in it still holds."""

from __future__ import annotations

import gzip
import json
import stat
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from local.table import create_table
from losi.cli import app, session
from losi.cli.connection import Connection
from losi.identity.authenticator import Authenticator
from losi.identity.key import NewKey
from losi.identity.principal import ALL_PERMISSIONS
from losi.identity.secret import Secret
from losi.management.accounts import Accounts
from losi.metering.usage import Usage
from tests.catalogue import CATALOGUE
from tests.ledger_invariants import check_invariants
from tests.ledger_world import BlockingLedger, Clock, admit
from tests.old_items import VERSIONS, written_by

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Losi = Callable[..., Any]


@pytest.fixture
def new_table(dynamodb: DynamoDBClient) -> Iterator[str]:
    name = f"losi-{uuid.uuid4().hex}"
    create_table(dynamodb, name)
    yield name
    dynamodb.delete_table(TableName=name)


@pytest.fixture
def losi(dynamodb: DynamoDBClient, losi_table: str, monkeypatch: pytest.MonkeyPatch) -> Losi:
    """Runs a command on the table; answers the exit code and all that was said."""
    monkeypatch.setattr(session, "connect", lambda *_: Connection(dynamodb, losi_table, "http://x"))

    def run(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, ["table", *arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result.exit_code, result.output

    return run


@pytest.fixture
def secret(dynamodb: DynamoDBClient, losi_table: str) -> Secret:
    """A table that was used: accounts, keys, one deleted, days with holds, records of audit."""
    clock = Clock()
    ledger = BlockingLedger(dynamodb, losi_table, clock)
    accounts = Accounts(dynamodb, losi_table, ledger, CATALOGUE.plans, clock)
    authenticator = Authenticator(dynamodb, losi_table, CATALOGUE.plans, clock)
    for number in range(3):
        account = accounts.create_account("pro", name="Ada", email=f"ada{number}@example.com")
        made = [accounts.create_key(account.id, NewKey(n, ALL_PERMISSIONS)) for n in ("a", "b")]
        for _, secret in made:
            principal = authenticator.authenticate(secret)
            ledger.settle(admit(ledger, principal, clock).hold, Usage(100, 50))
            admit(ledger, principal, clock)
        accounts.delete_key(account.id, made[1][0].id)
    return made[0][1]


def items(client: DynamoDBClient, table: str) -> list[dict[str, Any]]:
    found = client.scan(TableName=table, ConsistentRead=True)["Items"]
    return sorted(found, key=lambda item: (item["pk"]["S"], item["sk"]["S"]))


@pytest.mark.parametrize("name", ["losi.jsonl", "losi.jsonl.gz"])
def test_all_of_it_comes_back(
    dynamodb: DynamoDBClient,
    losi_table: str,
    new_table: str,
    losi: Losi,
    secret: Secret,
    tmp_path: Path,
    name: str,
) -> None:
    file = tmp_path / name
    before = losi("check", "--json")

    assert losi("export", str(file))[0] == 0
    assert losi("import", str(file), "--table", new_table)[0] == 0

    assert items(dynamodb, new_table) == items(dynamodb, losi_table)
    assert losi("check", "--json", "--table", new_table) == before
    assert json.loads(before[1])["items"]["accounts"] == 3
    check_invariants(dynamodb, new_table)
    known = Authenticator(dynamodb, new_table, CATALOGUE.plans, Clock()).authenticate(secret)
    assert known.account_id == secret.account_id


@pytest.mark.parametrize("version", VERSIONS)
def test_what_earlier_versions_wrote_is_right_too(
    dynamodb: DynamoDBClient, losi_table: str, losi: Losi, version: str
) -> None:
    written_by(version).load(dynamodb, losi_table)

    code, said = losi("check")

    assert (code, "No mistakes." in said) == (0, True), said


def test_others_cannot_read_the_file(losi: Losi, secret: Secret, tmp_path: Path) -> None:
    losi("export", str(tmp_path / "losi.jsonl"))

    [file] = tmp_path.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_table_with_data_is_not_written_over_unless_an_import_goes_on(
    losi: Losi, secret: Secret, tmp_path: Path
) -> None:
    file = str(tmp_path / "losi.jsonl")
    losi("export", file)

    assert losi("import", file) == (
        1,
        "Error: The table is not empty. Import into a new one. --again goes on with an import that "
        "broke off: the file's items replace the table's, newer ones too.\n",
    )
    assert losi("import", file, "--again")[0] == 0


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text[: len(text) // 2],
        lambda text: text + b'{"Item": {"sk": {"S": "x"}}}\n',
        lambda text: text + b"[]\n",
        lambda text: gzip.compress(text)[:-20],
        lambda text: b"no copy",
    ],
)
def test_a_damaged_file_does_nothing(
    dynamodb: DynamoDBClient,
    new_table: str,
    losi: Losi,
    secret: Secret,
    tmp_path: Path,
    spoil: Callable[[bytes], bytes],
) -> None:
    good = tmp_path / "good.jsonl"
    losi("export", str(good))
    spoilt = spoil(good.read_bytes())
    bad = tmp_path / ("bad.gz" if spoilt.startswith(b"\x1f\x8b") else "bad")
    bad.write_bytes(spoilt)
    before = items(dynamodb, new_table)

    code, said = losi("import", str(bad), "--table", new_table)

    assert (code, said.startswith("Error: Line ")) == (1, True), said
    assert items(dynamodb, new_table) == before


class TestMistakes:
    @pytest.fixture
    def found(self, dynamodb: DynamoDBClient, losi_table: str, losi: Losi, secret: Secret) -> Losi:
        """What is said when an item is changed; None deletes it."""

        def found(sort: str, change: dict[str, Any] | None) -> list[str]:
            key = {"pk": {"S": f"ACCOUNT#{secret.account_id}"}, "sk": {"S": sort}}
            item = dynamodb.get_item(TableName=losi_table, Key=key).get("Item", key)
            if change is None:
                dynamodb.delete_item(TableName=losi_table, Key=key)
            else:
                dynamodb.put_item(TableName=losi_table, Item={**item, **change})
            code, said = losi("check", "--json")
            assert code == 1
            mistakes: list[str] = json.loads(said)["mistakes"]
            return mistakes

        return found

    def test_the_books(self, found: Losi) -> None:
        (said,) = found("DAY#2026-11-23", {"committed": {"N": "7"}})

        assert "DAY#2026-11-23: committed is 7" in said

    def test_the_side_item_of_deleted_keys(self, found: Losi) -> None:
        (said,) = found("FOLDED-DAY#2026-11-23", None)

        assert "tokens are settled" in said

    def test_the_number_of_keys(self, found: Losi) -> None:
        (said,) = found("PROFILE", {"key_count": {"N": "9"}})

        assert said.endswith("it counts 9 keys, and has 1")

    def test_an_account_that_is_missing(self, found: Losi) -> None:
        said = found("PROFILE", None)

        assert any("the account does not exist" in one for one in said)
        assert any("e-mail address that is not its own" in one for one in said)

    def test_an_item_that_cannot_be_read(self, found: Losi) -> None:
        (said,) = found("DAY#2026-11-23", {"holds": {"S": "no map"}})

        assert "it cannot be read" in said

    def test_an_item_of_no_known_kind(self, found: Losi) -> None:
        (said,) = found("WHAT#1", {})

        assert "no version that is known here writes it" in said
