"""Translated requests, each checked by botocore's own validation."""

from typing import Any

import boto3
from botocore.validate import ParamValidator

from losi.catalogue.models import Route
from losi.upstream.bedrock.request import converse_request, left_out
from losi.upstream.format import UpstreamCall
from tests.catalogue import PROVIDERS
from tests.loose import loose

Json = dict[str, Any]
CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
USER: Json = {"role": "user", "content": "hello"}
WEATHER: Json = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Now",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": ["string", "null"], "default": None}},
            "$defs": {"kept": {"const": 1}},
        },
    },
}
#: Never called: it is here for its service model.
_client = boto3.client("bedrock-runtime", region_name="us-east-1")
_SHAPE = _client.meta.service_model.operation_model("ConverseStream").input_shape


def call(model: str = CLAUDE, **body: Any) -> UpstreamCall:
    route = Route(provider=PROVIDERS["bedrock"], model=model, max_output_tokens=4000)
    return UpstreamCall(loose({"model": model, "messages": [USER], **body}), route, "r1")


def told_left_out(**body: Any) -> frozenset[str]:
    request = call(**body)
    return left_out(request.body, converse_request(request))


def translated(model: str = CLAUDE, **body: Any) -> Json:
    request = converse_request(call(model, **body))
    assert _SHAPE is not None
    report = ParamValidator().validate(request, _SHAPE)
    assert not report.has_errors(), report.generate_report()
    return {**request}


def called(call_id: str = "c1", arguments: str = "{}", **message: Any) -> Json:
    function = {"name": "weather", "arguments": arguments}
    calls = [{"id": call_id, "type": "function", "function": function}]
    return {"role": "assistant", "content": None, "tool_calls": calls, **message}


def result(call_id: str = "c1", content: Any = "sunny") -> Json:
    return {"role": "tool", "tool_call_id": call_id, "content": content}
