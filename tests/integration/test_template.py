"""What CloudFormation gets: template.yaml after SAM's own translator."""

from __future__ import annotations

import json
import subprocess
from functools import cache
from typing import Any

import pytest

from local.sam import ROOT, environment, run
from local.table import TEMPLATE, load_template
from losi.catalogue.loader import SHIPPED, load
from losi.cli.check import bedrock_models
from losi.web import endpoints
from losi.web.endpoints import CONSOLE, ENDPOINTS, SITE, Endpoint
from losi.web.headers import EXPOSED
from tests.deployment import logical_id
from tests.evaluated_template import EvaluatedTemplate
from tests.front_door.template import naming_support
from tests.obtain import skip_or_fail

SAM_PYTHON = ROOT / ".venv-sam" / "bin" / "python"
FUNCTIONS = [logical_id(function) for function in (*endpoints.FUNCTIONS, "console", "settlements")]
ALL = (*ENDPOINTS, *CONSOLE)
PATHS = sorted({*SITE, *(endpoint.path for endpoint in ALL)})
BUFFERED_PATHS = sorted({endpoint.path for endpoint in ALL if not endpoint.streams})


@cache
def translated(layer_version: str = "1") -> dict[str, Any]:
    if not SAM_PYTHON.exists():
        skip_or_fail("The SAM CLI is missing: run `make sam-venv`")
    done = subprocess.run(
        [str(SAM_PYTHON), "tests/translate_template.py", str(TEMPLATE), layer_version],
        cwd=ROOT,
        env=environment(),
        check=True,
        capture_output=True,
        text=True,
    )
    resources: dict[str, Any] = json.loads(done.stdout)["Resources"]
    return resources


def resource(name: str) -> dict[str, Any]:
    properties: dict[str, Any] = translated()[name]["Properties"]
    return properties


def of_type(kind: str, layer_version: str = "1") -> dict[str, Any]:
    resources = translated(layer_version)
    return {name: each for name, each in resources.items() if each["Type"] == kind}


def api() -> dict[str, Any]:
    body: dict[str, Any] = resource("LosiApi")["Body"]
    return body


def integration(path: str) -> dict[str, Any]:
    method = api()["paths"][path]["x-amazon-apigateway-any-method"]
    found: dict[str, Any] = method["x-amazon-apigateway-integration"]
    return found


def statements(function: str) -> list[dict[str, Any]]:
    (policy,) = resource(f"{function}Role")["Policies"]
    found: list[dict[str, Any]] = policy["PolicyDocument"]["Statement"]
    return found


def text_of(node: Any, values: dict[str, Any]) -> Any:
    """What CloudFormation makes of its string functions, given what references stand for."""
    if not isinstance(node, dict):
        return node
    match next(iter(node.items())):
        case "Ref", name:
            return values[name]
        case "Fn::Join", (between, parts):
            return between.join(text_of(parts, values))
        case "Fn::Split", (between, text):
            return text_of(text, values).split(between)
        case "Fn::Sub", (text, named):
            for name, value in named.items():
                text = text.replace(f"${{{name}}}", text_of(value, values))
            return text
    raise AssertionError(node)


def test_the_template_is_valid_and_lints_clean() -> None:
    if not SAM_PYTHON.exists():
        skip_or_fail("The SAM CLI is missing: run `make sam-venv`")

    assert "is a valid SAM Template" in run("validate", "--lint")


class TestGuidedDeployment:
    """`sam deploy --guided` asks for every parameter; Enter must do for all of them."""

    def test_every_parameter_has_a_default_and_an_explanation(self) -> None:
        for name, parameter in load_template()["Parameters"].items():
            assert "Default" in parameter, name
            assert parameter["Description"].endswith("."), name

    def test_it_does_not_ask_whether_each_path_may_be_public(self) -> None:
        """It asks where an API has no Auth entry, and "no", the default, ends the deployment."""
        assert load_template()["Resources"]["LosiApi"]["Properties"]["Auth"]


