"""What a deployment costs in a month in which nobody calls it, computed from template.yaml.

List prices of us-east-1 without any free tier, in dollars. A resource of a type that has no price
here fails, as does a property that costs while idle.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local.table import load_template
from tests.evaluated_template import EvaluatedTemplate

ROOT = Path(__file__).parents[2]

HOURS_A_MONTH = 730
SECONDS_A_MONTH = HOURS_A_MONTH * 3600

#: A table that is small: five years of a hundred busy accounts are less. One gigabyte, backed up.
#: https://aws.amazon.com/dynamodb/pricing/on-demand/ storage and point-in-time recovery
STORAGE_A_GB = 0.25 + 0.20

#: https://aws.amazon.com/backup/pricing/ (DynamoDB, warm): a gigabyte of each copy, for a month
BACKUP_A_GB = 0.10
#: https://aws.amazon.com/secrets-manager/pricing/
SECRET = 0.40
#: https://aws.amazon.com/eventbridge/pricing/ (Scheduler)
SCHEDULED_INVOCATION = 1.00 / 1e6
#: https://aws.amazon.com/lambda/pricing/
LAMBDA_REQUEST = 0.20 / 1e6
LAMBDA_GB_SECOND = {"arm64": 0.0000133334, "x86_64": 0.0000166667}
SNAPSTART_GB_SECOND = 0.0000015046
#: https://aws.amazon.com/waf/pricing/
WEB_ACL, WEB_ACL_RULE = 5.00, 1.00
#: https://aws.amazon.com/sqs/pricing/ (standard queues)
QUEUE_REQUEST = 0.40 / 1e6
#: https://aws.amazon.com/cloudwatch/pricing/ (ingestion)
LOGGED_GB = 0.50

#: https://aws.amazon.com/cloudwatch/pricing/ (alarms on metrics, by metric; dashboards)
ALARM, DASHBOARD = 0.10, 3.00

#: https://aws.amazon.com/api-gateway/pricing/ (REST), a write unit, and a custom metric
API_REQUEST, WRITE_UNIT, CUSTOM_METRIC = 3.50 / 1e6, 0.625 / 1e6, 0.30
#: One scheduled run that finds an empty queue: always a cold start, as none ran for 15 minutes.
RUN_SECONDS = 2.0
RUN_QUEUE_REQUESTS = 1
RUN_LOGGED_BYTES = 2_000

#: All schedules together, at most.
SCHEDULES_BUDGET = 0.05

#: https://aws.amazon.com/ec2/pricing/on-demand/, an hour
INSTANCE_HOUR = {"m7g.large": 0.0816, "m7i.large": 0.1008}
#: https://aws.amazon.com/lambda/pricing/ (Managed Instances): what Lambda asks on top
MANAGEMENT_FEE = 0.15
#: Lambda starts so many, for three Availability Zones, and keeps them:
#: https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-best-practices.html
FIRST_INSTANCES = 3

Price = Callable[[dict[str, Any], EvaluatedTemplate], float]


def nothing(_: dict[str, Any], __: EvaluatedTemplate) -> float:
    return 0.0


def properties_of(resource: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = resource.get("Properties", {})
    return found


def function(resource: dict[str, Any], template: EvaluatedTemplate) -> float:
    """Its snapshot, while SnapStart is on; a function that does not run costs nothing itself."""
    properties = {**template.globals["Function"], **properties_of(resource)}
    gigabytes = int(properties["MemorySize"]) / 1024
    if properties["SnapStart"]["ApplyOn"] == "None":
        return 0.0
    return gigabytes * SNAPSTART_GB_SECOND * SECONDS_A_MONTH


def secret(_: dict[str, Any], __: EvaluatedTemplate) -> float:
    return SECRET


def web_acl(resource: dict[str, Any], _: EvaluatedTemplate) -> float:
    return WEB_ACL + WEB_ACL_RULE * len(properties_of(resource)["Rules"])


def instances(resource: dict[str, Any], _: EvaluatedTemplate) -> float:
    (kind,) = properties_of(resource)["InstanceRequirements"]["AllowedTypes"]
    return FIRST_INSTANCES * INSTANCE_HOUR[kind] * (1 + MANAGEMENT_FEE) * HOURS_A_MONTH


def alarm(_: dict[str, Any], __: EvaluatedTemplate) -> float:
    return ALARM


#: Type -> the price of one in a month (its storage and schedules apart), the page that says so,
#: and properties that would cost while idle, which no resource may have.
PRICES: dict[str, tuple[Price, str, set[str]]] = {
    "AWS::Serverless::Api": (
        nothing,
        "https://aws.amazon.com/api-gateway/pricing/",
        {"CacheClusterEnabled", "CacheClusterSize"},
    ),
    "AWS::Serverless::Function": (
        function,
        "https://aws.amazon.com/lambda/pricing/",
        {"ProvisionedConcurrencyConfig", "EphemeralStorage", "VpcConfig", "FileSystemConfigs"},
    ),
    "AWS::Serverless::CapacityProvider": (
        instances,
        "https://aws.amazon.com/lambda/pricing/",
        set(),
    ),
    "AWS::Serverless::LayerVersion": (nothing, "https://aws.amazon.com/lambda/pricing/", set()),
    "AWS::DynamoDB::Table": (
        nothing,
        "https://aws.amazon.com/dynamodb/pricing/on-demand/",
        {"ProvisionedThroughput", "GlobalSecondaryIndexes", "WarmThroughput"},
    ),
    "AWS::SecretsManager::Secret": (
        secret,
        "https://aws.amazon.com/secrets-manager/pricing/",
        {"ReplicaRegions", "KmsKeyId"},
    ),
    "AWS::SQS::Queue": (nothing, "https://aws.amazon.com/sqs/pricing/", {"KmsMasterKeyId"}),
    "AWS::Logs::LogGroup": (nothing, "https://aws.amazon.com/cloudwatch/pricing/", {"KmsKeyId"}),
    # the first ten alarms and three dashboards of an AWS account are free; here none is
    "AWS::CloudWatch::Dashboard": (
        lambda *_: DASHBOARD,
        "https://aws.amazon.com/cloudwatch/pricing/",
        set(),
    ),
    "AWS::Logs::QueryDefinition": (
        nothing,
        "https://aws.amazon.com/cloudwatch/pricing/",
        set(),
    ),
    "AWS::SNS::Topic": (nothing, "https://aws.amazon.com/sns/pricing/", {"KmsMasterKeyId"}),
    "AWS::SNS::Subscription": (nothing, "https://aws.amazon.com/sns/pricing/", set()),
    "AWS::IAM::Role": (nothing, "https://aws.amazon.com/iam/", set()),
    "AWS::ApiGateway::Account": (nothing, "https://aws.amazon.com/api-gateway/pricing/", set()),
    "AWS::ApiGateway::DomainName": (nothing, "https://aws.amazon.com/api-gateway/pricing/", set()),
    "AWS::ApiGateway::BasePathMapping": (
        nothing,
        "https://aws.amazon.com/api-gateway/pricing/",
        set(),
    ),
    "AWS::CloudWatch::Alarm": (alarm, "https://aws.amazon.com/cloudwatch/pricing/", {"Metrics"}),
    "AWS::WAFv2::WebACL": (web_acl, "https://aws.amazon.com/waf/pricing/", set()),
    "AWS::WAFv2::WebACLAssociation": (nothing, "https://aws.amazon.com/waf/pricing/", set()),
    # the hosted zone costs, and is the operator's already
    "AWS::Route53::RecordSet": (nothing, "https://aws.amazon.com/route53/pricing/", set()),
    # by the size of what they keep: test_the_price_of_backups
    **{
        f"AWS::Backup::{kind}": (nothing, "https://aws.amazon.com/backup/pricing/", set())
        for kind in ("BackupVault", "BackupPlan", "BackupSelection")
    },
    "AWS::SSM::Parameter": (
        nothing,
        "https://aws.amazon.com/systems-manager/pricing/",
        {"Tier"},
    ),
    # by people who sign in during the month
    "AWS::Cognito::UserPool": (
        nothing,
        "https://aws.amazon.com/cognito/pricing/",
        {"UserPoolAddOns"},
    ),
    "AWS::Cognito::UserPoolClient": (nothing, "https://aws.amazon.com/cognito/pricing/", set()),
    "AWS::Cognito::UserPoolDomain": (
        nothing,
        "https://aws.amazon.com/cognito/pricing/",
        {"CustomDomainConfig"},
    ),
    "AWS::Cognito::ManagedLoginBranding": (
        nothing,
        "https://aws.amazon.com/cognito/pricing/",
        set(),
    ),
}


def idle_cost(template: EvaluatedTemplate) -> float:
    """Dollars a month but for storage and schedules."""
    return sum(
        PRICES[resource["Type"]][0](resource, template) for resource in template.resources.values()
    )


def schedules(template: EvaluatedTemplate) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Function, expression and properties of each event that comes whether or not anyone calls."""
    for name, resource in template.resources.items():
        for event in properties_of(resource).get("Events", {}).values():
            if event["Type"] != "Api":
                assert event["Type"] == "ScheduleV2", (
                    "pollers of queues and streams cost while idle"
                )
                yield name, event["Properties"]["ScheduleExpression"], resource["Properties"]


