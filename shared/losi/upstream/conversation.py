"""What providers with a stricter conversation than OpenAI's need checked and taken apart. Pure.

Every tool call is answered in the turn after it, no text is blank, data URIs hold what they say. A
request that breaks such a rule is refused here with the parameter's name instead of by the provider
without it. What can be said another way is rewritten (losi.upstream.turns).
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NoReturn, TypeAlias, TypeVar, cast

from losi.errors import InvalidRequestError, echo

if TYPE_CHECKING:
    from losi.wire import JsonObject, JsonSchema
    from losi.wire.chat import GivenCall, Message, Part, Request, ResponseFormat, ToolChoice

#: A message or content part, with its name in the request, such as `messages[2]`.
Named: TypeAlias = "tuple[str, Message]"
NamedPart: TypeAlias = "tuple[str, Part]"
T = TypeVar("T", bound=Mapping[str, object])
ImageFormat = Literal["jpeg", "png", "gif", "webp"]

TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_DATA_URI = re.compile(r"data:([\w.+-]+/[\w.+-]+)?(?:;[\w.+-]+=[^;,]*)*;base64,", re.ASCII | re.I)
_TEXT_TYPE = re.compile(
    r"text/.+|application/(json|x-ndjson|xml|yaml|x-yaml|toml|javascript|sql)|.+\+(json|xml|yaml)"
)


#: Used for "any object": structured output needs every property named.
JSON_INSTRUCTION = (
    "Answer with one valid JSON object and nothing else: no text around it, no code fence."
)
_IMAGE_FORMATS: dict[str, ImageFormat] = {
    "image/jpeg": "jpeg",
    "image/jpg": "jpeg",
    "image/png": "png",
    "image/gif": "gif",
    "image/webp": "webp",
}
_MAGIC: dict[bytes, ImageFormat] = {
    b"\xff\xd8\xff": "jpeg",
    b"\x89PNG": "png",
    b"GIF8": "gif",
    b"RIFF": "webp",
}


@dataclass(frozen=True, slots=True)
class DataUri:
    media_type: str
    base64: str
    data: bytes


def invalid(param: str, message: str) -> NoReturn:
    raise InvalidRequestError(message, param=param, code="invalid_value")


def is_system(message: Message) -> bool:
    return message["role"] in ("system", "developer")


def content_parts(where: str, message: Message) -> list[NamedPart]:
    """The content as parts, without blank texts; a string is one text part."""
    content = message.get("content")
    if isinstance(content, str):
        parts: list[NamedPart] = [(f"{where}.content", {"type": "text", "text": content})]
    else:
        parts = [(f"{where}.content[{i}]", part) for i, part in enumerate(content or [])]
    return [(name, part) for name, part in parts if not _is_blank(part)]


def spoken(where: str, part: Part, role: str) -> str:
    """The words of a part where only words are allowed: a text, or a refusal that was sent back."""
    if part["type"] not in ("text", "refusal"):
        invalid(f"{where}.type", f"A message with role '{role}' holds text only.")
    words = part.get("text" if part["type"] == "text" else "refusal")
    if not isinstance(words, str):
        invalid(where, "A content part of type 'refusal' needs a string 'refusal'.")
    return words


def _is_blank(part: Part) -> bool:
    return part["type"] == "text" and not part["text"].strip()


def check_tool_calls(turns: list[Named]) -> None:
    """Check that every tool call has one result, in the turn after it, and every result its
    call.
    """
    pending, seen = set[str](), set[str]()
    calls_at = ""
    for where, message in turns:
        if message["role"] == "tool":
            _check_result(where, message["tool_call_id"], pending, seen)
            continue
        if pending:
            _unanswered(calls_at, pending)
        for position, call in enumerate(message.get("tool_calls") or []):
            if call["id"] in pending:
                invalid(
                    f"{where}.tool_calls[{position}].id",
                    f"The tool call id '{echo(call['id'])}' is used twice. "
                    "Give every call its own id.",
                )
            seen.add(call["id"])
            pending.add(call["id"])
            calls_at = where
    if pending:
        _unanswered(calls_at, pending)


def _check_result(where: str, call_id: str, pending: set[str], seen: set[str]) -> None:
    if call_id in pending:
        pending.remove(call_id)
        return
    reason = (
        "has its result already, or other messages come between call and result"
        if call_id in seen
        else "is not among the 'tool_calls' of the assistant message before it"
    )
    invalid(f"{where}.tool_call_id", f"The tool call '{echo(call_id)}' {reason}.")


def _unanswered(where: str, pending: set[str]) -> NoReturn:
    invalid(
        f"{where}.tool_calls",
        "An assistant message with 'tool_calls' must be followed by one message of role 'tool' "
        f"for each call. Missing: {echo(', '.join(sorted(pending)))}.",
    )


def allowed_tools(choice: ToolChoice, tools: list[T]) -> tuple[list[T], str]:
    """OpenAI's `allowed_tools`: the tools that may be called now, and auto or required. `tools` are
    in a vendor's format and have a `name`.
    """
    allowed = choice.get("allowed_tools")
    entries = allowed.get("tools") if isinstance(allowed, dict) else None
    mode = allowed.get("mode") if isinstance(allowed, dict) else None
    if not isinstance(entries, list) or mode not in ("auto", "required"):
        invalid("tool_choice.allowed_tools", "It needs 'tools' and a 'mode': auto, required.")
    functions = [entry.get("function") for entry in entries if isinstance(entry, dict)]
    names = {str(function.get("name")) for function in functions if isinstance(function, dict)}
    if not names or names - {tool["name"] for tool in tools}:
        invalid("tool_choice.allowed_tools.tools", "Name functions that are among 'tools'.")
    return [tool for tool in tools if tool["name"] in names], mode


def not_understood(body: Request, understood: frozenset[str]) -> set[str]:
    """Parameters that a translated format has no place for, for a response header: only names
    that fit in a header, and no more of them than it has room for.
    """
    unknown = (name for name, value in body.items() if value is not None)
    named = (n for n in unknown if n not in understood and n.isascii() and n.isidentifier())
    return set(sorted(n for n in named if len(n) <= 64)[:32])


def tool_arguments(where: str, call: GivenCall) -> tuple[str, JsonObject]:
    """The name of one of `tool_calls`, and its arguments; empty arguments mean an empty object."""
    name = f"{where}.function.arguments"
    function = call.get("function")
    if call.get("type", "function") != "function" or not function:
        invalid(f"{where}.type", "This model takes tool calls of type 'function' only.")
    try:
        arguments = json.loads(function["arguments"] or "{}", parse_constant=_no_constant)
    except (ValueError, RecursionError):
        invalid(name, "The arguments of a tool call must be a JSON object, written as a string.")
    if not isinstance(arguments, dict):
        invalid(name, "The arguments of a tool call must be a JSON object.")
    return function["name"], arguments


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def fitting_id(call_id: str, taken: re.Pattern[str]) -> str:
    """A tool call's id as the format takes it: the caller's own, else a stand-in that is the same
    every time. A conversation may have begun with another provider's model.
    """
    if taken.fullmatch(call_id):
        return call_id
    digest = _digest(call_id)
    standing = f"call_{digest[:32]}"
    return standing if taken.fullmatch(standing) else digest[:9]  # Mistral wants nine letters


def fitting_name(name: str) -> str:
    """A tool's name as every provider takes it; one that fits is left as it is. Names in `tools`
    are checked at the edge, so this one is in the history alone.
    """
    if TOOL_NAME.fullmatch(name):
        return name
    return f"{re.sub(r'[^a-zA-Z0-9_-]+', '_', name)[:50]}_{_digest(name)[:8]}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def with_instruction(messages: list[Message], instruction: str) -> list[Message]:
    """The conversation with an instruction of ours at its end, in the user's turn: a changed system
    prompt would invalidate prompt caches, and thinking that depends on it.
    """
    part: Part = {"type": "text", "text": instruction}
    last = messages[-1]
    if last["role"] != "user":
        return [*messages, {"role": "user", "content": [part]}]
    own = [own_part for _, own_part in content_parts("", last)]
    return [*messages[:-1], {**last, "content": [*own, part]}]


def answer_schema(response_format: ResponseFormat) -> JsonSchema:
    """The schema of the answer; any object if no schema is given."""
    wanted = response_format.get("json_schema")
    return (wanted and wanted.get("schema")) or {"type": "object"}


def is_text_type(media_type: str) -> bool:
    return _TEXT_TYPE.fullmatch(media_type) is not None


def is_text_file(part: Part) -> bool:
    """Whether a content part is a file that any model can read, because it is plain text."""
    file = part.get("file")
    data = file.get("file_data") if part.get("type") == "file" and isinstance(file, dict) else None
    match = _DATA_URI.match(data) if isinstance(data, str) else None
    return match is not None and is_text_type((match[1] or "text/plain").lower())


def file_as_text(where: str, part: Part) -> Part:
    """A text file as a text part. Raises InvalidRequestError if it cannot be read."""
    file = cast("JsonObject", part["file"])  # by is_text_file
    data = parse_data_uri(f"{where}.file.file_data", file["file_data"]).data
    return {"type": "text", "text": named_text(file.get("filename"), decoded(where, data))}


def named_text(name: object, text: str) -> str:
    """A file's text, for places where only text is allowed."""
    return f"<file name={json.dumps(str(name or 'file'), ensure_ascii=False)}>\n{text}\n</file>"


