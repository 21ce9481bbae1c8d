"""openapi.json: that it is whole, true to the API, and what docs/openapi.json says."""

from __future__ import annotations

import importlib
import json
import re
import runpy
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from fastapi.openapi.models import OpenAPI
from jsonschema import Draft202012Validator, ValidationError

from losi.identity.key import NewKey
from losi.identity.principal import Principal
from losi.identity.secret import Secret
from losi.management.accounts import Accounts
from losi.metering.usage import Usage
from losi.web.endpoints import BASE_PATH, ENDPOINTS, Endpoint
from losi.web.examples import A_KEY, EXAMPLES, Example
from losi.web.openapi import rendered
from losi.web.refusals import REFUSALS
from tests.api_description import answer_of, check, data_of, described, fits
from tests.dynamodb_client import TABLE
from tests.ledger_world import BlockingLedger

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Json = dict[str, Any]
COMMITTED = Path(__file__).parents[3] / "docs" / "openapi.json"
#: JSON Schemas and values of callers' own making, whose form only they know.
CALLERS_OWN = {"parameters", "json_schema", "schema", "thinking_blocks"}


def test_make_openapi_writes_it(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    sys.modules.pop("losi.web.openapi", None)
    try:
        runpy.run_module("losi.web.openapi", run_name="__main__")
    finally:
        importlib.import_module("losi.web.openapi")

    sys.stdout.flush()
    assert capfdbinary.readouterr().out == COMMITTED.read_bytes()


def operations() -> Iterator[tuple[str, str, Json]]:
    for path, methods in described()["paths"].items():
        for method, operation in methods.items():
            yield path, method.upper(), operation


def schemas(node: Any, where: str = "") -> Iterator[tuple[str, Any]]:
    """Every place where a schema stands, with the way to it."""
    if isinstance(node, dict):
        for name, child in node.items():
            here = f"{where}/{name}"
            if name in ("examples", "value", "example"):
                continue
            if name in ("schema", "items") or where.endswith(("/properties", "/schemas")):
                yield here, child
            if name in ("anyOf", "oneOf", "allOf"):
                yield from ((f"{here}/{number}", each) for number, each in enumerate(child))
            yield from schemas(child, here)
    elif isinstance(node, list):
        for number, child in enumerate(node):
            yield from schemas(child, f"{where}/{number}")


def test_the_committed_document_is_that_of_the_code() -> None:
    assert COMMITTED.read_bytes() == rendered(), "run `make openapi`"


async def test_anyone_may_read_it(http: httpx.AsyncClient) -> None:
    response = await http.get(f"{BASE_PATH}/openapi.json")

    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.content == COMMITTED.read_bytes()


class TestForm:
    def test_it_is_openapi(self) -> None:
        OpenAPI.model_validate(described())
        for schema in described()["components"]["schemas"].values():
            Draft202012Validator.check_schema(schema)

    def test_references_lead_somewhere_and_every_component_is_used(self) -> None:
        text = json.dumps(described())
        used = set(re.findall(r'"\$ref": "#/components/([^"]+)"', text))
        named = {
            f"{kind}/{name}"
            for kind in ("schemas", "headers", "responses")
            for name in described()["components"][kind]
        }

        assert used == named

    def test_no_schema_says_nothing(self) -> None:
        empty = [
            where
            for where, schema in schemas(described())
            if not (set(schema) - {"title", "description", "default"})
            and where.rpartition("/")[2] not in CALLERS_OWN
        ]

        assert empty == []

    def test_an_empty_schema_would_be_seen(self) -> None:
        document = {"components": {"schemas": {"A": {"properties": {"stop": {"title": "Stop"}}}}}}

        assert ("/components/schemas/A/properties/stop", {"title": "Stop"}) in schemas(document)


class TestWholeness:
    def test_it_has_every_endpoint_and_no_other(self) -> None:
        found = {(method, f"{BASE_PATH}{path}") for path, method, _ in operations()}

        assert found == {(each.method, each.path.replace("+}", "}")) for each in ENDPOINTS}

    @pytest.mark.parametrize(
        "operation", [pytest.param(each, id=each["operationId"]) for _, _, each in operations()]
    )
    def test_an_operation_says_what_it_does_takes_and_answers(self, operation: Json) -> None:
        assert operation["summary"] and len(operation["description"]) > 20
        assert all(each["description"] for each in operation["parameters"])
        for status in operation["responses"]:
            response = answer_of(operation, int(status))
            assert response["description"] and response["headers"], status
            for media in response["content"].values():
                assert "$ref" in media["schema"], status
        assert {"200", "400", "429", "500", "502", "504"} <= set(operation["responses"])

    @pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
    def test_it_names_the_permission(self, endpoint: Any) -> None:
        [operation] = [each for _, _, each in operations() if each["operationId"] == endpoint.name]

        public = operation.get("security") == []
        assert public == (endpoint.permission is None)
        assert public or f"`{endpoint.permission}`" in operation["description"]

    def test_every_endpoint_that_takes_or_answers_something_has_an_example(self) -> None:
        assert {name for name, examples in EXAMPLES.items() if examples} == {
            each.name for each in ENDPOINTS
        } - {"get_openapi"}

    @pytest.mark.parametrize("body", ["ChatCompletionRequest", "CreateKey", "RotateKey"])
    def test_a_body_s_parameters_are_explained(self, body: str) -> None:
        schema = described()["components"]["schemas"][body]

        for name, each in schema["properties"].items():
            assert each.get("description"), name


def operation_of(endpoint: Endpoint) -> Json:
    [found] = [each for _, _, each in operations() if each["operationId"] == endpoint.name]
    return found


SENT = [
    pytest.param(endpoint, example, id=f"{endpoint.name}-{example.name}")
    for endpoint in ENDPOINTS
    for example in EXAMPLES[endpoint.name]
]
MEDIA = {"json": "application/json", "events": "text/event-stream", "csv": "text/csv"}


class TestExamples:
    @pytest.mark.parametrize(("endpoint", "example"), SENT)
    def test_it_fits_its_schemas(self, endpoint: Endpoint, example: Example) -> None:
        operation = operation_of(endpoint)
        answer = operation["responses"][str(example.status)]["content"][MEDIA[example.kind]]

        assert answer["examples"][example.name]["value"] == example.answer
        fits(answer["schema"], example.answer)
        if example.body is not None:
            body = operation["requestBody"]["content"]["application/json"]
            assert body["examples"][example.name]["value"] == example.body
            if example.status == 200:
                fits(body["schema"], example.body)

    def test_every_parameter_and_every_answer_but_its_own_has_one(self) -> None:
        for path, method, operation in operations():
            answers = [answer_of(operation, int(status)) for status in operation["responses"]]
            media = [each for answer in answers for each in answer["content"].values()]
            own = path == "/openapi.json"
            without = [
                each for each in (*operation["parameters"], *media) if not each.get("examples")
            ]
            assert len(without) == own, (path, method, without)

    @pytest.mark.parametrize(("endpoint", "example"), SENT)
    async def test_it_is_answered_as_documented(
        self,
        http: httpx.AsyncClient,
        secret: Secret,
        other_key: str,
        june: None,
        endpoint: Endpoint,
        example: Example,
    ) -> None:
        parameters = {
            name: other_key if value == A_KEY else value
            for name, value in example.parameters.items()
        }
        path = re.sub(r"\{(\w+)\+\}", lambda name: parameters.pop(name[1]), endpoint.path)

        response = await http.request(
            endpoint.method,
            path,
            params=parameters,
            json=example.body,
            headers={"Authorization": f"Bearer {secret.text}", "Accept": MEDIA[example.kind]},
        )

        assert response.status_code == example.status, response.text
        assert response.headers["content-type"].startswith(MEDIA[example.kind])
        if example.status != 200:
            assert response.json() == example.answer
        elif example.kind == "csv":
            assert response.text == example.answer
        else:
            events = example.kind == "events"
            answer = data_of(response.text)[0] if events else response.json()
            assert form(answer, example.answer) == form(example.answer, answer)

    @pytest.mark.parametrize("status", REFUSALS)
    async def test_a_shared_refusal_is_answered_as_documented(
        self, http: httpx.AsyncClient, secret: Secret, accounts: Accounts, status: int
    ) -> None:
        may = {"Authorization": f"Bearer {secret.text}"}
        lesser = accounts.create_key(secret.account_id, NewKey("l", frozenset({"models.list"})))[1]
        requests: dict[int, tuple[str, str, Json]] = {
            400: ("POST", "/api-keys", {"content": b'{"model": '}),
            401: ("GET", "/models", {"headers": {}}),
            403: ("GET", "/api-usage", {"headers": {"Authorization": f"Bearer {lesser.text}"}}),
            404: ("DELETE", "/api-keys", {"params": REFUSALS[404].example.parameters}),
            413: ("POST", "/chat/completions", {"content": b"x" * 6_300_000}),
            415: ("POST", "/chat/completions", {"files": {"image": b"x"}}),
        }
        ask = [{"role": "user", "content": f"[[sandbox:error={status}]]"}]
        by_the_sandbox = {"json": {"model": "gpt-4o", "messages": ask}}
        method, path, sent = requests.get(status, ("POST", "/chat/completions", by_the_sandbox))

        response = await http.request(method, f"{BASE_PATH}{path}", **{"headers": may, **sent})

        shared = described()["components"]["responses"][REFUSALS[status].name]["content"]
        example = shared["application/json"]["examples"][REFUSALS[status].example.name]["value"]
        assert (response.status_code, response.json()) == (status, example)

    @pytest.fixture
    def other_key(self, accounts: Accounts, account_id: str) -> str:
        new = NewKey("My New API Key", frozenset({"models.list"}), datetime(2099, 1, 1, tzinfo=UTC))
        return f"key_{accounts.create_key(account_id, new)[0].id}"

    @pytest.fixture
    def june(self, client: DynamoDBClient, account_id: str, principal: Principal) -> None:
        """The usage that the examples show."""
        ledger = BlockingLedger(
            client, TABLE, lambda: datetime(2026, 6, 1, 12, tzinfo=UTC).timestamp()
        )
        for number, usage in enumerate((Usage(1024, 512), Usage(896, 448))):
            admission = ledger.admit(
                principal, "4o", f"req_{number}", input_tokens=1, hold_tokens=1, expires_at=4e9
            )
            ledger.settle(admission.hold, usage)


def form(value: Any, like: Any = None) -> Any:
    """The types and names in a value; null, which stands for anything, counts where it is in
    either. Of a list what is like the example's first entry, by its id.
    """
    if isinstance(value, dict):
        known = like if isinstance(like, dict) else value
        return {
            name: None if known.get(name, each) is None else form(each, known.get(name))
            for name, each in sorted(value.items())
        }
    if isinstance(value, list) and value:
        known = like[0] if like else value[0]
        if isinstance(known, dict) and "id" in known:
            same = [each for each in value if each["id"] == known["id"]]
            return [form((same or value)[0], known)]
        return [form(value[0], known)]
    return type(value).__name__ if value is not None else None


class TestTheJudge:
    """tests/api_description.py holds every answer of these tests against the document."""

    @staticmethod
    def answer(status: int, body: Any, header: str = "x-request-id") -> httpx.Response:
        request = httpx.Request("GET", f"http://losi{BASE_PATH}/models")
        return httpx.Response(status, json=body, request=request, headers={header: "1"})

    def test_an_answer_as_documented_passes(self) -> None:
        check(self.answer(200, {"object": "list", "data": []}))

    @pytest.mark.parametrize(
        "answer",
        [
            answer(200, {"object": "list"}),
            answer(200, {"object": "list", "data": [], "more": 1}),
            answer(418, {"error": {"message": "", "type": "server_error"}}),
            answer(401, {"error": {"message": "no type"}}),
            answer(200, {"object": "list", "data": []}, "x-new"),
        ],
    )
    def test_another_does_not(self, answer: httpx.Response) -> None:
        with pytest.raises((ValidationError, AssertionError)):
            check(answer)
