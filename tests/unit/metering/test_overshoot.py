"""How far a quota can be passed: the bound of docs/ledger.md, and what tries to pass it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from losi.catalogue.loader import load
from losi.catalogue.models import Catalogue
from losi.catalogue.plans import Plan
from losi.errors import LosiError, QuotaExceededError
from losi.metering.estimate import input_tokens
from losi.metering.usage import Usage
from tests.catalogue import CATALOGUE
from tests.ledger_world import ACCOUNT, BlockingLedger, Clock, admit, caller
from tests.loose import Json

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

DOCS = Path(__file__).parents[3] / "docs" / "ledger.md"
FREE = CATALOGUE.plans["free"]
TODAY = datetime(2026, 11, 23, tzinfo=UTC).date()
#: Tokens that the largest model of the plan reads, and answers with.
WINDOW, ANSWER = 128_000, 16_384


def overshoot(plan: Plan, window: int, answer: int, *, packed: bool = False) -> int:
    """The bound: what the running requests may use beyond what is held for them. Of a window at
    least a quarter is held, but for what is packed.
    """
    unseen = window if packed else window * 3 // 4
    return plan.in_flight * (unseen + answer - plan.hold_output_tokens)


def shipped(catalogue: Catalogue, plan: Plan) -> tuple[int, int]:
    models = list(catalogue.of_plan(plan, "chat"))
    return max(m.context_window for m in models), max(m.max_output_tokens for m in models)


def test_the_documented_bounds_are_those_of_the_shipped_plans() -> None:
    catalogue = load()
    documented = DOCS.read_text()
    for plan in catalogue.plans.values():
        window, answer = shipped(catalogue, plan)
        row = (
            f"| {plan.name} | {plan.tokens_per_day:,} | {plan.in_flight} | {window:,} | {answer:,} "
            f"| {plan.hold_output_tokens:,} | {overshoot(plan, window, answer):,} "
            f"| {overshoot(plan, window, answer, packed=True):,} |"
        )
        assert row in documented


def text(content: Any) -> Json:
    return {"messages": [{"role": "user", "content": content}]}


def attached(data: str) -> Json:
    return text([{"type": "file", "file": {"file_data": data}}])


LETTERS = "qjxzvkwf" * (WINDOW // 8)
#: Prompts of a whole window, in places where most of them were once estimated at nothing.
DEAR = {
    "rare letters": text(LETTERS),
    "of four bytes a letter": text("\U00012000" * (WINDOW // 4)),
    "beside an image": text([{"type": "image_url", "image_url": {"url": ""}, "text": LETTERS}]),
    "an author's name": {"messages": [{"role": "user", "content": "Hi", "name": LETTERS}]},
    "thinking": {
        "messages": [
            {"role": "assistant", "content": "x", "thinking_blocks": [{"thinking": LETTERS}]},
            {"role": "user", "content": "Hi"},
        ]
    },
    "a file of text": attached("data:text/plain," + LETTERS),
}


@pytest.mark.parametrize("body", DEAR.values(), ids=DEAR.keys())
def test_the_dearest_prompts_do_not_pass_the_bound(
    table: tuple[DynamoDBClient, str], body: Json
) -> None:
    """The day is filled to what two more leave of it, and both take all that there is."""
    clock = Clock()
    ledger = BlockingLedger(*table, clock)
    held = input_tokens(body) + FREE.hold_output_tokens
    used = FREE.tokens_per_day - FREE.in_flight * held
    while used > 0:
        spent = min(used, FREE.tokens_per_minute)
        ledger.settle(admit(ledger, caller(FREE), clock, tokens=spent).hold, Usage(spent, 0))
        used -= spent
        clock.advance(60)

    running = []
    for _ in range(FREE.in_flight):
        running.append(admit(ledger, caller(FREE), clock, tokens=held).hold)
        clock.advance(60)
    with pytest.raises(LosiError):
        admit(ledger, caller(FREE), clock, tokens=1)
    for hold in running:
        ledger.settle(hold, Usage(WINDOW, ANSWER))

    (day,) = ledger.usage(ACCOUNT, TODAY, TODAY)
    passed = day.total.total_tokens - FREE.tokens_per_day
    assert 0 < passed <= overshoot(FREE, WINDOW, ANSWER)


@pytest.mark.parametrize(
    "body",
    [
        text("\u6f22" * 60_000),
        text("\x00\x7f" * (WINDOW // 2)),
        attached("data:text/plain;base64," + "A" * 5_000_000),
    ],
    ids=["Chinese", "signs", "a file of five megabytes"],
)
def test_what_is_larger_than_a_minute_is_refused_however_it_is_written(
    table: tuple[DynamoDBClient, str], body: Json
) -> None:
    """Chinese was once taken for a quarter of what it is, a file for a thousand tokens."""
    clock = Clock()
    ledger = BlockingLedger(*table, clock)
    held = input_tokens(body) + FREE.hold_output_tokens

    with pytest.raises(QuotaExceededError) as refused:
        admit(ledger, caller(FREE), clock, tokens=held)

    assert refused.value.code == "request_exceeds_limit"
