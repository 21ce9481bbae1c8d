"""OpenAI's chat completion request as Bedrock's Converse takes it. Pure.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TypedDict

from losi.upstream.bedrock.cache_points import cache_point, fit_cache_points
from losi.upstream.bedrock.messages import convert_messages, tool_name
from losi.upstream.bedrock.reasoning import reasoning_fields
from losi.upstream.bedrock.structured import takes_format, takes_strict_tools
from losi.upstream.cache_marks import MARK, with_fitting_marks
from losi.upstream.claude import is_claude, sampling
from losi.upstream.claude_schema import (
    are_loosened,
    format_instruction,
    is_loosened,
    kept_schema,
    tool_schema,
)
from losi.upstream.conversation import (
    allowed_tools,
    answer_schema,
    invalid,
    not_understood,
    with_instruction,
)
from losi.upstream.format import UpstreamCall

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import NotRequired

    from mypy_boto3_bedrock_runtime.type_defs import (
        InferenceConfigurationTypeDef,
        JsonSchemaDefinitionTypeDef,
        MessageTypeDef,
        OutputConfigTypeDef,
        SystemContentBlockTypeDef,
        ToolConfigurationTypeDef,
        ToolSpecificationTypeDef,
        ToolTypeDef,
    )

    from losi.upstream.bedrock.reasoning import ClaudesChoice, ModelFields
    from losi.wire.chat import Message, Request, Tool

#: Converse requires a tool if the history has calls, even if none may be called any more.
NO_TOOL: ToolTypeDef = {
    "toolSpec": {
        "name": "no_tool_available",
        "description": "Placeholder. No tool can be called now: answer with text.",
        "inputSchema": {"json": {"type": "object", "properties": {}}},
    }
}
_SAMPLING = {"max_tokens", "max_completion_tokens", "stop", "temperature", "top_p"}
_TOOLS = {"tools", "tool_choice", "parallel_tool_calls", "response_format"}
_UNDERSTOOD = frozenset({"model", "messages", "reasoning_effort", MARK, *_SAMPLING, *_TOOLS})


class ConverseRequest(TypedDict):
    modelId: str
    messages: list[MessageTypeDef]
    system: NotRequired[list[SystemContentBlockTypeDef]]
    inferenceConfig: InferenceConfigurationTypeDef
    toolConfig: NotRequired[ToolConfigurationTypeDef]
    outputConfig: NotRequired[OutputConfigTypeDef]
    additionalModelRequestFields: NotRequired[ModelFields]


def converse_request(call: UpstreamCall) -> ConverseRequest:
    """Arguments for both `converse` and `converse_stream`. Raises InvalidRequestError."""
    marked = with_fitting_marks(call.body, call.route.cache_from, whole=False)
    body: Request = {**marked, "messages": _asked_in_words(marked)}
    limit = max_tokens(call)
    tools = _tool_config(body)
    extra = reasoning_fields(
        body["model"],
        body.get("reasoning_effort"),
        limit,
        body["messages"],
        forced_tool=tools is not None and "toolChoice" in tools,
    )
    system, messages = convert_messages(
        body["messages"], body["model"], thinking="thinking" in extra
    )
    if body.get("parallel_tool_calls") is False and tools and is_claude(body["model"]):
        extra["tool_choice"] = _one_call_at_a_time(tools)
    request: ConverseRequest = {
        "modelId": body["model"],
        "messages": messages,
        "inferenceConfig": _inference_config(body, limit, thinking="thinking" in extra),
    }
    if system:
        request["system"] = system
    if tools := tools or _stub_for_history(messages):
        request["toolConfig"] = tools
    for blocks in (tools["tools"] if tools else [], system, *(m["content"] for m in messages)):
        fit_cache_points(blocks, claude=is_claude(body["model"]))
    if output := _output_config(body):
        request["outputConfig"] = output
    if extra:
        request["additionalModelRequestFields"] = extra
    return request


def left_out(body: Request, request: ConverseRequest) -> frozenset[str]:
    """Parameters that Converse has no place for, or that others exclude (thinking, sampling)."""
    config, extra = request["inferenceConfig"], request.get("additionalModelRequestFields") or {}
    efforts = {"thinking", "reasoningConfig", "reasoning_effort"}
    sent = {
        "temperature": "temperature" in config,
        "top_p": "topP" in config or body.get("top_p") == 1,
        "reasoning_effort": bool(efforts & extra.keys()) or body.get("reasoning_effort") == "none",
    }
    excluded = {
        name for name, is_sent in sent.items() if body.get(name) is not None and not is_sent
    }
    return frozenset(excluded | not_understood(body, _UNDERSTOOD))


def mapped(body: Request) -> frozenset[str]:
    """Parameters that are expressed in another way."""
    response_format, model = body.get("response_format"), body["model"]
    in_words = response_format is not None and response_format["type"] == "json_object"
    loosened = is_claude(model) and is_loosened(response_format, native=takes_format(model))
    strict = are_loosened(body.get("tools") or (), native=takes_strict_tools(model))
    changed = {"response_format": in_words or loosened, "tools": strict}
    return frozenset(name for name, is_mapped in changed.items() if is_mapped)


def max_tokens(call: UpstreamCall) -> int:
    limit = call.body.get("max_completion_tokens") or call.body.get("max_tokens")
    return int(limit or call.route.max_output_tokens)


def _inference_config(
    body: Request, limit: int, *, thinking: bool
) -> InferenceConfigurationTypeDef:
    config: InferenceConfigurationTypeDef = {"maxTokens": limit}
    if stop := body.get("stop"):
        config["stopSequences"] = [stop] if isinstance(stop, str) else list(stop)
    if thinking:
        return config  # Claude refuses any other sampling while it thinks
    given = sampling(body) if is_claude(body["model"]) else body
    temperature, top_p = given.get("temperature"), given.get("top_p")
    if temperature is not None:
        config["temperature"] = min(float(temperature), 1.0)  # OpenAI's range ends at 2
    if top_p is not None and top_p < 1:
        config["topP"] = float(top_p)
    return config


def _tool_config(body: Request) -> ToolConfigurationTypeDef | None:
    """The tools and the choice; None if no tool may be called, as Converse has no choice "none"."""
    choice = body.get("tool_choice") or "auto"
    tools = [_tool(i, tool, body["model"]) for i, tool in enumerate(body.get("tools") or [])]
    if not tools or choice == "none":
        return None
    if isinstance(choice, dict) and choice.get("type") == "allowed_tools":
        tools, choice = allowed_tools(choice, tools)
    config: ToolConfigurationTypeDef = {"tools": list(_marked(tools, body.get("tools") or []))}
    if choice == "required":
        config["toolChoice"] = {"any": {}}
    elif isinstance(choice, dict):
        if choice.get("type") != "function":
            invalid("tool_choice", "Name a tool: {'type': 'function', 'function': {'name': ...}}.")
        config["toolChoice"] = {"tool": {"name": choice["function"]["name"]}}
    return config


def _marked(tools: list[ToolSpecificationTypeDef], given: list[Tool]) -> Iterator[ToolTypeDef]:
    marks = {tool["function"]["name"]: tool.get(MARK) for tool in given}
    for tool in tools:
        yield {"toolSpec": tool}
        if (mark := marks[tool["name"]]) is not None:
            yield {"cachePoint": cache_point(mark)}


def _tool(position: int, tool: Tool, model: str) -> ToolSpecificationTypeDef:
    where = f"tools[{position}]"
    if tool["type"] != "function":
        invalid(f"{where}.type", "This model takes tools of type 'function' only.")
    function = tool["function"]
    schema = tool_schema(function.get("parameters") or {})
    spec: ToolSpecificationTypeDef = {
        "name": tool_name(f"{where}.function.name", function["name"]),
        "inputSchema": {"json": {"properties": {}, **schema}},
    }
    if description := function.get("description"):
        spec["description"] = description
    kept = kept_schema(function.get("parameters") or {}) if function.get("strict") else None
    if kept is not None and takes_strict_tools(model):
        spec["inputSchema"] = {"json": kept}
        spec["strict"] = True
    return spec


def _one_call_at_a_time(tools: ToolConfigurationTypeDef) -> ClaudesChoice:
    """Claude's own field in addition to Converse's choice; without that, it also needs a type."""
    if "toolChoice" in tools:
        return {"disable_parallel_tool_use": True}
    return {"type": "auto", "disable_parallel_tool_use": True}


def _stub_for_history(messages: list[MessageTypeDef]) -> ToolConfigurationTypeDef | None:
    blocks = (block for message in messages for block in message["content"])
    return {"tools": [NO_TOOL]} if any("toolUse" in block for block in blocks) else None


def _asked_in_words(body: Request) -> list[Message]:
    """The messages, with an instruction for a form of answer that the model has no field for."""
    response_format, model = body.get("response_format"), body["model"]
    is_any = response_format is not None and response_format["type"] == "json_object"
    if is_any or is_claude(model):
        instruction = format_instruction(response_format, native=takes_format(model))
        return with_instruction(body["messages"], instruction) if instruction else body["messages"]
    return list(body["messages"])


def _output_config(body: Request) -> OutputConfigTypeDef | None:
    response_format, model = body.get("response_format"), body["model"]
    if response_format is None or response_format["type"] != "json_schema":
        return None
    if not takes_format(model):
        return None
    wanted, schema = response_format["json_schema"], answer_schema(response_format)
    if is_claude(model):
        kept = kept_schema(schema)
        if kept is None:
            return None
        schema = kept
    definition: JsonSchemaDefinitionTypeDef = {"schema": json.dumps(schema), "name": wanted["name"]}
    if description := wanted.get("description"):
        definition["description"] = description
    return {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": definition}}}
