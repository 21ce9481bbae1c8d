"""What accounts used, day by day. Calls block: for the operator, not for a request."""

from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta

from losi.metering import register
from losi.metering.day_item import DayItem, DayUsage, day_usage, folded_sort_key, sort_key
from losi.metering.usage import Usage
from losi.store.client import Item, primary_key
from losi.store.table import Table

#: Partitions of the register that are read at once.
AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Used:
    """What one key used of one model on one UTC day."""

    account_id: str
    day: date
    key_id: str
    model_code: str
    requests: int
    usage: Usage


def used(table: Table, days: Iterable[date], now: float) -> Iterator[Used]:
    """What live keys of all accounts used. By the register: nothing else is read."""
    places = [(day, place) for day in days for place in register.partitions(day, test=False)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for items in pool.map(lambda place: _opened(table, *place), places):
            yield from _rows(items, now)


def used_by_scan(table: Table, days: Collection[date], now: float) -> Iterator[Used]:
    """The same for days that are not in the register. Reads the whole table once."""
    spans = [(sort(min(days)), sort(max(days))) for sort in (_sort, _folded)]
    for row in _rows(table.scan_between(spans), now):
        if row.day in days:
            yield row


def of_account(account_id: str, days: Iterable[DayUsage]) -> Iterator[Used]:
    for day in days:
        for (key_id, code), (requests, usage) in day.by_key_model.items():
            yield Used(account_id, day.day, key_id, code, requests, usage)


def days_between(first: date, last: date) -> list[date]:
    """Both count."""
    return [first + timedelta(n) for n in range((last - first).days + 1)]


def _sort(day: date) -> str:
    return sort_key(day, test=False)


def _folded(day: date) -> str:
    return folded_sort_key(day, test=False)


def _opened(table: Table, day: date, place: str) -> list[Item]:
    ids = (entry["sk"]["S"] for entry in table.partition(place))
    return list(table.items(primary_key(id, sort(day)) for id in ids for sort in (_sort, _folded)))


def _rows(items: Iterable[Item], now: float) -> Iterator[Used]:
    """A side item's rows add to those of its day: the sums need not know which is which."""
    for item in items:
        day = DayItem.from_item(item)
        if not day.is_past(now):
            yield from of_account(day.account_id, [day_usage(day, None, now)])
