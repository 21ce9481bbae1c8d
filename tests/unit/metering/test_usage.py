"""Usage as providers report it: brought to one shape, never negative, never absurd."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from losi.metering.usage import MAX_TOKENS, Usage, estimate_tokens, from_openai


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
    usage = Usage(10, 20, 3, 1, 5)

    assert from_openai(usage.to_openai()) == usage


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

    assert usage is not None
    assert 0 <= usage.cached_tokens <= usage.input_tokens <= MAX_TOKENS
    assert 0 <= usage.output_tokens <= MAX_TOKENS


@pytest.mark.parametrize(("characters", "tokens"), [(0, 0), (1, 1), (4, 1), (5, 2), (400, 100)])
def test_estimates_follow_the_four_characters_rule(characters: int, tokens: int) -> None:
    assert estimate_tokens(characters) == tokens
