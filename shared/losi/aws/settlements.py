"""The consumer of the settlements' queue, which then reconciles the books.

A schedule starts it, and it empties the queue itself: a Lambda poller would ask the queue day and
night, at a price. Then it continues the reconciliation of past days. It also accepts the records of
an SQS event (`sam local invoke`, or an operator's own mapping, with partial batch responses):
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

import asyncio
import logging
from functools import cached_property
from typing import Any

from losi.config import Config
from losi.errors import StoreUnavailableError
from losi.logs import set_levels
from losi.metering.ledger import Ledger
from losi.metering.reconciliation import Reconciliation
from losi.metering.settler import drain, settle_letter
from losi.observe import lines
from losi.observe.metrics import Metrics
from losi.observe.request import Event, count, counted
from losi.store.dynamodb import DynamoDB, SendsToDynamoDB
from losi.store.queue import Queue, settlements
from losi.store.reads import Reads
from losi.store.writes import DynamoDBWrites

logger = logging.getLogger("losi.settler")

#: Time left of the invocation at which it stops taking letters from the queue.
MARGIN_SECONDS = 20.0


class Consumer:
    """The Lambda handler. Its store, queue and event loop live as long as the process."""

    def __init__(self, config: Config) -> None:
        set_levels(config.log_level)
        lines.write_to(lines.to_standard_output)
        self._config = config
        self._metrics = Metrics(config.metrics_namespace, config.metrics_details)

    def __call__(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        if "Records" in event:
            return self._loop.run_until_complete(self._settle(event["Records"]))
        seconds = context.get_remaining_time_in_millis() / 1000 - MARGIN_SECONDS
        return self._loop.run_until_complete(self._drain(seconds))

    def close(self) -> None:
        self._loop.close()

    @cached_property
    def _loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.new_event_loop()  # the store's client keeps connections on it

    @cached_property
    def dynamodb(self) -> SendsToDynamoDB:
        return DynamoDB(self._config.region, self._config.dynamodb_endpoint)

    @cached_property
    def _writes(self) -> DynamoDBWrites:
        return DynamoDBWrites(self.dynamodb, self._config.table)

    @cached_property
    def _ledger(self) -> Ledger:
        return Ledger(
            self._writes,
            settlements=self._writes,
            kept_days=self._config.retention.usage_days,
        )

    @cached_property
    def _reconciliation(self) -> Reconciliation:
        reads = Reads(self.dynamodb, self._config.table)
        return Reconciliation(reads, self._writes, self._ledger)

    @cached_property
    def _queue(self) -> Queue:
        return settlements(self._config)

    async def _drain(self, seconds: float) -> dict[str, Any]:
        until = asyncio.get_running_loop().time() + seconds
        with counted() as counts:
            settled = await drain(self._queue, self._ledger, until)
            reconciled = await self._reconcile(until)
        lines.write_run("settlements", counts, self._metrics, settled=settled)
        return {"settled": settled, "reconciled": reconciled}

    async def _reconcile(self, until: float) -> list[str]:
        """Returns the days that were finished. If the store stops the run, the next run
        continues.
        """
        loop = asyncio.get_running_loop()
        try:
            days = await self._reconciliation.run(lambda: loop.time() < until)
        except StoreUnavailableError:
            logger.warning("the store stopped the reconciliation")
            return []
        for day in days:
            # an item that cannot be read has no figure
            count(Event.BOOKS_DRIFT, max(day.found.drift, day.found.wrong))
            logger.info("%s is reconciled: %s", day.day, day.found)
        return [day.day.isoformat() for day in days]

    async def _settle(self, records: list[dict[str, Any]]) -> dict[str, Any]:
        """Returns the failed records. SQS sends them again; in the end its policy makes them dead
        letters.
        """
        failed = [
            record["messageId"]
            for record in records
            if not await settle_letter(record["body"], self._ledger)
        ]
        return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in failed]}
