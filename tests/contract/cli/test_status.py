"""`losi status`: what there is, and what is wrong with it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from moto import mock_aws

import losi as package
from local.table import create_table
from losi.cli import connection
from tests.contract.cli.command_line import losi
from tests.dynamodb_local import free_port

pytestmark = pytest.mark.usefixtures("elsewhere")

REGION = "eu-west-1"
TABLE = "losi-deployed"
SECRET = "sk-must-not-be-shown"


class Health(BaseHTTPRequestHandler):
    status = 200
    body = json.dumps({"status": "ok", "version": "9.9.9"})

    def do_GET(self) -> None:
        assert self.path == "/api/v1/health"
        self.send_response(type(self).status)
        self.end_headers()
        self.wfile.write(self.body.encode())

    def log_message(self, format: str, *args: Any) -> None: ...


@pytest.fixture
def health() -> Iterator[type[Health]]:
    """The API's own answer, on a port of its own."""
    handler = type("Answer", (Health,), {})
    server = HTTPServer(("127.0.0.1", 0), handler)
    handler.port = server.server_port  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield handler
    server.shutdown()
    server.server_close()


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch, health: Any) -> Iterator[dict[str, Any]]:
    """A whole stack. CloudFormation's and Lambda's answers are given in place of calls."""
    with mock_aws():
        client = boto3.client("dynamodb", region_name=REGION)
        create_table(client, TABLE)
        client.update_table(TableName=TABLE, DeletionProtectionEnabled=True)
        client.update_continuous_backups(
            TableName=TABLE, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
        )
        vault = boto3.client("secretsmanager", region_name=REGION)
        arn = vault.create_secret(
            Name="providers", SecretString=json.dumps({"LOSI_OPENAI_API_KEY": SECRET})
        )["ARN"]
        stack: dict[str, Any] = {
            "BaseUrl": f"http://127.0.0.1:{health.port}/api/v1",
            "TableName": TABLE,
            "SecretArn": arn,
            "BedrockAccess": "on",
            "concurrency": 1000,
            "client": client,
            "vault": vault,
        }
        monkeypatch.setattr(connection, "_client", answering(stack, connection._client))
        yield stack


def answering(stack: dict[str, Any], make: Callable[..., Any]) -> Callable[..., Any]:
    def describe(**_: Any) -> Any:
        outputs = [
            {"OutputKey": name, "OutputValue": stack[name]}
            for name in ("BaseUrl", "TableName", "SecretArn")
            if name in stack
        ]
        parameters = [{"ParameterKey": "BedrockAccess", "ParameterValue": stack["BedrockAccess"]}]
        return SimpleNamespace(status_code=200), {
            "Stacks": [{"Outputs": outputs, "Parameters": parameters}]
        }

    def settings(**_: Any) -> Any:
        if stack["concurrency"] == "unreachable":
            raise EndpointConnectionError(endpoint_url="https://lambda.eu-west-1.amazonaws.com")
        if stack["concurrency"] == "refused":
            refusal = {"Code": "AccessDeniedException", "Message": "You may not."}
            return SimpleNamespace(status_code=403), {"Error": refusal}
        limit = {"ConcurrentExecutions": stack["concurrency"], "UnreservedConcurrentExecutions": 9}
        return SimpleNamespace(status_code=200), {"AccountLimit": limit}

    def other_status(parsed: Any, **_: Any) -> None:
        parsed["Table"]["TableStatus"] = stack.get("status", "ACTIVE")

    def client(service: str, **where: Any) -> Any:
        made = make(service, **where)
        made.meta.events.register("after-call.dynamodb.DescribeTable", other_status)
        given = {"cloudformation": describe, "lambda": settings}.get(service)
        if given:
            made.meta.events.register(f"before-call.{service}", given)
        return made

    return client


def status() -> tuple[int, dict[str, Any]]:
    result = losi("status", "--json", "--stack", "losi-prod", "--region", REGION)
    assert SECRET not in result.output
    return result.exit_code, json.loads(result.stdout)