def decoded(where: str, data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        invalid(where, "The file's text is not encoded as UTF-8.")


def is_data_uri(url: str) -> bool:
    return url[:5].lower() == "data:"


def parse_data_uri(where: str, url: str) -> DataUri:
    """Parse `data:<type>;base64,<data>`. Raises InvalidRequestError for anything else."""
    match = _DATA_URI.match(url)
    if match is None:
        invalid(where, "A data URI must have the form 'data:<media type>;base64,<data>'.")
    text = url[match.end() :]
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        invalid(where, "The data URI is not valid base64.")
    if not data:
        invalid(where, "The data URI holds no data.")
    return DataUri((match[1] or "text/plain").lower(), text, data)


def parse_image(where: str, url: str) -> tuple[ImageFormat, DataUri]:
    """The image in a data URI and its format: jpeg, png, gif or webp, according to its bytes.
    Labels are often wrong; Claude refuses those, while OpenAI looks at the bytes.
    """
    image = parse_data_uri(where, url)
    found = next((form for magic, form in _MAGIC.items() if image.data.startswith(magic)), None)
    if found is not None:
        return found, image
    if image.media_type not in _IMAGE_FORMATS:
        invalid(
            where,
            f"This model takes no images of type '{echo(image.media_type)}'. "
            "Send JPEG, PNG, GIF or WebP.",
        )
    return _IMAGE_FORMATS[image.media_type], image
