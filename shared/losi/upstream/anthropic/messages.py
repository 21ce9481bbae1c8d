"""A conversation as Anthropic takes it: system apart, turns that alternate, typed content blocks.

https://platform.claude.com/docs/en/api/messages; docs/decisions/0003-anthropic-translation.md
says what maps to what, and why. Pure: no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypedDict, TypeVar, cast

from losi.errors import echo
from losi.upstream.claude import in_order
from losi.upstream.conversation import (
    ImageFormat,
    check_tool_calls,
    content_parts,
    decoded,
    fitting_id,
    fitting_name,
    invalid,
    is_data_uri,
    is_text_type,
    parse_data_uri,
    parse_image,
    spoken,
    tool_arguments,
)
from losi.upstream.turns import as_turns

if TYPE_CHECKING:
    from anthropic.types import (
        Base64ImageSourceParam,
        Base64PDFSourceParam,
        CacheControlEphemeralParam,
        DocumentBlockParam,
        ImageBlockParam,
        MessageParam,
        PlainTextSourceParam,
        RedactedThinkingBlockParam,
        TextBlockParam,
        ThinkingBlockParam,
        ToolResultBlockParam,
        ToolUseBlockParam,
        URLImageSourceParam,
    )
    from typing_extensions import TypeIs

    from losi.wire.chat import Message, Part, Request, Tool

    _Part = TextBlockParam | ImageBlockParam | DocumentBlockParam
    _Thinking = ThinkingBlockParam | RedactedThinkingBlockParam
    Block = _Part | _Thinking | ToolUseBlockParam | ToolResultBlockParam
    #: A content block, and the caller's parameter that it was made from.
    Named = tuple[str, Block]


class Markable(TypedDict, total=False):
    """A block that may carry a cache mark: a tool, or a content block of most kinds."""

    cache_control: CacheControlEphemeralParam | None


M = TypeVar("M", bound=Markable)

_MEDIA_TYPES: dict[ImageFormat, Literal["image/jpeg", "image/png", "image/gif", "image/webp"]] = {
    "jpeg": "image/jpeg",
    "png": "image/png",
    "gif": "image/gif",
    "webp": "image/webp",
}
_TOOL_ID = re.compile(r"[a-zA-Z0-9_-]+")


@dataclass(slots=True)
class Turn:
    role: Literal["user", "assistant"]
    blocks: list[Block] = field(default_factory=list)
    #: The caller's parameter that each block was made from. With it, Anthropic's messages about its
    #: own form of the request are put into the caller's terms.
    origins: list[str] = field(default_factory=list)

    def message(self) -> MessageParam:
        if self.role == "user":
            return {"role": "user", "content": self.blocks}
        return {"role": "assistant", "content": self.blocks}


class Conversation:
    """Builds Anthropic's `system` and `messages` from OpenAI's messages."""

    def __init__(self, messages: list[Message], *, prefill: bool = True) -> None:
        conversation = as_turns(messages, prefill=prefill)
        turns = conversation.turns
        check_tool_calls(turns)
        self.system = [block for message in conversation.system for block in _texts(*message)]
        self.turns: list[Turn] = []
        for where, message in ((where, part) for where, turn in turns for part in in_order(turn)):
            self._append(
                "assistant" if message["role"] == "assistant" else "user",
                list(_blocks(where, message)),
            )
        if not self.turns:
            invalid("messages", "'messages' holds nothing to answer. Add a user message.")

    @property
    def tool_names(self) -> list[str]:
        """The names of the called tools, each once, in order of first use."""
        uses = [
            block for turn in self.turns for block in turn.blocks if block["type"] == "tool_use"
        ]
        return list(dict.fromkeys(block["name"] for block in uses))

    def _append(self, role: Literal["user", "assistant"], named: list[Named]) -> None:
        """Join consecutive messages of one role into one turn: Anthropic's turns alternate."""
        if all(_is_thinking(block) for _, block in named):
            return  # an empty answer that was sent back; Anthropic accepts no turn without content
        if not self.turns or self.turns[-1].role != role:
            self.turns.append(Turn(role))
        self.turns[-1].blocks += [block for _, block in named]
        self.turns[-1].origins += [origin for origin, _ in named]


