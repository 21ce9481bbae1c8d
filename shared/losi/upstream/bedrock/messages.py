"""OpenAI's messages in Converse's form: alternating turns of typed content blocks. Pure.
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlock.html
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from losi.errors import echo
from losi.upstream.bedrock.cache_points import cache_point, cache_points
from losi.upstream.bedrock.documents import fit_documents
from losi.upstream.cache_marks import MARK
from losi.upstream.claude import in_order, is_claude, takes_prefill
from losi.upstream.conversation import (
    TOOL_NAME,
    DataUri,
    NamedPart,
    check_tool_calls,
    content_parts,
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
from losi.upstream.turns import EMPTY, as_turns

if TYPE_CHECKING:
    from mypy_boto3_bedrock_runtime.literals import ConversationRoleType, DocumentFormatType
    from mypy_boto3_bedrock_runtime.type_defs import (
        ContentBlockTypeDef,
        DocumentBlockTypeDef,
        ImageBlockTypeDef,
        MessageTypeDef,
        SystemContentBlockTypeDef,
        ToolResultBlockTypeDef,
        ToolResultContentBlockTypeDef,
        ToolUseBlockTypeDef,
    )

    from losi.wire.chat import Message

DOCUMENT_FORMATS: dict[str, DocumentFormatType] = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "text/html": "html",
    "text/plain": "txt",
    "text/markdown": "md",
}
#: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Message.html: 3.75 MB.
MAX_IMAGE_BYTES = 3_932_160
#: Converse refuses blank text, and a tool may well return nothing.
EMPTY_RESULT = "(no output)"

_TOOL_ID = re.compile(r"[a-zA-Z0-9_.:-]{1,64}")


def convert_messages(
    messages: list[Message], model: str, *, thinking: bool
) -> tuple[list[SystemContentBlockTypeDef], list[MessageTypeDef]]:
    """Converse's `system` and `messages`; raises InvalidRequestError naming what does not fit.

    Earlier reasoning is sent back only when the model thinks again: otherwise it is refused or
    ignored, but paid for.
    """
    prefill = not is_claude(model) or takes_prefill(model)
    conversation = as_turns(messages, prefill=prefill)
    turns = conversation.turns
    check_tool_calls(turns)
    if turns[0][1]["role"] != "user" and not is_claude(model):
        turns = [(turns[0][0], {"role": "user", "content": EMPTY}), *turns]
    documents = _DocumentNames()
    merged: list[tuple[ConversationRoleType, list[ContentBlockTypeDef]]] = []
    for where, message in ((where, part) for where, turn in turns for part in in_order(turn)):
        role: ConversationRoleType = "assistant" if message["role"] == "assistant" else "user"
        blocks = list(_blocks(where, message, documents, thinking=thinking))
        if not blocks:
            continue  # an assistant's empty answer that was sent back
        if merged and merged[-1][0] == role:
            merged[-1][1].extend(blocks)
        else:
            merged.append((role, blocks))
    if not merged:
        invalid("messages", "'messages' holds nothing to answer. Add a user message.")
    fit_documents([blocks for _, blocks in merged], claude=is_claude(model))
    system = [block for named in conversation.system for block in _system(*named)]
    converted: list[MessageTypeDef] = [{"role": role, "content": blocks} for role, blocks in merged]
    return system, converted


def _system(where: str, message: Message) -> Iterator[SystemContentBlockTypeDef]:
    for name, part in content_parts(where, message):
        yield {"text": spoken(name, part, message["role"])}
        if (mark := part.get(MARK)) is not None:
            yield {"cachePoint": cache_point(mark)}


def tool_use_id(call_id: str) -> str:
    return fitting_id(call_id, _TOOL_ID)


def tool_name(where: str, name: object) -> str:
    if not isinstance(name, str) or not TOOL_NAME.fullmatch(name):
        invalid(where, "A tool's name has 1 to 64 letters, digits, underscores and hyphens.")
    return name


class _DocumentNames:
    """Names for documents: Converse requires them, from a narrow alphabet, each once."""

    def __init__(self) -> None:
        self._given: set[str] = set()
        #: The last number given to each stem: counting from the start would be quadratic in the
        #: documents.
        self._numbers: dict[str, int] = {}

    def name(self, filename: object) -> str:
        stem = filename.rsplit(".", 1)[0] if isinstance(filename, str) else ""
        stem = re.sub(r"[^a-zA-Z0-9()\[\]-]+", " ", stem).strip()[:180] or "document"
        name, number = stem, self._numbers.get(stem, 1)
        while name in self._given:
            number += 1
            name = f"{stem} ({number})"
        self._numbers[stem] = number
        self._given.add(name)
        return name


def _blocks(
    where: str, message: Message, documents: _DocumentNames, *, thinking: bool
) -> Iterator[ContentBlockTypeDef]:
    role = message["role"]
    if role == "assistant":
        yield from _assistant_blocks(where, message, thinking=thinking)
    elif role == "tool":
        content = [_in_result(_block(named, documents)) for named in content_parts(where, message)]
        result: ToolResultBlockTypeDef = {
            "toolUseId": tool_use_id(message["tool_call_id"]),
            "content": content or [{"text": EMPTY_RESULT}],
        }
        yield {"toolResult": result}
        yield from cache_points(message)
    elif role == "user":
        for named in content_parts(where, message):
            yield _block(named, documents)
            yield from cache_points(named[1])
    else:
        invalid(f"{where}.role", f"This model takes no '{role}' messages. Use role 'tool'.")


def _assistant_blocks(
    where: str, message: Message, *, thinking: bool
) -> Iterator[ContentBlockTypeDef]:
    if thinking:
        yield from _reasoning_blocks(where, message)
    for name, part in content_parts(where, message):
        yield {"text": spoken(name, part, "assistant")}
        yield from cache_points(part)
    if isinstance(refusal := message.get("refusal"), str) and refusal.strip():
        yield {"text": refusal}
    for position, call in enumerate(message.get("tool_calls") or []):
        name = f"{where}.tool_calls[{position}]"
        called, arguments = tool_arguments(name, call)
        use: ToolUseBlockTypeDef = {
            "toolUseId": tool_use_id(call["id"]),
            "name": fitting_name(called),
            "input": arguments,
        }
        yield {"toolUse": use}


def _reasoning_blocks(where: str, message: Message) -> Iterator[ContentBlockTypeDef]:
    for position, block in enumerate(message.get("thinking_blocks") or []):
        name = f"{where}.thinking_blocks[{position}]"
        match block:
            case {"type": "thinking", "thinking": str(text), "signature": str(signature)}:
                yield {
                    "reasoningContent": {"reasoningText": {"text": text, "signature": signature}}
                }
            case {"type": "redacted_thinking", "data": str(data)}:
                yield {"reasoningContent": {"redactedContent": _base64(f"{name}.data", data)}}
            case _:
                invalid(name, "Send thinking blocks back exactly as they were received.")


def _base64(where: str, text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        invalid(where, "This is not valid base64.")


def _block(named: NamedPart, documents: _DocumentNames) -> ContentBlockTypeDef:
    where, part = named
    match part["type"]:
        case "text":
            return {"text": part["text"]}
        case "image_url":
            return {"image": _image(f"{where}.image_url.url", part["image_url"]["url"])}
        case "file":
            return {"document": _document(f"{where}.file", part.get("file"), documents)}
        case other:
            invalid(
                f"{where}.type",
                f"This model does not take content of type '{echo(other)}'. "
                "Send text, image_url or file.",
            )


def _in_result(block: ContentBlockTypeDef) -> ToolResultContentBlockTypeDef:
    if "image" in block:
        return {"image": block["image"]}
    return {"document": block["document"]} if "document" in block else {"text": block["text"]}


def _image(where: str, url: str) -> ImageBlockTypeDef:
    if not is_data_uri(url):
        invalid(
            where,
            "This model takes no image addresses. Send the image itself as a data URI: "
            "'data:image/png;base64,...'.",
        )
    form, image = parse_image(where, url)
    if len(image.data) > MAX_IMAGE_BYTES:
        invalid(where, "The image is too large: this model takes images of up to 3.75 MB.")
    return {"format": form, "source": {"bytes": image.data}}


def _document(where: str, file: object, documents: _DocumentNames) -> DocumentBlockTypeDef:
    if not isinstance(file, dict) or not isinstance(file.get("file_data"), str):
        invalid(where, "Send the file itself as a data URI in 'file_data'; ids are not known here.")
    document = parse_data_uri(f"{where}.file_data", file["file_data"])
    filename = file.get("filename")
    return {
        "format": _document_format(f"{where}.file_data", document, filename),
        "name": documents.name(filename),
        "source": {"bytes": document.data},
    }


def _document_format(where: str, document: DataUri, filename: object) -> DocumentFormatType:
    if document.media_type in DOCUMENT_FORMATS:
        return DOCUMENT_FORMATS[document.media_type]
    # clients that do not know a type send octet-stream; the file name may help
    extension = filename.rsplit(".", 1)[-1].lower() if isinstance(filename, str) else ""
    known = {form: form for form in DOCUMENT_FORMATS.values()}
    if extension not in known and is_text_type(document.media_type):
        return "txt"
    if extension not in known:
        invalid(
            where,
            f"This model takes no files of type '{echo(document.media_type)}'. Send "
            f"{', '.join(sorted(DOCUMENT_FORMATS.values()))}.",
        )
    return known[extension]
