"""Calls of the sandbox as tests make them: nobody waits, and every answer is checked for form."""

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from openai.types.chat import ChatCompletionChunk

from losi.catalogue.models import Route
from losi.sandbox.format import Sandbox
from losi.upstream.format import Format, UpstreamCall
from tests.catalogue import PROVIDERS
from tests.fake_format import chunks_of
from tests.loose import Json

_DATA = Path(__file__).parents[3] / "tests" / "data"
SCHEMAS = json.loads((_DATA / "openai-schemas.json").read_text("utf-8"))

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "unit": {"enum": ["c", "f"]}},
            "required": ["city", "unit"],
        },
    },
}


async def instantly(_: float) -> None:
    """Stands in for sleeping."""


def call(body: Json) -> UpstreamCall:
    return UpstreamCall(body, Route(provider=PROVIDERS["sandbox"], model="sandbox-1"), "req_1")


def request(content: Any = "Hello, world!", **parameters: Any) -> Json:
    return {
        "model": "sandbox-1",
        "messages": [{"role": "user", "content": content}],
        **parameters,
    }


async def completed(body: Json) -> Json:
    provider: Format = Sandbox(instantly)
    answer = await provider.prepare(call(body)).complete()
    assert_conforms("CreateChatCompletionResponse", answer)
    return answer


async def streamed(body: Json) -> list[Json]:
    chunks = [chunk async for chunk in chunks_of(Sandbox(instantly).prepare(call(body)).stream())]
    for chunk in chunks:
        ChatCompletionChunk.model_validate(chunk)
        assert_conforms("CreateChatCompletionStreamResponse", chunk)
    return chunks


def assert_conforms(name: str, value: Json) -> None:
    Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": SCHEMAS["$defs"]}).validate(value)
