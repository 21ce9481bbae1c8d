"""OpenAI's chat completion, the canonical form between dialects and formats. Only types, so that a
mistyped field fails mypy; nothing imports this at run time.

Requests are validated (losi/chat/request.py), and each format translates its answers to this form.
Values that nobody checks are an `object`; fields that are not named here pass through.
https://platform.openai.com/docs/api-reference/chat
"""

from typing import Literal, Required, TypeAlias, TypedDict

from losi.wire import JsonSchema

Role: TypeAlias = Literal["system", "developer", "user", "assistant", "tool", "function"]
#: The kinds of a tool, which are fields of a call as well.
Kind: TypeAlias = Literal["function", "custom"]


class Image(TypedDict, total=False):
    #: An address, or a data URI.
    url: Required[str]
    detail: object


class Part(TypedDict, total=False):
    """A part of a message. Its fields depend on its type."""

    type: Required[str]
    text: str
    refusal: object
    image_url: Image
    file: object
    input_audio: object
    cache_control: object


class CalledFunction(TypedDict):
    name: str
    #: JSON, as a string.
    arguments: str


class ThinkingBlock(TypedDict, total=False):
    """Ours: what a model thought, signed or encrypted by its provider, to be sent back as it is.

    Anthropic's own fields, or those of a reasoning item of OpenAI's Responses.
    """

    type: Required[Literal["thinking", "redacted_thinking", "reasoning"]]
    thinking: str
    signature: str
    data: str
    model: str
    encrypted_content: str
    summary: object
    #: Characters of text, and calls, that stood before it.
    after_text: int
    after_calls: int


class GivenThinking(TypedDict, total=False):
    """A thinking block as a caller sends it back: an object, and nobody has looked into it."""

    type: object
    model: object
    summary: object
    encrypted_content: object
    after_text: object
    after_calls: object


class GoogleContent(TypedDict, total=False):
    thought_signature: object


class ExtraContent(TypedDict, total=False):
    """https://ai.google.dev/gemini-api/docs/openai"""

    google: GoogleContent | None


class GivenCall(TypedDict, total=False):
    """A tool call in the history."""

    id: Required[str]
    type: Kind
    #: Present if the type is "function", which is the default; else it may be null.
    function: CalledFunction
    custom: object
    extra_content: ExtraContent | None


class Message(TypedDict, total=False):
    role: Required[Role]
    content: str | list[Part] | None
    name: str | None
    tool_calls: list[GivenCall] | None
    #: Present if the role is "tool".
    tool_call_id: str
    thinking_blocks: list[GivenThinking] | None
    function_call: object
    refusal: object
    audio: object
    cache_control: object


class FunctionDefinition(TypedDict, total=False):
    name: Required[str]
    description: str | None
    parameters: JsonSchema | None
    strict: bool | None


class Tool(TypedDict, total=False):
    type: Required[str]
    #: Present if the type is "function"; else it may be null.
    function: FunctionDefinition
    custom: object
    cache_control: object


class NamedFunction(TypedDict):
    name: str


class ToolChoice(TypedDict, total=False):
    type: Required[str]
    #: Present, and one of the tools, if the type is "function".
    function: NamedFunction
    custom: object
    allowed_tools: object


class AnswerSchema(TypedDict, total=False):
    name: Required[str]
    description: str | None
    schema: JsonSchema | None
    strict: bool | None


class ResponseFormat(TypedDict, total=False):
    type: Required[Literal["text", "json_object", "json_schema"]]
    #: Present if the type is "json_schema"; else it may be null.
    json_schema: AnswerSchema


class StreamOptions(TypedDict, total=False):
    include_usage: bool | None
    include_obfuscation: object


class Request(TypedDict, total=False):
    """A request's body, without `stream`."""

    model: Required[str]
    messages: Required[list[Message]]
    cache_control: object
    frequency_penalty: float | None
    function_call: object
    functions: object
    logit_bias: dict[str, float] | None
    logprobs: bool | None
    max_completion_tokens: int | None
    max_tokens: int | None
    metadata: dict[str, str] | None
    n: int | None
    parallel_tool_calls: bool | None
    presence_penalty: float | None
    prompt_cache_key: object
    reasoning_effort: str | None
    response_format: ResponseFormat | None
    safety_identifier: object
    seed: int | None
    service_tier: str | None
    stop: str | list[str] | None
    stream: bool | None
    stream_options: StreamOptions | None
    temperature: float | None
    thinking: object
    tool_choice: str | ToolChoice | None
    tools: list[Tool] | None
    top_k: object
    top_logprobs: int | None
    top_p: float | None
    user: str | None
    verbosity: object


class PromptDetails(TypedDict, total=False):
    cached_tokens: int
    cache_write_tokens: int
    cache_write_1h_tokens: int


class CompletionDetails(TypedDict, total=False):
    reasoning_tokens: int


class Usage(TypedDict, total=False):
    """Counts of tokens. losi/metering/usage.py reads providers' figures, and trusts none of
    them.
    """

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptDetails
    completion_tokens_details: CompletionDetails


class FunctionCall(TypedDict, total=False):
    """What a call calls, or a piece of it: a function with arguments, or a custom tool with
    input.
    """

    name: str
    arguments: str
    input: str


class Call(TypedDict, total=False):
    """A call of a tool: of one kind, by the field of that name."""

    id: Required[str]
    type: Required[Kind]
    function: FunctionCall
    custom: FunctionCall
    #: Some providers send the place of a call in whole answers too.
    index: int


class CallPiece(TypedDict, total=False):
    """A call, or more of the one with that index."""

    index: int
    id: str
    type: Kind
    function: FunctionCall
    custom: FunctionCall


class UrlCitation(TypedDict):
    start_index: int
    end_index: int
    url: str
    title: object


class Annotation(TypedDict):
    type: Literal["url_citation"]
    url_citation: UrlCitation


class MessageFields(TypedDict, total=False):
    """The fields that messages and deltas share."""

    role: Literal["assistant"]
    content: str | None
    refusal: str | None
    reasoning_content: str
    reasoning: object
    thinking_blocks: list[ThinkingBlock]
    annotations: list[Annotation]


class AnswerMessage(MessageFields, total=False):
    """The message of an answer."""

    tool_calls: list[Call]
    function_call: FunctionCall
    audio: object


class Delta(MessageFields, total=False):
    tool_calls: list[CallPiece]
    function_call: FunctionCall


class Token(TypedDict):
    token: str
    logprob: float
    bytes: list[int] | None


class LikelyToken(Token):
    top_logprobs: list[Token]


class Logprobs(TypedDict):
    content: list[LikelyToken] | None
    refusal: list[LikelyToken] | None


class Choice(TypedDict, total=False):
    index: int
    message: Required[AnswerMessage]
    logprobs: Logprobs | None
    finish_reason: str | None


class ChunkChoice(TypedDict, total=False):
    index: int
    delta: Required[Delta]
    logprobs: Logprobs | None
    finish_reason: str | None


class _Answer(TypedDict, total=False):
    id: str
    created: int
    model: str
    system_fingerprint: object
    service_tier: object
    obfuscation: object


class Completion(_Answer, total=False):
    object: Literal["chat.completion"]
    choices: Required[list[Choice]]
    usage: Usage
    #: Ours: the usage of each choice, if not every call reported its own.
    usages: list[Usage | None]


class Chunk(_Answer, total=False):
    object: Literal["chat.completion.chunk"]
    choices: Required[list[ChunkChoice]]
    usage: Usage | None
    #: Ours: the number of the call that reported the usage, if there were several.
    choice: int
