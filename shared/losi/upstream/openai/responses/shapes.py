"""What of OpenAI's responses and their events is read, as types: a mistyped field fails mypy.

https://platform.openai.com/docs/api-reference/responses/object,
https://platform.openai.com/docs/api-reference/responses-streaming. What nobody depends on may be
missing: others speak this format too.
"""

from functools import cache
from typing import Annotated, Any, Literal, NotRequired, TypeAlias

from pydantic import Field, TypeAdapter
from typing_extensions import TypedDict

from losi.upstream.reading import ShapeError, checked
from losi.wire import JsonObject


class OutputText(TypedDict):
    type: Literal["output_text"]
    text: str
    logprobs: NotRequired[list[JsonObject] | None]


class Refusal(TypedDict):
    type: Literal["refusal"]
    refusal: str


class Message(TypedDict):
    type: Literal["message"]
    content: list[Annotated[OutputText | Refusal, Field(discriminator="type")]]


class SummaryText(TypedDict):
    type: NotRequired[str]
    text: str


class Reasoning(TypedDict):
    type: Literal["reasoning"]
    summary: NotRequired[list[SummaryText] | None]
    encrypted_content: NotRequired[str | None]


class FunctionCall(TypedDict):
    type: Literal["function_call"]
    call_id: str
    name: str
    arguments: NotRequired[str | None]


class CustomCall(TypedDict):
    type: Literal["custom_tool_call"]
    call_id: str
    name: str
    input: NotRequired[str | None]


class OtherItem(TypedDict):
    """Stands for an item of a kind that chat has no place for, such as OpenAI's own tools'."""

    type: Literal["other"]


Item: TypeAlias = Annotated[
    Message | Reasoning | FunctionCall | CustomCall | OtherItem, Field(discriminator="type")
]


class Head(TypedDict, total=False):
    id: str | None
    created_at: float | None
    model: str | None


class Incomplete(TypedDict, total=False):
    reason: str | None


class Ended(TypedDict, total=False):
    """How a run ended."""

    error: Any
    incomplete_details: Incomplete | None
    service_tier: str | None
    usage: Any


class _Output(TypedDict):
    output: list[Item]


class Response(_Output, Head, Ended):
    """A whole answer."""


class Created(TypedDict):
    type: Literal["response.created"]
    response: Head


class TextDelta(TypedDict):
    type: Literal["response.output_text.delta"]
    delta: str
    logprobs: NotRequired[list[JsonObject] | None]


class RefusalDelta(TypedDict):
    type: Literal["response.refusal.delta"]
    delta: str


class SummaryPart(TypedDict):
    type: Literal["response.reasoning_summary_part.added"]


class SummaryDelta(TypedDict):
    type: Literal["response.reasoning_summary_text.delta"]
    delta: str


class _Placed(TypedDict):
    output_index: NotRequired[int | None]


class ItemAdded(_Placed):
    type: Literal["response.output_item.added"]
    item: Item


class ItemDone(_Placed):
    type: Literal["response.output_item.done"]
    item: Item


class ArgumentsDelta(_Placed):
    type: Literal["response.function_call_arguments.delta"]
    delta: str


class InputDelta(_Placed):
    type: Literal["response.custom_tool_call_input.delta"]
    delta: str


class Completed(TypedDict):
    type: Literal["response.completed"]
    response: Ended


class CutOff(TypedDict):
    type: Literal["response.incomplete"]
    response: Ended


class Failed(TypedDict):
    type: Literal["response.failed"]
    response: Ended


class Error(TypedDict):
    type: Literal["error"]
    code: NotRequired[Any]
    message: NotRequired[Any]


Event: TypeAlias = Annotated[
    Created
    | TextDelta
    | RefusalDelta
    | SummaryPart
    | SummaryDelta
    | ItemAdded
    | ItemDone
    | ArgumentsDelta
    | InputDelta
    | Completed
    | CutOff
    | Failed
    | Error,
    Field(discriminator="type"),
]

_ITEMS = frozenset({"message", "reasoning", "function_call", "custom_tool_call"})
_PARTS = frozenset({"output_text", "refusal"})
_EVENTS = frozenset(
    {
        "response.created",
        "response.output_text.delta",
        "response.refusal.delta",
        "response.reasoning_summary_part.added",
        "response.reasoning_summary_text.delta",
        "response.output_item.added",
        "response.output_item.done",
        "response.function_call_arguments.delta",
        "response.custom_tool_call_input.delta",
        "response.completed",
        "response.incomplete",
        "response.failed",
        "error",
    }
)


def response(answer: JsonObject) -> Response:
    """A plain answer. Raises ShapeError."""
    output = answer.get("output")
    if isinstance(output, list):
        output = [_known(item) for item in output]
    return checked(_response_shape(), {**answer, "output": output})


def event(value: JsonObject) -> Event | None:
    """An event of a stream; None for one that repeats others, or is of a kind that is yet to come.
    Raises ShapeError.
    """
    if _kind(value) not in _EVENTS:
        return None
    if "item" in value:
        value = {**value, "item": _known(value["item"])}
    return checked(_event_shape(), value)


def _known(item: Any) -> JsonObject:
    """The item without parts of kinds that chat has no place for."""
    if not isinstance(item, dict):
        raise ShapeError("item: no object")
    if _kind(item) not in _ITEMS:
        return {"type": "other"}
    if isinstance(content := item.get("content"), list):
        return {**item, "content": [part for part in content if _kind(part) in _PARTS]}
    return item


def _kind(value: Any) -> str:
    return str(value.get("type")) if isinstance(value, dict) else ""


@cache
def _response_shape() -> TypeAdapter[Response]:
    return TypeAdapter(Response)


@cache
def _event_shape() -> TypeAdapter[Event]:
    return TypeAdapter(Event)
