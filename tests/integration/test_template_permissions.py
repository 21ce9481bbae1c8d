"""Each function may do what its endpoint does, on one table, and nothing else."""

from __future__ import annotations

import pytest

from local.table import load_template
from losi.catalogue.loader import SHIPPED, load
from losi.cli.check import bedrock_models
from tests.integration.translated import FUNCTIONS, resource, statements, text_of

#: The stack's own, or the one that is named.
TABLE_ARN = {
    "Fn::If": [
        "MakesTable",
        {"Fn::GetAtt": ["LosiTable", "Arn"]},
        {
            "Fn::Sub": "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}"
            ":table/${ExistingTable}"
        },
    ]
}

#: Ten refusals of a key within a minute.
WRITES_AUDIT = {
    "Effect": "Allow",
    "Action": "dynamodb:PutItem",
    "Resource": TABLE_ARN,
    "Condition": {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["AUDIT#*"]}},
}

NOTES_LAST_USE = {
    "Effect": "Allow",
    "Action": "dynamodb:UpdateItem",
    "Resource": TABLE_ARN,
    "Condition": {
        "ForAllValues:StringEquals": {"dynamodb:Attributes": ["pk", "sk", "last_used_at"]},
        "StringEqualsIfExists": {"dynamodb:ReturnValues": ["NONE", "UPDATED_OLD", "UPDATED_NEW"]},
    },
}

#: Kept apart from the template on purpose: a wider policy needs a second signature, here.
TABLE = (
    ("ChatCompletionsFunction", {"BatchGetItem", "Query", "UpdateItem"}),
    ("EmbeddingsFunction", {"BatchGetItem", "Query", "UpdateItem"}),
    ("SettlementsFunction", {"BatchGetItem", "Query", "UpdateItem"}),
    ("ModelsFunction", {"BatchGetItem"}),
    ("HealthFunction", {"BatchGetItem"}),
    (
        "ApiKeysFunction",
        {
            *("BatchGetItem", "ConditionCheckItem", "DeleteItem", "GetItem", "PutItem"),
            *("Query", "UpdateItem"),
        },
    ),
    ("AuditLogFunction", {"BatchGetItem", "Query"}),
    ("ApiUsageFunction", {"BatchGetItem", "Query", "UpdateItem"}),
    (
        "SessionFunction",
        {"BatchGetItem", "BatchWriteItem", "PutItem", "Query", "UpdateItem"},
    ),
    ("SignInFunction", {"GetItem", "PutItem", "UpdateItem"}),
    (
        "OperatorFunction",
        {
            "BatchGetItem",
            "BatchWriteItem",
            "ConditionCheckItem",
            "GetItem",
            "PutItem",
            "Query",
            "Scan",
            "UpdateItem",
        },
    ),
    (
        "ProfileFunction",
        {
            *("BatchGetItem", "BatchWriteItem", "ConditionCheckItem", "DeleteItem"),
            *("GetItem", "Query", "UpdateItem"),
        },
    ),
)
OPEN = sorted({*FUNCTIONS} - {function for function, _ in TABLE} - {"CanaryFunction"})


@pytest.mark.parametrize(("function", "actions"), TABLE)
def test_on_the_table(function: str, actions: set[str]) -> None:
    table = statements(function)[0]
    allowed = [table["Action"]] if isinstance(table["Action"], str) else table["Action"]

    assert {action.removeprefix("dynamodb:") for action in allowed} == actions
    assert table["Resource"] == TABLE_ARN


@pytest.mark.parametrize("function", OPEN)
def test_the_others_may_do_nothing(function: str) -> None:
    assert "Policies" not in resource(f"{function}Role")


def test_the_canary_reads_its_key() -> None:
    (secret,) = statements("CanaryFunction")

    assert secret["Action"] == "secretsmanager:GetSecretValue"
    assert secret["Resource"] == {"Ref": "ProviderSecret"}


