"""OpenAI's chat completions, by message: O31, and O60 to O80."""

import re

from tests.strict_upstream import images
from tests.strict_upstream.openai_chat import BOOK, Refusals, model_of
from tests.strict_upstream.rules import Json, Refusal, Request, tokens

_KNOWN = {"role", "content", "name"}
_FIELDS = {
    "system": _KNOWN,
    "developer": _KNOWN,
    "user": _KNOWN,
    "assistant": {*_KNOWN, "tool_calls", "function_call", "refusal", "audio", "annotations"},
    "tool": {"role", "content", "tool_call_id"},
    "function": _KNOWN,
}
_PARTS = {
    "text": {"type", "text"},
    "image_url": {"type", "image_url"},
    "file": {"type", "file"},
    "input_audio": {"type", "input_audio"},
    "refusal": {"type", "refusal"},
}
_MOST_CHARACTERS = 10_485_760
_MOST_IMAGE_BYTES = 50_000_000


def parts(message: Json) -> list[Json]:
    content = message.get("content")
    return [p for p in content if isinstance(p, dict)] if isinstance(content, list) else []


def _unknown(where: str) -> Refusal:
    return Refusal(f"Unknown parameter: '{where}'.", where, "unknown_parameter")


@BOOK.refuses("O63")
def unknown_message_field(r: Request) -> Refusals:
    for i, message in enumerate(r.messages):
        for name in sorted(message.keys() - _FIELDS.get(str(message.get("role")), _KNOWN)):
            yield _unknown(f"messages[{i}].{name}")
        for j, part in enumerate(parts(message)):
            for name in sorted(part.keys() - _PARTS.get(str(part.get("type")), part.keys())):
                yield _unknown(f"messages[{i}].content[{j}].{name}")
    for i, tool in enumerate(r.tools):
        for name in sorted(tool.keys() - {"type", "function", "custom"}):
            yield _unknown(f"tools[{i}].{name}")


@BOOK.refuses("O65")
def empty_messages(r: Request) -> Refusals:
    if not r.messages:
        yield Refusal("Invalid 'messages': empty array.", "messages", "empty_array")
    for i, message in enumerate(r.messages):
        where, content = f"messages[{i}].content", message.get("content")
        if content == []:
            yield Refusal(f"Invalid '{where}': empty array.", where, "empty_array")
        says = message.keys() & {"tool_calls", "function_call", "refusal", "audio"}
        if content is None and not (message.get("role") == "assistant" and says):
            yield Refusal(f"Invalid value for '{where}': expected a string, got null.", where)


@BOOK.refuses("O31")
def too_many_calls(r: Request) -> Refusals:
    for i, message in enumerate(r.messages):
        if len(message.get("tool_calls") or ()) > 128:
            where = f"messages[{i}].tool_calls"
            yield Refusal(f"Invalid '{where}': array too long.", where, "array_above_max_length")


@BOOK.refuses("O62")
def long_call_id(r: Request) -> Refusals:
    for i, message in enumerate(r.messages):
        for j, call in enumerate(message.get("tool_calls") or ()):
            if len(str(call.get("id"))) > 40:
                where = f"messages[{i}].tool_calls[{j}].id"
                yield Refusal(
                    f"Invalid '{where}': string too long. Expected a string with maximum length "
                    f"40, but got a string with length {len(call['id'])} instead.",
                    where,
                    "string_above_max_length",
                )


@BOOK.refuses("O60")
def result_without_calls(r: Request) -> Refusals:
    open_ids: set[str] = set()
    for i, message in enumerate(r.messages):
        if message.get("role") == "tool":
            if message.get("tool_call_id") not in open_ids:
                yield Refusal(
                    "Invalid parameter: messages with role 'tool' must be a response to a "
                    "preceeding message with 'tool_calls'.",
                    f"messages.[{i}].role",
                )
        else:
            open_ids = {str(call.get("id")) for call in message.get("tool_calls") or ()}


@BOOK.refuses("O61")
def calls_without_result(r: Request) -> Refusals:
    waiting: list[str] = []
    for i, message in enumerate([*r.messages, {"role": "end"}]):
        if message.get("role") == "tool":
            waiting = [one for one in waiting if one != message.get("tool_call_id")]
            continue
        if waiting:
            yield Refusal(
                "An assistant message with 'tool_calls' must be followed by tool messages "
                "responding to each 'tool_call_id'. The following tool_call_ids did not have "
                f"response messages: {', '.join(waiting)}",
                f"messages.[{i}].role",
            )
        waiting = [str(call.get("id")) for call in message.get("tool_calls") or ()]


@BOOK.refuses("O66")
def author_names(r: Request) -> Refusals:
    for i, message in enumerate(r.messages):
        name = message.get("name")
        if name is not None and not re.fullmatch(r"[a-zA-Z0-9_-]+", name):
            where = f"messages[{i}].name"
            yield Refusal(
                f"Invalid '{where}': string does not match pattern. Expected a string that matches "
                "the pattern '^[a-zA-Z0-9_-]+$'.",
                where,
                "invalid_value",
            )


@BOOK.refuses("O67")
def long_text(r: Request) -> Refusals:
    for i, message in enumerate(r.messages):
        content = message.get("content")
        if isinstance(content, str) and len(content) > _MOST_CHARACTERS:
            where = f"messages[{i}].content"
            yield Refusal(f"Invalid '{where}': string too long.", where, "string_above_max_length")


def image_urls(r: Request) -> list[str]:
    found = [p for m in r.messages for p in parts(m) if p.get("type") == "image_url"]
    return [str(part["image_url"].get("url")) for part in found]


@BOOK.refuses("O68")
def bad_image(r: Request) -> Refusals:
    for url in image_urls(r):
        if url.startswith(("https://", "http://")):
            continue
        image = images.from_uri(url)
        if image is None:
            yield Refusal("Invalid base64 image_url.", "messages", "invalid_base64_image")
        elif images.media_type(image) is None:
            yield Refusal(
                "You uploaded an unsupported image. Please make sure your image has of one the "
                "following formats: ['png', 'jpeg', 'gif', 'webp'].",
                "messages",
                "invalid_image_format",
            )


@BOOK.refuses("O70")
def images_together(r: Request) -> Refusals:
    total = sum(len(images.from_uri(url) or b"") for url in image_urls(r))
    if total > _MOST_IMAGE_BYTES:
        yield Refusal(
            f"Total image size is {total / 1e6:.1f}MB, which exceeds the allowed limit of 50.0MB.",
            "messages",
        )


@BOOK.refuses("O80")
def over_the_window(r: Request) -> Refusals:
    model, prompt = model_of(r), tokens(r.messages)
    asked = r.body.get("max_completion_tokens") or r.body.get("max_tokens") or 0
    window = model.row["window"]
    if model.counts_input_alone and prompt > window:
        message = (
            f"Input tokens exceed the configured limit of {window} tokens. Your messages resulted "
            f"in {prompt} tokens. Please reduce the length of the messages."
        )
        yield Refusal(message, "messages", "context_length_exceeded")
    elif not model.counts_input_alone and prompt + asked > window:
        message = (
            f"This model's maximum context length is {window} tokens. However, you requested "
            f"{prompt + asked} tokens ({prompt} in the messages, {asked} in the completion)."
        )
        yield Refusal(message, "messages", "context_length_exceeded")
