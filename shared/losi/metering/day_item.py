"""The day item: what one account used in one UTC day, as one DynamoDB item (docs/ledger.md).

Pure: how attributes are named and read. Names are short because every byte of the item is paid
for with every write; only losi.metering.ledger writes them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from losi.metering.usage import Usage
from losi.store.client import Item, partition

DAY_SECONDS = 86_400
MINUTE_SECONDS = 60
#: Day items go by themselves after this long: two years and a bit.
KEPT_DAYS = 800
#: Counters in the order of Usage's fields: input, output, cached, cache write, reasoning.
USAGE_COUNTERS = ("i", "o", "c", "w", "g")
REQUESTS = "n"

_WINDOW = re.compile(r"[rt](\d+)")


def sort_key(day: date, *, test: bool) -> str:
    return f"{'TEST' if test else 'DAY'}#{day.isoformat()}"


def utc_day(now: float) -> date:
    return datetime.fromtimestamp(now, UTC).date()


def requests_window(minute: int) -> str:
    return f"r{minute}"


def tokens_window(minute: int) -> str:
    return f"t{minute}"


def last_use(key_id: str) -> str:
    return f"u_{key_id}"


def valid_version(what: str) -> str:
    """The lowest version of the key, or of the profile ("p"), that is still good."""
    return f"v_{what}"


def expiry_of(day: date) -> int:
    """The item's time to live, in epoch seconds."""
    return _epoch(day) + KEPT_DAYS * DAY_SECONDS


@dataclass(frozen=True, slots=True)
class Hold:
    """Tokens set aside for a request that is running; what settles or releases it."""

    account_id: str
    day: date
    test: bool
    request_id: str
    #: Input estimate and capped output: what the request counts as until it is settled.
    tokens: int
    input_tokens: int
    #: Epoch second after which its process must be dead, and anyone may settle it.
    expires: int
    key_id: str
    model_code: str
    #: Minute of the day whose windows counted it. Not stored: None for a hold that was read back.
    minute: int | None = None
    #: Minutes of the day with window counters when the hold was made: settling sweeps old ones.
    windows: frozenset[int] = frozenset()

    @property
    def sort(self) -> str:
        return sort_key(self.day, test=self.test)

    @property
    def pair(self) -> str:
        """What the counters of its key and model begin with."""
        return f"{self.key_id}.{self.model_code}"

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
    """What was settled on one UTC day."""

    day: date
    total: Usage
    requests: int
    by_key_model: dict[tuple[str, str], tuple[int, Usage]]


class DayItem:
    """A day item as DynamoDB returned it; one that is not there yet is empty."""

    def __init__(self, account_id: str, day: date, *, test: bool, item: Item | None = None) -> None:
        self.account_id, self.day, self.test = account_id, day, test
        self._item = item or {}

    @classmethod
    def from_item(cls, item: Item) -> "DayItem":
        kind, _, day = item["sk"]["S"].partition("#")
        account_id = item["pk"]["S"].removeprefix(partition(""))
        return cls(account_id, date.fromisoformat(day), test=kind == "TEST", item=item)

    @property
    def is_open(self) -> bool:
        """Whether requests were admitted: a change of a key alone makes an item without holds."""
        return "holds" in self._item

    def number(self, name: str) -> int:
        return int(self._item[name]["N"]) if name in self._item else 0

    @property
    def committed(self) -> int:
        """Settled and held tokens."""
        return self.number("committed")

    @property
    def settled(self) -> int:
        return self.number("i") + self.number("o")

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
        )

    def windows(self) -> frozenset[int]:
        """Minutes of the day that have window counters."""
        minutes = (_WINDOW.fullmatch(name) for name in self._item)
        return frozenset(int(match[1]) for match in minutes if match)

    def last_uses(self) -> dict[str, int]:
        """Key id -> epoch minute of its last use."""
        prefix = last_use("")
        return {
            name.removeprefix(prefix): self.number(name)
            for name in self._item
            if name.startswith(prefix)
        }

    def usage(self) -> DayUsage:
        pairs = {name.rpartition(".")[0] for name in self._item if "." in name}
        by_key_model = {}
        for pair in sorted(pairs):
            key_id, _, model_code = pair.partition(".")
            by_key_model[key_id, model_code] = self._counted(f"{pair}.")
        requests, total = self._counted("")
        return DayUsage(self.day, total, requests, by_key_model)

    def _counted(self, prefix: str) -> tuple[int, Usage]:
        figures = [self.number(prefix + counter) for counter in USAGE_COUNTERS]
        read, written, cached, cache_written, reasoning = figures
        usage = Usage(read, written, cached, cache_written, reasoning)
        return self.number(prefix + REQUESTS), usage


def minute_of_day(day: date, now: float) -> int:
    """Minutes since the day began; 1440 and more once it is over."""
    return (int(now) - _epoch(day)) // MINUTE_SECONDS


def settled_counters(hold: Hold, usage: Usage) -> Iterator[tuple[str, int]]:
    """What settling adds: once to the day's totals, once under the key and model."""
    figures = (
        usage.input_tokens,
        usage.output_tokens,
        usage.cached_tokens,
        usage.cache_write_tokens,
        usage.reasoning_tokens,
    )
    for prefix in ("", f"{hold.pair}."):
        yield prefix + REQUESTS, 1
        for counter, figure in zip(USAGE_COUNTERS, figures, strict=True):
            if figure:  # an absent counter is zero, and takes no room
                yield prefix + counter, figure


def days_around(now: float, seconds: float) -> list[date]:
    """The UTC days that some clock shows, when clocks differ by at most `seconds`."""
    first, last = utc_day(now - seconds), utc_day(now + seconds)
    return [first] if first == last else [first, last]


def yesterday(day: date) -> date:
    return day - timedelta(days=1)


def _epoch(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
