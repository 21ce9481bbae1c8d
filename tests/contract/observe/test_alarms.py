"""Each alarm of the template is raised by its fault, and by nothing on a quiet day.

The fault is driven against the API itself; what CloudWatch would read from its lines is judged by
the alarm's own statistic, period and threshold.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from tests.cloudwatch import CloudWatch
from tests.contract.observe.alarm_faults import FAULTS, Stage, nobody_at_the_public_url
from tests.contract.observe.conftest import ANSWER, NAMESPACE, World
from tests.contract.observe.test_request_line import broken, listed, streamed, throttled
from tests.evaluated_template import EvaluatedTemplate
from tests.fake_upstream import FakeUpstream, Reply
from tests.ledger_world import BlockingLedger, Clock

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient

RUNBOOK = Path(__file__).parents[3] / "docs" / "runbook.md"
#: As an operator may set them; the first two are small so that a test reaches them.
PARAMETERS = {"DailySpend": 1, "ConcurrentRequests": 5, "Alarms": "on", "Canary": "on"}
TEMPLATE = EvaluatedTemplate(PARAMETERS)
QUIET_PARAMETERS = EvaluatedTemplate({"Alarms": "on", "Canary": "on"})
PERIOD = 300


def alarms(template: EvaluatedTemplate) -> dict[str, dict[str, Any]]:
    """Properties by name, with what refers to other resources as it is in these tests."""
    found = {}
    for name, resource in template.resources.items():
        if resource["Type"] == "AWS::CloudWatch::Alarm":
            properties = dict(resource["Properties"])
            if properties["Namespace"] == {"Fn::Sub": "losi/${AWS::StackName}"}:
                properties["Namespace"] = NAMESPACE
            if "Dimensions" in properties:
                assert properties["Dimensions"][0]["Value"] == {
                    "Fn::GetAtt": ["DeadSettlementsQueue", "QueueName"]
                }
                properties["Dimensions"] = [{"Name": "QueueName", "Value": "DEAD"}]
            found[name] = properties
    return found


@pytest.fixture
def sqs(aws: None) -> Iterator[SQSClient]:
    sqs = boto3.client("sqs")
    for name in ("QUEUE", "DEAD"):
        sqs.create_queue(QueueName=name)
    yield sqs
    for url in sqs.list_queues()["QueueUrls"]:
        sqs.delete_queue(QueueUrl=url)


@pytest.fixture
def stage(
    world: World,
    client: DynamoDBClient,
    sqs: SQSClient,
    ledger: BlockingLedger,
    clock: Clock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Stage:
    folder = tmp_path / "queue"
    services = world.services
    services.config = replace(services.config, settlements_folder=str(folder))
    return Stage(world, client, sqs, ledger, clock, folder, monkeypatch, CloudWatch())


def test_every_alarm_has_a_fault_and_an_entry_in_the_runbook() -> None:
    entries = re.findall(r"^### (\w+Alarm)$", RUNBOOK.read_text(), re.MULTILINE)

    assert sorted(alarms(TEMPLATE)) == sorted(FAULTS) == sorted(entries)


def test_without_the_parameter_there_is_none() -> None:
    assert alarms(EvaluatedTemplate()) == {}


def test_the_canary_is_watched_where_there_is_one() -> None:
    assert "CanaryAlarm" not in alarms(EvaluatedTemplate({"Alarms": "on"}))
    assert alarms(EvaluatedTemplate({"Canary": "on"})) == {}


@pytest.mark.parametrize("name", FAULTS)
async def test_its_fault_raises_it(stage: Stage, name: str) -> None:
    alarm = alarms(TEMPLATE)[name]

    for period in range(alarm["EvaluationPeriods"]):
        stage.at = period * alarm["Period"]
        await FAULTS[name](stage)
        stage.cloudwatch.take(stage.world.lines, stage.at)
        stage.world.lines.clear()

    assert alarm["MetricName"] in stage.cloudwatch.names()
    assert stage.cloudwatch.raises(alarm)


async def hiccup(world: World) -> None:
    """One failure of a provider, after which the same route answers."""
    world.upstream.replies = [Reply.json({}, 500), Reply.json(ANSWER)]
    await world.chat()


async def canary_is_answered(stage: Stage) -> None:
    models = {"data": [{"id": "talker", "kind": "chat"}]}
    async with FakeUpstream() as public:
        public.replies = [Reply.json(models), Reply.json(ANSWER)]
        await stage.run_canary(public.url)


async def test_a_quiet_day_raises_none(stage: Stage) -> None:
    """Refusals, broken streams and hiccups are everyday: one of each every five minutes, beside
    twenty good answers. Of the canary's runs one an hour fails.
    """
    world = stage.world
    for _ in range(10):
        world.upstream.replies = [Reply.json(ANSWER)]
        await world.chat()
        await streamed(world)
    await listed(world)
    await hiccup(world)
    await broken(world)
    await world.http.get("/api/v1/models", headers={"Authorization": "Bearer losi-none"})
    await world.chat(model="unknown")
    await stage.run(stage.consumer())
    await canary_is_answered(stage)
    day = list(world.lines)
    await throttled(world)
    day += world.lines
    assert {line.get("status") for line in day} >= {200, 401, 404, 429}

    for at in range(0, 86_400, PERIOD):
        stage.cloudwatch.take(day, at)
        stage.cloudwatch.put("AWS/Lambda", "ClaimedAccountConcurrency", 20, at)
        stage.cloudwatch.put(
            "AWS/SQS", "ApproximateNumberOfMessagesVisible", 0, at, QueueName="DEAD"
        )
    world.lines.clear()
    await nobody_at_the_public_url(stage)
    for at in range(0, 86_400, 3_600):
        stage.cloudwatch.take(world.lines, at)

    found = alarms(QUIET_PARAMETERS)
    assert [name for name, alarm in found.items() if stage.cloudwatch.raises(alarm)] == []
    assert {
        "losi.faults",
        "losi.cost",
        "losi.canary.failures",
        "gen_ai.server.time_to_first_token",
    } <= stage.cloudwatch.names()
