"""What of Converse's answers and events is read, as types: a mistyped field fails mypy.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html,
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html. botocore
parses them by the service's model, but lets required members be missing.
"""

from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter
from typing_extensions import TypedDict

from losi.upstream.bedrock.errors import PROVIDER
from losi.upstream.format import malformed
from losi.upstream.reading import ShapeError, checked
from losi.wire import JsonObject

T = TypeVar("T")


class ToolUse(TypedDict):
    toolUseId: str
    name: str
    input: JsonObject | None


class _Signed(TypedDict, total=False):
    signature: str


class ReasoningText(_Signed):
    text: str


class Reasoning(TypedDict, total=False):
    reasoningText: ReasoningText
    redactedContent: bytes


class CitedText(TypedDict, total=False):
    text: str


class Citations(TypedDict, total=False):
    content: list[CitedText]


class Block(TypedDict, total=False):
    """One of its members is present; none for unknown kinds."""

    text: str
    citationsContent: Citations
    reasoningContent: Reasoning
    toolUse: ToolUse


class Message(TypedDict):
    content: list[Block]


class Output(TypedDict):
    message: Message


class _Reported(TypedDict, total=False):
    usage: Any


class Answer(_Reported):
    output: Output
    stopReason: str


class ToolStart(TypedDict):
    toolUseId: str
    name: str


class Start(TypedDict, total=False):
    toolUse: ToolStart


class BlockStart(TypedDict):
    contentBlockIndex: int
    start: Start


class ToolDelta(TypedDict):
    input: str


class ReasoningDelta(TypedDict, total=False):
    text: str
    signature: str
    redactedContent: bytes


class Delta(TypedDict, total=False):
    text: str
    toolUse: ToolDelta
    reasoningContent: ReasoningDelta


class BlockDelta(TypedDict):
    contentBlockIndex: int
    delta: Delta


class BlockStop(TypedDict):
    contentBlockIndex: int


class MessageStop(TypedDict):
    stopReason: str


class Event(TypedDict, total=False):
    """One of its members is present; none for unknown kinds."""

    contentBlockStart: BlockStart
    contentBlockDelta: BlockDelta
    contentBlockStop: BlockStop
    messageStop: MessageStop
    metadata: _Reported


def answer(value: Any) -> Answer:
    """Raises UpstreamError (`upstream_malformed`)."""
    return _checked(_answer_shape(), value)


def event(value: Any) -> Event:
    """Raises UpstreamError (`upstream_malformed`)."""
    return _checked(_event_shape(), value)


def _checked(shape: TypeAdapter[T], value: Any) -> T:
    try:
        return checked(shape, value)
    except ShapeError as error:
        raise malformed(PROVIDER) from error


@cache
def _answer_shape() -> TypeAdapter[Answer]:
    return TypeAdapter(Answer)


@cache
def _event_shape() -> TypeAdapter[Event]:
    return TypeAdapter(Event)
