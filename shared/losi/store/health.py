"""Whether the table answers: what a health check may ask as often as it likes."""

import asyncio
import time
from collections.abc import Callable

from losi.errors import StoreUnavailableError
from losi.store.dynamodb import SendsToDynamoDB
from losi.store.reads import Reads

#: What was found holds so long. So a flood of checks costs one read in this time and process.
KEPT_SECONDS = 5.0
#: A sort key of no item. The read finds nothing, and costs the least that a read can.
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
        self._asked = float("-inf")
        self._answers = False

    async def check(self) -> None:
        """Raises StoreUnavailableError when the table did not answer within the last seconds."""
        async with self._lock:
            if self._clock() - self._asked >= KEPT_SECONDS:
                self._answers = await self._ask()
                self._asked = self._clock()
        if not self._answers:
            raise StoreUnavailableError

    async def _ask(self) -> bool:
        try:
            await self._reads.get_all("", [NOTHING])
        except StoreUnavailableError:
            return False
        return True
