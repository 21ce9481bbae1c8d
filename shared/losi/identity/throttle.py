"""Limits that a process keeps in memory, without a write: N processes allow N times as much.

They keep one caller from wearing out a process; what must be exact is counted in the table.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from losi.errors import RateLimitError

#: Callers whose level a process remembers; who is forgotten begins with a full bucket.
REMEMBERED = 4096


class Throttle:
    """A bucket for each name: `burst` at once, and `per_second` from then on. Thread-safe."""

    def __init__(
        self,
        per_second: float,
        burst: int,
        message: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._per_second = per_second
        self._burst = burst
        self._message = message
        self._clock = clock
        #: Name -> what was left, and when.
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def check(self, name: str = "") -> None:
        """Raises RateLimitError (429) when nothing is left; takes nothing."""
        with self._lock:
            self._refuse_below_one(self._level(name))

    def take(self, name: str = "") -> None:
        """Takes one, or raises RateLimitError (429)."""
        with self._lock:
            level = self._level(name)
            self._refuse_below_one(level)
            self._keep(name, level - 1)

    def count(self, name: str = "") -> None:
        """Takes one where there is one, for what has happened already."""
        with self._lock:
            self._keep(name, max(0.0, self._level(name) - 1))

    def _level(self, name: str) -> float:
        now = self._clock()
        level, then = self._levels.get(name, (float(self._burst), now))
        return min(self._burst, level + (now - then) * self._per_second)

    def _refuse_below_one(self, level: float) -> None:
        if level < 1:
            raise RateLimitError(self._message, retry_after=(1 - level) / self._per_second)

    def _keep(self, name: str, level: float) -> None:
        self._levels[name] = level, self._clock()
        self._levels.move_to_end(name)
        while len(self._levels) > REMEMBERED:
            self._levels.popitem(last=False)
