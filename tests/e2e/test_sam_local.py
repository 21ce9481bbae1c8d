"""`sam local start-api`: the built functions and their layer in Lambda's container."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from local.demo import ensure_demo_key
from local.docker import MACHINE
from local.sam import function_environment, start_api
from local.table import create_table
from losi.management.accounts import Accounts
from losi.metering.books import Books
from tests.catalogue import CATALOGUE
from tests.deployment import Build
from tests.dynamodb_local import free_port

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TABLE = "losi-sam-local"
HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hello, world!"}]
DOCUMENTED = {"gpt-4o", "gpt-4o-mini", "gpt-3.5-turbo", "losi-omega", "claude-3.5-sonnet"}


@dataclass(frozen=True)
class Deployment:
    base_url: str
    key: str
    log: Path


@pytest.fixture(scope="module")
def deployment(
    docker_environment: dict[str, str],
    sam_build: Build,
    dynamodb: DynamoDBClient,
    dynamodb_endpoint: str,
) -> Iterator[Deployment]:
    built = sam_build(MACHINE) / "template.yaml"
    create_table(dynamodb, TABLE)
    accounts = Accounts(dynamodb, TABLE, Books(dynamodb, TABLE), CATALOGUE.plans)
    key = ensure_demo_key(accounts, built.with_name("demo.env"))
    variables = function_environment(TABLE, dynamodb_endpoint) | {"LOSI_SANDBOX_FALLBACK": "1"}
    log = built.with_name("sam.log")
    with start_api(built, variables, free_port(), docker_environment, log) as base_url:
        yield Deployment(base_url, key, log)


@pytest.fixture(scope="module")
def client(deployment: Deployment) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(
        base_url=deployment.base_url, api_key=deployment.key, max_retries=0, timeout=60
    ) as client:
        yield client


@pytest.fixture(scope="module")
def http(deployment: Deployment) -> Iterator[httpx.Client]:
    with httpx.Client(
        base_url=deployment.base_url,
        headers={"Authorization": f"Bearer {deployment.key}"},
        timeout=60,
    ) as http:
        yield http


@pytest.fixture(autouse=True)
def show_log_of_failures(deployment: Deployment, request: pytest.FixtureRequest) -> Iterator[None]:
    failed_before = request.session.testsfailed
    yield
    if request.session.testsfailed > failed_before:
        pytest.fail(deployment.log.read_text()[-3000:], pytrace=False)


class TestChat:
    def test_a_completion(self, client: openai.OpenAI) -> None:
        completion = client.chat.completions.create(model="gpt-4o", messages=HELLO)

        assert completion.choices[0].message.content
        assert completion.choices[0].finish_reason == "stop"
        assert completion.usage is not None
        assert completion.usage.total_tokens > 0

    def test_a_stream_arrives_in_one_piece_but_whole(self, client: openai.OpenAI) -> None:
        stream = client.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True)

        chunks = list(stream)

        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
        assert (
            text
            == client.chat.completions.create(model="gpt-4o", messages=HELLO)
            .choices[0]
            .message.content
        )
        assert chunks[-1].choices[0].finish_reason == "stop"

    def test_a_wrong_parameter_is_named(self, client: openai.OpenAI) -> None:
        with pytest.raises(openai.BadRequestError) as refusal:
            client.chat.completions.create(model="gpt-4o", messages=HELLO, temperature=3)

        assert refusal.value.param == "temperature"

    def test_a_wrong_key_is_refused(self, deployment: Deployment) -> None:
        with (
            openai.OpenAI(base_url=deployment.base_url, api_key="losi-wrong") as stranger,
            pytest.raises(openai.AuthenticationError),
        ):
            stranger.chat.completions.create(model="gpt-4o", messages=HELLO)


def test_embeddings(client: openai.OpenAI) -> None:
    answer = client.embeddings.create(model="text-embedding-3-small", input=["one", "two"])

    assert [len(one.embedding) for one in answer.data] == [1_536, 1_536]


class TestModels:
    def test_the_list_has_the_documented_models(self, client: openai.OpenAI) -> None:
        names = {model.id for model in client.models.list()}

        assert {
            "gpt-4o",
            "gpt-4o-mini",
            "gpt-3.5-turbo",
            "losi-omega",
            "claude-3.5-sonnet",
        } <= names

    def test_a_model_with_a_dot_in_its_name(self, client: openai.OpenAI) -> None:
        assert client.models.retrieve("claude-3.5-sonnet").object == "model"

    def test_a_method_that_it_does_not_have_is_a_405_in_our_envelope(
        self, http: httpx.Client
    ) -> None:
        answer = http.put("/models", json={})

        assert answer.status_code == 405
        assert answer.json()["error"]["code"] == "method_not_allowed"


class TestKeys:
    def test_a_key_is_made_listed_used_and_deleted(
        self, http: httpx.Client, deployment: Deployment
    ) -> None:
        made = http.post("/api-keys", json={"name": "Second", "permissions": ["models.list"]})
        assert made.is_success, made.text
        second = made.json()["data"]

        listed = {key["name"] for key in http.get("/api-keys").json()["data"]}
        assert "Second" in listed
        with openai.OpenAI(base_url=deployment.base_url, api_key=second["key"]) as client:
            assert client.models.list().data
            assert http.delete("/api-keys", params={"id": second["id"]}).json() == {"success": True}
            with pytest.raises(openai.AuthenticationError):
                client.models.list()


class TestUsage:
    def test_it_reports_the_completion_to_the_token(
        self, client: openai.OpenAI, http: httpx.Client
    ) -> None:
        today = datetime.now(UTC).date().isoformat()
        days = {"start_date": today, "end_date": today}
        before = http.get("/api-usage", params=days).json()["data"]["summary"]

        usage = client.chat.completions.create(model="gpt-4o", messages=HELLO).usage

        after = http.get("/api-usage", params=days).json()["data"]["summary"]
        assert usage is not None
        assert {name: after[name] - before[name] for name in after} == {
            "total_requests": 1,
            "total_input_tokens": usage.prompt_tokens,
            "total_output_tokens": usage.completion_tokens,
        }


def test_the_function_logs_are_json_lines_without_content(
    client: openai.OpenAI, deployment: Deployment
) -> None:
    client.chat.completions.create(model="gpt-4o", messages=HELLO)

    text = deployment.log.read_text()
    assert "Hello, world!" not in text
    assert deployment.key not in text
    for line in text.splitlines():
        if line.startswith("{"):
            json.loads(line)
