"""Token estimates by the specification's rule, for holds and for providers that tell no usage."""

from typing import Any

import orjson

from losi.metering.usage import Usage, estimate_tokens

#: What an inline image, sound or file is counted as: its base64 text is no measure of its tokens.
MEDIA_TOKENS = 1_000
#: The framing of one message (role and separators).
MESSAGE_TOKENS = 4


def input_tokens(body: dict[str, Any]) -> int:
    """Estimated prompt tokens of a request: its messages, tools and response schema."""
    characters, media = 0, 0
    for message in body["messages"]:
        text, pieces = _message(message)
        characters += text
        media += pieces
    for name in ("tools", "functions", "response_format"):
        if body.get(name):
            characters += len(orjson.dumps(body[name]))
    framing = MESSAGE_TOKENS * len(body["messages"])
    return estimate_tokens(characters) + media * MEDIA_TOKENS + framing


def estimated(input_tokens: int, characters: int, most_output: int) -> Usage:
    """Usage where the provider tells none; never more output than it was allowed, whatever it
    sent: a provider that does not stop is not the caller's to pay.
    """
    return Usage(input_tokens, min(estimate_tokens(characters), most_output), estimated=True)


def produced_characters(part: dict[str, Any]) -> int:
    """Characters a model produced in a message or in a chunk's delta, tool calls included."""
    total = 0
    for name in ("content", "reasoning_content", "reasoning", "refusal"):
        value = part.get(name)
        if isinstance(value, str):
            total += len(value)
    told = part.get("tool_calls")
    calls = [call for call in told if isinstance(call, dict)] if isinstance(told, list) else []
    functions = [call.get("function") or call.get("custom") for call in calls]
    for function in (*functions, part.get("function_call")):
        if isinstance(function, dict):
            values = (function.get(name) for name in ("name", "arguments", "input"))
            total += sum(len(value) for value in values if isinstance(value, str))
    return total


def _message(message: dict[str, Any]) -> tuple[int, int]:
    content = message.get("content")
    if not isinstance(content, list):
        return produced_characters(message), 0
    texts = [part["text"] for part in content if isinstance(part.get("text"), str)]
    media = len(content) - len(texts)
    return produced_characters(message) + sum(map(len, texts)), media
