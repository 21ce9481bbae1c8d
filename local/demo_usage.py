"""DEMO_USAGE=1: a month of plausible usage, admitted and settled by the ledger's own code.

Days that have usage are left alone, so that a restart adds nothing.
"""

import asyncio
import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from losi.catalogue.models import Model
from losi.identity.principal import Principal
from losi.identity.session import PLAYGROUND
from losi.ids import random_id
from losi.metering.ledger import Ledger
from losi.metering.usage import Usage
from losi.store.dynamodb import DynamoDB
from losi.store.writes import DynamoDBWrites
from losi.web.dependencies import Services

DAYS = 30
#: The most requests of a weekday, and of a day at the weekend.
BUSY, QUIET = 24, 6
#: The relative frequency of each model, in the order of the catalogue.
WEIGHTS = (8, 14, 3, 6, 5, 1, 1, 1)


class _Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def seed(principal: Principal, services: Services, today: date) -> None:
    """Add requests for the 30 days before today, by the demo key and the playground."""
    first = today - timedelta(days=DAYS)
    known = {each.day for each in services.books.usage(principal.account_id, first, today)}
    clock = _Clock()
    config = services.config
    dynamodb = DynamoDB(config.region, config.dynamodb_endpoint, config.store_seconds)
    writes = DynamoDBWrites(dynamodb, config.table)
    catalogue = services.catalogue
    ledger = Ledger(writes, writes, clock, catalogue.plans.values())
    days = [first + timedelta(days=n) for n in range(DAYS)]
    models = list(catalogue.of_plan(principal.plan, "chat"))
    asyncio.run(_seed(ledger, clock, principal, models, [day for day in days if day not in known]))


async def _seed(
    ledger: Ledger, clock: _Clock, principal: Principal, models: list[Model], days: list[date]
) -> None:
    chance = random.Random(1_815)
    weights = WEIGHTS[: len(models)]
    for day in days:
        most = QUIET if day.weekday() > 4 else BUSY
        start = datetime(day.year, day.month, day.day, 8, tzinfo=UTC).timestamp()
        for number in range(chance.randint(most // 3, most)):
            clock.now = start + number * 1_500 + chance.random() * 600
            (model,) = chance.choices(models, weights[: len(models)])
            caller = principal if chance.random() < 0.8 else replace(principal, key_id=PLAYGROUND)
            await _one(ledger, clock, caller, model, chance)


async def _one(
    ledger: Ledger, clock: _Clock, principal: Principal, model: Model, chance: random.Random
) -> None:
    read = int(chance.lognormvariate(7.4, 0.9))
    written = int(chance.lognormvariate(5.9, 0.8))
    cached = int(read * chance.choice((0, 0, 0.3, 0.7)))
    hold = read + written
    admission = await ledger.admit(
        principal,
        model.code,
        random_id(16),
        input_tokens=read,
        hold_tokens=hold,
        expires_at=clock.now + 60,
    )
    await ledger.close(admission.hold, Usage(read, written, cached_tokens=cached))
