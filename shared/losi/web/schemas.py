"""The models of the endpoints' answers. Only openapi.json is made from them.

Answers are not validated a second time, and only the cold start of openapi.json loads these models.
The tests validate every answer against them (tests/api_description.py).
"""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel

from losi.identity.key import MASKED_KEY
from losi.identity.principal import PERMISSIONS


class _Ours(BaseModel):
    """Our own object: it has no other fields."""

    model_config = ConfigDict(extra="forbid")


class _OpenAIs(BaseModel):
    """OpenAI's object, from a provider: fields that the provider adds are passed on."""

    model_config = ConfigDict(extra="allow")


class ErrorDetail(_Ours):
    message: str = Field(description="What was wrong, and what to do.")
    type: Literal[
        "invalid_request_error",
        "authentication_error",
        "permission_error",
        "rate_limit_error",
        "insufficient_quota",
        "server_error",
    ]
    param: str | None = Field(description="The wrong parameter, such as `messages[0].role`.")
    code: str | None = Field(description="Which mistake of its type it is.")


class Error(_Ours):
    error: ErrorDetail


# Chat completions: https://platform.openai.com/docs/api-reference/chat/object


class TokenDetails(_OpenAIs):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    cache_write_1h_tokens: int | None = Field(
        default=None, description="Those of `cache_write_tokens` that were written for an hour."
    )
    reasoning_tokens: int | None = None
    audio_tokens: int | None = None


class CompletionUsage(_OpenAIs):
    prompt_tokens: int = Field(description="Input, cached tokens included.")
    completion_tokens: int = Field(description="Output, reasoning included.")
    total_tokens: int
    prompt_tokens_details: TokenDetails | None = None
    completion_tokens_details: TokenDetails | None = None


class CalledFunction(_OpenAIs):
    name: str
    arguments: str = Field(description="JSON, as the model wrote it: it may be invalid.")


class MadeToolCall(_OpenAIs):
    id: str
    type: Literal["function", "custom"]
    function: CalledFunction | None = None


class Thinking(_OpenAIs):
    """What Claude thought, signed. Send it back unchanged with the results of its tool calls."""

    type: Literal["thinking", "redacted_thinking"]


class AssistantMessage(_OpenAIs):
    role: Literal["assistant"]
    content: str | None
    refusal: str | None
    tool_calls: list[MadeToolCall] = []
    reasoning_content: str | None = Field(default=None, description="What the model thought.")
    thinking_blocks: list[Thinking] = []


class TokenLogprob(_OpenAIs):
    token: str
    logprob: float
    bytes: list[int] | None


class ContentLogprob(TokenLogprob):
    top_logprobs: list[TokenLogprob]


class Logprobs(_OpenAIs):
    content: list[ContentLogprob] | None
    refusal: list[ContentLogprob] | None = None


FinishReason = Literal["stop", "length", "tool_calls", "content_filter", "function_call"]


class CompletionChoice(_OpenAIs):
    index: int
    message: AssistantMessage
    finish_reason: FinishReason
    logprobs: Logprobs | None


class ChatCompletion(_OpenAIs):
    id: str
    object: Literal["chat.completion"]
    created: int = Field(description="Unix time in seconds.")
    model: str = Field(description="The model that was asked for.")
    choices: list[CompletionChoice]
    usage: CompletionUsage
    system_fingerprint: str | None = None


class FunctionDelta(_OpenAIs):
    name: str | None = None
    arguments: str | None = None


class ToolCallDelta(_OpenAIs):
    index: int
    id: str | None = None
    type: Literal["function", "custom"] | None = None
    function: FunctionDelta | None = None


class Delta(_OpenAIs):
    role: Literal["assistant"] | None = None
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[ToolCallDelta] = []
    reasoning_content: str | None = None
    thinking_blocks: list[Thinking] = []


class ChunkChoice(_OpenAIs):
    index: int
    delta: Delta
    finish_reason: FinishReason | None
    logprobs: Logprobs | None = None


class ChatCompletionChunk(_OpenAIs):
    """One `data:` line of a stream, before `data: [DONE]`."""

    id: str
    object: Literal["chat.completion.chunk"]
    created: int
    model: str
    choices: list[ChunkChoice] = Field(description="Empty in the chunk that brings the usage.")
    usage: CompletionUsage | None = None
    system_fingerprint: str | None = None


# Models


class Pricing(_Ours):
    """US dollars per million tokens."""

    input: float
    output: float
    cached_input: float | None = Field(default=None, description="Absent: as `input`.")
    cache_write: float | None = Field(default=None, description="Absent: as `input`.")
    cache_write_1h: float | None = Field(
        default=None, description="For an hour instead of five minutes. Absent: twice `input`."
    )


