"""A process's own limits, and what they spare the store."""

from __future__ import annotations

import pytest

from losi.errors import RateLimitError
from losi.identity.throttle import REMEMBERED, Throttle
from tests.ledger_world import Clock


@pytest.fixture
def throttle(clock: Clock) -> Throttle:
    return Throttle(2, 3, "Too many. Try again.", clock)


def refused(throttle: Throttle, name: str = "") -> bool:
    try:
        throttle.take(name)
    except RateLimitError:
        return True
    return False


def test_so_many_at_once_and_so_many_a_second_from_then_on(
    throttle: Throttle, clock: Clock
) -> None:
    assert [refused(throttle) for _ in range(5)] == [False, False, False, True, True]
    clock.advance(1)
    assert [refused(throttle) for _ in range(3)] == [False, False, True]


def test_a_long_pause_fills_it_no_higher(throttle: Throttle, clock: Clock) -> None:
    clock.advance(3600)

    assert [refused(throttle) for _ in range(4)] == [False, False, False, True]


@pytest.mark.parametrize(("seconds", "wait"), [(0, "500"), (0.25, "250"), (0.4, "100")])
def test_the_refusal_says_when_there_is_one_again(
    throttle: Throttle, clock: Clock, seconds: float, wait: str
) -> None:
    for _ in range(3):
        throttle.take()
    clock.advance(seconds)

    with pytest.raises(RateLimitError, match=r"Too many\. Try again\.") as caught:
        throttle.take()

    assert caught.value.status == 429
    assert caught.value.headers["retry-after-ms"] == wait


def test_each_name_has_its_own(throttle: Throttle) -> None:
    for _ in range(3):
        throttle.take("one")

    assert refused(throttle, "one")
    assert not refused(throttle, "other")


def test_what_is_counted_after_the_fact_is_never_refused_itself(throttle: Throttle) -> None:
    for _ in range(10):
        throttle.count()

    with pytest.raises(RateLimitError):
        throttle.check()


def test_a_check_takes_nothing(throttle: Throttle) -> None:
    for _ in range(10):
        throttle.check()


def test_a_flood_of_names_takes_no_memory_without_end(throttle: Throttle) -> None:
    for number in range(REMEMBERED + 10):
        throttle.take(str(number))

    assert len(throttle._levels) == REMEMBERED
