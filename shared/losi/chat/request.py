"""OpenAI's chat completion request, as far as we must understand it.

Known parameters are checked for type and range; unknown ones pass through to providers that may
know them. The caller's own JSON (`ChatRequest.body`) is sent upstream, not a re-rendering of these
models. https://platform.openai.com/docs/api-reference/chat/create
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from losi.errors import InvalidRequestError
from losi.validation import UntilMistake, at_most, holds_more_values, validated

if TYPE_CHECKING:
    from losi.wire import JsonObject
    from losi.wire.chat import Request

#: For all tool calls together: the arguments of each are JSON inside a string.
MAX_ARGUMENT_VALUES = 50_000


class _Wire(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True, frozen=True)


class ContentPart(_Wire):
    """A part of a message. Its other fields depend on its type; the provider checks them."""

    model_config = ConfigDict(
        json_schema_extra={
            "properties": {
                "type": {"type": "string", "examples": ["text", "image_url"]},
                "text": {"type": "string"},
                "image_url": {
                    "type": "object",
                    "properties": {
                        "url": {"type": "string", "description": "https: or data:"},
                        "detail": {"type": "string", "enum": ["auto", "low", "high"]},
                    },
                    "required": ["url"],
                },
            }
        }
    )

    type: str = Field(min_length=1)
    text: Any = None
    image_url: Any = None

    @model_validator(mode="after")
    def _holds_what_it_names(self) -> "ContentPart":
        if self.type == "text" and not isinstance(self.text, str):
            raise ValueError("A content part of type 'text' needs a string 'text'.")
        if self.type == "image_url":
            image = self.image_url
            if not isinstance(image, dict) or not isinstance(image.get("url"), str):
                raise ValueError(
                    "A content part of type 'image_url' needs 'image_url': {'url': '...'}."
                )
        return self


def _content_form(content: Any) -> str:
    return "<parts>" if isinstance(content, list) else "<text>"


#: Text or parts, distinguished before validation, so that a mistake is reported for one form.
#: Names in <> do not show in `error.param` (losi/validation.py).
Content = Annotated[
    Annotated[str, Tag("<text>")] | Annotated[list[ContentPart], UntilMistake(), Tag("<parts>")],
    Discriminator(_content_form),
]


class FunctionCall(_Wire):
    name: str = Field(min_length=1)
    arguments: str


class ToolCall(_Wire):
    id: str = Field(min_length=1)
    type: Literal["function", "custom"] = "function"
    function: FunctionCall | None = None

    @model_validator(mode="after")
    def _function_is_there(self) -> "ToolCall":
        if self.type == "function" and self.function is None:
            raise ValueError("A tool call of type 'function' needs 'function'.")
        return self


class Message(_Wire):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Content | None = None
    name: str | None = None
    tool_calls: Annotated[list[ToolCall], UntilMistake()] | None = None
    tool_call_id: str | None = None
    #: Ours: Claude's signed thinking, sent back with the results of its tool calls.
    thinking_blocks: Annotated[list[dict[str, Any]], UntilMistake()] | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> "Message":
        if self.role == "tool" and not self.tool_call_id:
            raise ValueError("A message with role 'tool' needs 'tool_call_id'.")
        if self.role == "function" and not self.name:
            raise ValueError("A message with role 'function' needs 'name'.")
        if self.content is None and self.role not in ("assistant", "function"):
            raise ValueError(f"A message with role '{self.role}' needs 'content'.")
        if self.role == "assistant" and self.content is None:
            others = self.model_fields_set & {"function_call", "refusal", "audio"}
            if not (self.tool_calls or others):
                raise ValueError("A message with role 'assistant' needs 'content' or 'tool_calls'.")
        return self


class FunctionDefinition(_Wire):
    name: str = Field(min_length=1, max_length=64, pattern=r"^[a-zA-Z0-9_-]+$")
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class Tool(_Wire):
    type: str
    function: FunctionDefinition | None = None

    @model_validator(mode="after")
    def _function_is_there(self) -> "Tool":
        if self.type == "function" and self.function is None:
            raise ValueError("A tool of type 'function' needs 'function'.")
        return self


class StreamOptions(_Wire):
    include_usage: bool | None = None


class ResponseFormat(_Wire):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _schema_is_there(self) -> "ResponseFormat":
        if self.type == "json_schema" and not isinstance((self.json_schema or {}).get("name"), str):
            raise ValueError(
                "'response_format' of type 'json_schema' needs "
                "'json_schema': {'name': '...', 'schema': {...}}."
            )
        if not isinstance((self.json_schema or {}).get("schema", {}), dict | None):
            raise ValueError("'schema' in 'json_schema' must be a JSON Schema, which is an object.")
        return self


Probability = Annotated[float, Field(ge=0, le=1)]
Bias = Annotated[float, Field(ge=-100, le=100)]
Penalty = Annotated[float, Field(ge=-2, le=2)]


#: Checked by our own validators rather than by types, so that refusals have our own words.
Stop = Annotated[
    Any,
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "minLength": 1},
                {
                    "type": "array",
                    "items": {"type": "string", "minLength": 1},
                    "minItems": 1,
                    "maxItems": 4,
                },
                {"type": "null"},
            ]
        }
    ),
]
ToolChoice = Annotated[
    Any,
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "enum": ["none", "auto", "required"]},
                {
                    "type": "object",
                    "properties": {"type": {"type": "string"}},
                    "required": ["type"],
                },
                {"type": "null"},
            ]
        }
    ),
]


class ChatCompletionRequest(_Wire):
    """OpenAI's parameters. Parameters not listed here are sent on to the provider."""

    model: str = Field(min_length=1, max_length=256, description="ID of the model to use.")
    messages: Annotated[list[Message], UntilMistake()] = Field(
        min_length=1,
        description="Array of message objects representing the conversation history.",
    )
    temperature: Annotated[float, Field(ge=0, le=2)] | None = Field(
        default=None,
        description="Controls randomness. Lower is more deterministic (0-2). Default: 0.7.",
    )
    top_p: Probability | None = Field(
        default=None, description="Controls diversity via nucleus sampling. Default: 1."
    )
    n: Annotated[int, Field(ge=1, le=128)] | None = Field(
        default=None, description="How many completions to generate. Default: 1."
    )
    max_tokens: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Maximum number of tokens to generate."
    )
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="The same, by its newer name, which wins."
    )
    stream: bool | None = Field(
        default=None, description="If true, partial message deltas will be sent."
    )
    stream_options: StreamOptions | None = Field(
        default=None, description="With `stream` alone: whether the last chunk brings the usage."
    )
    stop: Stop = Field(
        default=None, description="Up to 4 sequences where the API will stop generating."
    )
    tools: Annotated[list[Tool], UntilMistake(), Field(max_length=512)] | None = Field(
        default=None, description="A list of tools the model may call."
    )
    tool_choice: ToolChoice = Field(
        default=None, description="Controls when the model calls functions."
    )
    parallel_tool_calls: bool | None = Field(
        default=None, description="Whether one answer may call several tools. Default: true."
    )
    response_format: ResponseFormat | None = Field(
        default=None, description="Format of the response. Default: text."
    )
    frequency_penalty: Penalty | None = Field(
        default=None, description="Positive values make repetition of the same words less likely."
    )
    presence_penalty: Penalty | None = Field(
        default=None, description="Positive values make new topics more likely."
    )
    logit_bias: Annotated[dict[str, Bias], at_most(1024)] | None = Field(
        default=None, description="From token ids to -100 (never) ... 100 (always)."
    )
    logprobs: bool | None = Field(
        default=None, description="Whether to answer with the log probabilities of the tokens."
    )
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = Field(
        default=None, description="How many alternatives of each token; needs `logprobs`."
    )
    seed: int | None = Field(default=None, description="The same seed tries for the same answer.")
    user: str | None = Field(
        default=None, description="Your name for your user, as a stable identifier."
    )
    metadata: Annotated[dict[str, str], at_most(16)] | None = Field(
        default=None, description="Labels of yours; what they do is up to the provider."
    )
    reasoning_effort: str | None = Field(
        default=None, description="How much to think, such as `low`, `medium` or `high`."
    )
    service_tier: str | None = Field(default=None, description="The provider's processing tier.")
    store: bool | None = Field(
        default=None, description="Whether the provider may keep the completion."
    )

    @field_validator("stop")
    @classmethod
    def _up_to_four_sequences(cls, value: Any) -> Any:
        sequences = [value] if isinstance(value, str) else value
        if value is None:
            return None
        if not isinstance(sequences, list) or not all(isinstance(s, str) for s in sequences):
            raise ValueError("'stop' must be a string or an array of strings.")
        if not 1 <= len(sequences) <= 4:
            raise ValueError(f"'stop' takes 1 to 4 sequences; this has {len(sequences)}.")
        if not all(sequences):
            raise ValueError("'stop' must not hold an empty sequence.")
        return value

    @field_validator("tool_choice")
    @classmethod
    def _known_choice(cls, value: Any) -> Any:
        modes = (None, "none", "auto", "required")
        if not isinstance(value, dict) and value not in modes:
            raise ValueError(
                "'tool_choice' must be 'none', 'auto', 'required' or an object that names a tool."
            )
        if isinstance(value, dict) and not isinstance(value.get("type"), str):
            raise ValueError("A 'tool_choice' object needs a 'type', such as 'function'.")
        return value


