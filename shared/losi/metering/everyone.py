"""What all accounts used on a day, by model. Calls block: for the operator, not for a request."""

from collections.abc import Iterable, Iterator
from datetime import date

from losi.metering import register
from losi.metering.day_item import DayItem, day_usage, folded_sort_key, sort_key
from losi.metering.told import Figures
from losi.store.client import Item, primary_key
from losi.store.table import Table


def used_on(table: Table, day: date, now: float) -> dict[str, Figures]:
    """Model code -> requests and tokens, of live keys. By the register: nothing else is read."""
    sorts = sort_key(day, test=False), folded_sort_key(day, test=False)
    ids = (
        entry["sk"]["S"]
        for partition in register.partitions(day, test=False)
        for entry in table.partition(partition)
    )
    return _sum(table.items(primary_key(id, sort) for id in ids for sort in sorts), now)


def used_on_by_scan(table: Table, day: date, now: float) -> dict[str, Figures]:
    """The same for days that are not in the register. Reads the whole table."""
    sorts = sort_key(day, test=False), folded_sort_key(day, test=False)
    return _sum((item for sort in sorts for item in table.scan(sort)), now)


def _sum(items: Iterable[Item], now: float) -> dict[str, Figures]:
    found: dict[str, Figures] = {}
    for code, figures in _rows(items, now):
        found[code] = found.get(code, Figures()) + figures
    return found


def _rows(items: Iterable[Item], now: float) -> Iterator[tuple[str, Figures]]:
    """A side item's rows add to those of its day: the sums need not know which is which."""
    for item in items:
        usage = day_usage(DayItem.from_item(item), None, now)
        for (_, code), (requests, used) in usage.by_key_model.items():
            yield code, Figures(requests, used.input_tokens, used.output_tokens)
