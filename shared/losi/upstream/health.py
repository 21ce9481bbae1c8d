"""Which routes have been failing, as seen by this process.

Per process on purpose: sharing it would cost a read or a write a request, and a process that is
wrong about a route finds out within `SKIP_SECONDS`.
"""

import logging
import time
from collections.abc import Callable

from losi.catalogue.models import Route
from losi.observe.request import Event, count

logger = logging.getLogger("losi.routes")

FAILURES = 3
SKIP_SECONDS = 30.0


class RouteHealth:
    """After `FAILURES` failures in a row a route is skipped for `SKIP_SECONDS`, then tried again.

    One failed trial after that skips it again at once; one success clears its record.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: dict[tuple[str, str], int] = {}
        self._skipped_until: dict[tuple[str, str], float] = {}

    def is_healthy(self, route: Route) -> bool:
        if not self._failures:
            return True
        return self._clock() >= self._skipped_until.get(_name(route), 0.0)

    def succeeded(self, route: Route) -> None:
        if not self._failures:
            return
        self._failures.pop(_name(route), None)
        self._skipped_until.pop(_name(route), None)

    def failed(self, route: Route) -> None:
        name = _name(route)
        failures = self._failures[name] = self._failures.get(name, 0) + 1
        if failures >= FAILURES:
            self._skipped_until[name] = self._clock() + SKIP_SECONDS
            count(Event.ROUTE_SKIPPED)
            logger.warning(
                "route %s/%s is skipped for %.0f s after %d failures in a row",
                *name,
                SKIP_SECONDS,
                failures,
            )


def _name(route: Route) -> tuple[str, str]:
    return route.provider.id, route.model
