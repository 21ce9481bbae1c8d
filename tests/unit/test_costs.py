"""The prices in the documentation are those that bench/cost.py computes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bench import cost
from losi.metering.usage import Usage
from tests.dynamodb_items import item_bytes
from tests.evaluated_template import EvaluatedTemplate
from tests.ledger_world import BlockingLedger, Clock, admit, caller, day_item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("page", "table"),
    [("performance.md", cost.table()), ("scale.md", cost.table_of_one_account())],
)
def test_the_page_has_the_table(page: str, table: str) -> None:
    begin = "<!-- python -m bench.cost -->\n\n"

    assert (ROOT / "docs" / page).read_text().split(begin)[1].split("\n<!-- end -->")[0] == table


def test_a_days_item_is_as_large_as_the_table_says(table: tuple[DynamoDBClient, str]) -> None:
    """Of ten keys and five models, each with half a million tokens; then each request in flight."""
    clock = Clock()
    ledger = BlockingLedger(*table, clock)
    pairs = [(f"Key{key:05}", f"4o{model}") for key in range(10) for model in range(5)]
    used = Usage(412_345, 98_765, 301_234, 4_321, 23_456)
    for key_id, model in pairs:
        ledger.settle(admit(ledger, caller(key_id=key_id), clock, model=model).hold, used)
        clock.advance(60)
    settled = item_bytes(day_item(table))
    for number, (key_id, model) in enumerate(pairs):
        admit(ledger, caller(key_id=key_id), clock, model=model, request_id=f"{number:016}")

    assert settled == pytest.approx(cost.DAY_BYTES, rel=0.05)
    held = item_bytes(day_item(table)) - settled
    assert held / len(pairs) == pytest.approx(cost.HOLD_BYTES, rel=0.05)


def test_one_account_has_as_many_streams_as_its_item_takes_writes() -> None:
    most = cost.most_in_flight(20)

    assert cost.write_units(most) * most / 20 <= cost.ITEM_UNITS_A_SECOND
    assert cost.write_units(most + 1) * (most + 1) / 20 > cost.ITEM_UNITS_A_SECOND
    # as DynamoDB Local counts them (tests/integration/test_ledger_cost.py)
    assert cost.write_units(0) == cost.write_units(10) == 6


def test_it_is_computed_for_what_the_template_makes() -> None:
    template = EvaluatedTemplate({"ManagedInstances": "on"})
    config = template.resources["ChatOnInstancesFunction"]["Properties"]["CapacityProviderConfig"]

    assert template.parameters["ChatMemory"] / 1024 == cost.CHAT_GB
    assert config["PerExecutionEnvironmentMaxConcurrency"] * 2 == cost.STREAMS_AN_INSTANCE