def _is_thinking(block: Block) -> TypeIs[_Thinking]:
    return block["type"] == "thinking" or block["type"] == "redacted_thinking"


def _blocks(where: str, message: Message) -> Iterator[Named]:
    if message["role"] == "assistant":
        yield from _assistant(where, message)
    elif message["role"] == "tool":
        yield f"{where}.content", _tool_result(where, message)
    else:
        yield from (_content_block(*part) for part in content_parts(where, message))


def _assistant(where: str, message: Message) -> Iterator[Named]:
    for position, block in enumerate(message.get("thinking_blocks") or ()):
        origin = f"{where}.thinking_blocks[{position}]"
        yield origin, _thinking(origin, block)
    for text in _texts(where, message):
        yield f"{where}.content", text
    if isinstance(refusal := message.get("refusal"), str) and refusal.strip():
        yield f"{where}.refusal", {"type": "text", "text": refusal}
    for position, call in enumerate(message.get("tool_calls") or ()):
        origin = f"{where}.tool_calls[{position}]"
        called, arguments = tool_arguments(origin, call)
        name, call_id = fitting_name(called), fitting_id(call["id"], _TOOL_ID)
        yield origin, {"type": "tool_use", "id": call_id, "name": name, "input": arguments}


def _texts(where: str, message: Message) -> Iterator[TextBlockParam]:
    for name, part in content_parts(where, message):
        block: TextBlockParam = {"type": "text", "text": spoken(name, part, message["role"])}
        yield with_cache_control(block, part)


def _tool_result(where: str, message: Message) -> ToolResultBlockParam:
    result: ToolResultBlockParam = {
        "type": "tool_result",
        "tool_use_id": fitting_id(message["tool_call_id"], _TOOL_ID),
    }
    blocks = [_content_block(*part)[1] for part in content_parts(where, message)]
    if blocks:
        result["content"] = blocks
    return with_cache_control(result, message)


def _thinking(origin: str, block: object) -> _Thinking:
    """A block of an earlier answer's `thinking_blocks`, exactly as it was signed."""
    match block:
        case {"type": "thinking", "thinking": str(thinking), "signature": str(signature)}:
            return {"type": "thinking", "thinking": thinking, "signature": signature}
        case {"type": "redacted_thinking", "data": str(data)}:
            return {"type": "redacted_thinking", "data": data}
    invalid(origin, "Send thinking blocks back exactly as they were received, or leave them out.")


def _content_block(name: str, part: Part) -> tuple[str, _Part]:
    block: _Part
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


def _image_source(name: str, url: str) -> Base64ImageSourceParam | URLImageSourceParam:
    if url.startswith(("https://", "http://")):
        return {"type": "url", "url": url}  # Anthropic fetches it; we never do
    if not is_data_uri(url):
        invalid(name, "Send the image's https address, or a data URI: 'data:image/png;base64,...'.")
    form, image = parse_image(name, url)
    return {"type": "base64", "media_type": _MEDIA_TYPES[form], "data": image.base64}


def _document(name: str, file: object) -> DocumentBlockParam:
    if not isinstance(file, dict) or not isinstance(data := file.get("file_data"), str):
        invalid(name, "Send the file itself: 'file': {'filename': '...', 'file_data': 'data:...'}.")
    document: DocumentBlockParam = {
        "type": "document",
        "source": _document_source(f"{name}.file_data", data),
    }
    if isinstance(title := file.get("filename"), str) and title:
        document["title"] = title
    return document


def _document_source(name: str, data: str) -> Base64PDFSourceParam | PlainTextSourceParam:
    content = parse_data_uri(name, data)
    if content.media_type == "application/pdf":
        return {"type": "base64", "media_type": "application/pdf", "data": content.base64}
    if is_text_type(content.media_type):
        text = decoded(name, content.data)
        return {"type": "text", "media_type": "text/plain", "data": text}
    invalid(
        name,
        f"This model takes no files of type '{echo(content.media_type)}'. Send PDF or text.",
    )


def with_cache_control(block: M, source: Message | Part | Tool | Request) -> M:
    """Add Anthropic's prompt cache mark, for which OpenAI's format has no place."""
    if isinstance(marker := source.get("cache_control"), dict):
        block["cache_control"] = cast("CacheControlEphemeralParam", marker)
    return block
