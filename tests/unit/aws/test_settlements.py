"""The consumer of the queue: what the store did not take in time is settled, once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from losi.aws import settlements
from losi.config import Config
from losi.errors import StoreUnavailableError
from losi.metering.ledger import Ledger
from losi.metering.settler import Settlement
from losi.metering.usage import Usage
from tests.ledger_world import ACCOUNT, BlockingLedger, Clock, admit, caller
from tests.over_boto3 import OverBoto3
from tests.unit.conftest import TABLE

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient

EVENT = Path(__file__).parents[3] / "events" / "settlements.json"
TODAY = date(2026, 11, 23)
USED = Usage(120, 30)


class Context:
    def get_remaining_time_in_millis(self) -> int:
        return 300_000


@pytest.fixture
def sqs(client: DynamoDBClient, monkeypatch: pytest.MonkeyPatch) -> Iterator[SQSClient]:
    sqs = boto3.client("sqs")
    live, dead = (
        sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "0"})["QueueUrl"]
        for name in ("QUEUE", "DEAD")
    )
    config = Config(table=TABLE, settlements_queue=live, dead_settlements_queue=dead)
    monkeypatch.setattr(settlements, "CONFIG", config)
    monkeypatch.setattr(settlements, "DynamoDB", lambda *_: OverBoto3(client))
    made_once: list[Any] = [settlements._queue, settlements._ledger, settlements._loop]
    for made in made_once:
        made.cache_clear()
    yield sqs
    settlements._loop().close()
    for made in made_once:
        made.cache_clear()
    for url in sqs.list_queues()["QueueUrls"]:
        sqs.delete_queue(QueueUrl=url)


def waiting(sqs: SQSClient, name: str) -> list[str]:
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
    return [message["Body"] for message in answer.get("Messages", [])]


def send(sqs: SQSClient, *texts: str) -> None:
    for text in texts:
        sqs.send_message(
            QueueUrl=sqs.get_queue_url(QueueName="QUEUE")["QueueUrl"], MessageBody=text
        )


def billed(ledger: BlockingLedger) -> Usage:
    return sum((day.total for day in ledger.usage(ACCOUNT, TODAY, TODAY)), Usage(0, 0))


def test_by_schedule_it_empties_the_queue(
    sqs: SQSClient, ledger: BlockingLedger, clock: Clock
) -> None:
    letters = [Settlement(admit(ledger, caller(), clock).hold, USED).to_text() for _ in range(12)]
    send(sqs, *letters, letters[0], "no settlement")

    answer = settlements.handler({"source": "aws.scheduler"}, Context())

    assert answer == {"settled": 13}
    assert billed(ledger) == Usage(12 * 120, 12 * 30)
    assert waiting(sqs, "QUEUE") == []
    assert waiting(sqs, "DEAD") == ["no settlement"]


def test_what_the_store_refuses_stays(
    sqs: SQSClient, ledger: BlockingLedger, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    letter = Settlement(admit(ledger, caller(), clock).hold, USED).to_text()
    send(sqs, letter)

    async def refuse(*_: Any) -> None:
        raise StoreUnavailableError

    with monkeypatch.context() as away:
        away.setattr(Ledger, "close", refuse)
        assert settlements.handler({}, Context()) == {"settled": 0}

    assert waiting(sqs, "QUEUE") == [letter]
    assert settlements.handler({}, Context()) == {"settled": 1}
    assert billed(ledger) == USED


def test_of_an_sqs_event_it_reports_what_is_not_done(
    sqs: SQSClient, ledger: BlockingLedger, clock: Clock
) -> None:
    event = json.loads(EVENT.read_text())
    held = json.loads(event["Records"][0]["body"])["hold"]
    admit(ledger, caller(), clock, model=held["model_code"], request_id=held["request_id"])
    event["Records"].append({**event["Records"][0], "messageId": "bad", "body": "no settlement"})

    answer = settlements.handler(event, Context())

    assert answer == {"batchItemFailures": [{"itemIdentifier": "bad"}]}
    assert billed(ledger) == USED
