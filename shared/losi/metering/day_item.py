"""The day item: what one account used in one UTC day, as one DynamoDB item (docs/ledger.md).

Pure: only names and reads attributes. Names are short because every write pays for every byte of
the item. Only losi.metering.ledger and losi.metering.books write day items.

A day has the layout of the version that opened it: `k`, a map of key -> model -> list of counters,
or the flat counters of version 0.1. Readers add up both, because a process of the other version may
write to either.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from losi.identity.values import DAY_SECONDS, MINUTE_SECONDS
from losi.metering.usage import Usage
from losi.store.client import Item, partition

#: The clocks of two processes differ by less than this. Every margin for clocks uses this figure.
CLOCK_SKEW_SECONDS = 60.0
#: The counters of a key and model, in the order of their list. An eighth place is reserved for
#: micro-dollars.
COUNTERS = ("n", "i", "o", "c", "w", "g", "h")
#: Length of lists that were written before the last counter existed.
ONCE_COUNTED = 6
#: The counters of Usage's fields, in their order: input, output, cached, cache write, reasoning,
#: and cache writes kept for an hour.
USAGE_COUNTERS = COUNTERS[1:]
REQUESTS = COUNTERS[0]
#: The map of counters, on days opened by version 0.2 or later.
ROWS = "k"
#: DynamoDB accepts a signed request for five minutes; a tombstone stays a minute longer.
LATE_SECONDS = 360
#: An item with this many tombstones refuses new requests of its account.
MAX_TOMBSTONES = 64

#: Stands for the account's profile where other records are named by a key's id.
PROFILE_RECORD = "p"

_WINDOW = re.compile(r"[rt](\d+)")
_TOMBSTONE, _EXPIRED = "z_", "x_"

#: (Key id, model code) -> number of requests, and their usage.
Rows = dict[tuple[str, str], tuple[int, Usage]]
_NOTHING = (0, Usage(0, 0))


def sort_key(day: date, *, test: bool) -> str:
    return f"{'TEST' if test else 'DAY'}#{day.isoformat()}"


def folded_sort_key(day: date, *, test: bool) -> str:
    """Sort key of the side item with the counters of keys deleted on that day."""
    return f"FOLDED-{sort_key(day, test=test)}"


def utc_day(now: float) -> date:
    return datetime.fromtimestamp(now, UTC).date()


def requests_window(minute: int) -> str:
    return f"r{minute}"


def tokens_window(minute: int) -> str:
    return f"t{minute}"


def last_use(key_id: str) -> str:
    return f"u_{key_id}"


def valid_version(record: str) -> str:
    """Attribute with the lowest version of a record that is still accepted: a key, by its id, or
    the `PROFILE_RECORD`.
    """
    return f"v_{record}"


def tombstone(request_id: str) -> str:
    """Attribute (epoch seconds) that stops a late try of an admission from placing a hold."""
    return f"{_TOMBSTONE}{request_id}"


def expired(request_id: str) -> str:
    """Attribute with the estimate (input tokens) that was billed when the hold expired."""
    return f"{_EXPIRED}{request_id}"


def expiry_of(day: date, kept_days: int) -> int:
    """The item's time to live, in epoch seconds."""
    return _epoch(day) + kept_days * DAY_SECONDS


@dataclass(frozen=True, slots=True)
class Hold:
    """Tokens reserved for a running request, and what is needed to settle or release it."""

    account_id: str
    day: date
    test: bool
    request_id: str
    #: Estimated input plus the cap on output: what the request counts as until it is settled.
    tokens: int
    input_tokens: int
    #: Epoch second after which its process must be dead, so that anyone may settle it.
    expires: int
    key_id: str
    model_code: str
    #: Whether its day has the layout of version 0.2.
    nested: bool = True
    #: Epoch second until which another try of its admission may still land; 0 if its only try was
    #: answered.
    late_until: int = 0
    #: Minute of the day in whose windows it was counted. Not stored: None for a hold read from the
    #: table.
    minute: int | None = None
    #: Minutes with window counters when the hold was made; settling removes the old ones.
    windows: frozenset[int] = frozenset()
    #: Tombstones on the item when the hold was made, and their ends (epoch seconds); settling
    #: removes the old ones.
    tombstones: Mapping[str, int] = field(default_factory=dict)

    @property
    def sort(self) -> str:
        return sort_key(self.day, test=self.test)

    @property
    def pair(self) -> str:
        """Prefix of the flat counters of its key and model."""
        return f"{self.key_id}.{self.model_code}"

    @property
    def estimate(self) -> Usage:
        """The usage that is billed when it expires."""
        return Usage(self.input_tokens, 0, estimated=True)

    def to_attribute(self) -> Item:
        return {
            "M": {
                "t": {"N": str(self.tokens)},
                "i": {"N": str(self.input_tokens)},
                "x": {"N": str(self.expires)},
                "k": {"S": self.pair},
            }
        }


