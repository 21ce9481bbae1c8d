"""Rate limits that a process keeps in memory, without writes: N processes allow N times as much.

They stop one caller from overloading a process. Limits that must be exact are counted in the table.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from losi.errors import RateLimitError

#: How many callers a process remembers; a forgotten one starts with a full bucket.
REMEMBERED = 4096


class Throttle:
    """A token bucket for each name: `burst` at once, then `per_second`. Thread-safe."""

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
        #: Name -> tokens left, and when that was.
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def check(self, name: str = "") -> None:
        """Raises RateLimitError (429) if no token is left; takes none."""
        with self._lock:
            self._refuse_below_one(self._level(name))

    def take(self, name: str = "") -> None:
        """Take a token. Raises RateLimitError (429) if none is left."""
        with self._lock:
            level = self._level(name)
            self._refuse_below_one(level)
            self._keep(name, level - 1)

    def count(self, name: str = "") -> None:
        """Take a token if one is left, for something that has already happened."""
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