class TestApi:
    def test_it_is_regional_because_edge_endpoints_cut_silent_streams(self) -> None:
        assert resource("LosiApi")["EndpointConfiguration"] == {"Types": ["REGIONAL"]}

    def test_with_a_domain_of_its_own_it_has_no_other_address(self) -> None:
        (server,) = api()["servers"]

        assert server["x-amazon-apigateway-endpoint-configuration"] == {
            "disableExecuteApiEndpoint": {"Fn::If": ["HasDomain", True, False]}
        }

    def test_it_leaves_the_account_s_logging_role_alone_unless_asked(self) -> None:
        kinds = {each["Type"] for each in EvaluatedTemplate().resources.values()}

        assert "AWS::ApiGateway::Account" not in kinds

    def test_it_serves_the_documented_paths_and_no_others(self) -> None:
        assert sorted(api()["paths"]) == PATHS

    def test_every_method_reaches_the_function_so_that_a_wrong_one_gets_405(self) -> None:
        for path in PATHS:
            assert set(api()["paths"][path]) == {"options", "x-amazon-apigateway-any-method"}

    @pytest.mark.parametrize("endpoint", ALL, ids=lambda endpoint: endpoint.name)
    def test_each_path_calls_the_alias_of_its_function(self, endpoint: Endpoint) -> None:
        alias = f"${{{logical_id(endpoint.function)}Aliaslive}}"

        assert alias in integration(endpoint.path)["uri"]["Fn::Sub"]

    def test_chat_streams_for_up_to_15_minutes(self) -> None:
        chat = integration("/api/v1/chat/completions")

        assert chat["uri"]["Fn::Sub"].endswith("/response-streaming-invocations")
        assert "/2021-11-15/" in chat["uri"]["Fn::Sub"]
        assert chat["responseTransferMode"] == "STREAM"
        assert chat["timeoutInMillis"] == 900_000
        assert resource("ChatCompletionsFunction")["Timeout"] == 900

    @pytest.mark.parametrize("path", BUFFERED_PATHS)
    def test_the_others_are_buffered(self, path: str) -> None:
        assert integration(path)["uri"]["Fn::Sub"].endswith("/invocations")
        assert "responseTransferMode" not in integration(path)

    def test_there_is_one_stage_with_throttling_and_access_logs(self) -> None:
        (stage,) = of_type("AWS::ApiGateway::Stage").values()
        (setting,) = stage["Properties"]["MethodSettings"]

        assert stage["Properties"]["StageName"] == {"Ref": "Stage"}
        assert setting["ThrottlingRateLimit"] == {"Ref": "RequestsPerSecond"}
        assert setting["ThrottlingBurstLimit"] == {"Ref": "BurstRequests"}
        condition, log, _ = stage["Properties"]["AccessLogSetting"]["Fn::If"]
        assert condition == "WritesAccessLogs"
        assert json.loads(log["Format"])["request_id"] == "$context.requestId"


class TestCors:
    @pytest.mark.parametrize("path", PATHS)
    def test_a_preflight_allows_what_sdks_in_browsers_send(self, path: str) -> None:
        preflight = api()["paths"][path]["options"]["x-amazon-apigateway-integration"]
        headers = preflight["responses"]["default"]["responseParameters"]
        prefix = "method.response.header.Access-Control"

        assert headers[f"{prefix}-Allow-Origin"] == "'*'"
        assert headers[f"{prefix}-Allow-Methods"] == "'GET,POST,PATCH,DELETE,OPTIONS'"
        allowed = headers[f"{prefix}-Allow-Headers"].strip("'").split(",")
        # a browser's star does not cover Authorization
        assert {"Authorization", "Content-Type", "Idempotency-Key", "*"} <= set(allowed)
        assert "X-Stainless-Retry-Count" in allowed
        assert not [name for name in allowed if name != name.strip()]

    @pytest.mark.parametrize("kind", ["DEFAULT_4XX", "DEFAULT_5XX", "THROTTLED"])
    def test_api_gateway_s_own_answers_expose_the_headers_that_the_functions_expose(
        self, kind: str
    ) -> None:
        parameters = gateway_response(kind)["responseParameters"]
        exposed = parameters["gatewayresponse.header.Access-Control-Expose-Headers"]

        assert sorted(exposed.strip("'").split(",")) == sorted(EXPOSED)


def gateway_response(kind: str) -> dict[str, Any]:
    found: dict[str, Any] = api()["x-amazon-apigateway-gateway-responses"][kind]
    return found


