"""Where an account stands with its plan, by its day item alone."""

from __future__ import annotations

from typing import Any

import pytest

from losi.metering.day_item import DayItem, utc_day
from losi.metering.refusals import RateLimits, rate_limits
from losi.metering.standing import Standing, Window, standing
from tests.ledger_world import ACCOUNT, Clock, make_plan

PLAN = make_plan(
    requests_per_minute=60, tokens_per_minute=40_000, tokens_per_day=100_000, in_flight=7
)
MINUTE = 12 * 60 + 34


@pytest.fixture
def clock() -> Clock:
    return Clock("2026-11-23T12:34:56")


def a_day(clock: Clock, **attributes: Any) -> DayItem:
    numbers = {name: {"N": str(n)} for name, n in attributes.items() if isinstance(n, int)}
    others = {name: value for name, value in attributes.items() if name not in numbers}
    return DayItem(ACCOUNT, utc_day(clock.now), test=False, item={**numbers, **others})


def held(tokens: int, expires: float) -> Any:
    return {
        "M": {
            "t": {"N": str(tokens)},
            "i": {"N": "1"},
            "x": {"N": str(int(expires))},
            "k": {"S": "Key00001.4om"},
        }
    }


def test_what_is_used_held_and_left_and_when_it_begins_anew(clock: Clock) -> None:
    holds = {"one": held(300, clock.now), "two": held(50, clock.now - 1)}
    counters = {f"r{MINUTE}": 4, f"t{MINUTE}": 900, f"r{MINUTE - 1}": 50, f"t{MINUTE - 1}": 5000}
    day = a_day(clock, holds={"M": holds}, committed=1_000, **counters)

    assert standing(day, PLAN, clock.now) == Standing(
        requests_this_minute=Window(used=4, limit=60, reset_seconds=4, held=0),
        tokens_this_minute=Window(used=900, limit=40_000, reset_seconds=4, held=0),
        tokens_today=Window(
            used=650, limit=100_000, reset_seconds=11 * 3600 + 25 * 60 + 4, held=300
        ),
        running=1,
        in_flight=7,
    )


def test_of_an_account_that_has_done_nothing(clock: Clock) -> None:
    clock.set("2026-11-23T00:00:00")

    assert standing(a_day(clock), PLAN, clock.now) == Standing(
        requests_this_minute=Window(0, 60, 60),
        tokens_this_minute=Window(0, 40_000, 60),
        tokens_today=Window(0, 100_000, 86_400),
        running=0,
        in_flight=7,
    )


@pytest.mark.parametrize(
    ("requests", "tokens", "left"),
    [
        (0, 0, (60, 40_000)),
        (1, 1, (59, 39_999)),
        (60, 40_000, (0, 0)),
        (61, 50_000, (0, 0)),  # a plan that was lowered
        (1, -500, (59, 40_000)),  # settled in a minute whose counter had gone
    ],
)
def test_no_more_is_left_than_the_limit_and_no_less_than_nothing(
    clock: Clock, requests: int, tokens: int, left: tuple[int, int]
) -> None:
    day = a_day(clock, **{f"r{MINUTE}": requests, f"t{MINUTE}": tokens})

    limits = rate_limits(day, PLAN, clock.now)

    assert (limits.remaining_requests, limits.remaining_tokens) == left
    assert (limits.limit_requests, limits.limit_tokens) == (60, 40_000)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.1, "1s"), (1, "1s"), (1.1, "2s"), (59, "59s"), (59.5, "1m0s"), (60, "1m0s"), (61, "1m1s")],
)
def test_resets_are_durations_as_openai_writes_them(seconds: float, shown: str) -> None:
    headers = RateLimits(1, 1, 1, 1, seconds).headers()

    assert headers["x-ratelimit-reset-requests"] == headers["x-ratelimit-reset-tokens"] == shown
