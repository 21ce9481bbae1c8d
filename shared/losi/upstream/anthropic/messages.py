"""A conversation as Anthropic takes it: system apart, turns that alternate, typed content blocks.

https://platform.claude.com/docs/en/api/messages; docs/decisions/0003-anthropic-translation.md
says what maps to what, and why. Pure: no I/O.
"""

import re
from collections.abc import Iterator
from typing import Any

from losi.errors import echo
from losi.upstream.conversation import (
    check_tool_calls,
    content_parts,
    fitting_id,
    fitting_name,
    invalid,
    is_data_uri,
    parse_data_uri,
    parse_image,
    tool_arguments,
)
from losi.upstream.turns import as_turns
from losi.wire import Json

#: The caller's parameter that a content block was made from, and the block.
Block = tuple[str, Json]

THINKING = frozenset({"thinking", "redacted_thinking"})
_TOOL_ID = re.compile(r"[a-zA-Z0-9_-]+")


class Conversation:
    """OpenAI messages in, Anthropic's `system` and `messages` out.

    `origins[i][j]` is the caller's parameter that became content block j of message i. With it,
    Anthropic's words about its own form of the request are put into the caller's terms.
    """

    def __init__(self, messages: list[Json], *, prefill: bool = True) -> None:
        self.given = _without_functions(messages)
        conversation = as_turns(self.given, prefill=prefill)
        turns = conversation.turns
        check_tool_calls(turns)
        self.system = [block for message in conversation.system for block in _texts(*message)]
        self.messages: list[Json] = []
        self.origins: list[list[str]] = []
        for where, message in turns:
            role = "assistant" if message["role"] == "assistant" else "user"
            self._append(role, list(_blocks(where, message)))
        if not self.messages:
            invalid("messages", "'messages' holds nothing to answer. Add a user message.")

    @property
    def tool_names(self) -> list[str]:
        """Names of the tools that were called, each once, in order of first use."""
        uses = [b for turn in self.messages for b in turn["content"] if b["type"] == "tool_use"]
        return list(dict.fromkeys(block["name"] for block in uses))

    def _append(self, role: str, blocks: list[Block]) -> None:
        """Consecutive messages of one role are one turn: Anthropic's turns alternate."""
        if all(block["type"] in THINKING for _, block in blocks):
            return  # an empty answer, sent back; Anthropic takes no turn without content
        if not self.messages or self.messages[-1]["role"] != role:
            self.messages.append({"role": role, "content": []})
            self.origins.append([])
        self.messages[-1]["content"] += [block for _, block in blocks]
        self.origins[-1] += [origin for origin, _ in blocks]


def _without_functions(messages: list[Json]) -> list[Json]:
    """Function calls and results of before there were tools, as calls and results of tools."""
    converted, call_id = [], ""
    for position, message in enumerate(messages):
        if message["role"] == "assistant" and (function := message.get("function_call")):
            match function:
                case {"name": str(), "arguments": str()}:
                    call_id = f"function_{position}"
                case _:
                    where = f"messages[{position}].function_call"
                    invalid(where, "A function call needs a 'name' and 'arguments'.")
            call = {"id": call_id, "function": function}
            message = {**message, "tool_calls": [call]}
        elif message["role"] == "function":
            message = {**message, "role": "tool", "tool_call_id": call_id}
        converted.append(message)
    return converted


def _blocks(where: str, message: Json) -> Iterator[Block]:
    if message["role"] == "assistant":
        yield from _assistant(where, message)
    elif message["role"] == "tool":
        yield f"{where}.content", _tool_result(where, message)
    else:
        yield from (_content_block(*part) for part in content_parts(where, message))


