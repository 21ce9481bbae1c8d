"""Usage as providers report it: brought to one shape, never negative, never absurd."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from losi.catalogue.models import Prices
from losi.metering.usage import MAX_TOKENS, Usage, clamped, cost, estimate_tokens, from_openai


def test_openai_usage_with_details_is_read_whole() -> None:
    reported = {
        "prompt_tokens": 100,
        "completion_tokens": 50,
        "total_tokens": 150,
        "prompt_tokens_details": {"cached_tokens": 80, "cache_write_tokens": 5},
        "completion_tokens_details": {"reasoning_tokens": 30},
    }

    assert from_openai(reported) == Usage(100, 50, 80, 5, 30)


def test_usage_survives_the_round_trip() -> None:
    usage = Usage(10, 20, 3, 2, 5, 1)

    assert from_openai(usage.to_openai()) == usage


def test_every_figure_has_its_place_in_openais_object() -> None:
    assert Usage(10, 20, 3, 2, 5, 1).to_openai() == {
        "prompt_tokens": 10,
        "completion_tokens": 20,
        "total_tokens": 30,
        "prompt_tokens_details": {
            "cached_tokens": 3,
            "cache_write_tokens": 2,
            "cache_write_1h_tokens": 1,
        },
        "completion_tokens_details": {"reasoning_tokens": 5},
    }
    assert Usage(10, 20).to_openai(reported=()) == {
        "prompt_tokens": 10,
        "completion_tokens": 20,
        "total_tokens": 30,
    }


@pytest.mark.parametrize(
    ("detail", "shown"),
    [
        ("cached_tokens", {"prompt_tokens_details": {"cached_tokens": 0}}),
        ("cache_write_tokens", {"prompt_tokens_details": {"cache_write_tokens": 0}}),
        ("cache_write_1h_tokens", {"prompt_tokens_details": {"cache_write_1h_tokens": 0}}),
        ("reasoning_tokens", {"completion_tokens_details": {"reasoning_tokens": 0}}),
    ],
)
def test_a_zero_is_shown_where_the_provider_counted(detail: str, shown: Any) -> None:
    bare = {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30}

    assert Usage(10, 20).to_openai([detail]) == {**bare, **shown}


@pytest.mark.parametrize(
    ("usage", "shown"),
    [
        (Usage(10, 20, cached_tokens=1), {"prompt_tokens_details": {"cached_tokens": 1}}),
        (Usage(10, 20, cache_write_tokens=1), {"prompt_tokens_details": {"cache_write_tokens": 1}}),
        (
            Usage(10, 20, hour_write_tokens=1),
            {"prompt_tokens_details": {"cache_write_1h_tokens": 1}},
        ),
        (Usage(10, 20, reasoning_tokens=1), {"completion_tokens_details": {"reasoning_tokens": 1}}),
    ],
)
def test_what_was_used_is_shown_in_any_case(usage: Usage, shown: Any) -> None:
    bare = {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30}

    assert usage.to_openai(()) == {**bare, **shown}


def test_usages_add_up_and_one_estimate_makes_the_sum_one() -> None:
    one, other = Usage(1, 2, 3, 4, 5, 6), Usage(10, 20, 30, 40, 50, 60, estimated=True)

    assert one + other == other + one == Usage(11, 22, 33, 44, 55, 66, estimated=True)
    assert not (one + one).estimated


@pytest.mark.parametrize(
    ("reported", "expected"),
    [
        ({"prompt_tokens": 10, "completion_tokens": 20}, Usage(10, 20)),
        ({"prompt_tokens": 10, "total_tokens": 10}, Usage(10, 0)),
        ({"prompt_tokens": 10.9, "completion_tokens": True}, Usage(10, 0)),
        ({"prompt_tokens": float("nan"), "completion_tokens": "5"}, Usage(0, 0)),
        ({"prompt_tokens": -1, "completion_tokens": 10**12}, Usage(0, MAX_TOKENS)),
        ({"prompt_tokens": 10, "completion_tokens": 0, "prompt_tokens_details": []}, Usage(10, 0)),
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 20,
                "prompt_tokens_details": {
                    "cached_tokens": 11,
                    "cache_write_tokens": 12,
                    "cache_write_1h_tokens": 13,
                },
                "completion_tokens_details": {"reasoning_tokens": 21},
            },
            Usage(10, 20, 10, 10, 20, 10),
        ),
    ],
)
def test_a_part_is_no_larger_than_what_it_is_part_of(reported: Any, expected: Usage) -> None:
    assert from_openai(reported) == expected


@pytest.mark.parametrize(
    "reported",
    [
        {"prompt_tokens": 10},
        {"prompt_tokens": 10, "completion_tokens": None, "total_tokens": None},
        {"completion_tokens": 20, "total_tokens": 20},
        {"prompt_tokens": None, "completion_tokens": 20},
    ],
)
def test_half_of_the_figures_are_none_as_the_other_half_would_be_free(reported: Any) -> None:
    assert from_openai(reported) is None


@pytest.mark.parametrize(
    ("usage", "counted"),
    [
        (Usage(10, 20, 3, 2, 5, 1), Usage(10, 20, 3, 2, 5, 1)),
        (Usage(101, 201), Usage(100, 200)),
        (Usage(100, 200, estimated=True), Usage(100, 200, estimated=True)),
        (Usage(-1, -1, -1, -1, -1, -1), Usage(0, 0)),
        (Usage(10, 20, 11, 1, 21, 1), Usage(10, 20, 10, 0, 20, 0)),
        (Usage(10, 20, 6, 6, 0, 6), Usage(10, 20, 6, 4, 0, 4)),
    ],
)
def test_what_is_counted_is_no_more_than_it_can_be(usage: Usage, counted: Usage) -> None:
    assert clamped(usage, 100, 200) == counted


def test_no_figure_is_above_ten_million() -> None:
    absurd = {"prompt_tokens": 10**12, "completion_tokens": 10**12}

    assert clamped(Usage(10**12, 10**12)) == Usage(10_000_000, 10_000_000)
    assert from_openai(absurd) == Usage(10_000_000, 10_000_000)


def test_tokens_that_only_the_total_shows_are_counted_as_output() -> None:
    reported = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 40}

    assert from_openai(reported) == Usage(10, 30)


@pytest.mark.parametrize("nothing", [None, {}, [], "many", 5, {"completion_tokens": 5}])
def test_no_usage_is_none(nothing: Any) -> None:
    assert from_openai(nothing) is None


anything = st.none() | st.booleans() | st.integers() | st.floats() | st.text()


@given(anything, anything, anything, anything)
def test_whatever_is_reported_is_clamped(a: Any, b: Any, c: Any, d: Any) -> None:
    reported = {
        "prompt_tokens": a,
        "completion_tokens": b,
        "total_tokens": c,
        "prompt_tokens_details": {"cached_tokens": d},
    }

    usage = from_openai(reported)

    assert (usage is None) == (a is None or (b is None and c is None))
    if usage is None:
        return
    assert 0 <= usage.cached_tokens <= usage.input_tokens <= MAX_TOKENS
    assert 0 <= usage.output_tokens <= MAX_TOKENS


@pytest.mark.parametrize(("characters", "tokens"), [(0, 0), (1, 1), (4, 1), (5, 2), (400, 100)])
def test_estimates_follow_the_four_characters_rule(characters: int, tokens: int) -> None:
    assert estimate_tokens(characters) == tokens


def test_cached_tokens_and_cache_writes_have_prices_of_their_own() -> None:
    prices = Prices(input=3, output=15, cached_input=0.3, cache_write=3.75)
    usage = Usage(1_000_000, 100_000, cached_tokens=600_000, cache_write_tokens=200_000)

    assert cost(prices, usage) == pytest.approx(0.2 * 3 + 0.6 * 0.3 + 0.2 * 3.75 + 0.1 * 15)


def test_without_them_the_whole_prompt_costs_the_same() -> None:
    usage = Usage(1_000_000, 0, cached_tokens=600_000, cache_write_tokens=200_000)

    assert cost(Prices(input=3, output=15), usage) == pytest.approx(3)


@pytest.mark.parametrize(
    ("prices", "expected"),
    [
        (
            Prices(input=3, output=15, cache_write=3.75, cache_write_1h=6),
            0.8 * 3 + 0.15 * 3.75 + 0.3,
        ),
        (
            Prices(input=3, output=15, cache_write=3.75, cache_write_1h=5),
            0.8 * 3 + 0.15 * 3.75 + 0.25,
        ),
        (Prices(input=3, output=15, cache_write=3.75), 0.8 * 3 + 0.15 * 3.75 + 0.3),
        (Prices(input=3, output=15), 0.95 * 3 + 0.3),
        (Prices(input=0, output=0), 0),
    ],
)
def test_writes_for_an_hour_cost_what_vendors_ask_for_them(prices: Prices, expected: float) -> None:
    usage = Usage(1_000_000, 0, cache_write_tokens=200_000, hour_write_tokens=50_000)

    assert cost(prices, usage) == pytest.approx(expected)
