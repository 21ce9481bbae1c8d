"""The consumer of the queue: what the store did not take in time is settled, once; then
the days that are over are reconciled.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from losi.aws.settlements import Consumer
from losi.config import Config, Retention
from losi.errors import StoreUnavailableError
from losi.metering.day_item import Hold, expiry_of, folded_sort_key
from losi.metering.ledger import Ledger
from losi.metering.settler import Settlement
from losi.metering.usage import Usage
from losi.observe.request import Event
from losi.store.client import primary_key
from losi.store.reads import Reads
from tests.dynamodb_client import TABLE
from tests.ledger_world import ACCOUNT, KEY, BlockingLedger, Clock, admit, caller
from tests.over_boto3 import OverBoto3

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient

EVENT = Path(__file__).parents[3] / "events" / "settlements.json"
TODAY = date(2026, 11, 23)
USED = Usage(120, 30)


class Context:
    def __init__(self, left_ms: int = 300_000) -> None:
        self._left_ms = left_ms

    def get_remaining_time_in_millis(self) -> int:
        return self._left_ms


@pytest.fixture
def sqs(aws: None) -> Iterator[SQSClient]:
    """With the two queues of template.yaml."""
    sqs = boto3.client("sqs")
    for name in ("QUEUE", "DEAD"):
        sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "0"})
    yield sqs
    for url in sqs.list_queues()["QueueUrls"]:
        sqs.delete_queue(QueueUrl=url)


@pytest.fixture
def consumer(sqs: SQSClient, client: DynamoDBClient) -> Iterator[Consumer]:
    live, dead = (sqs.get_queue_url(QueueName=name)["QueueUrl"] for name in ("QUEUE", "DEAD"))
    made = Consumer(Config(table=TABLE, settlements_queue=live, dead_settlements_queue=dead))
    made.dynamodb = OverBoto3(client)
    yield made
    made.close()


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
    consumer: Consumer, sqs: SQSClient, ledger: BlockingLedger, clock: Clock
) -> None:
    letters = [Settlement(admit(ledger, caller(), clock).hold, USED).to_text() for _ in range(12)]
    send(sqs, *letters, letters[0], "no settlement")

    answer = consumer({"source": "aws.scheduler"}, Context())

    assert answer["settled"] == 13
    assert billed(ledger) == Usage(12 * 120, 12 * 30)
    assert waiting(sqs, "QUEUE") == []
    assert waiting(sqs, "DEAD") == ["no settlement"]


def test_its_line_says_what_was_settled_and_buried(
    consumer: Consumer,
    sqs: SQSClient,
    ledger: BlockingLedger,
    clock: Clock,
    capsys: pytest.CaptureFixture[str],
) -> None:
    letter = Settlement(admit(ledger, caller(), clock).hold, USED).to_text()
    send(sqs, letter, "no settlement")

    consumer({}, Context())

    [line] = map(json.loads, capsys.readouterr().out.splitlines())
    assert (line["run"], line["settled"]) == ("settlements", 1)
    assert line["counts"] == {Event.SETTLEMENT_BURIED.value: 1}


@pytest.mark.parametrize(("left_ms", "settled"), [(20_000, 0), (25_000, 1)])
def test_it_takes_no_letter_that_it_may_not_end_in_time(
    consumer: Consumer,
    sqs: SQSClient,
    ledger: BlockingLedger,
    clock: Clock,
    left_ms: int,
    settled: int,
) -> None:
    send(sqs, Settlement(admit(ledger, caller(), clock).hold, USED).to_text())

    assert consumer({}, Context(left_ms))["settled"] == settled


def test_it_logs_what_the_operator_wants() -> None:
    Consumer(Config(log_level="ERROR"))
    assert logging.getLogger("losi").level == logging.ERROR

    Consumer(Config())
    assert logging.getLogger("losi").level == logging.INFO


def test_figures_of_a_deleted_key_are_kept_as_long_as_the_operator_keeps_usage(
    consumer: Consumer, sqs: SQSClient, ledger: BlockingLedger, clock: Clock
) -> None:
    consumer._config = replace(consumer._config, retention=Retention(usage_days=7))
    send(sqs, Settlement(admit(ledger, caller(), clock).hold, USED).to_text())
    ledger.forget_key(ACCOUNT, KEY)

    assert consumer({}, Context())["settled"] == 1

    key = primary_key(ACCOUNT, folded_sort_key(TODAY, test=False))
    item = ledger.client.get_item(TableName=TABLE, Key=key)["Item"]
    assert int(item["ttl"]["N"]) == expiry_of(TODAY, 7)


def test_what_the_store_refuses_stays(
    consumer: Consumer,
    sqs: SQSClient,
    ledger: BlockingLedger,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    letter = Settlement(admit(ledger, caller(), clock).hold, USED).to_text()
    send(sqs, letter)

    async def refuse(*_: Any) -> None:
        raise StoreUnavailableError

    with monkeypatch.context() as away:
        away.setattr(Ledger, "close", refuse)
        assert consumer({}, Context())["settled"] == 0

    assert waiting(sqs, "QUEUE") == [letter]
    assert consumer({}, Context())["settled"] == 1
    assert billed(ledger) == USED


def test_of_an_sqs_event_it_reports_what_is_not_done(
    consumer: Consumer, ledger: BlockingLedger, clock: Clock
) -> None:
    event = json.loads(EVENT.read_text())
    held = json.loads(event["Records"][0]["body"])["hold"]
    admit(ledger, caller(), clock, model=held["model_code"], request_id=held["request_id"])
    event["Records"].append({**event["Records"][0], "messageId": "bad", "body": "no settlement"})

    answer = consumer(event, Context())

    assert answer == {"batchItemFailures": [{"itemIdentifier": "bad"}]}
    assert billed(ledger) == USED


def test_then_it_reconciles_the_days_that_are_over(
    consumer: Consumer, sqs: SQSClient, ledger: BlockingLedger, clock: Clock
) -> None:
    """Yesterday first; when all is done, a run reads one item."""
    clock.now = time.time() - 86_400
    day = datetime.fromtimestamp(clock.now, UTC).date()
    hold = admit(ledger, caller(), clock).hold

    assert consumer({}, Context())["reconciled"] == [day.isoformat()]
    assert consumer({}, Context())["reconciled"] == []

    (usage,) = ledger.usage(ACCOUNT, day, day)
    assert usage.total == Usage(hold.input_tokens, 0)
    assert not stored(ledger, hold)["holds"]["M"]


def test_a_store_that_fails_meanwhile_leaves_the_rest_to_the_next_run(
    consumer: Consumer, sqs: SQSClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: Any) -> None:
        raise StoreUnavailableError

    with monkeypatch.context() as away:
        away.setattr(Reads, "page", refuse)
        assert consumer({}, Context()) == {"settled": 0, "reconciled": []}

    assert len(consumer({}, Context())["reconciled"]) == 1


def stored(ledger: BlockingLedger, hold: Hold) -> dict[str, Any]:
    key = primary_key(hold.account_id, hold.sort)
    return ledger.client.get_item(TableName=TABLE, Key=key)["Item"]
