"""What of OpenAI's chat completions is read, mended and written, as types: a mistyped field fails
mypy.

Providers send other things than OpenAI does. So what they tell is an `object` until it was looked
at, every field may be missing, and fields that are not named here pass through.
https://platform.openai.com/docs/api-reference/chat/object
"""

from typing import Any, Literal, TypeAlias, cast

from typing_extensions import TypedDict

#: The kinds of a tool, which are fields of a call as well.
Kind: TypeAlias = Literal["function", "custom"]
#: What is text in a message or a delta.
TextField: TypeAlias = Literal["content", "reasoning_content", "reasoning", "refusal"]


class Said(TypedDict, total=False):
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
    delta: Said
    message: Said
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


class Called(TypedDict, total=False):
    """What a call calls: a function with arguments, or a custom tool with an input."""

    name: str
    arguments: str
    input: str


class Call(TypedDict, total=False):
    """A tool call, or a piece of one, as OpenAI sends it."""

    index: int
    id: str
    type: Kind
    function: Called
    custom: Called


class ToldCall(TypedDict, total=False):
    """The same as a provider sends it."""

    index: object
    id: object
    function: object
    custom: object


class ToldFunction(TypedDict, total=False):
    name: object
    arguments: object
    input: object


class Function(TypedDict, total=False):
    name: str


class ExtraContent(TypedDict, total=False):
    """https://ai.google.dev/gemini-api/docs/openai"""

    google: dict[str, Any]


class RequestCall(TypedDict, total=False):
    """A call in a message that we send."""

    id: str
    function: Function
    extra_content: ExtraContent


class RequestMessage(TypedDict, total=False):
    role: str
    content: Any
    name: str
    tool_calls: list[RequestCall]
    tool_call_id: str


class Request(TypedDict, total=False):
    """What of a request depends on the provider."""

    model: str
    messages: list[RequestMessage]
    tools: list[dict[str, Any]]
    max_tokens: int | None
    max_completion_tokens: int | None
    temperature: float | None
    prompt_cache_key: str
    safety_identifier: str
    response_format: dict[str, Any] | None


def said(told: object) -> Said:
    return cast(Said, told) if isinstance(told, dict) else {}


def choices(answer: Answer) -> list[Choice]:
    """Those that are objects; a provider may send null, or something else."""
    told: object = answer.get("choices")
    return cast(list[Choice], objects(told))


def objects(told: object) -> list[dict[str, Any]]:
    """Those of a list, whatever else stands in it."""
    return [one for one in told if isinstance(one, dict)] if isinstance(told, list) else []


def called(told: object) -> ToldFunction | None:
    return cast(ToldFunction, told) if isinstance(told, dict) else None
