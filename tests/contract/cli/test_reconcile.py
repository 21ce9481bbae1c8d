"""`losi reconcile`: a provider's figures beside those of the books."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from losi.cli import reconcile, session
from losi.cli.connection import Connection
from losi.metering.comparison import Line
from losi.metering.usage import Usage
from losi.metering.usage_exports import Figures
from tests.contract.cli.command_line import error, losi
from tests.dynamodb_client import TABLE
from tests.ledger_world import KEY, BlockingLedger, Clock, admit, caller

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
        shown = losi("reconcile", "--provider", "openai", file)

        why = line.pop("why")
        assert "failed and repeated attempts" in why
        names = line.pop("provider_models")
        assert "gpt-4o" in names.split(", ")
        assert "gpt-4o" in line.pop("models")
        assert line == {
            "day": str(today),
            "provider": {"requests": 2, "input_tokens": 2000, "output_tokens": 1000},
            "books": {"requests": 1, "input_tokens": 1000, "output_tokens": 500},
            "differs": True,
        }
        assert result.exit_code == shown.exit_code == 1
        head, _, *rows = shown.stdout.split("\n\n")[0].splitlines()
        assert " ".join(head.split()) == "DAY MODEL REQUESTS INPUT OUTPUT"
        assert head.startswith("DAY          MODEL   ")
        assert head.endswith("   REQUESTS   INPUT   OUTPUT")
        assert [line.split()[-3:] for line in rows[:2]] == [
            ["2", "2,000", "1,000"],
            ["1", "1,000", "500"],
        ]
        assert not any(line.endswith(" ") for line in rows[:2]), "numbers end under their head"
        assert shown.stdout.partition("\n\n")[2] == (
            "Of two figures, the first is the provider's and the second is from the books.\n\n"
            f"{today} {names}: {why}.\n\n1 of 1 differ.\n"
        )

    def test_a_provider_that_tells_no_requests_has_a_dash(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        line = Line(
            date(2026, 11, 23), "claude", (), Figures(None, 1000, 500), Figures(5, 1000, 500), ""
        )

        reconcile._print([line])

        assert capsys.readouterr().out.splitlines()[2].split()[-3:] == ["-", "1,000", "500"]

    def test_usage_of_one_model_adds_up_over_accounts(
        self, use: Callable[..., None], today: date, tmp_path: Path
    ) -> None:
        use("account001")
        use("account002")
        file = self.exported(tmp_path, today, 2)

        [line] = json.loads(losi("reconcile", "--provider", "openai", file, "--json").stdout)

        assert line["books"] == line["provider"]
        assert (line["differs"], line["why"]) == (False, "")

    def test_days_before_the_register_take_a_scan(self, today: date, tmp_path: Path) -> None:
        file = self.exported(tmp_path, today - timedelta(200), 1)

        assert "Add --scan" in error("reconcile", "--provider", "openai", file)
        assert losi("reconcile", "--provider", "openai", file, "--scan").exit_code == 1

    def test_a_file_that_is_none(self, tmp_path: Path) -> None:
        (tmp_path / "no.json").write_text("{}")

        said = error("reconcile", "--provider", "openai", str(tmp_path / "no.json"))
        assert said.startswith("This is no usage export of openai")
        said = error("reconcile", "--provider", "openai", str(tmp_path / "missing"))
        assert said == f"{tmp_path / 'missing'} cannot be read: No such file or directory."
