"""A chat completion request as OpenAI's Responses API takes it. Pure.

https://platform.openai.com/docs/api-reference/responses/create. Nothing is stored there: the whole
conversation is sent each time, and what the model thought comes and goes encrypted.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from losi.errors import InvalidRequestError
from losi.upstream.conversation import (
    JSON_INSTRUCTION,
    fitting_id,
    fitting_name,
    not_understood,
    with_instruction,
)
from losi.upstream.turns import after_results
from losi.wire import Json

#: The smallest `max_output_tokens` (OpenAI's OpenAPI document, `CreateResponse`).
SMALLEST_LIMIT = 16
#: `call_id` in `FunctionCallItemParam`.
_CALL_IDS = re.compile(r".{1,64}", re.DOTALL)
#: In the canonical form's `thinking_blocks`: a reasoning item, encrypted for one model.
REASONING = "reasoning"

#: Sent as they are.
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
        "functions",
        "function_call",
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
    body: Json
    left_out: frozenset[str]
    #: The caller speaks of `functions`, so that calls are answered as `function_call`.
    legacy_functions: bool


def translate(body: Json) -> ResponsesRequest:
    """Raises InvalidRequestError (400) for content that the Responses API has no place for."""
    out = {name: body[name] for name in _SAME & body.keys() if body[name] is not None}
    out["store"] = False
    thinks = body.get("reasoning_effort") != "none"  # else there is nothing to encrypt
    out["include"] = ["reasoning.encrypted_content"] if thinks else []
    if body.get("logprobs"):
        out["include"].append("message.output_text.logprobs")
    messages = [message for _, message in after_results([("", m) for m in body["messages"]])]
    text = _text(body)
    if text.get("format") == {"type": "json_object"} and b"json" not in _lower(messages):
        messages = with_instruction(messages, JSON_INSTRUCTION)
    out["input"] = list(_items(messages, body["model"]))
    out["reasoning"] = {"summary": "auto"}
    if effort := body.get("reasoning_effort"):
        out["reasoning"]["effort"] = effort
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    if limit is not None:
        out["max_output_tokens"] = max(limit, SMALLEST_LIMIT)
    if text:
        out["text"] = text
    functions = body.get("functions")
    if tools := body.get("tools") or [{"type": "function", "function": f} for f in functions or ()]:
        out["tools"] = [_tool(tool) for tool in tools]
        if (choice := _tool_choice(body)) is not None:
            out["tool_choice"] = choice
    left_out = frozenset(not_understood(body, _UNDERSTOOD))
    return ResponsesRequest(out, left_out, legacy_functions=bool(functions))


def _lower(messages: list[Json]) -> bytes:
    """The words of the conversation, where OpenAI looks for "json"."""
    return orjson.dumps([message.get("content") for message in messages], default=str).lower()


def _text(body: Json) -> Json:
    text: Json = {}
    form = body.get("response_format")
    if form and form["type"] == "json_schema" and form["json_schema"].get("schema"):
        text["format"] = {"type": "json_schema", **form["json_schema"]}
    elif form and form["type"] != "text":  # a schema that was left out asks for any object
        text["format"] = {"type": "json_object"}
    if body.get("verbosity"):
        text["verbosity"] = body["verbosity"]
    return text


def _tool(tool: Json) -> Json:
    """Chat nests what is flat here, https://platform.openai.com/docs/guides/migrate-to-responses"""
    kind = tool["type"]
    if kind == "function":
        function = tool["function"]
        empty = {"type": "object", "properties": {}}
        return {
            **{name: function[name] for name in ("name", "description") if function.get(name)},
            "type": "function",
            "parameters": function.get("parameters") or empty,
            # left out, strict is tried, and optional properties become required
            "strict": bool(function.get("strict")),
        }
    custom = dict(tool[kind])
    if (form := custom.get("format")) and form.get("type") == "grammar":
        custom["format"] = {"type": "grammar", **form["grammar"]}
    return {"type": kind, **custom}


