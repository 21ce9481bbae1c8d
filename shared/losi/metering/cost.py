"""The cost of usage at a model's prices."""

from typing import TYPE_CHECKING

from losi.metering.usage import Usage

if TYPE_CHECKING:  # so that the command line's help does not load pydantic
    from losi.catalogue.models import Prices


def cost(prices: "Prices", usage: Usage) -> float:
    """The cost in US dollars. `input_tokens` includes cached and cache-write tokens."""
    cached = prices.input if prices.cached_input is None else prices.cached_input
    written = prices.input if prices.cache_write is None else prices.cache_write
    for_an_hour = 2 * prices.input if prices.cache_write_1h is None else prices.cache_write_1h
    plain = usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens
    dollars = (
        plain * prices.input
        + usage.cached_tokens * cached
        + (usage.cache_write_tokens - usage.hour_write_tokens) * written
        + usage.hour_write_tokens * for_an_hour
        + usage.output_tokens * prices.output
    )
    return dollars / 1_000_000
