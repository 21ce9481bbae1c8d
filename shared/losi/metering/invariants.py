"""What must always hold for every day item, whatever happened before (docs/ledger.md)."""

from collections.abc import Iterator

from losi.metering.day_item import REQUESTS, USAGE_COUNTERS, DayItem
from losi.metering.usage import Usage


def drift(day: DayItem, folded: DayItem | None = None) -> int:
    """The difference (tokens) between `committed` and the sum of settled and held tokens; 0 is
    right.
    """
    return day.committed - _settled(day, folded).total_tokens - _held(day)


def mistakes(day: DayItem, folded: DayItem | None = None) -> list[str]:
    """What is wrong with the item, one sentence each; empty if nothing is.

    `folded` is the side item with the rows of the day's deleted keys.
    """
    return list(_mistakes(day, folded))


def _mistakes(day: DayItem, folded: DayItem | None) -> Iterator[str]:
    settled = _settled(day, folded)
    if off := drift(day, folded):
        yield (
            f"committed is {day.committed}, but {settled.total_tokens} tokens are settled and "
            f"{_held(day)} held: {off:+}"
        )
    if day.committed < 0:
        yield "committed is negative"
    if settled.cached_tokens + settled.cache_write_tokens > settled.input_tokens:
        yield "more tokens of the cache than input tokens"
    if settled.hour_write_tokens > settled.cache_write_tokens:
        yield "more tokens are written to the cache for an hour than at all"
    if settled.reasoning_tokens > settled.output_tokens:
        yield "more reasoning tokens than output tokens"
    yield from _totals(day)


def _totals(day: DayItem) -> Iterator[str]:
    """Check the totals that version 0.1 kept in addition to the counters of its days."""
    for counter in (REQUESTS, *USAGE_COUNTERS):
        total, parts = day.number(counter), sum(day.flat(counter))
        if total != parts:
            yield f"the total of '{counter}' is {total}, and its parts are {parts}"


def _settled(day: DayItem, folded: DayItem | None) -> Usage:
    rows = [*day.rows().values(), *(folded.rows().values() if folded else ())]
    return sum((usage for _, usage in rows), Usage(0, 0))


def _held(day: DayItem) -> int:
    return sum(hold.tokens for hold in day.holds().values())