@dataclass(frozen=True, slots=True)
class DayUsage:
    """The usage of one UTC day. `by_key_model` holds only rows with requests."""

    day: date
    total: Usage
    requests: int
    by_key_model: Rows


class DayItem:
    """A day item as DynamoDB returned it, or an empty one where there is none yet."""

    def __init__(self, account_id: str, day: date, *, test: bool, item: Item | None = None) -> None:
        self.account_id, self.day, self.test = account_id, day, test
        self._item = item or {}

    @classmethod
    def from_item(cls, item: Item) -> "DayItem":
        kind, _, day = item["sk"]["S"].partition("#")
        account_id = item["pk"]["S"].removeprefix(partition(""))
        return cls(account_id, date.fromisoformat(day), test=kind.endswith("TEST"), item=item)

    @property
    def is_open(self) -> bool:
        """Whether a request was admitted: a change of a key alone makes an item without holds."""
        return "holds" in self._item

    @property
    def is_nested(self) -> bool:
        return ROWS in self._item

    def is_past(self, now: float) -> bool:
        """Whether its time to live is over. DynamoDB deletes items late."""
        return "ttl" in self._item and self.number("ttl") <= now

    def number(self, name: str) -> int:
        return int(self._item[name]["N"]) if name in self._item else 0

    def flat(self, counter: str) -> list[int]:
        """The counter's values for each key and model, in the layout of version 0.1."""
        return [self.number(name) for name in self._item if name.endswith(f".{counter}")]

    @property
    def committed(self) -> int:
        """Settled and held tokens."""
        return self.number("committed")

    @property
    def settled(self) -> int:
        return self.committed - sum(hold.tokens for hold in self.holds().values())

    def holds(self) -> dict[str, Hold]:
        if not self.is_open:
            return {}
        return {name: self._hold(name, row["M"]) for name, row in self._item["holds"]["M"].items()}

    def _hold(self, request_id: str, row: Item) -> Hold:
        key_id, _, model_code = row["k"]["S"].partition(".")
        return Hold(
            self.account_id,
            self.day,
            self.test,
            request_id,
            tokens=int(row["t"]["N"]),
            input_tokens=int(row["i"]["N"]),
            expires=int(row["x"]["N"]),
            key_id=key_id,
            model_code=model_code,
            nested=self.is_nested,
        )

    def expired_holds(self, now: float) -> list[Hold]:
        """Holds whose processes must be dead."""
        return [hold for hold in self.holds().values() if hold.expires < now]

    def was_expired(self, request_id: str) -> bool:
        """Whether the request's hold expired, so that its estimate was billed."""
        return expired(request_id) in self._item

    def has_key(self, key_id: str) -> bool:
        """Whether the key has a map of counters, so that its counters can be added to."""
        return self.is_nested and key_id in self._item[ROWS]["M"]

    def has_row(self, key_id: str, model_code: str) -> bool:
        return self.has_key(key_id) and model_code in self._item[ROWS]["M"][key_id]["M"]

    def key_rows(self, key_id: str) -> Item | None:
        """The key's counters as stored; None if it has none in the layout of version 0.2."""
        rows: Item | None = self._item[ROWS]["M"].get(key_id) if self.is_nested else None
        return rows

    def windows(self) -> frozenset[int]:
        """Minutes of the day that have window counters."""
        minutes = (_WINDOW.fullmatch(name) for name in self._item)
        return frozenset(int(match[1]) for match in minutes if match)

    def tombstones(self) -> dict[str, int]:
        """Attribute name of each tombstone -> when it may be removed (epoch seconds)."""
        return {name: self.number(name) for name in self._item if name.startswith(_TOMBSTONE)}

    def last_uses(self) -> dict[str, int]:
        """Key id -> epoch minute of its last use."""
        prefix = last_use("")
        return {
            name.removeprefix(prefix): self.number(name)
            for name in self._item
            if name.startswith(prefix)
        }

    def rows(self) -> Rows:
        """Counted usage by key and model, the sum of both layouts."""
        rows: Rows = {}
        for pair in {name.rpartition(".")[0] for name in self._item if "." in name}:
            key_id, _, model_code = pair.partition(".")
            figures = [self.number(f"{pair}.{counter}") for counter in COUNTERS]
            _add(rows, (key_id, model_code), *_row(figures))
        for key_id, models in self._item.get(ROWS, {"M": {}})["M"].items():
            for model_code, counters in models["M"].items():
                figures = [int(counter["N"]) for counter in counters["L"][: len(COUNTERS)]]
                _add(rows, (key_id, model_code), *_row(figures))
        return {pair: row for pair, row in rows.items() if row != _NOTHING}


