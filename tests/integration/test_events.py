"""Every event of events/ through the handler of its function, as `sam local invoke` would."""

from __future__ import annotations

import importlib
import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import httpx
import pytest
from botocore.model import OperationModel
from moto import mock_aws

from local.demo import ensure_demo_key
from local.table import create_table, load_template
from losi.aws.handler import Handler
from losi.config import Config
from losi.identity.key import NewKey
from losi.identity.principal import ALL_PERMISSIONS
from losi.logs import CHATTY_LIBRARIES
from losi.web.credentials import parse_key
from losi.web.dependencies import Services
from losi.web.endpoints import ENDPOINTS, FUNCTIONS, Endpoint
from tests.api_description import check
from tests.deployment import logical_id
from tests.lambda_process import event_loop
from tests.over_boto3 import OverBoto3

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

EVENTS = Path(__file__).parents[2] / "events"
#: Stand for a real key and its id in the files.
KEY, KEY_ID = "losi-your-api-key", "key_abc123"


#: Events that are refused; all others are answered with 200.
REFUSED = {
    "error_invalid_json": (400, "invalid_json"),
    "error_invalid_base64": (400, "invalid_json"),
    "error_missing_authorization": (401, "invalid_api_key"),
    "error_unknown_model": (404, "model_not_found"),
    "error_method_not_allowed": (405, "method_not_allowed"),
    "error_unknown_path": (404, "unknown_url"),
}
#: `settlements` is no request; tests/contract/aws/test_settlements.py has it.
CASES = sorted({path.stem for path in EVENTS.glob("*.json")} - {"settlements"})


