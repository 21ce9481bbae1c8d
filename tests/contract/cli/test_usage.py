"""`losi usage`: what a span of days cost, over all accounts and each way of summing up."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from losi.cli import session
from losi.cli.connection import Connection
from losi.management.accounts import Accounts
from losi.metering.usage import Usage
from tests.catalogue import CATALOGUE
from tests.contract.cli.command_line import data, error, output
from tests.dynamodb_client import TABLE
from tests.ledger_world import KEY, BlockingLedger, Clock, admit, caller

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

pytestmark = pytest.mark.usefixtures("elsewhere")

Use = Callable[..., None]
CODES = {model.id: model.code for model in CATALOGUE.models.values()}
#: At gpt-4o's 2.50 and 10 dollars a million.
GPT_4O, GPT_4O_COST = Usage(400_000, 2_000), 1.02


@pytest.fixture(autouse=True)
def local(client: DynamoDBClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "connect", lambda *_: Connection(client, TABLE, "http://x"))


@pytest.fixture
def use(ledger: BlockingLedger, clock: Clock) -> Use:
    """Let an account use the API, so many days ago."""

    def use(
        account: str, model: str = "gpt-4o", key: str = KEY, *, ago: int = 0, test: bool = False
    ) -> None:
        clock.now = (datetime.now(UTC).replace(hour=12) - timedelta(ago)).timestamp()
        who = caller(account_id=account, key_id=key, test=test)
        ledger.settle(admit(ledger, who, clock, model=CODES.get(model, model)).hold, GPT_4O)

    return use


@pytest.fixture
def ada(accounts: Accounts) -> str:
    return accounts.create_account("pro", name="Ada Lovelace").id


def day(ago: int) -> str:
    return str(datetime.now(UTC).date() - timedelta(ago))


class TestAllAccounts:
    def test_each_has_a_line_the_dearest_first_and_all_a_total(self, use: Use, ada: str) -> None:
        use("account001")
        use(ada)
        use(ada, key="Key00009", ago=3)

        shown = output("usage")

        head, _, first, second, total = shown.splitlines()
        assert head == "ACCOUNT           NAME           REQUESTS       INPUT   OUTPUT      COST"
        assert re.match(rf"acct_{ada} +Ada Lovelace +2 +800,000 +4,000 +\$2.0400", first)
        assert re.match(r"acct_account001 +- +1 +400,000 +2,000 +\$1.0200", second)
        assert re.match(r"Total +3 +1,200,000 +6,000 +\$3.0600", total)
        assert max(map(len, shown.splitlines())) <= 80

    def test_only_the_days_that_are_asked_for_and_live_keys_count(self, use: Use) -> None:
        use("account001", ago=2)
        use("account002", ago=5)
        use("account003", ago=2, test=True)

        [one] = data("usage", "--from", day(3), "--to", day(1))

        assert (one["account"], one["cost_usd"]) == ("acct_account001", GPT_4O_COST)
        assert output("usage", "--to", day(9)).startswith("No usage from ")

    def test_unless_it_is_said_they_are_the_last_30_days(self, use: Use) -> None:
        use("account001", ago=29)
        use("account002", ago=30)

        assert [one["account"] for one in data("usage")] == ["acct_account001"]
        assert len(data("usage", "--from", day(30), "--to", day(30))) == 1

    def test_keys_that_are_gone_still_count(self, use: Use, ledger: BlockingLedger) -> None:
        use("account001", key="Key00009")
        ledger.forget_key("account001", "Key00009")

        for how in ([], ["--scan"]):
            assert [one["requests"] for one in data("usage", *how)] == [1]

    def test_by_model(self, use: Use) -> None:
        use("account001", "gpt-4o")
        use("account002", "gpt-4o")
        use("account002", "gpt-4o-mini")

        sums = {one["model"]: one["requests"] for one in data("usage", "--by", "model")}

        assert list(sums.items()) == [("gpt-4o", 2), ("gpt-4o-mini", 1)]

    def test_by_provider_as_far_as_routes_tell(self, use: Use) -> None:
        use("account001", "gpt-4o")
        use("account001", "losi-omega")
        use("account001", "sandbox")
        use("account001", "gone")

        sums = {one["provider"]: one for one in data("usage", "--by", "provider")}

        omega = {route.provider.id for route in CATALOGUE.models["losi-omega"].routes}
        assert len(omega) > 1
        assert set(sums) == {"openai", " or ".join(sorted(omega)), "sandbox", "unknown"}
        assert sums["sandbox"]["cost_usd"] == 0

    def test_by_several_as_csv(self, use: Use) -> None:
        use("account002", ago=1)
        use("account001", ago=1)
        use("account001")

        text = output("usage", "--by", "day", "--by", "account", "--by", "key", "--csv")

        rows = list(csv.DictReader(io.StringIO(text)))
        assert [(row["day"], row["account"]) for row in rows] == [
            (day(1), "acct_account001"),
            (day(1), "acct_account002"),
            (day(0), "acct_account001"),
        ]
        assert list(rows[0])[:6] == [
            *("day", "account", "key", "requests", "input_tokens", "output_tokens")
        ]
        assert (rows[0]["key"], rows[0]["cost_usd"]) == (f"key_{KEY}", "1.02")

    def test_days_before_the_register_take_a_scan(self, use: Use) -> None:
        use("account001", ago=150)
        old = ("usage", "--from", day(200))

        assert data("usage", "--from", day(99)) == []
        oldest = f"Days before {day(99)} are not in the register."
        assert error("usage", "--from", day(100)).startswith(oldest)
        assert error(*old) == f"{oldest} Add --scan to read the whole table."
        assert [one["requests"] for one in data(*old, "--scan")] == [1]


class TestAnAccount:
    def test_by_model_and_as_csv(self, use: Use, ada: str) -> None:
        use(ada, ago=1)
        use(ada)

        assert [one["requests"] for one in data("usage", ada_id(ada), "--by", "model")] == [2]
        by_day = output("usage", ada_id(ada), "--csv").splitlines()
        assert [line.partition(",")[0] for line in by_day] == ["day", day(1), day(0)]

    def test_by_day_with_a_total(self, use: Use, ada: str) -> None:
        use(ada, ago=2)
        use(ada, ago=1)
        use(ada)

        shown = output("usage", ada_id(ada), "--from", day(1))

        head, _, first, second, total = (line.split() for line in shown.splitlines())
        assert head == ["DAY", "REQUESTS", "INPUT", "OUTPUT", "COST"]
        assert first == [day(1), "1", "400,000", "2,000", "$1.0200"]
        assert second == [day(0), *first[1:]]
        assert total == ["Total", "2", "800,000", "4,000", "$2.0400"]
        assert [one["day"] for one in data("usage", ada_id(ada), "--from", day(1))] == [
            day(1),
            day(0),
        ]

    @pytest.mark.parametrize("how", [[], ["--json"], ["--by", "model"]])
    def test_one_that_does_not_exist_is_no_usage(self, how: list[str]) -> None:
        assert "No such account" in error("usage", "acct_0000000000", *how)

    def test_its_details_say_what_each_key_and_model_cost(self, use: Use, ada: str) -> None:
        use(ada)

        [today] = data("usage", ada_id(ada))

        assert today["cost_usd"] == today["by_key_and_model"][0]["cost_usd"] == GPT_4O_COST


class TestMistakes:
    def test_two_formats_are_one_too_many(self) -> None:
        assert "Choose one" in error("usage", "--csv", "--json")

    def test_the_first_day_there_is(self) -> None:
        assert data("usage", "--scan", "--to", str(date.min)) == []


def ada_id(id: str) -> str:
    return f"acct_{id}"