def test_only_operators_read_metrics_and_only_where_there_are_details() -> None:
    reads = {
        "Effect": "Allow",
        "Action": "cloudwatch:GetMetricData",
        "Resource": "*",  # IAM knows no narrower one
    }
    having = [name for name, _ in TABLE if "cloudwatch" in str(statements(name))]

    assert having == ["OperatorFunction"]
    *_, metrics = statements("OperatorFunction")
    assert metrics == {"Fn::If": ["MakesDetails", reads, {"Ref": "AWS::NoValue"}]}


@pytest.mark.parametrize("function", [name for name, _ in TABLE])
def test_what_more_it_may_on_the_table_is_bound_to_attributes_or_partitions(function: str) -> None:
    more = [row for row in statements(function)[1:] if "dynamodb" in str(row.get("Action"))]

    for row in more:
        assert row["Resource"] == TABLE_ARN
        assert row in (WRITES_AUDIT, NOTES_LAST_USE)
    assert (NOTES_LAST_USE in more) == (function in ("ModelsFunction", "AuditLogFunction"))


@pytest.mark.parametrize("function", ["ChatCompletionsFunction", "EmbeddingsFunction"])
def test_what_asks_providers_reads_their_secret_and_hands_settlements_over(function: str) -> None:
    (secret,) = [row for row in statements(function) if "secretsmanager" in str(row)]
    (queue,) = [row for row in statements(function) if "sqs" in str(row)]

    assert secret["Action"] == "secretsmanager:GetSecretValue"
    assert secret["Resource"] == {"Ref": "ProviderSecret"}
    assert queue["Action"] == "sqs:SendMessage"
    assert queue["Resource"] == {"Fn::GetAtt": ["SettlementsQueue", "Arn"]}


def test_settlements_are_taken_from_one_queue_and_dead_ones_put_into_another() -> None:
    _, queue, dead = statements("SettlementsFunction")

    assert queue["Action"] == ["sqs:DeleteMessage", "sqs:ReceiveMessage"]
    assert queue["Resource"] == {"Fn::GetAtt": ["SettlementsQueue", "Arn"]}
    assert dead["Action"] == "sqs:SendMessage"
    assert dead["Resource"] == {"Fn::GetAtt": ["DeadSettlementsQueue", "Arn"]}


def test_chat_calls_bedrock_only_when_switched_on() -> None:
    *_, bedrock = statements("ChatCompletionsFunction")
    condition, allowed, otherwise = bedrock["Fn::If"]

    assert condition == "UsesBedrock"
    variables = resource("ChatCompletionsFunction")["Environment"]["Variables"]
    assert variables["LOSI_BEDROCK_REGION"]["Fn::If"][:2] == [condition, {"Ref": "AWS::Region"}]
    assert allowed["Action"] == [
        "bedrock:InvokeModel",
        "bedrock:InvokeModelWithResponseStream",
    ]
    assert otherwise == {"Ref": "AWS::NoValue"}


def test_chat_calls_the_models_that_are_named_and_no_others() -> None:
    *_, bedrock = statements("ChatCompletionsFunction")
    _, allowed, _ = bedrock["Fn::If"]

    assert text_of(allowed["Resource"], {"BedrockModels": ["anthropic.one", "amazon.two"]}) == [
        "arn:*:bedrock:*::foundation-model/anthropic.one",
        "arn:*:bedrock:*::foundation-model/amazon.two",
        "arn:*:bedrock:*:*:inference-profile/*.anthropic.one",
        "arn:*:bedrock:*:*:inference-profile/*.amazon.two",
    ]


def test_those_are_the_ones_that_the_shipped_catalogue_routes_there() -> None:
    named = load_template()["Parameters"]["BedrockModels"]["Default"].split(",")

    assert named == bedrock_models(load(SHIPPED))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_apart_from_its_policy_a_function_can_write_logs(function: str) -> None:
    (managed,) = resource(f"{function}Role")["ManagedPolicyArns"]

    assert managed.endswith("/AWSLambdaBasicExecutionRole")
