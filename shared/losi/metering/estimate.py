"""Token estimates: for holds, and for answers whose provider reports no usage. Pure.

A text is never estimated at less than a quarter of its tokens, whatever a caller writes: vendors
split bytes (https://github.com/openai/tiktoken), so a text has at most as many tokens as bytes of
UTF-8, and the estimate is at least one token for every four bytes, which is the specification's
rule for plain English.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import orjson

from losi.metering.usage import Usage, estimate_tokens

if TYPE_CHECKING:
    from losi.wire import JsonObject
    from losi.wire.chat import AnswerMessage, Call, CallPiece, Delta, Request

#: The framing of a message, in addition to its role, and of the answer that follows the last one.
#: https://developers.openai.com/cookbook/examples/how_to_count_tokens_with_tiktoken
MESSAGE_TOKENS = 3
ANSWER_TOKENS = 4
#: What most images cost, and a quarter of the most that one can cost: OpenAI's up to 1,445 in high
#: detail, Claude's up to 4,784. https://platform.claude.com/docs/en/build-with-claude/vision
IMAGE_TOKENS = 1_200
#: The text and the picture of one page: no document costs less.
#: https://platform.claude.com/docs/en/build-with-claude/pdf-support
PAGE_TOKENS = 2_500
#: OpenAI counts ten tokens for a second of sound: the minimum. An earlier spoken answer that the
#: request only names counts SPOKEN_TOKENS.
SECOND_TOKENS = 10
SPOKEN_TOKENS = 1_000
#: Characters of base64 per token. A PDF is compressed; a second of sound is at least 1,000 bytes of
#: MP3 or 1,600 of WAV.
PDF_CHARACTERS = 85
WAV_CHARACTERS = 850
SOUND_CHARACTERS = 170

# fmt: off
#: Names that structure a message: counted as its framing.
_STRUCTURE = frozenset({
    "arguments", "cache_control", "content", "custom", "data", "detail", "file_data", "file_id",
    "filename", "format", "function", "function_call", "id", "index", "input", "name",
    "reasoning", "reasoning_content", "refusal", "role", "signature", "text", "thinking",
    "thinking_blocks", "tool_call_id", "tool_calls", "type",
})
#: Parameters that no model reads.
_UNREAD = frozenset({
    "audio", "function_call", "logit_bias", "messages", "metadata", "modalities", "model",
    "moderation", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention",
    "reasoning_effort", "safety_identifier", "service_tier", "stop", "stream_options",
    "thinking", "tool_choice", "user", "verbosity",
})
# fmt: on
#: Fields of what a model said that hold its words.
_SAID: tuple[Literal["content", "reasoning_content", "reasoning", "refusal"], ...] = (
    "content",
    "reasoning_content",
    "reasoning",
    "refusal",
)
_WORDS = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ "
_NOT_ASCII = bytes(range(128, 256))


def input_tokens(body: Request) -> int:
    """Estimated prompt tokens of a chat completion request: everything in it that a model reads."""
    texts: list[str] = []
    media = _collect(body["messages"], texts)
    read = (value for name, value in body.items() if name not in _UNREAD)
    characters = sum(len(orjson.dumps(v)) for v in read if v and isinstance(v, str | list | dict))
    framing = MESSAGE_TOKENS * len(body["messages"]) + ANSWER_TOKENS
    return text_tokens("".join(texts)) + estimate_tokens(characters) + media + framing


def text_tokens(text: str) -> int:
    """Estimated tokens of a text: at least a quarter of its bytes, more if it has many symbols and
    digits.
    """
    if not text:
        return 0
    data = text.encode(errors="surrogatepass")
    signs = data.translate(None, _WORDS)
    ascii_signs = len(signs.translate(None, _NOT_ASCII))
    words, others = len(data) - len(signs), len(signs) - ascii_signs
    return max(estimate_tokens(len(data)), words // 5 + ascii_signs // 2 + others // 4)


def estimated(*, input_tokens: int, characters: int, most_output: int) -> Usage:
    """Usage of an answer whose provider reports none.

    Output is capped at what the request allowed: the caller does not pay for a provider that fails
    to stop.
    """
    return Usage(input_tokens, min(estimate_tokens(characters), most_output), estimated=True)


def produced_characters(part: AnswerMessage | Delta) -> int:
    """Characters that a model produced in a message or a chunk's delta, tool calls included."""
    total = 0
    for name in _SAID:
        value = part.get(name)
        if isinstance(value, str):
            total += len(value)
    functions = [call.get("function") or call.get("custom") for call in _calls(part)]
    for function in (*functions, part.get("function_call")):
        if isinstance(function, dict):
            values = (function.get(name) for name in ("name", "arguments", "input"))
            total += sum(len(value) for value in values if isinstance(value, str))
    return total


def _calls(part: AnswerMessage | Delta) -> Sequence[Call | CallPiece]:
    calls = part.get("tool_calls")
    return [call for call in calls if isinstance(call, dict)] if isinstance(calls, list) else ()


def _collect(messages: Any, texts: list[str]) -> int:
    """Append all text in the messages to `texts`; return the tokens of images, sounds and files."""
    media, pending = 0, [messages]
    while pending:
        value = pending.pop()
        if isinstance(value, str):
            texts.append(value)
        elif isinstance(value, list):
            pending += value
        elif isinstance(value, dict):
            for name, inner in value.items():
                if name in _MEDIA and isinstance(inner, dict):
                    media += _MEDIA[name](inner)
                    inner = {
                        n: v for n, v in inner.items() if n not in ("url", "data", "file_data")
                    }
                elif name not in _STRUCTURE:
                    texts.append(name)
                pending.append(inner)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            texts.append(str(value))
    return media


def _image(_: JsonObject) -> int:
    return IMAGE_TOKENS


def _sound(sound: JsonObject) -> int:
    characters = WAV_CHARACTERS if sound.get("format") == "wav" else SOUND_CHARACTERS
    return max(SECOND_TOKENS, _length(sound, "data") // characters)


def _spoken(_: JsonObject) -> int:
    return SPOKEN_TOKENS


def _file(file: JsonObject) -> int:
    """A text file costs its length. A PDF is compressed, and by how much cannot be seen from
    outside.
    """
    length = _length(file, "file_data")
    is_pdf = length and file["file_data"][:20].lower() == "data:application/pdf"
    return max(PAGE_TOKENS, length // PDF_CHARACTERS if is_pdf else estimate_tokens(length))


_MEDIA: dict[str, Callable[[JsonObject], int]] = {
    "image_url": _image,
    "input_audio": _sound,
    "audio": _spoken,
    "file": _file,
}


def _length(part: JsonObject, name: str) -> int:
    value = part.get(name)
    return len(value) if isinstance(value, str) else 0