def runs_a_month(expression: str) -> float:
    matched = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression)
    assert matched, f"a schedule that is not counted here: {expression}"
    seconds = int(matched[1]) * {"minute": 60, "hour": 3600, "day": 86_400}[matched[2]]
    return SECONDS_A_MONTH / seconds


def schedule_cost(template: EvaluatedTemplate) -> float:
    """Of all schedules: the calls, the runs, what they ask of the queue, and what is logged."""
    second = LAMBDA_GB_SECOND[template.parameters["Architecture"]]
    total = 0.0
    for _, expression, properties in schedules(template):
        run = (
            SCHEDULED_INVOCATION
            + LAMBDA_REQUEST
            + RUN_SECONDS * properties["MemorySize"] / 1024 * second
            + RUN_QUEUE_REQUESTS * QUEUE_REQUEST
            + RUN_LOGGED_BYTES / 1e9 * LOGGED_GB
        )
        total += runs_a_month(expression) * run
    return total


def test_the_canary_says_its_price() -> None:
    """Its own runs, and two requests in each, of which the completion writes twice."""
    runs, second = runs_a_month("rate(5 minutes)"), LAMBDA_GB_SECOND["arm64"]
    requests = 2 * (API_REQUEST + LAMBDA_REQUEST) + 1.5 * second + 4 * WRITE_UNIT
    with_it = EvaluatedTemplate({"Canary": "on"})

    more = schedule_cost(with_it) - schedule_cost(DEFAULTS) + runs * requests + CUSTOM_METRIC

    assert f"{dollars(more)} a month" in load_template()["Parameters"]["Canary"]["Description"]