class PublicModel(_Ours):
    id: str
    object: Literal["model"]
    created: int = Field(description="Unix time in seconds.")
    owned_by: str
    kind: Literal["chat", "embedding"]
    description: str
    features: list[str]
    context_window: int = Field(description="Tokens of input and output together.")
    max_output_tokens: int | None = Field(description="Null for embedding models.")
    pricing: Pricing
    shutdown_date: date | None = Field(description="The day the model is shut down.")


class ModelList(_Ours):
    object: Literal["list"]
    data: list[PublicModel]


# Embeddings: https://platform.openai.com/docs/api-reference/embeddings/object


class EmbeddingUsage(_Ours):
    prompt_tokens: int
    total_tokens: int


class Embedding(_Ours):
    object: Literal["embedding"]
    index: int = Field(description="Which of the inputs this is the vector of, from 0.")
    embedding: list[float] | str = Field(
        description="Numbers; or base64 of little-endian 32-bit floats, where that was asked for."
    )


class EmbeddingList(_Ours):
    object: Literal["list"]
    data: list[Embedding]
    model: str
    usage: EmbeddingUsage


# API keys

Permission = Annotated[str, Field(json_schema_extra={"enum": list(PERMISSIONS)})]


class ApiKey(_Ours):
    id: str
    key: str = Field(description=f"`{MASKED_KEY}`, but where the secret is new: shown this once.")
    name: str
    created_at: datetime
    last_used_at: datetime | None = Field(description="To the minute.")
    permissions: list[Permission]
    expires_at: datetime | None
    is_enabled: bool
    created_by: str | None = Field(
        description="The key that made it, `sess_...` for a person, or `operator`; null if unknown."
    )
    test: Literal[True] | None = Field(default=None, description="On test keys alone.")


class RotatedKey(ApiKey):
    old_key_expires_at: datetime = Field(description="Until when the old secret is good.")


class KeyAnswer(_Ours):
    data: ApiKey


class KeysAnswer(_Ours):
    data: list[ApiKey] | ApiKey = Field(description="One key where an `id` was sent.")


class RotatedKeyAnswer(_Ours):
    data: RotatedKey


class KeyDeleted(_Ours):
    success: Literal[True]


# Usage


class Counted(_Ours):
    total_requests: int
    total_input_tokens: int = Field(description="Cached tokens included.")
    total_output_tokens: int = Field(description="Reasoning included.")


class DayRow(Counted):
    day: date


class GroupedRow(DayRow):
    total_cached_tokens: int
    total_reasoning_tokens: int
    cost_usd: float = Field(description="At the prices of the models list.")


class ModelRow(GroupedRow):
    model: str


class KeyRow(GroupedRow):
    key: str


class Summary(Counted):
    cost_usd: float | None = Field(default=None, description="Where rows are grouped.")


class UsageReport(_Ours):
    usage: list[DayRow] | list[ModelRow] | list[KeyRow] = Field(
        description="Oldest day first; as the query's `group_by` says."
    )
    summary: Summary


class UsageAnswer(_Ours):
    data: UsageReport


class UsageCsv(RootModel[str]):
    """A header line, then the rows of the JSON answer under its names; lines end with CR LF."""


class Description(BaseModel):
    """This document: OpenAPI 3.1, https://spec.openapis.org/oas/v3.1.0"""

    model_config = ConfigDict(extra="allow")

    openapi: Literal["3.1.0"]
    info: dict[str, Any]
    paths: dict[str, dict[str, Any]]
    components: dict[str, dict[str, Any]]


class Health(_Ours):
    status: Literal["ok"]
    version: str
    time: datetime = Field(description="Of the server, in UTC.")


# The audit log


AuditValue = str | int | bool | list[str] | None


class AuditRecord(_Ours):
    id: str
    at: datetime = Field(description="In UTC.")
    actor: str = Field(description="The key that did it, such as `key_xyz78900`, or `operator`.")
    action: str = Field(description="Such as `key.created`.")
    target: str = Field(description="The key, or the account, that it was done to.")
    before: dict[str, AuditValue] = Field(description="What differs, as it was.")
    after: dict[str, AuditValue] = Field(description="What differs, as it is since.")
    ip: str | None = Field(description="The address that the request came from.")
    request_id: str | None = Field(description="The `x-request-id` of the request.")


class AuditLog(_Ours):
    data: list[AuditRecord]
    next: str | None = Field(description="For `before`: where older records begin. Null: nowhere.")
