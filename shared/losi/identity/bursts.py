"""Reports many refusals of one existing key within a minute (a leaked or forgotten key) to its
owner.

Refusals are counted in the process; a burst is written to the audit log once a minute. If it is
spread over several processes, each of them may stay below the threshold.
"""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable

from losi.errors import StoreUnavailableError
from losi.identity import audit
from losi.identity.audit import Actor
from losi.identity.values import MINUTE_SECONDS
from losi.store.table import Table

logger = logging.getLogger("losi.identity")

#: This many refusals of a key within a minute are a burst.
BURST = 10
REMEMBERED = 1024


class Bursts:
    def __init__(self, table: Table, clock: Callable[[], float], kept_days: int) -> None:
        self._table = table
        self._kept_days = kept_days
        self._clock = clock
        #: (Account, key) -> minute of the last refusal, and the number of refusals in it.
        self._counts: OrderedDict[tuple[str, str], tuple[int, int]] = OrderedDict()
        self._lock = threading.Lock()

    def refused(self, account_id: str, key_id: str) -> None:
        """Count a refusal of an existing key; the tenth within a minute is written to the audit
        log.
        """
        now = self._clock()
        minute = int(now) // MINUTE_SECONDS
        with self._lock:
            known, count = self._counts.get((account_id, key_id), (minute, 0))
            count = count + 1 if known == minute else 1
            self._counts[account_id, key_id] = minute, count
            self._counts.move_to_end((account_id, key_id))
            while len(self._counts) > REMEMBERED:
                self._counts.popitem(last=False)
        if count == BURST:
            self._write(account_id, key_id, now)

    def _write(self, account_id: str, key_id: str, now: float) -> None:
        key = f"key_{key_id}"
        burst = audit.record(
            account_id,
            Actor(key),
            "key.refused",
            key,
            now,
            after={"refusals": BURST},
            kept_days=self._kept_days,
        )
        try:
            self._table.put(burst.to_item())
        except StoreUnavailableError:  # the refusal itself matters more than its record
            logger.warning("the refusals of %s could not be written down", key)
