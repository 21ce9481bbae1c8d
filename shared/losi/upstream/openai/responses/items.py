"""A conversation as items of OpenAI's Responses API. Pure.

https://platform.openai.com/docs/api-reference/responses/create#responses-create-input
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, TypedDict, cast

from losi.errors import echo
from losi.upstream.conversation import fitting_id, fitting_name, invalid

if TYPE_CHECKING:
    from typing import Literal

    from openai.types.responses import (
        ResponseCustomToolCallOutputParam,
        ResponseCustomToolCallParam,
        ResponseFunctionCallOutputItemListParam,
        ResponseFunctionToolCallParam,
        ResponseInputContentParam,
        ResponseInputFileParam,
        ResponseInputItemParam,
        ResponseOutputRefusalParam,
    )
    from openai.types.responses.image_detail import ImageDetail
    from openai.types.responses.response_input_param import FunctionCallOutput
    from openai.types.responses.response_input_param import Message as InputMessage

    from losi.wire.chat import GivenCall, Message, Part

#: `call_id` in `FunctionCallItemParam`.
_CALL_IDS = re.compile(r".{1,64}", re.DOTALL)
#: In the canonical form's `thinking_blocks`: a reasoning item, encrypted for one model.
REASONING: Final = "reasoning"


class ReasoningItem(TypedDict):
    """What the model thought. The SDK asks for an `id` too, which only stored ones need."""

    type: Literal["reasoning"]
    summary: object
    encrypted_content: object


class OutputText(TypedDict):
    type: Literal["output_text"]
    text: str


class AssistantMessage(TypedDict):
    """What the model said. The SDK wants what only an answer has: `id`, `status`, annotations."""

    type: Literal["message"]
    role: Literal["assistant"]
    content: list[OutputText | ResponseOutputRefusalParam]


def items(messages: list[Message], model: str) -> Iterator[ResponseInputItemParam]:
    custom_calls: set[str] = set()
    for position, message in enumerate(messages):
        where = f"messages[{position}]"
        role = message["role"]
        if role == "assistant":
            for call in message.get("tool_calls") or ():
                if call.get("type") == "custom":
                    custom_calls.add(call["id"])
            yield from _assistant(where, message, model)
        elif role == "tool" and message["tool_call_id"] in custom_calls:
            yield _custom_result(where, message)
        elif role == "tool":
            yield _result(where, message, message["tool_call_id"])
        elif role == "function":
            invalid(f"{where}.role", "This model takes no 'function' messages. Use role 'tool'.")
        else:
            item: InputMessage = {
                "type": "message",
                "role": role,
                "content": _content(where, message),
            }
            yield item


def _assistant(where: str, message: Message, model: str) -> Iterator[ResponseInputItemParam]:
    for block in message.get("thinking_blocks") or ():
        # another model's thoughts cannot be decrypted, and are refused
        if block.get("type") == REASONING and block.get("model") == model:
            thought: ReasoningItem = {
                "type": "reasoning",
                "summary": block.get("summary") or [],
                "encrypted_content": block.get("encrypted_content"),
            }
            yield cast("ResponseInputItemParam", thought)
    content: list[OutputText | ResponseOutputRefusalParam] = []
    for text in _texts(message.get("content")):
        content.append({"type": "output_text", "text": text})
    if isinstance(refusal := message.get("refusal"), str) and refusal:
        content.append({"type": "refusal", "refusal": refusal})
    if content:
        item: AssistantMessage = {"type": "message", "role": "assistant", "content": content}
        yield cast("ResponseInputItemParam", item)
    for position, call in enumerate(message.get("tool_calls") or ()):
        yield _call(f"{where}.tool_calls[{position}]", call)


def _call(
    where: str, call: GivenCall
) -> ResponseFunctionToolCallParam | ResponseCustomToolCallParam:
    if call.get("type") != "custom":
        function = call["function"]
        return {
            "type": "function_call",
            "call_id": _fitting(call["id"]),
            "name": fitting_name(function["name"]),
            "arguments": function.get("arguments") or "{}",
        }
    match call.get("custom"):
        case {"name": str(name), "input": str(given)}:
            call_id = _fitting(call["id"])
            return {"type": "custom_tool_call", "call_id": call_id, "name": name, "input": given}
    invalid(f"{where}.custom", "A call of a custom tool needs a 'name' and an 'input'.")


def _texts(content: str | list[Part] | None) -> list[str]:
    if isinstance(content, str):
        return [content] if content else []
    return [part["text"] for part in content or () if part.get("type") == "text" and part["text"]]


def _result(where: str, message: Message, call_id: str) -> FunctionCallOutput:
    return {
        "type": "function_call_output",
        "call_id": _fitting(call_id),
        # the SDK has the same parts under two names
        "output": cast("str | ResponseFunctionCallOutputItemListParam", _output(where, message)),
    }


def _custom_result(where: str, message: Message) -> ResponseCustomToolCallOutputParam:
    return {
        "type": "custom_tool_call_output",
        "call_id": _fitting(message["tool_call_id"]),
        "output": _output(where, message),
    }


def _output(where: str, message: Message) -> str | list[ResponseInputContentParam]:
    content = message.get("content")
    return content if isinstance(content, str) else _content(where, message)


def _content(where: str, message: Message) -> list[ResponseInputContentParam]:
    content = message.get("content")
    if isinstance(content, str) or content is None:
        return [{"type": "input_text", "text": content or ""}]
    return [_part(f"{where}.content[{index}]", part) for index, part in enumerate(content)]


def _part(where: str, part: Part) -> ResponseInputContentParam:
    match part["type"]:
        case "text":
            return {"type": "input_text", "text": part["text"]}
        case "image_url":
            image = part["image_url"]
            detail = cast("ImageDetail", image.get("detail") or "auto")  # OpenAI says if it is none
            return {"type": "input_image", "image_url": image["url"], "detail": detail}
        case "file":
            return _file(f"{where}.file", part.get("file"))
        case other:
            invalid(
                f"{where}.type",
                f"This model takes no content part of type '{echo(other)}'. "
                "Send text, image_url or file.",
            )


def _file(where: str, file: object) -> ResponseInputFileParam:
    if not isinstance(file, dict):
        invalid(
            where, "Send the file itself: 'file': {'filename': '...', 'file_data': 'data:...'}."
        )
    sent: ResponseInputFileParam = {"type": "input_file"}
    if file.get("file_data"):
        sent["file_data"] = file["file_data"]
    if file.get("file_id"):
        sent["file_id"] = file["file_id"]
    if file.get("filename"):
        sent["filename"] = file["filename"]
    return sent


def _fitting(call_id: str) -> str:
    return fitting_id(call_id, _CALL_IDS)
