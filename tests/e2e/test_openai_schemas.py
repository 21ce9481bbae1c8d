"""What the server sends fits OpenAI's own JSON schemas, field for field, and openapi.json."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from jsonschema import Draft202012Validator

from tests.api_description import check_answer_now
from tests.e2e.server import Server

SCHEMAS = orjson.loads((Path(__file__).parents[1] / "data" / "openai-schemas.json").read_bytes())
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
REQUESTS: dict[str, dict[str, Any]] = {
    "text": {},
    "several": {"n": 2},
    "tools": {"tools": [TOOL]},
    "parallel tools": {"tools": [TOOL], "say": "[[sandbox:parallel=3]]"},
    "refusal": {"say": "[[sandbox:refusal]]"},
    "cut": {"max_tokens": 2},
    "filtered": {"say": "[[sandbox:finish=content_filter]]"},
    "json": {"response_format": {"type": "json_object"}},
    "logprobs": {"logprobs": True, "top_logprobs": 2},
    "reasoning": {"reasoning_effort": "high"},
}


@pytest.fixture
def http(server: Server) -> Iterator[httpx.Client]:
    key = {"Authorization": f"Bearer {server.api_key}"}
    hooks = {"response": [check_answer_now]}
    with httpx.Client(
        base_url=server.base_url, headers=key, timeout=60, event_hooks=hooks
    ) as client:
        yield client


def fits(name: str) -> Callable[[Any], None]:
    schema = {"$ref": f"#/$defs/{name}", "$defs": SCHEMAS["$defs"]}
    validate: Callable[[Any], None] = Draft202012Validator(schema).validate
    return validate


def request(case: str, **fields: Any) -> dict[str, Any]:
    parameters = dict(REQUESTS[case])
    said = parameters.pop("say", "Hello")
    return {
        "model": "gpt-4o",
        "messages": [{"role": "user", "content": said}],
        **parameters,
        **fields,
    }


@pytest.mark.parametrize("case", REQUESTS)
def test_a_plain_answer(http: httpx.Client, case: str) -> None:
    response = http.post("/chat/completions", json=request(case))

    assert response.status_code == 200
    fits("CreateChatCompletionResponse")(response.json())


@pytest.mark.parametrize("include_usage", [True, False])
@pytest.mark.parametrize("case", REQUESTS)
def test_every_chunk_of_a_stream(http: httpx.Client, case: str, include_usage: bool) -> None:
    options = {"include_usage": include_usage}
    response = http.post(
        "/chat/completions", json=request(case, stream=True, stream_options=options)
    )

    assert response.headers["content-type"].startswith("text/event-stream")
    *events, done, end = response.text.split("\n\n")
    assert (done, end) == ("data: [DONE]", "")
    for event in events:
        chunk = orjson.loads(event.removeprefix("data: "))
        fits("CreateChatCompletionStreamResponse")(chunk)
        assert ("usage" in chunk) is include_usage


def test_the_models(http: httpx.Client) -> None:
    models = http.get("/models").json()

    fits("ListModelsResponse")(models)
    fits("Model")(http.get(f"/models/{models['data'][0]['id']}").json())


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503])
def test_every_error(http: httpx.Client, status: int) -> None:
    said = [{"role": "user", "content": f"[[sandbox:error={status}]]"}]
    response = http.post("/chat/completions", json={"model": "gpt-4o", "messages": said})

    assert response.status_code == status
    fits("ErrorResponse")(response.json())