def test_of_a_whole_stack_it_says_what_there_is(deployed: dict[str, Any]) -> None:
    code, told = status()

    assert code == 0
    size = told["table"].pop("bytes")
    assert isinstance(size, int)
    assert told.pop("routes")
    assert told == {
        "version": package.__version__,
        "health": {"url": f"{deployed['BaseUrl']}/health", "status": 200, "version": "9.9.9"},
        "table": {
            "name": TABLE,
            "status": "ACTIVE",
            "items": 1,
            "time_to_live": True,
            "recovery": True,
            "deletion_protection": True,
        },
        "lambda": {"concurrency": 1000, "unreserved": 9},
        "problems": [],
    }


def test_of_routes_it_says_which_have_credentials(deployed: dict[str, Any]) -> None:
    _, told = status()

    assert {route["provider"]: route["missing"] for route in told["routes"]} == {
        "OpenAI": None,
        "Anthropic": "LOSI_ANTHROPIC_API_KEY",
        "Amazon Bedrock": None,  # by the stack's parameter
    }
    first = next(route for route in told["routes"] if route["model"] == "gpt-4o")
    assert first == {
        "model": "gpt-4o",
        "provider": "OpenAI",
        "upstream_model": "gpt-4o",
        "credentials": "LOSI_OPENAI_API_KEY",
        "missing": None,
    }


def test_a_stack_without_any_credentials(deployed: dict[str, Any]) -> None:
    deployed["BedrockAccess"] = "off"
    deployed["vault"].put_secret_value(SecretId=deployed["SecretArn"], SecretString="{}")

    code, told = status()

    assert code == 1
    assert told["problems"] == ["No provider has credentials: only test keys are answered."]


def test_as_text_it_fits_the_terminal_and_shows_no_secret(deployed: dict[str, Any]) -> None:
    deployed["concurrency"] = 999

    result = losi("status", "--stack", "losi-prod", "--region", REGION)

    assert (result.exit_code, result.stderr) == (0, ""), result.output
    assert SECRET not in result.output
    assert max(map(len, result.stdout.splitlines())) <= 80
    facts, _, routes = result.stdout.partition("\n\n")
    assert facts.splitlines() == [
        f"Version   {package.__version__}",
        f"Health    ok, {deployed['BaseUrl']}/health",
        "Deployed  9.9.9",
        f"Table     {TABLE}, 1 items, 0.0 MB",
        "Lambda    999 at once, 9 shared; less than AWS's usual 1,000",
    ]
    head, _, *rows = (" ".join(line.split()) for line in routes.splitlines())
    assert head == "MODEL ROUTE CREDENTIALS"
    assert "gpt-4o OpenAI there" in rows
    anthropic = next(number for number, row in enumerate(rows) if "Anthropic missing:" in row)
    assert rows[anthropic + 1].endswith(" LOSI_ANTHROPIC_API_KEY")


def test_as_text_problems_stand_at_the_end(deployed: dict[str, Any], health: type[Health]) -> None:
    health.status = 500

    result = losi("status", "--stack", "losi-prod", "--region", REGION)

    assert result.exit_code == 1
    assert f"Health    not ok, {deployed['BaseUrl']}/health\nDeployed  unknown\n" in result.stdout
    assert "Lambda    1,000 at once, 9 shared\n" in result.stdout
    assert result.stderr == f"\nProblem: {deployed['BaseUrl']}/health answers 500.\n"


def test_a_restored_table_without_what_a_restore_leaves_out(deployed: dict[str, Any]) -> None:
    """https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CreateBackup.html"""
    client = deployed["client"]
    client.update_table(TableName=TABLE, DeletionProtectionEnabled=False)
    client.update_continuous_backups(
        TableName=TABLE, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False}
    )
    client.update_time_to_live(
        TableName=TABLE,
        TimeToLiveSpecification={"AttributeName": "ttl", "Enabled": False},
    )

    code, told = status()

    assert code == 1
    assert [problem.partition(": ")[2].partition(" is off")[0] for problem in told["problems"]] == [
        "Time to live",
        "Point-in-time recovery",
        "Deletion protection",
    ]


def test_an_api_that_is_not_well(deployed: dict[str, Any], health: type[Health]) -> None:
    health.status = 503

    code, told = status()

    assert code == 1
    assert told["problems"] == [f"{deployed['BaseUrl']}/health answers 503."]


