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
from moto import mock_aws

import losi as package
from local.table import create_table
from losi.cli import connection
from tests.dynamodb_local import free_port
from tests.unit.cli.command_line import losi

pytestmark = pytest.mark.usefixtures("elsewhere")

REGION = "eu-west-1"
TABLE = "losi-deployed"
SECRET = "sk-must-not-be-shown"


class Health(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        assert self.path == "/api/v1/health"
        self.send_response(type(self).status)
        self.end_headers()
        self.wfile.write(json.dumps({"status": "ok", "version": "9.9.9"}).encode())

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
        ]
        parameters = [{"ParameterKey": "BedrockAccess", "ParameterValue": "on"}]
        return SimpleNamespace(status_code=200), {
            "Stacks": [{"Outputs": outputs, "Parameters": parameters}]
        }

    def settings(**_: Any) -> Any:
        limit = {"ConcurrentExecutions": stack["concurrency"], "UnreservedConcurrentExecutions": 9}
        return SimpleNamespace(status_code=200), {"AccountLimit": limit}

    def client(service: str, **where: Any) -> Any:
        made = make(service, **where)
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

    assert (code, told["problems"]) == (0, [])
    assert told["version"] == package.__version__
    assert told["health"]["version"] == "9.9.9"
    assert told["table"]["status"] == "ACTIVE"
    assert told["table"]["recovery"] and told["table"]["time_to_live"]
    assert told["lambda"] == {"concurrency": 1000, "unreserved": 9}


def test_of_routes_it_says_which_have_credentials(deployed: dict[str, Any]) -> None:
    _, told = status()

    missing = {route["provider"]: route["missing"] for route in told["routes"]}
    assert missing["OpenAI"] is None
    assert missing["Anthropic"] == "LOSI_ANTHROPIC_API_KEY"
    assert missing["Amazon Bedrock"] is None  # by the stack's parameter


def test_as_text_it_fits_the_terminal_and_shows_no_secret(deployed: dict[str, Any]) -> None:
    deployed["concurrency"] = 10

    result = losi("status", "--stack", "losi-prod", "--region", REGION)

    assert result.exit_code == 0, result.output
    assert SECRET not in result.output
    assert "LOSI_ANTHROPIC_API_KEY" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert "less than AWS's usual 1,000" in result.stdout


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
    assert "gives no answer" in told["problems"][0]


@pytest.mark.parametrize("stored", ["", "no JSON", "[]"])
def test_a_secret_that_is_damaged_is_said_and_not_shown(
    deployed: dict[str, Any], stored: str
) -> None:
    deployed["vault"].put_secret_value(SecretId=deployed["SecretArn"], SecretString=stored or " ")

    code, told = status()

    assert code == 1
    assert any("provider secret cannot be read" in problem for problem in told["problems"])


def test_a_table_that_is_gone(deployed: dict[str, Any]) -> None:
    deployed["TableName"] = "losi-gone"

    code, told = status()

    assert code == 1
    assert any("losi-gone cannot be read" in problem for problem in told["problems"])


def test_of_a_local_api(health: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("LOSI_OPENAI_API_KEY", SECRET)
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
    assert "lambda" not in told
    assert SECRET not in result.output
