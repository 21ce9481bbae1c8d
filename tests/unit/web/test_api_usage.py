"""GET /api/v1/api-usage: grouped rows, what they cost, and the day that it is."""

from datetime import date

import pytest

from losi.errors import InvalidRequestError
from losi.metering.ledger import DayUsage
from losi.metering.usage import Usage
from losi.web.api_usage import date_range, grouped_rows
from tests.catalogue import CATALOGUE

CLAUDE = Usage(1_000, 100, cached_tokens=800, cache_write_tokens=100)
MINI = Usage(2_000, 0)
DAY = DayUsage(
    date(2026, 11, 23),
    CLAUDE + CLAUDE + MINI,
    requests=4,
    by_key_model={
        ("Key00001", "c35"): (1, CLAUDE),
        ("Key00001", "4om"): (2, MINI),
        ("Key00002", "c35"): (1, CLAUDE),
    },
)
CLAUDE_COST = (100 * 3.00 + 800 * 0.30 + 100 * 3.75 + 100 * 15.00) / 1e6
MINI_COST = 2_000 * 0.15 / 1e6


def test_by_model_with_the_price_of_cached_tokens() -> None:
    claude, mini = grouped_rows([DAY], "model", CATALOGUE)

    assert (claude["model"], claude["total_requests"]) == ("claude-3.5-sonnet", 2)
    assert claude["cost_usd"] == round(2 * CLAUDE_COST, 6)
    assert (mini["model"], mini["total_requests"]) == ("gpt-4o-mini", 2)
    assert mini["cost_usd"] == round(MINI_COST, 6)


def test_by_key_each_with_what_it_used_alone() -> None:
    first, second = grouped_rows([DAY], "key", CATALOGUE)

    assert (first["key"], first["total_requests"]) == ("key_Key00001", 3)
    assert first["total_input_tokens"] == 3_000
    assert first["cost_usd"] == round(CLAUDE_COST + MINI_COST, 6)
    assert (second["key"], second["total_requests"]) == ("key_Key00002", 1)
    assert second["total_cached_tokens"] == 800


def test_a_row_to_the_field_rounded_to_a_millionth() -> None:
    usage = Usage(11, 4, cached_tokens=5, reasoning_tokens=3)
    pairs = {("Key00001", "gone"): (7, usage), ("Key00001", "4om"): (2, Usage(11, 0))}
    day = DayUsage(date(2026, 11, 23), usage + Usage(11, 0), 9, pairs)

    unknown, mini = grouped_rows([day], "model", CATALOGUE)

    assert (mini["model"], mini["cost_usd"]) == ("gpt-4o-mini", 0.000002)
    assert unknown == {
        "day": "2026-11-23",
        "model": "gone",  # its code in the books, as the catalogue knows it no more
        "total_requests": 7,
        "total_input_tokens": 11,
        "total_output_tokens": 4,
        "total_cached_tokens": 5,
        "total_reasoning_tokens": 3,
        "cost_usd": 0.0,
    }


def test_groups_add_up_to_the_day() -> None:
    for rows in (grouped_rows([DAY], "model", CATALOGUE), grouped_rows([DAY], "key", CATALOGUE)):
        assert sum(row["total_requests"] for row in rows) == DAY.requests
        assert sum(row["total_input_tokens"] for row in rows) == DAY.total.input_tokens
        assert sum(row["total_output_tokens"] for row in rows) == DAY.total.output_tokens


def test_every_model_of_the_catalogue_has_a_cost() -> None:
    for model in CATALOGUE.models.values():
        pairs = {("Key00001", model.code): (1, Usage(1_000_000, 1_000_000))}
        day = DayUsage(date(2026, 11, 23), Usage(1_000_000, 1_000_000), 1, pairs)

        assert grouped_rows([day], "model", CATALOGUE)[0]["cost_usd"] > 0


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (None, None, (date(2026, 10, 25), date(2026, 11, 23))),
        ("2026-11-23", None, (date(2026, 11, 23), date(2026, 11, 23))),
        (None, "2026-01-30", (date(2026, 1, 1), date(2026, 1, 30))),
        (None, "0001-01-01", (date.min, date.min)),
    ],
)
def test_dates_left_out(start: str | None, end: str | None, expected: tuple[date, date]) -> None:
    assert date_range(start, end, date(2026, 11, 23)) == expected


@pytest.mark.parametrize(
    ("start", "end", "says"),
    [
        (
            "2026-11-24",
            "2026-11-20",
            "'start_date' (2026-11-24) is after 'end_date' (2026-11-20). Swap them.",
        ),
        (
            "2026-11-24",
            None,
            "'start_date' (2026-11-24) is after 'end_date' (2026-11-23: today in UTC, as none was "
            "sent). Choose an earlier day.",
        ),
        (
            "2025-10-19",
            None,
            "From 'start_date' (2025-10-19) to 'end_date' (2026-11-23: today in UTC, as none was "
            "sent) are 401 days; at most 400 are answered at once. Ask for a shorter range.",
        ),
    ],
)
def test_a_range_that_is_none_is_explained(start: str, end: str | None, says: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        date_range(start, end, date(2026, 11, 23))

    assert refused.value.message == says
    assert (refused.value.param, refused.value.code) == ("start_date", "invalid_value")