def day_usage(day: DayItem, folded: DayItem | None, now: float) -> DayUsage:
    """All usage of the day: the counters, those of keys deleted since (`folded`), and the estimates
    of expired holds, even if nobody has settled them yet.
    """
    rows = day.rows()
    for pair, (requests, usage) in (folded.rows() if folded else {}).items():
        _add(rows, pair, requests, usage)
    for hold in day.expired_holds(now):
        _add(rows, (hold.key_id, hold.model_code), 1, Usage(hold.input_tokens, 0))
    by_key_model = {pair: rows[pair] for pair in sorted(rows) if rows[pair][0]}
    total = sum((usage for _, usage in by_key_model.values()), Usage(0, 0))
    return DayUsage(day.day, total, sum(count for count, _ in rows.values()), by_key_model)


def last_uses(days: Iterable[DayItem]) -> dict[str, int]:
    """Key id -> epoch minute of its last use on any of the days."""
    last: dict[str, int] = {}
    for day in days:
        for key_id, minute in day.last_uses().items():
            last[key_id] = max(minute, last.get(key_id, 0))
    return last


def _row(figures: Sequence[int]) -> tuple[int, Usage]:
    missing = [0] * (len(COUNTERS) - len(figures))
    requests, read, written, cached, cache_written, reasoning, hour = (*figures, *missing)
    return requests, Usage(read, written, cached, cache_written, reasoning, hour)


def _add(rows: Rows, pair: tuple[str, str], requests: int, usage: Usage) -> None:
    known = rows.get(pair, _NOTHING)
    rows[pair] = (known[0] + requests, known[1] + usage)


def minute_of_day(day: date, now: float) -> int:
    """Minutes since the day began; 1440 or more after its end."""
    return (int(now) - _epoch(day)) // MINUTE_SECONDS


def counted(usage: Usage | None) -> tuple[int, ...]:
    """What a request adds to each of COUNTERS for its key and model; zeros if it is free (None)."""
    if usage is None:
        return (0,) * len(COUNTERS)
    return (
        1,
        usage.input_tokens,
        usage.output_tokens,
        usage.cached_tokens,
        usage.cache_write_tokens,
        usage.reasoning_tokens,
        usage.hour_write_tokens,
    )


def flat_counters(hold: Hold, figures: tuple[int, ...]) -> Iterator[tuple[str, int]]:
    """Version 0.1's counters: each once in the day's totals, and once under its key and model."""
    for prefix in ("", f"{hold.pair}."):
        for counter, figure in zip(COUNTERS, figures, strict=True):
            if figure:  # an absent counter is zero, and takes no space
                yield prefix + counter, figure


def days_around(now: float, seconds: float) -> list[date]:
    """The UTC days (one or two) that a clock may show if clocks differ by at most `seconds`."""
    return sorted({utc_day(now - seconds), utc_day(now + seconds)})


def yesterday(day: date) -> date:
    return day - timedelta(days=1)


@lru_cache(maxsize=8)
def _epoch(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