def _assistant(where: str, message: Json) -> Iterator[Block]:
    for position, block in enumerate(message.get("thinking_blocks") or ()):
        origin = f"{where}.thinking_blocks[{position}]"
        yield origin, _thinking(origin, block)
    for block in _texts(where, message):
        yield f"{where}.content", block
    if isinstance(refusal := message.get("refusal"), str) and refusal.strip():
        yield f"{where}.refusal", {"type": "text", "text": refusal}
    for position, call in enumerate(message.get("tool_calls") or ()):
        origin = f"{where}.tool_calls[{position}]"
        arguments = tool_arguments(origin, call)
        name, call_id = fitting_name(call["function"]["name"]), fitting_id(call["id"], _TOOL_ID)
        yield origin, {"type": "tool_use", "id": call_id, "name": name, "input": arguments}


def _texts(where: str, message: Json) -> Iterator[Json]:
    for name, part in content_parts(where, message):
        if part["type"] not in ("text", "refusal"):
            invalid(f"{name}.type", f"A message with role '{message['role']}' holds text only.")
        text = part["text"] if part["type"] == "text" else part.get("refusal")
        yield with_cache_control({"type": "text", "text": text}, part)


def _tool_result(where: str, message: Json) -> Json:
    result: Json = {
        "type": "tool_result",
        "tool_use_id": fitting_id(message["tool_call_id"], _TOOL_ID),
    }
    blocks = [_content_block(*part)[1] for part in content_parts(where, message)]
    if blocks:
        result["content"] = blocks
    return with_cache_control(result, message)


def _thinking(origin: str, block: Any) -> Json:
    """A block of an earlier answer's `thinking_blocks`, exactly as it was signed."""
    match block:
        case {"type": "thinking", "thinking": str(thinking), "signature": str(signature)}:
            return {"type": "thinking", "thinking": thinking, "signature": signature}
        case {"type": "redacted_thinking", "data": str(data)}:
            return {"type": "redacted_thinking", "data": data}
    invalid(origin, "Send thinking blocks back exactly as they were received, or leave them out.")


def _content_block(name: str, part: Json) -> Block:
    block: Json
    match part["type"]:
        case "text":
            block = {"type": "text", "text": part["text"]}
        case "image_url":
            name = f"{name}.image_url"
            block = {"type": "image", "source": _image_source(name, part["image_url"]["url"])}
        case "file":
            name = f"{name}.file"
            block = _document(name, part.get("file"))
        case other:
            invalid(
                f"{name}.type",
                f"This model does not take content of type '{echo(other)}'. "
                "Send text, image_url or file.",
            )
    return name, with_cache_control(block, part)


def _image_source(name: str, url: str) -> Json:
    if url.startswith(("https://", "http://")):
        return {"type": "url", "url": url}  # fetched by Anthropic, never by us
    if not is_data_uri(url):
        invalid(name, "Send the image's https address, or a data URI: 'data:image/png;base64,...'.")
    form, image = parse_image(name, url)
    return {"type": "base64", "media_type": f"image/{form}", "data": image.base64}


def _document(name: str, file: Any) -> Json:
    data = file.get("file_data") if isinstance(file, dict) else None
    if not isinstance(data, str):
        invalid(name, "Send the file itself: 'file': {'filename': '...', 'file_data': 'data:...'}.")
    document: Json = {"type": "document"}
    content = parse_data_uri(f"{name}.file_data", data)
    if content.media_type == "application/pdf":
        document["source"] = {
            "type": "base64",
            "media_type": content.media_type,
            "data": content.base64,
        }
    elif content.media_type == "text/plain":
        text = _decoded(f"{name}.file_data", content.data)
        document["source"] = {"type": "text", "media_type": content.media_type, "data": text}
    else:
        invalid(
            f"{name}.file_data",
            f"This model takes no files of type '{echo(content.media_type)}'. "
            "Send PDF or plain text.",
        )
    if isinstance(title := file.get("filename"), str) and title:
        document["title"] = title
    return document


def _decoded(name: str, data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        invalid(name, "The file's text is not encoded as UTF-8.")


def with_cache_control(block: Json, source: Json) -> Json:
    """Anthropic's prompt cache marker, which has no place of its own in OpenAI's format."""
    if isinstance(marker := source.get("cache_control"), dict):
        block["cache_control"] = marker
    return block
