"""Types for the fields of OpenAI's answers that are read or repaired, so that a mistyped name fails
mypy.

Providers differ from OpenAI. So each value is an `object` until it is checked, every field may be
missing, and other fields pass through.
https://platform.openai.com/docs/api-reference/chat/object
"""

from typing import Any, Literal, TypeAlias, cast

from typing_extensions import TypedDict

#: What is text in a message or a delta.
TextField: TypeAlias = Literal["content", "reasoning_content", "reasoning", "refusal"]


class ReceivedMessage(TypedDict, total=False):
    """A message, or the delta of a chunk."""

    role: object
    content: object
    reasoning_content: object
    reasoning: object
    refusal: object
    tool_calls: object
    function_call: object
    usage: object


class Choice(TypedDict, total=False):
    index: object
    delta: ReceivedMessage
    message: ReceivedMessage
    finish_reason: object
    usage: object


class Answer(TypedDict, total=False):
    """A completion, or a chunk of one."""

    choices: list[Choice]
    usage: object
    #: https://console.groq.com/docs/api-reference#chat-create
    x_groq: object
    service_tier: object
    error: object


class ReceivedCall(TypedDict, total=False):
    """A tool call as a provider sends it."""

    index: object
    id: object
    function: object
    custom: object


class ReceivedFunction(TypedDict, total=False):
    name: object
    arguments: object
    input: object


def received_message(value: object) -> ReceivedMessage:
    return cast(ReceivedMessage, value) if isinstance(value, dict) else {}


def choices(answer: Answer) -> list[Choice]:
    """The choices that are objects; a provider may send null or something else."""
    value: object = answer.get("choices")
    return cast(list[Choice], objects(value))


def objects(value: object) -> list[dict[str, Any]]:
    """The objects in a list, ignoring everything else."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def received_function(value: object) -> ReceivedFunction | None:
    return cast(ReceivedFunction, value) if isinstance(value, dict) else None
