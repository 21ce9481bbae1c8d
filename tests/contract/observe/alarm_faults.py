"""The faults that raise alarms, each played against the API itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import orjson
import pytest

from losi.aws.canary import KEY_VARIABLE, Canary
from losi.aws.settlements import Consumer
from losi.config import Config
from losi.http1 import ConnectError
from losi.metering import gate, reconciliation
from losi.metering.usage import Usage
from losi.observe import lines
from losi.observe import request as observe
from losi.store.client import primary_key
from losi.store.dynamodb import DynamoDBError
from losi.web.dependencies import MARGIN_SECONDS
from tests.cloudwatch import CloudWatch
from tests.contract.observe.conftest import ANSWER, NAMESPACE, World
from tests.contract.observe.test_request_line import STREAM
from tests.dynamodb_client import TABLE
from tests.dynamodb_local import free_port
from tests.fake_upstream import Reply
from tests.ledger_world import ACCOUNT, BlockingLedger, Clock, admit, caller
from tests.over_boto3 import OverBoto3

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient
    from starlette.types import Receive, Scope, Send


@dataclass
class Stage:
    """Where faults are played. `at` is the second at which the next one is."""

    world: World
    client: DynamoDBClient
    sqs: SQSClient
    ledger: BlockingLedger
    clock: Clock
    folder: Path
    patch: pytest.MonkeyPatch
    cloudwatch: CloudWatch
    at: float = 0.0

    def consumer(self) -> Consumer:
        """The function that runs by schedule."""
        outputs = list(lines.outputs)
        live, dead = (
            self.sqs.get_queue_url(QueueName=name)["QueueUrl"] for name in ("QUEUE", "DEAD")
        )
        made = Consumer(
            Config(
                table=TABLE,
                settlements_queue=live,
                dead_settlements_queue=dead,
                metrics_namespace=NAMESPACE,
            )
        )
        lines.write_to(*outputs)
        made.dynamodb = OverBoto3(self.client)
        return made

    async def run(self, consumer: Consumer) -> None:
        await asyncio.to_thread(consumer, {}, Context())
        consumer.close()

    async def run_canary(self, url: str) -> None:
        outputs = list(lines.outputs)
        key = {KEY_VARIABLE: "losi-test-of-the-canary"}
        made = Canary(Config(canary_url=url, variables=key, metrics_namespace=NAMESPACE))
        lines.write_to(*outputs)
        await asyncio.to_thread(made, {}, None)


class Context:
    """What Lambda says of an invocation."""

    def __init__(self, seconds: float = 300.0) -> None:
        self._seconds = seconds

    def get_remaining_time_in_millis(self) -> int:
        return int(self._seconds * 1000)


async def providers_fail(stage: Stage) -> None:
    """OpenAI answers 500 for every request, on both routes of the model."""
    stage.world.upstream.replies = [Reply.json({"error": {"message": "oh"}}, 500)]
    for _ in range(3):
        await stage.world.chat()


async def first_tokens_are_slow(stage: Stage) -> None:
    """A clock that runs ahead while the provider is silent."""
    ahead = 0.0

    class Ahead:
        @staticmethod
        def monotonic() -> float:
            return time.monotonic() + ahead

    async def slow() -> AsyncIterator[bytes]:
        nonlocal ahead
        ahead += 12
        for event in STREAM:
            yield event

    stage.patch.setattr(observe, "time", Ahead)
    stage.world.upstream.replies = [Reply.sse(slow())]
    await stage.world.chat(stream=True)


class Throttled:
    """As DynamoDB says that it is asked too much; the call was not done.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
    """

    async def call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        raise DynamoDBError("ThrottlingException", 400, {"message": "Rate exceeded"})


async def store_throttles(stage: Stage) -> None:
    stage.world.services.dynamodb = Throttled()
    for _ in range(3):
        assert (await stage.world.chat()).status_code == 503


class Unreachable:
    """Nobody takes the connection."""

    async def call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        raise ConnectError("nobody took the request")


async def table_is_away_at_the_end(stage: Stage) -> None:
    """The request was admitted, and its invocation ends before the table comes back."""
    stage.patch.setattr(gate, "SETTLED_WITHIN_SECONDS", 0.0)
    stage.patch.setattr(gate, "SETTLING_SECONDS", 0.01)
    stage.world.services.settling_dynamodb = Unreachable()
    app = stage.world.app

    async def short(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "aws.context": Context(MARGIN_SECONDS + 0.5)}, receive, send)

    stage.world.http._transport = httpx.ASGITransport(app=short)
    assert (await stage.world.chat()).status_code == 200


async def queue_is_away_too(stage: Stage) -> None:
    stage.folder.write_text("a file in place of the folder")
    await table_is_away_at_the_end(stage)


async def poison_in_the_queue(stage: Stage) -> None:
    """SQS tells the depth of its queues by itself."""
    url = stage.sqs.get_queue_url(QueueName="QUEUE")["QueueUrl"]
    stage.sqs.send_message(QueueUrl=url, MessageBody="no settlement")

    await stage.run(stage.consumer())

    dead = stage.sqs.get_queue_url(QueueName="DEAD")["QueueUrl"]
    told = stage.sqs.get_queue_attributes(
        QueueUrl=dead, AttributeNames=["ApproximateNumberOfMessages"]
    )
    depth = int(told["Attributes"]["ApproximateNumberOfMessages"])
    stage.cloudwatch.put(
        "AWS/SQS", "ApproximateNumberOfMessagesVisible", depth, stage.at, QueueName="DEAD"
    )


async def processes_die(stage: Stage) -> None:
    """What a killed process held is found by the account's next request, when it has no room."""
    services, secret = stage.world.services, stage.world.secret
    services.accounts.set_plan(secret.account_id, "plus")
    principal = services.authenticator.authenticate(secret, fresh=True)

    async def hold(name: str, expires_in: float) -> None:
        await services.ledger.admit(
            principal,
            "4om",
            name,
            input_tokens=10,
            hold_tokens=100,
            expires_at=time.time() + expires_in,
        )

    for running in range(principal.plan.in_flight - 1):
        await hold(f"running{running}", 600)
    for dead in range(5):
        await hold(f"dead{dead}", -60)
        answer = await stage.world.chat(model="gpt-4o-mini")
        assert answer.status_code == 200, answer.text