def test_alarms_say_their_price_with_the_canary() -> None:
    with_both = EvaluatedTemplate({"Alarms": "on", "Canary": "on"})

    more = idle_cost(with_both) - idle_cost(DEFAULTS)

    said = load_template()["Parameters"]["Alarms"]["Description"]
    assert f"with Canary on, {dollars(more)} a month" in said
    assert f"{dollars(more)} a month" in (ROOT / "docs/deploy.md").read_text()


def dollars(amount: float) -> str:
    return f"{amount:.2f} USD"


DEFAULTS = EvaluatedTemplate()

#: Parameter and value: every one that can be chosen from a list, and values for the others that
#: make resources.
CHOICES = (
    [
        (name, value)
        for name, parameter in load_template()["Parameters"].items()
        for value in parameter.get("AllowedValues", [])
        if value != parameter["Default"]
    ]
    + [
        ("DomainName", "api.example.com"),
        ("HostedZoneId", "Z1"),
        ("ChatConcurrency", 100),
        ("KeysConcurrency", 5),
    ]
    + [("RequestsPerAddress", 1000)]
)


@pytest.mark.parametrize("kind", sorted({r["Type"] for r in load_template()["Resources"].values()}))
def test_every_type_of_resource_has_a_price_and_none_of_what_costs_while_idle(kind: str) -> None:
    _, source, costly = PRICES[kind]

    assert source.startswith("https://aws.amazon.com/")
    for name, resource in load_template()["Resources"].items():
        if resource["Type"] == kind:
            assert not costly & properties_of(resource).keys(), name
    assert (
        not PRICES["AWS::Serverless::Function"][2] & load_template()["Globals"]["Function"].keys()
    )