@cache
def event(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return found


def function_of(name: str) -> str:
    """The one that API Gateway would call; for a path of none any, as `sam local` needs one."""
    resource = event(name)["resource"]
    found = [each.function for each in ENDPOINTS if each.path == resource]
    return found[0] if found else "models"


class LambdaContext:
    """What the handlers read of Lambda's context."""

    aws_request_id = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"

    def get_remaining_time_in_millis(self) -> int:
        return 29_000


@pytest.fixture(scope="module", autouse=True)
def event_loop_of_the_process() -> Iterator[None]:
    with event_loop():
        yield


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """A store of their own for all functions, and the sandbox behind every model."""
    with pytest.MonkeyPatch.context() as environment, mock_aws():
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        made = Services(Config(table="losi", sandbox_fallback=True))
        made.client = boto3.client("dynamodb")
        made.dynamodb = made.settling_dynamodb = OverBoto3(made.client)
        create_table(made.client, "losi")
        for function in FUNCTIONS:
            handler(function).app.state.services = made
        yield made


@pytest.fixture(scope="module")
def demo_key(services: Services, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A key with every permission."""
    return ensure_demo_key(services.accounts, tmp_path_factory.mktemp("demo") / "demo.env")


def handler(function: str) -> Any:
    return importlib.import_module(f"functions.{function}.app").handler


def invoke(name: str, key: str, key_id: str = KEY_ID) -> dict[str, Any]:
    text = json.dumps(event(name)).replace(KEY, key).replace(KEY_ID, key_id)
    response: dict[str, Any] = handler(function_of(name))(json.loads(text), LambdaContext())
    return response


@contextmanager
def actions_on_the_table(client: DynamoDBClient) -> Iterator[set[str]]:
    """The IAM actions that DynamoDB would ask for; a transaction needs those of its parts."""
    actions: set[str] = set()

    def record(params: dict[str, Any], model: OperationModel, **_: Any) -> None:
        if model.name == "TransactWriteItems":
            parts = {part for item in params["TransactItems"] for part in item}
            actions.update(
                "ConditionCheckItem" if p == "ConditionCheck" else f"{p}Item" for p in parts
            )
        else:
            actions.add(model.name)

    events = client.meta.events
    events.register("before-parameter-build.dynamodb", record)
    try:
        yield actions
    finally:
        events.unregister("before-parameter-build.dynamodb", record)


def allowed_on_the_table(function: str) -> set[str]:
    properties = load_template()["Resources"][logical_id(function)]["Properties"]
    statements = [row for policy in properties.get("Policies", []) for row in policy["Statement"]]
    rows = [row["Action"] for row in statements if "Action" in row]
    actions = {action for row in rows for action in ([row] if isinstance(row, str) else row)}
    return {action.removeprefix("dynamodb:") for action in actions}


@contextmanager
def attributes_updated(client: DynamoDBClient) -> Iterator[list[set[str]]]:
    """Of each UpdateItem what IAM's key `dynamodb:Attributes` would hold, the primary key included.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
    """
    updates: list[set[str]] = []

    def record(params: dict[str, Any], model: OperationModel, **_: Any) -> None:
        if model.name == "UpdateItem":
            words = f"{params['UpdateExpression']} {params.get('ConditionExpression', '')}"
            plain = re.findall(r"(?<![:#\w])[a-z_]\w*(?!\w|\()", words)
            names = set(params.get("ExpressionAttributeNames", {}).values())
            updates.append({*params["Key"], *names, *plain})
            assert "ReturnValues" not in params

    events = client.meta.events
    events.register("before-parameter-build.dynamodb", record)
    try:
        yield updates
    finally:
        events.unregister("before-parameter-build.dynamodb", record)


@pytest.mark.parametrize("name", ["models_list", "models_get", "audit_log"])
def test_what_only_notes_the_last_use_touches_no_other_attribute(
    name: str, demo_key: str, services: Services
) -> None:
    properties = load_template()["Resources"][logical_id(function_of(name))]["Properties"]
    rows = properties["Policies"][0]["Statement"]
    (condition,) = [each["Condition"] for each in rows if each["Action"] == "dynamodb:UpdateItem"]
    attributes = condition["ForAllValues:StringEquals"]["dynamodb:Attributes"]
    account_id = parse_key(demo_key).account_id
    _, unused = services.accounts.create_key(account_id, NewKey("unused", ALL_PERMISSIONS))

    with attributes_updated(services.client) as updates:
        invoke(name, unused.text)

    assert [update <= set(attributes) for update in updates] == [True], updates


def second_key(demo_key: str) -> str:
    """The id of a key that may be changed or deleted."""
    return str(json.loads(invoke("api_keys_create", demo_key)["body"])["data"]["id"])


def call(name: str, demo_key: str, client: DynamoDBClient) -> tuple[dict[str, Any], set[str]]:
    """What is answered, and what was asked of the table for it."""
    key_id = second_key(demo_key) if KEY_ID in json.dumps(event(name)) else KEY_ID
    with actions_on_the_table(client) as actions:
        return invoke(name, demo_key, key_id), actions


def test_a_function_never_lets_libraries_log_what_they_send(demo_key: str) -> None:
    for library in CHATTY_LIBRARIES:
        logging.getLogger(library).setLevel(logging.NOTSET)

    Handler(handler("models").app)

    assert all(logging.getLogger(name).level == logging.WARNING for name in CHATTY_LIBRARIES)


@pytest.mark.parametrize("name", CASES)
def test_event(name: str, demo_key: str, services: Services) -> None:
    response, actions = call(name, demo_key, services.client)

    assert actions <= allowed_on_the_table(function_of(name)), "its role's policy in template.yaml"
    status, code = REFUSED.get(name, (200, None))
    assert response["statusCode"] == status, response["body"]
    assert response["headers"]["x-request-id"]
    check(as_documented(name, response))
    if code:
        error = json.loads(response["body"])["error"]
        assert list(error) == ["message", "type", "param", "code"]
        assert error["code"] == code


def as_documented(name: str, response: dict[str, Any]) -> httpx.Response:
    request = httpx.Request(event(name)["httpMethod"], f"http://losi{event(name)['path']}")
    status, body = response["statusCode"], response["body"]
    return httpx.Response(status, text=body, headers=response["headers"], request=request)


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_every_endpoint_has_an_event(endpoint: Endpoint) -> None:
    asked = {(each["httpMethod"], each["resource"]) for each in map(event, CASES)}

    assert (endpoint.method, endpoint.path) in asked


def test_a_stream_is_buffered_into_one_response(demo_key: str) -> None:
    response = invoke("chat_completions_stream", demo_key)

    assert response["headers"]["content-type"].startswith("text/event-stream")
    assert response["body"].endswith("data: [DONE]\n\n")
