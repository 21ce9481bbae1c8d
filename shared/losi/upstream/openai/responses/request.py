"""A chat completion request as OpenAI's Responses API takes it. Pure.

https://platform.openai.com/docs/api-reference/responses/create. Nothing is stored there: the whole
conversation is sent each time, and what the model thought comes and goes encrypted.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from losi.upstream.conversation import (
    JSON_INSTRUCTION,
    invalid,
    not_understood,
    with_instruction,
)
from losi.upstream.openai.responses.items import items
from losi.upstream.turns import after_results
from losi.wire import without

if TYPE_CHECKING:
    from typing import Literal

    from openai.types.responses import (
        CustomToolParam,
        FunctionToolParam,
        ResponseFormatTextJSONSchemaConfigParam,
        ResponseIncludable,
        ResponseTextConfigParam,
        ToolChoiceCustomParam,
        ToolChoiceFunctionParam,
    )
    from openai.types.responses.response_create_params import ResponseCreateParamsBase, ToolChoice
    from openai.types.shared import ReasoningEffort
    from openai.types.shared_params import Reasoning

    from losi.wire import JsonObject
    from losi.wire.chat import FunctionDefinition, Message, Request, Tool

#: The smallest `max_output_tokens` (OpenAI's OpenAPI document, `CreateResponse`).
SMALLEST_LIMIT = 16

#: Parameters that are passed on unchanged.
_SAME = frozenset(
    {
        "model",
        "metadata",
        "parallel_tool_calls",
        "prompt_cache_key",
        "prompt_cache_options",
        "safety_identifier",
        "service_tier",
        "temperature",
        "top_logprobs",
        "top_p",
        "user",
    }
)
_TRANSLATED = frozenset(
    {
        "messages",
        "tools",
        "tool_choice",
        "response_format",
        "reasoning_effort",
        "verbosity",
        "logprobs",
        "max_tokens",
        "max_completion_tokens",
    }
)
_UNDERSTOOD = _SAME | _TRANSLATED


@dataclass(frozen=True, slots=True)
class ResponsesRequest:
    body: ResponseCreateParamsBase
    left_out: frozenset[str]


def translate(body: Request) -> ResponsesRequest:
    """Translate a request. Raises InvalidRequestError (400) for content that the Responses API has
    no place for.
    """
    others = [name for name, value in body.items() if name not in _SAME or value is None]
    out = cast("ResponseCreateParamsBase", without(body, others))
    out["store"] = False
    out["include"] = _included(body)
    messages = [message for _, message in after_results([("", m) for m in body["messages"]])]
    text = _text(body)
    if text.get("format") == {"type": "json_object"} and "json" not in _lower(messages):
        messages = with_instruction(messages, JSON_INSTRUCTION)
    out["input"] = list(items(messages, body["model"]))
    reasoning: Reasoning = {"summary": "auto"}
    if effort := body.get("reasoning_effort"):
        reasoning["effort"] = cast("ReasoningEffort", effort)
    out["reasoning"] = reasoning
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    if limit is not None:
        out["max_output_tokens"] = max(limit, SMALLEST_LIMIT)
    if text:
        out["text"] = text
    if tools := body.get("tools"):
        out["tools"] = [_tool(f"tools[{index}]", tool) for index, tool in enumerate(tools)]
        if (choice := _tool_choice(body)) is not None:
            out["tool_choice"] = choice
    left_out = frozenset(not_understood(body, _UNDERSTOOD))
    return ResponsesRequest(out, left_out)


def _included(body: Request) -> list[ResponseIncludable]:
    included: list[ResponseIncludable] = []
    if body.get("reasoning_effort") != "none":  # otherwise there is nothing to encrypt
        included.append("reasoning.encrypted_content")
    if body.get("logprobs"):
        included.append("message.output_text.logprobs")
    return included


def _lower(messages: list[Message]) -> str:
    """The words of the conversation in lower case: OpenAI looks for "json" there."""
    return json.dumps([message.get("content") for message in messages]).lower()


def _text(body: Request) -> ResponseTextConfigParam:
    text: ResponseTextConfigParam = {}
    form = body.get("response_format")
    wanted = form["json_schema"] if form and form["type"] == "json_schema" else None
    if wanted is not None and (given := wanted.get("schema")):
        schema: ResponseFormatTextJSONSchemaConfigParam = {
            "type": "json_schema",
            "name": wanted["name"],
            "schema": given,
        }
        if (description := wanted.get("description")) is not None:
            schema["description"] = description
        if wanted.get("strict") is not None:
            schema["strict"] = wanted["strict"]
        text["format"] = schema
    elif form and form["type"] != "text":  # a schema that was left out means any object
        text["format"] = {"type": "json_object"}
    if verbosity := body.get("verbosity"):
        text["verbosity"] = cast("Literal['low', 'medium', 'high']", verbosity)
    return text


def _tool(where: str, tool: Tool) -> FunctionToolParam | CustomToolParam:
    """Flatten a tool: chat nests these fields,
    https://platform.openai.com/docs/guides/migrate-to-responses
    """
    match tool:
        case {"type": "function", "function": dict(function)}:
            return _function_tool(where, function)
        case {"type": "custom", "custom": dict(custom)}:
            return _custom_tool(where, custom)
    invalid(where, "This model takes tools of the types 'function' and 'custom', with a 'name'.")


def _function_tool(where: str, function: FunctionDefinition) -> FunctionToolParam:
    flat: FunctionToolParam = {
        "type": "function",
        "name": _name(where, function),
        "parameters": function.get("parameters") or {"type": "object", "properties": {}},
        # without it strict is assumed, and optional properties become required
        "strict": bool(function.get("strict")),
    }
    if description := function.get("description"):
        flat["description"] = description
    return flat


def _custom_tool(where: str, custom: JsonObject) -> CustomToolParam:
    flat: CustomToolParam = {"type": "custom", "name": _name(where, custom)}
    if description := custom.get("description"):
        flat["description"] = description
    match custom.get("format"):
        case None:
            pass
        case {"type": "text"}:
            flat["format"] = {"type": "text"}
        case {"type": "grammar", "grammar": {"syntax": syntax, "definition": str(definition)}}:
            flat["format"] = {"type": "grammar", "syntax": syntax, "definition": definition}
        case _:
            invalid(
                f"{where}.custom.format",
                "Use {'type': 'text'}, or {'type': 'grammar', 'grammar': {'syntax': '...', "
                "'definition': '...'}}.",
            )
    return flat


def _name(where: str, named: FunctionDefinition | JsonObject) -> str:
    name = named.get("name") if isinstance(named, dict) else None
    if not isinstance(name, str):
        invalid(where, "A tool needs a 'name'.")
    return name


def _tool_choice(body: Request) -> ToolChoice | None:
    choice = body.get("tool_choice")
    match choice:
        case None | "none" | "auto" | "required":
            return choice
        case {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": list(tools)}}:
            named: list[dict[str, object]] = [{**_named(tool)} for tool in tools]
            return {"type": "allowed_tools", "mode": mode, "tools": named}
    return _named(choice)


def _named(choice: object) -> ToolChoiceFunctionParam | ToolChoiceCustomParam:
    match choice:
        case {"type": "function", "function": function}:
            return {"type": "function", "name": _name("tool_choice", function)}
        case {"type": "custom", "custom": custom}:
            return {"type": "custom", "name": _name("tool_choice", custom)}
    invalid("tool_choice", "Name a tool: {'type': 'function', 'function': {'name': '...'}}.")
