"""How long the store takes for an admission's own write, which a first chunk waits for."""

import statistics
import time
from typing import Any

from losi.ids import random_id
from losi.metering.ledger import Ledger
from losi.store.dynamodb import SendsToDynamoDB
from losi.store.writes import DynamoDBWrites
from tests.catalogue import CATALOGUE
from tests.ledger_world import LIFETIME, MODEL, caller

ADMISSIONS = 40


class Timed:
    """Sends what the ledger asks for, and keeps how many seconds each call took."""

    def __init__(self, dynamodb: SendsToDynamoDB) -> None:
        self._dynamodb = dynamodb
        self.seconds: list[float] = []

    async def call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        began = time.perf_counter()
        try:
            return await self._dynamodb.call(operation, request)
        finally:
            self.seconds.append(time.perf_counter() - began)


async def round_trip(dynamodb: SendsToDynamoDB, table: str) -> float:
    """Milliseconds, p50, of the real ledger's admissions of one account.

    Its day is opened first. Each hold is released at once, so that the day does not grow.
    """
    timed = Timed(dynamodb)
    ledger = Ledger(DynamoDBWrites(timed, table), DynamoDBWrites(dynamodb, table))
    principal = caller(CATALOGUE.plans["ultra"], account_id="BenchAdmit")
    for _ in range(1 + ADMISSIONS):
        request_id, expires_at = random_id(20), time.time() + LIFETIME
        admission = await ledger.admit(
            principal, MODEL, request_id, input_tokens=10, hold_tokens=210, expires_at=expires_at
        )
        await ledger.close(admission.hold, None)
    return statistics.median(timed.seconds[-ADMISSIONS:]) * 1e3