class TestGatewayResponses:
    """API Gateway's own refusals, in the envelope of our errors."""

    EXPECTED = (
        ("DEFAULT_4XX", None, "invalid_request_error", "bad_request"),
        ("DEFAULT_5XX", None, "server_error", "internal_error"),
        ("MISSING_AUTHENTICATION_TOKEN", 404, "invalid_request_error", "unknown_url"),
        ("REQUEST_TOO_LARGE", 413, "invalid_request_error", "request_too_large"),
        ("UNSUPPORTED_MEDIA_TYPE", 415, "invalid_request_error", "unsupported_media_type"),
        ("THROTTLED", 429, "rate_limit_error", "rate_limit_exceeded"),
        ("WAF_FILTERED", 429, "rate_limit_error", "rate_limit_exceeded"),
        ("QUOTA_EXCEEDED", 429, "insufficient_quota", "quota_exceeded"),
        ("INTEGRATION_FAILURE", 502, "server_error", "internal_error"),
        ("INTEGRATION_TIMEOUT", 504, "server_error", "timeout"),
    )

    def test_these_are_all(self) -> None:
        kinds = api()["x-amazon-apigateway-gateway-responses"]

        assert sorted(kinds) == sorted(kind for kind, *_ in self.EXPECTED)

    @pytest.mark.parametrize(("kind", "status", "error_type", "code"), EXPECTED)
    def test_envelope(self, kind: str, status: int | None, error_type: str, code: str) -> None:
        response = gateway_response(kind)
        template = naming_support(response["responseTemplates"]["application/json"], "")

        # API Gateway replaces this by a string in quotation marks
        body = json.loads(template.replace("$context.error.messageString", '"Bad request."'))

        assert list(body) == ["error"]
        assert list(body["error"]) == ["message", "type", "param", "code"]
        assert body["error"]["type"] == error_type
        assert body["error"]["code"] == code
        assert body["error"]["param"] is None
        assert body["error"]["message"].endswith(".")
        assert response.get("statusCode") == (str(status) if status else None)

    @pytest.mark.parametrize("support", ["help@example.com", "https://help.example.com"])
    def test_where_help_is_needed_they_say_where_it_is_given(self, support: str) -> None:
        naming = {"DEFAULT_5XX", "QUOTA_EXCEEDED", "INTEGRATION_FAILURE"}
        for kind, *_ in self.EXPECTED:
            template = gateway_response(kind)["responseTemplates"]["application/json"]
            text = naming_support(template, support)
            assert (f"ontact support at {support}" in text) == (kind in naming), kind

    def test_a_changed_support_is_deployed(self) -> None:
        """Its deployment would keep its name otherwise: a parameter is no part of the template."""
        assert load_template()["Resources"]["LosiApi"]["Properties"]["AlwaysDeploy"] is True

    @pytest.mark.parametrize("kind", [kind for kind, *_ in EXPECTED])
    def test_headers(self, kind: str) -> None:
        parameters = gateway_response(kind)["responseParameters"]

        assert parameters["gatewayresponse.header.Access-Control-Allow-Origin"] == "'*'"
        assert parameters["gatewayresponse.header.x-request-id"] == "context.requestId"

    def test_sdks_retry_a_throttled_request_soon_and_a_timed_out_one_not_at_all(self) -> None:
        throttled = gateway_response("THROTTLED")["responseParameters"]
        timed_out = gateway_response("INTEGRATION_TIMEOUT")["responseParameters"]

        assert throttled["gatewayresponse.header.Retry-After"] == "'1'"
        assert timed_out["gatewayresponse.header.x-should-retry"] == "'false'"


#: Ten refusals of a key within a minute.
WRITES_AUDIT = {
    "Effect": "Allow",
    "Action": "dynamodb:PutItem",
    "Resource": {"Fn::GetAtt": ["LosiTable", "Arn"]},
    "Condition": {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["AUDIT#*"]}},
}
NOTES_LAST_USE = {
    "Effect": "Allow",
    "Action": "dynamodb:UpdateItem",
    "Resource": {"Fn::GetAtt": ["LosiTable", "Arn"]},
    "Condition": {
        "ForAllValues:StringEquals": {"dynamodb:Attributes": ["pk", "sk", "last_used_at"]},
        "StringEqualsIfExists": {"dynamodb:ReturnValues": ["NONE", "UPDATED_OLD", "UPDATED_NEW"]},
    },
}


