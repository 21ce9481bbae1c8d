"""The consumer of the settlements' queue.

By schedule it empties the queue itself: a poller of Lambda's would ask the queue day and night, at
a price. It takes the records of an SQS event too (`sam local invoke`, or an operator's own mapping,
with partial batch responses): https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

import asyncio
import logging
from functools import cache
from typing import Any

from losi.config import read_config
from losi.logs import set_levels
from losi.metering.ledger import Ledger
from losi.metering.settler import drain, settle_letter
from losi.store.dynamodb import DynamoDB
from losi.store.queue import Queue, settlements
from losi.store.writes import DynamoDBWrites

logger = logging.getLogger("losi.settler")

#: Left of the invocation when nothing more is taken from the queue.
MARGIN_SECONDS = 20.0

CONFIG = read_config()
set_levels(CONFIG.log_level)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    if "Records" in event:
        return _loop().run_until_complete(_settle(event["Records"]))
    seconds = context.get_remaining_time_in_millis() / 1000 - MARGIN_SECONDS
    return _loop().run_until_complete(_drain(seconds))


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """One for the life of the process: the store's client belongs to it."""
    return asyncio.new_event_loop()


@cache
def _queue() -> Queue:
    return settlements(CONFIG)


@cache
def _ledger() -> Ledger:
    dynamodb = DynamoDB(CONFIG.region, CONFIG.dynamodb_endpoint)
    writes = DynamoDBWrites(dynamodb, CONFIG.table)
    return Ledger(writes, settlements=writes)


async def _drain(seconds: float) -> dict[str, Any]:
    until = asyncio.get_running_loop().time() + seconds
    settled = await drain(_queue(), _ledger(), until)
    if settled:
        logger.info("%d settlements were made from the queue", settled)
    return {"settled": settled}


async def _settle(records: list[dict[str, Any]]) -> dict[str, Any]:
    """What is not done comes again; the queue's own policy makes a dead letter of it in the end."""
    failed = [
        record["messageId"]
        for record in records
        if not await settle_letter(record["body"], _ledger())
    ]
    return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in failed]}
