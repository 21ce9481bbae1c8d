"""What was spent, summed up in each way."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import pytest

from losi.metering.day_item import DayUsage
from losi.metering.everyone import Used, days_between, of_account
from losi.metering.spending import By, Spent, spent
from losi.metering.usage import Usage
from tests.catalogue import CATALOGUE

DAY, NEXT = date(2026, 11, 23), date(2026, 11, 24)
CODES = {model.id: model.code for model in CATALOGUE.models.values()}
LARGE, SMALL, MANY = (CODES[id] for id in ("gpt-4o", "gpt-4o-mini", "losi-omega"))


def used(
    account: str = "a", day: date = DAY, key: str = "Key00001", code: str = LARGE, tokens: int = 1
) -> Used:
    return Used(account, day, key, code, 1, Usage(tokens, 0))


def names(rows: list[Used], *by: By) -> list[tuple[str, ...]]:
    return list(spent(rows, by, CATALOGUE))


def test_each_way_of_summing_up_has_its_names() -> None:
    assert names([used()], *By) == [("2026-11-23", "acct_a", "key_Key00001", "gpt-4o", "openai")]


@pytest.mark.parametrize(
    ("code", "model", "provider"),
    [
        ("sandbox", "sandbox", "sandbox"),
        ("zz", "zz", "unknown"),
        (
            MANY,
            "losi-omega",
            " or ".join(
                sorted({route.provider.id for route in CATALOGUE.models["losi-omega"].routes})
            ),
        ),
    ],
)
def test_what_has_no_model_or_several_providers(code: str, model: str, provider: str) -> None:
    assert names([used(code=code)], By.MODEL, By.PROVIDER) == [(model, provider)]


def test_what_has_one_name_is_added_up_at_its_model_s_price() -> None:
    """gpt-4o costs 2.50 dollars for a million tokens of input, and 10 of output."""
    rows = [
        Used("a", DAY, "Key00001", LARGE, 2, Usage(1_000_000, 100_000)),
        Used("a", NEXT, "Key00002", LARGE, 3, Usage(0, 100_000)),
        Used("a", NEXT, "Key00002", "zz", 5, Usage(7, 0)),
    ]

    assert spent(rows, [By.ACCOUNT], CATALOGUE) == {
        ("acct_a",): Spent(10, Usage(1_000_007, 200_000), 2.50 + 2 * 1.00)
    }


@pytest.mark.parametrize(
    ("by", "in_order"),
    [
        ([By.ACCOUNT], ["acct_c", "acct_a", "acct_b"]),
        ([By.DAY, By.ACCOUNT], ["acct_a", "acct_b", "acct_c"]),
        ([By.ACCOUNT, By.DAY], ["acct_a", "acct_b", "acct_c"]),
    ],
)
def test_the_dearest_is_first_unless_days_are_told_apart(
    by: Sequence[By], in_order: list[str]
) -> None:
    rows = [used("b", tokens=10), used("a", tokens=10), used("c", tokens=20)]

    assert [name[by.index(By.ACCOUNT)] for name in names(rows, *by)] == in_order


def test_as_json_has_every_figure_and_whole_micro_dollars() -> None:
    sum_ = Spent(2, Usage(10, 20, 3, 2, 5, 1, estimated=True), 0.12345649)

    assert sum_.as_json() == {
        "requests": 2,
        "input_tokens": 10,
        "output_tokens": 20,
        "cached_tokens": 3,
        "cache_write_tokens": 2,
        "reasoning_tokens": 5,
        "hour_write_tokens": 1,
        "cost_usd": 0.123456,
    }


def test_the_days_of_an_account_have_a_row_for_each_key_and_model() -> None:
    usage = {("Key00001", LARGE): (2, Usage(10, 1)), ("Key00002", SMALL): (3, Usage(20, 2))}

    rows = list(of_account("a", [DayUsage(DAY, Usage(30, 3), 5, usage)]))

    assert rows == [
        Used("a", DAY, "Key00001", LARGE, 2, Usage(10, 1)),
        Used("a", DAY, "Key00002", SMALL, 3, Usage(20, 2)),
    ]


def test_days_between_have_both_ends() -> None:
    assert days_between(DAY, NEXT) == [DAY, NEXT]
    assert days_between(DAY, DAY) == [DAY]
    assert days_between(NEXT, DAY) == []
