"""What usage costs."""

import pytest

from losi.catalogue.models import Prices
from losi.metering.cost import cost
from losi.metering.usage import Usage


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
