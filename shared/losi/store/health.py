"""Whether the table answers: a health check may ask as often as it likes."""

import asyncio
import time
from collections.abc import Callable

from losi.errors import StoreUnavailableError
from losi.store.dynamodb import SendsToDynamoDB
from losi.store.reads import Reads

#: How long a result is kept, so that a flood of checks costs each process one read in this time.
KEPT_SECONDS = 5.0
#: A sort key that no item has: the read finds nothing, and costs as little as a read can.
NOTHING = "HEALTH"


class StoreHealth:
    def __init__(
        self,
        dynamodb: SendsToDynamoDB,
        table: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reads = Reads(dynamodb, table, attempts=1)
        self._clock = clock
        self._lock = asyncio.Lock()
        self._checked = float("-inf")
        self._answers = False

    async def check(self) -> None:
        """Raises StoreUnavailableError if the table did not answer when it was last asked."""
        async with self._lock:
            if self._clock() - self._checked >= KEPT_SECONDS:
                self._answers = await self._ask()
                self._checked = self._clock()
        if not self._answers:
            raise StoreUnavailableError

    async def _ask(self) -> bool:
        try:
            await self._reads.get_all("", [NOTHING])
        except StoreUnavailableError:
            return False
        return True