def test_the_table_is_paid_by_request() -> None:
    tables = [r for r in DEFAULTS.resources.values() if r["Type"] == "AWS::DynamoDB::Table"]

    assert [properties_of(table)["BillingMode"] for table in tables] == ["PAY_PER_REQUEST"]


def test_beside_storage_and_schedules_only_the_secret_costs() -> None:
    assert idle_cost(DEFAULTS) == SECRET


def test_there_is_one_schedule() -> None:
    assert [(name, expression) for name, expression, _ in schedules(DEFAULTS)] == [
        ("SettlementsFunction", "rate(15 minutes)")
    ]


@pytest.mark.parametrize("architecture", LAMBDA_GB_SECOND)
def test_schedules_cost_next_to_nothing(architecture: str) -> None:
    template = EvaluatedTemplate({"Architecture": architecture})

    assert 0 < schedule_cost(template) <= SCHEDULES_BUDGET


@pytest.mark.parametrize(("name", "value"), CHOICES)
def test_a_parameter_that_makes_an_idle_deployment_dearer_says_by_how_much(
    name: str, value: Any
) -> None:
    """Off by default, then: with the defaults only the secret costs."""
    parameter = load_template()["Parameters"][name]

    more = idle_cost(EvaluatedTemplate({name: value})) - idle_cost(DEFAULTS)

    assert more >= 0
    if more:
        assert f"{dollars(more)} a month" in parameter["Description"]


@pytest.mark.parametrize("architecture", LAMBDA_GB_SECOND)
def test_instances_have_their_price_on_both_processors(architecture: str) -> None:
    chosen = {"Architecture": architecture}
    with_instances = EvaluatedTemplate({**chosen, "ManagedInstances": "on"})

    more = idle_cost(with_instances) - idle_cost(EvaluatedTemplate(chosen))

    assert dollars(more) in load_template()["Parameters"]["ManagedInstances"]["Description"]


def test_the_price_of_backups_is_that_of_all_copies_that_are_kept() -> None:
    plan = properties_of(EvaluatedTemplate({"MonthlyBackups": "on"}).resources["BackupPlan"])
    (rule,) = plan["BackupPlan"]["BackupPlanRule"]
    assert rule["ScheduleExpression"] == "cron(0 5 1 * ? *)"  # once a month
    copies = rule["Lifecycle"]["DeleteAfterDays"] * 12 // 365

    said = load_template()["Parameters"]["MonthlyBackups"]["Description"]
    assert f"{dollars(copies * BACKUP_A_GB)} a month for each gigabyte" in said


@pytest.mark.parametrize("page", ["README.md", "docs/deploy.md"])
def test_the_pages_say_what_an_idle_deployment_costs(page: str) -> None:
    text = " ".join((ROOT / page).read_text().split())
    fixed = dollars(idle_cost(DEFAULTS) + schedule_cost(DEFAULTS))

    assert f"{fixed} a month and storage ({dollars(STORAGE_A_GB)} a gigabyte)" in text
