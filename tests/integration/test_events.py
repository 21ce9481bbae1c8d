"""Every event of events/ through the handler of its function, as `sam local invoke` would."""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from botocore.model import OperationModel
from moto import mock_aws

from local.demo import ensure_demo_key
from local.table import create_table, load_template
from losi.store import client as store
from losi.web import dependencies
from losi.web.chat_completions import chat_completions

EVENTS = Path(__file__).parents[2] / "events"
#: Stand for a real key and its id in the files.
KEY, KEY_ID = "losi-your-api-key", "key_abc123"


@dataclass(frozen=True)
class Case:
    event: str
    function: str
    status: int
    code: str | None = None

    def __str__(self) -> str:
        return self.event


CASES = (
    Case("chat_completions", "chat_completions", 200),
    Case("chat_completions_stream", "chat_completions", 200),
    Case("chat_completions_base64", "chat_completions", 200),
    Case("models_list", "models", 200),
    Case("models_get", "models", 200),
    Case("api_keys_list", "api_keys", 200),
    Case("api_keys_create", "api_keys", 200),
    Case("api_keys_update", "api_keys", 200),
    Case("api_keys_rotate", "api_keys", 200),
    Case("api_keys_delete", "api_keys", 200),
    Case("api_usage", "api_usage", 200),
    Case("error_invalid_json", "chat_completions", 400, "invalid_json"),
    Case("error_invalid_base64", "chat_completions", 400, "invalid_json"),
    Case("error_missing_authorization", "chat_completions", 401, "invalid_api_key"),
    Case("error_unknown_model", "chat_completions", 404, "model_not_found"),
    Case("error_method_not_allowed", "models", 405, "method_not_allowed"),
    Case("error_unknown_path", "models", 404, "unknown_url"),
)


class LambdaContext:
    """What the handlers read of Lambda's context."""

    aws_request_id = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"

    def get_remaining_time_in_millis(self) -> int:
        return 29_000


@pytest.fixture(scope="module", autouse=True)
def event_loop_of_the_process() -> Iterator[None]:
    """Mangum takes the thread's loop, as in Lambda, where it lives as long as the process."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()


@pytest.fixture(scope="module")
def demo_key(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A key with every permission in a store of its own, and the sandbox behind every model."""
    environment = {
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": "us-east-1",
        "LOSI_TABLE": "losi",
        "LOSI_SANDBOX_FALLBACK": "1",
    }
    with pytest.MonkeyPatch.context() as monkeypatch, mock_aws():
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("AWS_ENDPOINT_URL_DYNAMODB", raising=False)
        forget_clients()
        create_table(store.client(), "losi")
        demo_env = tmp_path_factory.mktemp("demo") / "demo.env"
        yield ensure_demo_key(dependencies.accounts(), demo_env)
    forget_clients()


def forget_clients() -> None:
    """They are made once per process, and these tests have a store of their own."""
    for made_once in (
        store.client,
        dependencies.accounts,
        dependencies.authenticator,
        dependencies.ledger,
        chat_completions,
    ):
        made_once.cache_clear()


@cache
def handler(function: str) -> Any:
    return importlib.import_module(f"functions.{function}.app").handler


def invoke(function: str, event: str, key: str, key_id: str = KEY_ID) -> dict[str, Any]:
    text = (EVENTS / f"{event}.json").read_text().replace(KEY, key).replace(KEY_ID, key_id)
    response: dict[str, Any] = handler(function)(json.loads(text), LambdaContext())
    return response


@contextmanager
def actions_on_the_table() -> Iterator[set[str]]:
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

    events = store.client().meta.events
    events.register("before-parameter-build.dynamodb", record)
    try:
        yield actions
    finally:
        events.unregister("before-parameter-build.dynamodb", record)


@cache
def allowed_on_the_table(function: str) -> set[str]:
    name = "".join(word.title() for word in function.split("_")) + "Function"
    policy = load_template()["Resources"][name]["Properties"]["Policies"][0]
    return {action.removeprefix("dynamodb:") for action in policy["Statement"][0]["Action"]}


def second_key(demo_key: str) -> str:
    """The id of a key that may be changed or deleted."""
    created = json.loads(invoke("api_keys", "api_keys_create", demo_key)["body"])
    return str(created["data"]["id"])


def test_every_event_is_tried() -> None:
    assert {path.stem for path in EVENTS.glob("*.json")} == {case.event for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_event(case: Case, demo_key: str) -> None:
    key_id = second_key(demo_key) if KEY_ID in (EVENTS / f"{case.event}.json").read_text() else ""

    with actions_on_the_table() as actions:
        response = invoke(case.function, case.event, demo_key, key_id)

    assert actions <= allowed_on_the_table(case.function), "its role's policy in template.yaml"
    assert response["statusCode"] == case.status, response["body"]
    assert response["headers"]["x-request-id"]
    if case.code:
        error = json.loads(response["body"])["error"]
        assert list(error) == ["message", "type", "param", "code"]
        assert error["code"] == case.code


def test_a_stream_is_buffered_into_one_response(demo_key: str) -> None:
    response = invoke("chat_completions", "chat_completions_stream", demo_key)

    assert response["headers"]["content-type"].startswith("text/event-stream")
    assert response["body"].endswith("data: [DONE]\n\n")
