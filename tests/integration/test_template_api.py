"""What CloudFormation makes of the API: paths, CORS and the answers of API Gateway itself."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local.table import load_template
from losi.web.endpoints import Endpoint
from losi.web.headers import EXPOSED
from tests.deployment import logical_id
from tests.evaluated_template import EvaluatedTemplate
from tests.front_door.template import naming_support
from tests.integration.translated import (
    ALL,
    BUFFERED_PATHS,
    PATHS,
    api,
    integration,
    of_type,
    resource,
)


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
            methods = {
                name: method
                for name, method in api()["paths"][path].items()
                if "Fn::If" not in method  # the one on instances: test_template.py
            }
            assert set(methods) == {"options", "x-amazon-apigateway-any-method"}

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
