"""What of Anthropic's answers and events is read, as types: a mistyped field fails mypy.

https://platform.claude.com/docs/en/api/messages,
https://platform.claude.com/docs/en/build-with-claude/streaming. Anthropic's SDK has these as
classes, made for every chunk, not as TypedDicts.
"""

from functools import cache
from typing import Annotated, Any, Literal, NotRequired, TypeAlias

from pydantic import Field, TypeAdapter
from typing_extensions import TypedDict

from losi.upstream.reading import ShapeError, checked
from losi.wire import JsonObject


class TextBlock(TypedDict):
    type: Literal["text"]
    text: str
    citations: NotRequired[list[Any] | None]


class ThinkingBlock(TypedDict):
    type: Literal["thinking"]
    thinking: str
    signature: NotRequired[str]


class RedactedThinkingBlock(TypedDict):
    type: Literal["redacted_thinking"]
    data: str


class ToolUseBlock(TypedDict):
    type: Literal["tool_use"]
    id: str
    name: str
    input: JsonObject


class OtherBlock(TypedDict):
    """Stands for a block of a kind that OpenAI's format has no place for, such as a server
    tool's.
    """

    type: Literal["other"]


Block: TypeAlias = Annotated[
    TextBlock | ThinkingBlock | RedactedThinkingBlock | ToolUseBlock | OtherBlock,
    Field(discriminator="type"),
]


class TextDelta(TypedDict):
    type: Literal["text_delta"]
    text: str


class ThinkingDelta(TypedDict):
    type: Literal["thinking_delta"]
    thinking: str


class InputDelta(TypedDict):
    type: Literal["input_json_delta"]
    partial_json: str


class SignatureDelta(TypedDict):
    type: Literal["signature_delta"]
    signature: str


class CitationsDelta(TypedDict):
    type: Literal["citations_delta"]
    citation: Any


Delta: TypeAlias = Annotated[
    TextDelta | ThinkingDelta | InputDelta | SignatureDelta | CitationsDelta,
    Field(discriminator="type"),
]


class Stop(TypedDict):
    """The delta of `message_delta`: why the answer ended."""

    stop_reason: NotRequired[str | None]
    stop_details: NotRequired[Any]


class Message(TypedDict):
    id: str
    model: str
    stop_reason: str
    stop_details: NotRequired[Any]
    content: list[Block]
    usage: NotRequired[Any]


class MessageHead(TypedDict):
    id: str
    model: str
    usage: NotRequired[Any]


class MessageStart(TypedDict):
    type: Literal["message_start"]
    message: MessageHead


class BlockStart(TypedDict):
    type: Literal["content_block_start"]
    index: int
    content_block: Block


class BlockDelta(TypedDict):
    type: Literal["content_block_delta"]
    index: int
    delta: Delta


class BlockStop(TypedDict):
    type: Literal["content_block_stop"]
    index: int


class MessageDelta(TypedDict):
    type: Literal["message_delta"]
    delta: Stop
    usage: NotRequired[Any]


class MessageStop(TypedDict):
    type: Literal["message_stop"]


Event: TypeAlias = Annotated[
    MessageStart | BlockStart | BlockDelta | BlockStop | MessageDelta | MessageStop,
    Field(discriminator="type"),
]

_EVENTS = frozenset(
    {
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    }
)
_BLOCKS = frozenset({"text", "thinking", "redacted_thinking", "tool_use"})
_DELTAS = frozenset(
    {"text_delta", "thinking_delta", "input_json_delta", "signature_delta", "citations_delta"}
)


def message(answer: JsonObject) -> Message:
    """A plain answer, without the blocks of Anthropic's own server tools. Raises ShapeError."""
    content = answer.get("content")
    if isinstance(content, list):
        content = [block for block in content if _kind(block) in _BLOCKS]
    return checked(_message_shape(), {**answer, "content": content})


def event(value: Any) -> Event | None:
    """Return an event of a stream, or None for an unknown kind. Raises ShapeError."""
    kind = _kind(value)
    if kind not in _EVENTS:
        return None  # such as a ping
    if kind == "content_block_delta" and _kind(value.get("delta")) not in _DELTAS:
        return None
    if kind == "content_block_start" and _kind(value.get("content_block")) not in _BLOCKS:
        value = {**value, "content_block": {"type": "other"}}
    return checked(_event_shape(), value)


def _kind(value: Any) -> str:
    kind = value.get("type") if isinstance(value, dict) else None
    if not isinstance(kind, str):
        raise ShapeError("type: missing")
    return kind


@cache
def _message_shape() -> TypeAdapter[Message]:
    return TypeAdapter(Message)


@cache
def _event_shape() -> TypeAdapter[Event]:
    return TypeAdapter(Event)