class TestPermissions:
    """Each function may do what its endpoint does, on one table, and nothing else."""

    #: Kept apart from the template on purpose: a wider policy needs a second signature, here.
    TABLE = (
        ("ChatCompletionsFunction", {"BatchGetItem", "Query", "UpdateItem"}),
        ("EmbeddingsFunction", {"BatchGetItem", "Query", "UpdateItem"}),
        ("SettlementsFunction", {"UpdateItem"}),
        ("ModelsFunction", {"BatchGetItem"}),
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
    OPEN = sorted(set(FUNCTIONS) - {function for function, _ in TABLE})

    @pytest.mark.parametrize(("function", "actions"), TABLE)
    def test_on_the_table(self, function: str, actions: set[str]) -> None:
        table = statements(function)[0]
        allowed = [table["Action"]] if isinstance(table["Action"], str) else table["Action"]

        assert {action.removeprefix("dynamodb:") for action in allowed} == actions
        assert table["Resource"] == {"Fn::GetAtt": ["LosiTable", "Arn"]}

    @pytest.mark.parametrize("function", OPEN)
    def test_the_others_may_do_nothing(self, function: str) -> None:
        assert "Policies" not in resource(f"{function}Role")

    @pytest.mark.parametrize("function", [name for name, _ in TABLE])
    def test_what_more_it_may_on_the_table_is_bound_to_attributes_or_partitions(
        self, function: str
    ) -> None:
        more = [row for row in statements(function)[1:] if "dynamodb" in str(row.get("Action"))]

        for row in more:
            assert row["Resource"] == {"Fn::GetAtt": ["LosiTable", "Arn"]}
            assert row in (WRITES_AUDIT, NOTES_LAST_USE)
        assert (NOTES_LAST_USE in more) == (function in ("ModelsFunction", "AuditLogFunction"))

    @pytest.mark.parametrize("function", ["ChatCompletionsFunction", "EmbeddingsFunction"])
    def test_what_asks_providers_reads_their_secret_and_hands_settlements_over(
        self, function: str
    ) -> None:
        (secret,) = [row for row in statements(function) if "secretsmanager" in str(row)]
        (queue,) = [row for row in statements(function) if "sqs" in str(row)]

        assert secret["Action"] == "secretsmanager:GetSecretValue"
        assert secret["Resource"] == {"Ref": "ProviderSecret"}
        assert queue["Action"] == "sqs:SendMessage"
        assert queue["Resource"] == {"Fn::GetAtt": ["SettlementsQueue", "Arn"]}

    def test_settlements_are_taken_from_one_queue_and_dead_ones_put_into_another(self) -> None:
        _, queue, dead = statements("SettlementsFunction")

        assert queue["Action"] == ["sqs:DeleteMessage", "sqs:ReceiveMessage"]
        assert queue["Resource"] == {"Fn::GetAtt": ["SettlementsQueue", "Arn"]}
        assert dead["Action"] == "sqs:SendMessage"
        assert dead["Resource"] == {"Fn::GetAtt": ["DeadSettlementsQueue", "Arn"]}

    @pytest.mark.parametrize(
        ("function", "parameter"),
        [
            ("ChatCompletionsFunction", "ChatConcurrency"),
            ("ApiKeysFunction", "KeysConcurrency"),
        ],
    )
    def test_chat_need_not_starve_the_changing_of_keys(self, function: str, parameter: str) -> None:
        def reserved(parameters: dict[str, Any]) -> Any:
            properties = EvaluatedTemplate(parameters).resources[function]["Properties"]
            return properties.get("ReservedConcurrentExecutions")

        assert reserved({}) is None
        assert reserved({parameter: 20}) == 20

    def test_a_limit_by_address_is_there_when_asked_for(self) -> None:
        limited = EvaluatedTemplate({"RequestsPerAddress": 600}).resources

        (rule,) = limited["AddressLimit"]["Properties"]["Rules"]
        assert rule["Statement"]["RateBasedStatement"]["Limit"] == 600
        assert rule["Action"] == {"Block": {}}
        stage = resource("AddressLimitAssociation")["ResourceArn"]["Fn::Sub"]
        assert stage[0].endswith("::/restapis/${LosiApi}/stages/${Name}")
        assert stage[1] == {"Name": {"Ref": "LosiApiStage"}}
        assert "AddressLimit" not in EvaluatedTemplate().resources

    def test_chat_calls_bedrock_only_when_switched_on(self) -> None:
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

    def test_chat_calls_the_models_that_are_named_and_no_others(self) -> None:
        *_, bedrock = statements("ChatCompletionsFunction")
        _, allowed, _ = bedrock["Fn::If"]

        assert text_of(allowed["Resource"], {"BedrockModels": ["anthropic.one", "amazon.two"]}) == [
            "arn:*:bedrock:*::foundation-model/anthropic.one",
            "arn:*:bedrock:*::foundation-model/amazon.two",
            "arn:*:bedrock:*:*:inference-profile/*.anthropic.one",
            "arn:*:bedrock:*:*:inference-profile/*.amazon.two",
        ]

    def test_those_are_the_ones_that_the_shipped_catalogue_routes_there(self) -> None:
        named = load_template()["Parameters"]["BedrockModels"]["Default"].split(",")

        assert named == bedrock_models(load(SHIPPED))

    @pytest.mark.parametrize("function", FUNCTIONS)
    def test_apart_from_its_policy_a_function_can_write_logs(self, function: str) -> None:
        (managed,) = resource(f"{function}Role")["ManagedPolicyArns"]

        assert managed.endswith("/AWSLambdaBasicExecutionRole")


class TestFunctions:
    @pytest.mark.parametrize("function", FUNCTIONS)
    def test_snapstart_is_a_parameter(self, function: str) -> None:
        assert resource(function)["SnapStart"] == {
            "ApplyOn": {"Fn::If": ["UsesSnapStart", "PublishedVersions", "None"]}
        }

    @pytest.mark.parametrize("function", FUNCTIONS)
    def test_nothing_that_snapstart_refuses(self, function: str) -> None:
        """The linter does not know these limits; the deployment would fail."""
        assert resource(function)["Runtime"] == "python3.13"
        assert "EphemeralStorage" not in resource(function)
        assert "FileSystemConfigs" not in resource(function)
        alias = resource(f"{function}Aliaslive")
        assert "ProvisionedConcurrencyConfig" not in alias

    @pytest.mark.parametrize("function", FUNCTIONS)
    def test_logs_expire(self, function: str) -> None:
        logging = resource(function)["LoggingConfig"]

        assert logging["LogFormat"] == "JSON"
        assert resource(logging["LogGroup"]["Ref"])["RetentionInDays"] == {
            "Ref": "LogRetentionDays"
        }

    def test_the_runtime_and_the_secret_are_where_they_are_needed(
        self,
    ) -> None:
        extra = {
            "ChatCompletionsFunction": {
                "AWS_LAMBDA_EXEC_WRAPPER",
                "LOSI_PROVIDER_SECRET",
                "LOSI_BEDROCK_REGION",
                "LOSI_SETTLEMENTS_QUEUE",
            },
            "EmbeddingsFunction": {
                "AWS_LAMBDA_EXEC_WRAPPER",
                "LOSI_PROVIDER_SECRET",
                "LOSI_SETTLEMENTS_QUEUE",
            },
            "SettlementsFunction": {"LOSI_SETTLEMENTS_QUEUE", "LOSI_DEAD_SETTLEMENTS_QUEUE"},
            "ConsoleFunction": {"AWS_LAMBDA_EXEC_WRAPPER"},
            "SessionFunction": {"LOSI_SIGN_IN_PARAMETER"},
            "SignInFunction": {
                "LOSI_SIGN_IN_PARAMETER",
                "LOSI_SELF_SIGN_UP_PLAN",
                "LOSI_SELF_SIGN_UPS_A_DAY",
            },
        }
        for function in FUNCTIONS:
            variables = set(resource(function)["Environment"]["Variables"])
            everyone = {"LOSI_TABLE", "LOSI_STAGE", "LOSI_SUPPORT"}
            assert variables - everyone == extra.get(function, set())

    def test_a_new_layer_alone_publishes_new_versions(self) -> None:
        before = set(of_type("AWS::Lambda::Version"))
        after = set(of_type("AWS::Lambda::Version", layer_version="2"))

        assert len(before) == len(after) == len(FUNCTIONS)
        assert not before & after

    def test_a_changed_parameter_alone_publishes_new_versions(self) -> None:
        """A version's description cannot change, so CloudFormation makes a new version."""
        for version in of_type("AWS::Lambda::Version").values():
            description = version["Properties"]["Description"]["Fn::Sub"]
            for parameter in ("Architecture", "SnapStart", "LogLevel"):
                assert f"${{{parameter}}}" in description


class TestData:
    def test_the_table_outlives_the_stack_and_can_be_restored(self) -> None:
        table = translated()["LosiTable"]

        assert table["DeletionPolicy"] == table["UpdateReplacePolicy"] == "Retain"
        properties = table["Properties"]
        assert properties["BillingMode"] == "PAY_PER_REQUEST"
        assert properties["TimeToLiveSpecification"] == {"AttributeName": "ttl", "Enabled": True}
        assert properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
        assert properties["SSESpecification"]["SSEEnabled"]
        assert properties["DeletionProtectionEnabled"]

    def test_the_secret_starts_empty_and_goes_with_the_stack(self) -> None:
        assert resource("ProviderSecret")["SecretString"] == "{}"
        assert translated()["ProviderSecret"]["DeletionPolicy"] == "Delete"