def test_an_api_that_is_not_there(deployed: dict[str, Any]) -> None:
    deployed["BaseUrl"] = f"http://127.0.0.1:{free_port()}/api/v1"

    code, told = status()

    assert code == 1
    assert told["problems"] == [
        f"{deployed['BaseUrl']}/health gives no answer of a Losi API: ConnectError."
    ]
    assert told["health"]["status"] is None


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("no JSON", "JSONDecodeError"),
        ("{}", "it names no version"),
        ("[]", "it names no version"),
    ],
)
def test_something_else_answers_there(
    deployed: dict[str, Any], health: type[Health], body: str, why: str
) -> None:
    health.body = body

    code, told = status()

    assert code == 1
    assert told["problems"] == [
        f"{deployed['BaseUrl']}/health gives no answer of a Losi API: {why}."
    ]
    assert told["health"] == {
        "url": f"{deployed['BaseUrl']}/health",
        "status": 200,
        "version": None,
    }


def test_a_stack_that_does_not_say_where_its_api_is(deployed: dict[str, Any]) -> None:
    deployed["BaseUrl"] = ""

    code, told = status()

    assert (code, "health" in told) == (0, False)


def test_what_aws_refuses_is_said_and_the_rest_goes_on(deployed: dict[str, Any]) -> None:
    deployed["concurrency"] = "refused"

    code, told = status()

    assert code == 1
    assert told["problems"] == ["The Lambda's quota cannot be read: You may not."]
    assert told["routes"]


def test_a_table_that_is_being_changed(deployed: dict[str, Any]) -> None:
    deployed["status"] = "UPDATING"

    code, told = status()

    assert code == 1
    assert told["problems"] == [f"{TABLE}: the table is UPDATING."]


@pytest.mark.parametrize(
    ("stored", "why"),
    [("", "JSONDecodeError"), ("no JSON", "JSONDecodeError"), ("[]", "ValueError")],
)
def test_a_secret_that_is_damaged_is_said_and_not_shown(
    deployed: dict[str, Any], stored: str, why: str
) -> None:
    deployed["vault"].put_secret_value(SecretId=deployed["SecretArn"], SecretString=stored or " ")

    code, told = status()

    assert code == 1
    assert told["problems"] == [f"The provider secret cannot be read: {why}"]


def test_a_service_that_cannot_be_reached(deployed: dict[str, Any]) -> None:
    deployed["concurrency"] = "unreachable"

    code, told = status()

    assert code == 1
    assert told["problems"] == ["The Lambda's quota cannot be read: EndpointConnectionError"]


def test_a_stack_without_a_secret(deployed: dict[str, Any]) -> None:
    del deployed["SecretArn"]

    code, told = status()

    assert code == 1
    assert told["problems"] == ["The provider secret cannot be read: KeyError"]


def test_a_table_that_is_gone(deployed: dict[str, Any]) -> None:
    deployed["TableName"] = "losi-gone"

    code, told = status()

    assert code == 1
    [problem] = told["problems"]
    assert problem.startswith("The table losi-gone cannot be read: ")


@pytest.mark.parametrize(
    "who_answers", [("LOSI_OPENAI_API_KEY", SECRET), ("LOSI_SANDBOX_FALLBACK", "1")]
)
def test_of_a_local_api(
    health: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, who_answers: tuple[str, str]
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv(*who_answers)
    with mock_aws():
        create_table(boto3.client("dynamodb", region_name="us-east-1"), TABLE)
        (tmp_path / ".losi").mkdir()
        (tmp_path / ".losi" / "local.json").write_text(
            json.dumps(
                {
                    "dynamodb_endpoint": "https://dynamodb.us-east-1.amazonaws.com",
                    "table": TABLE,
                    "base_url": f"http://127.0.0.1:{health.port}/api/v1",
                }
            )
        )

        result = losi("status", "--json")

    told = json.loads(result.stdout)
    assert (result.exit_code, told["problems"]) == (0, [])
    assert told["health"]["status"] == 200
    assert set(told["table"]) == {"name", "status", "items", "bytes", "time_to_live"}
    assert "lambda" not in told
    assert SECRET not in result.output