def _tool_choice(body: Json) -> Any:
    choice = body.get("tool_choice")
    if choice is None and (legacy := body.get("function_call")) is not None:
        choice = {"type": "function", "function": legacy} if isinstance(legacy, dict) else legacy
    if not isinstance(choice, dict):
        return choice
    if choice["type"] == "allowed_tools":
        allowed = choice["allowed_tools"]
        return {"type": "allowed_tools", **allowed, "tools": [_named(t) for t in allowed["tools"]]}
    return _named(choice)


def _named(choice: Json) -> Json:
    kind = choice["type"]
    return {"type": kind, "name": choice[kind]["name"]}


def _items(messages: list[Json], model: str) -> Iterator[Json]:
    custom_calls: set[str] = set()
    for position, message in enumerate(messages):
        where = f"messages[{position}]"
        role = message["role"]
        if role == "assistant":
            for call in message.get("tool_calls") or ():
                if call.get("type") == "custom":
                    custom_calls.add(call["id"])
            yield from _assistant(where, message, model)
        elif role == "tool":
            yield _result(where, message, custom=message["tool_call_id"] in custom_calls)
        elif role == "function":
            output = _output(where, message)
            yield {"type": "function_call_output", "call_id": _fitting(message["name"])} | output
        else:
            yield {"type": "message", "role": role, "content": _content(where, message)}


def _assistant(where: str, message: Json, model: str) -> Iterator[Json]:
    for block in message.get("thinking_blocks") or ():
        # another model's thoughts cannot be decrypted, and are refused
        if block.get("type") == REASONING and block.get("model") == model:
            encrypted, summary = block.get("encrypted_content"), block.get("summary") or []
            yield {"type": "reasoning", "summary": summary, "encrypted_content": encrypted}
    said = [{"type": "output_text", "text": text} for text in _texts(message.get("content"))]
    if message.get("refusal"):
        said.append({"type": "refusal", "refusal": message["refusal"]})
    if said:
        yield {"type": "message", "role": "assistant", "content": said}
    for call in message.get("tool_calls") or ():
        call_id = _fitting(call["id"])
        if call.get("type") == "custom":
            custom = call["custom"]
            yield {"type": "custom_tool_call", "call_id": call_id, **custom}
        else:
            function = call["function"]
            arguments = function.get("arguments") or "{}"
            name = fitting_name(function["name"])
            yield {
                "type": "function_call",
                "call_id": call_id,
                "name": name,
                "arguments": arguments,
            }
    if legacy := message.get("function_call"):
        yield _function_call(_fitting(legacy["name"]), legacy)


def _function_call(call_id: str, function: Json) -> Json:
    arguments = function.get("arguments") or "{}"
    name = fitting_name(function["name"])
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}


def _texts(content: Any) -> list[str]:
    if isinstance(content, str):
        return [content] if content else []
    return [part["text"] for part in content or () if part.get("type") == "text" and part["text"]]


def _result(where: str, message: Json, *, custom: bool) -> Json:
    kind = "custom_tool_call_output" if custom else "function_call_output"
    return {"type": kind, "call_id": _fitting(message["tool_call_id"])} | _output(where, message)


def _output(where: str, message: Json) -> Json:
    content = message.get("content")
    return {"output": content if isinstance(content, str) else _content(where, message)}


def _content(where: str, message: Json) -> list[Json]:
    content = message.get("content")
    if isinstance(content, str) or content is None:
        return [{"type": "input_text", "text": content or ""}]
    return [_part(f"{where}.content[{index}]", part) for index, part in enumerate(content)]


def _part(where: str, part: Json) -> Json:
    kind = part["type"]
    if kind == "text":
        return {"type": "input_text", "text": part["text"]}
    if kind == "image_url":
        image = part["image_url"]
        detail = image.get("detail") or "auto"
        return {"type": "input_image", "image_url": image["url"], "detail": detail}
    if kind == "file":
        file = part["file"]
        known = ("file_data", "file_id", "filename")
        return {"type": "input_file"} | {name: file[name] for name in known if file.get(name)}
    raise InvalidRequestError(
        f"This model takes no content part of type '{kind}'. Send text, image_url or file.",
        param=f"{where}.type",
        code="invalid_value",
    )


def _fitting(call_id: str) -> str:
    return fitting_id(call_id, _CALL_IDS)