def _arguments_hold_too_much(messages: list[Message]) -> bool:
    calls = [call for message in messages for call in message.tool_calls or ()]
    texts = [call.function.arguments.encode() for call in calls if call.function]
    return holds_more_values(b",".join(texts), MAX_ARGUMENT_VALUES)


def cross_check(request: ChatCompletionRequest) -> tuple[str, str] | None:
    """The first parameter that contradicts the others, and why; None if there is none."""
    names = {tool.function.name for tool in request.tools or () if tool.function}
    choice = request.tool_choice
    if choice not in (None, "none", "auto") and not request.tools:
        return "tool_choice", "'tool_choice' needs 'tools'. Add the tools, or remove it."
    if isinstance(choice, dict) and choice.get("type") == "function":
        function = choice.get("function")
        name = function.get("name") if isinstance(function, dict) else None
        if name not in names:
            return "tool_choice", "'tool_choice' names a function that is not among 'tools'."
    if request.stream_options is not None and not request.stream:
        return "stream_options", "'stream_options' is only allowed with 'stream': true."
    if request.top_logprobs is not None and not request.logprobs:
        return "top_logprobs", "'top_logprobs' needs 'logprobs': true."
    if _arguments_hold_too_much(request.messages):
        return "messages", (
            f"The arguments of the tool calls hold more than {MAX_ARGUMENT_VALUES:,} values. "
            "Send fewer calls."
        )
    return None


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A validated request: read `params`, send `body` (the caller's JSON)."""

    params: ChatCompletionRequest
    body: "Request"

    @property
    def include_usage(self) -> bool:
        options = self.params.stream_options
        return bool(options and options.include_usage)

    @property
    def max_output_tokens(self) -> int | None:
        return self.params.max_completion_tokens or self.params.max_tokens

    @property
    def n(self) -> int:
        return self.params.n or 1


def parse_chat_request(body: "JsonObject") -> ChatRequest:
    """Validate the body. Raises InvalidRequestError (400) that names the wrong parameter."""
    params = validated(ChatCompletionRequest, body)
    if (mistake := cross_check(params)) is not None:
        param, reason = mistake
        raise InvalidRequestError(reason, param=param, code="invalid_value")
    return ChatRequest(params, cast("Request", body))  # which it was just found to be
