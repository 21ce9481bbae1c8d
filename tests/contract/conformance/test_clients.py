"""What real clients send for structured output is answered on each route alone, by their schema.

The bodies were recorded once from the clients themselves (`python -m tests.clients`).
"""

import json
from pathlib import Path

import pytest

from losi.config import read_config
from losi.json_schema.limits import Budget
from losi.json_schema.validation import Document
from losi.upstream.registry import Registry
from losi.upstream.routing import ChatRouter
from losi.web.formats import FORMATS
from tests.clients.__main__ import NODE_PACKAGES, PACKAGES
from tests.contract.conformance.world import Alone, alone, ask, environment
from tests.loose import Json
from tests.strict_upstream import StrictUpstream

FOLDER = Path(__file__).parents[2] / "data" / "clients"
BODIES: dict[str, Json] = {
    path.stem: json.loads(path.read_text("utf-8"))["body"] for path in sorted(FOLDER.glob("*.json"))
}
PROVIDERS = ("openai", "openai-responses", "anthropic", "bedrock")
ROUTES = [one for one in alone() if one.route.provider.id in PROVIDERS]


def value_and_schema(message: Json, body: Json) -> tuple[Json, Json]:
    """The value that the client takes out of an answer, and the schema it holds it against."""
    if body.get("tools"):
        schemas = {t["function"]["name"]: t["function"]["parameters"] for t in body["tools"]}
        [call] = message["tool_calls"]
        return json.loads(call["function"]["arguments"]), schemas[call["function"]["name"]]
    wanted = body["response_format"]
    return json.loads(message["content"]), wanted.get("json_schema", {}).get("schema") or {}


def message_of(answer: Json) -> Json:
    """The message of a plain answer, or the one that chunks add up to."""
    if "chunks" not in answer:
        message: Json = answer["choices"][0]["message"]
        return message
    deltas = [c["delta"] for chunk in answer["chunks"] for c in chunk["choices"]]
    calls: dict[int, Json] = {}
    for piece in (call for delta in deltas for call in delta.get("tool_calls") or ()):
        call = calls.setdefault(piece["index"], {"function": {"name": "", "arguments": ""}})
        for name, value in piece.get("function", {}).items():
            call["function"][name] += value
    text = "".join(delta.get("content") or "" for delta in deltas)
    return {"content": text, "tool_calls": [calls[index] for index in sorted(calls)]}


def test_the_clients_are_those_that_are_run_against_us() -> None:
    assert BODIES.keys() == {*PACKAGES, *NODE_PACKAGES}


async def test_what_clients_send_is_answered_by_its_schema() -> None:
    async with StrictUpstream() as upstream:
        with pytest.MonkeyPatch.context() as environ:
            for name, value in environment(upstream).items():
                environ.setenv(name, value)
            router = ChatRouter(Registry(FORMATS, read_config()))
            for one in ROUTES:
                await hold_each(router, one)


async def hold_each(router: ChatRouter, one: Alone) -> None:
    for name, body in BODIES.items():
        for stream in (False, True):
            answer = await ask(router, one, {**body, "model": one.model.id}, stream=stream)
            value, schema = value_and_schema(message_of(answer), body)
            assert Document(schema, Budget()).accepts(schema, value), (str(one), name, value)