async def books_are_wrong(stage: Stage) -> None:
    stage.patch.setattr(reconciliation, "PAUSE", 0.0)
    stage.clock.now = time.time() - 86_400

    def spoil() -> None:
        hold = admit(stage.ledger, caller(), stage.clock).hold
        stage.ledger.settle(hold, Usage(100, 50))
        stage.client.update_item(
            TableName=TABLE,
            Key=primary_key(ACCOUNT, hold.sort),
            UpdateExpression="ADD committed :more",
            ExpressionAttributeValues={":more": {"N": "50"}},
        )

    await asyncio.to_thread(spoil)
    await stage.run(stage.consumer())


async def accounts_spend(stage: Stage) -> None:
    usage = {"prompt_tokens": 128_000, "completion_tokens": 16_384, "total_tokens": 144_384}
    stage.world.upstream.replies = [Reply.json({**ANSWER, "usage": usage})]
    for _ in range(3):
        await stage.world.chat()


async def many_at_once(stage: Stage) -> None:
    """Lambda counts invocations that run at the same time, over all functions."""
    running = peak = 0
    all_run, go_on = asyncio.Event(), asyncio.Event()
    app = stage.world.app

    async def counted(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal running, peak
        running += 1
        peak = max(peak, running)
        if running == 6:
            all_run.set()
        try:
            await app(scope, receive, send)
        finally:
            running -= 1

    async def late() -> AsyncIterator[bytes]:
        await go_on.wait()
        yield orjson.dumps(ANSWER)

    stage.world.http._transport = httpx.ASGITransport(app=counted)
    json = {"content-type": "application/json"}
    stage.world.upstream.replies = [Reply(late(), headers=json) for _ in range(7)]
    calls = [asyncio.ensure_future(stage.world.chat()) for _ in range(6)]
    await all_run.wait()
    go_on.set()
    await asyncio.gather(*calls)
    stage.cloudwatch.put("AWS/Lambda", "ClaimedAccountConcurrency", peak, stage.at)


async def nobody_at_the_public_url(stage: Stage) -> None:
    """No request comes, so no other metric says anything."""
    await stage.run_canary(f"http://127.0.0.1:{free_port()}")


FAULTS: dict[str, Callable[[Stage], Awaitable[None]]] = {
    "ErrorRateAlarm": providers_fail,
    "ProviderDownAlarm": providers_fail,
    "FirstTokenSlowAlarm": first_tokens_are_slow,
    "StoreThrottledAlarm": store_throttles,
    "SettlementsQueuedAlarm": table_is_away_at_the_end,
    "SettlementsLostAlarm": queue_is_away_too,
    "SettlementsDeadAlarm": poison_in_the_queue,
    "UnsettledHoldsAlarm": processes_die,
    "BooksDriftAlarm": books_are_wrong,
    "SpendAlarm": accounts_spend,
    "ConcurrencyAlarm": many_at_once,
    "CanaryAlarm": nobody_at_the_public_url,
}
