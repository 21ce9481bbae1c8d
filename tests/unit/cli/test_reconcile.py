"""`losi reconcile`: a provider's figures beside those of the books."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from losi.cli import session
from losi.cli.connection import Connection
from losi.metering.usage import Usage
from tests.ledger_world import KEY, BlockingLedger, Clock, admit, caller
from tests.unit.cli.command_line import error, losi
from tests.unit.conftest import TABLE

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@pytest.mark.usefixtures("elsewhere")
class TestTheCommand:
    @pytest.fixture
    def today(self, clock: Clock) -> date:
        clock.now = datetime.now(UTC).replace(hour=12).timestamp()
        return datetime.fromtimestamp(clock.now, UTC).date()

    @pytest.fixture(autouse=True)
    def local(
        self, client: DynamoDBClient, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[DynamoDBClient]:
        monkeypatch.setattr(session, "connect", lambda *_: Connection(client, TABLE, "http://x"))
        yield client

    @pytest.fixture
    def use(self, ledger: BlockingLedger, clock: Clock) -> Callable[..., None]:
        def use(account_id: str, key_id: str = KEY, *, test: bool = False) -> None:
            who = caller(account_id=account_id, key_id=key_id, test=test)
            ledger.settle(admit(ledger, who, clock, model="4o").hold, Usage(1000, 500, 800))

        return use

    def exported(self, tmp_path: Path, day: date, requests: int) -> str:
        start = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
        row = {
            "model": "gpt-4o-2024-11-20",
            "num_model_requests": requests,
            "input_tokens": 1000 * requests,
            "output_tokens": 500 * requests,
        }
        file = tmp_path / "usage.json"
        file.write_text(json.dumps({"data": [{"start_time": start, "results": [row]}]}))
        return str(file)

    def test_all_accounts_count_deleted_keys_too_and_test_keys_do_not(
        self,
        use: Callable[..., None],
        ledger: BlockingLedger,
        today: date,
        tmp_path: Path,
    ) -> None:
        use("account001")
        use("account002")
        use("account002", "Key00009")
        use("account002", test=True)
        ledger.forget_key("account002", "Key00009")
        file = self.exported(tmp_path, today, 3)

        for how in ([], ["--scan"]):
            result = losi("reconcile", "--provider", "openai", file, *how)
            assert result.exit_code == 0, result.output
            assert "All agree." in result.stdout

    def test_a_difference_is_shown_and_makes_the_exit_code_1(
        self, use: Callable[..., None], today: date, tmp_path: Path
    ) -> None:
        use("account001")
        file = self.exported(tmp_path, today, 2)

        result = losi("reconcile", "--provider", "openai", file, "--json")
        [line] = json.loads(result.stdout)
        shown = losi("reconcile", "--provider", "openai", file).stdout

        assert result.exit_code == 1
        assert line["provider"] == {"requests": 2, "input_tokens": 2000, "output_tokens": 1000}
        assert line["books"] == {"requests": 1, "input_tokens": 1000, "output_tokens": 500}
        assert "failed and repeated attempts" in shown and "1 of 1 differ." in shown

    def test_days_before_the_register_take_a_scan(self, today: date, tmp_path: Path) -> None:
        file = self.exported(tmp_path, today - timedelta(200), 1)

        assert "Add --scan" in error("reconcile", "--provider", "openai", file)
        assert losi("reconcile", "--provider", "openai", file, "--scan").exit_code == 1

    def test_a_file_that_is_none(self, tmp_path: Path) -> None:
        (tmp_path / "no.json").write_text("{}")

        said = error("reconcile", "--provider", "openai", str(tmp_path / "no.json"))
        assert said.startswith("This is no usage export of openai")
        said = error("reconcile", "--provider", "openai", str(tmp_path / "missing"))
        assert "cannot be read" in said
