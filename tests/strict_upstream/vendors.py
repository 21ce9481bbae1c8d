"""Vendors that speak OpenAI's chat completions in their own way: C1 to C60."""

import re
from collections.abc import Iterator

from tests.strict_upstream import images
from tests.strict_upstream.openai_messages import image_urls, parts
from tests.strict_upstream.rules import Json, Refusal, Request, Rulebook, tokens

Refusals = Iterator[Refusal]
GROQ, TOGETHER, MISTRAL, GEMINI, AZURE, VLLM, OLLAMA = (Rulebook() for _ in range(7))
BOOKS = {
    "groq": GROQ, "together": TOGETHER, "mistral": MISTRAL, "gemini": GEMINI, "azure": AZURE,
    "vllm": VLLM, "ollama": OLLAMA,
}  # fmt: skip

_CHAT = {
    "frequency_penalty", "max_completion_tokens", "max_tokens", "messages", "metadata", "model",
    "n", "parallel_tool_calls", "presence_penalty", "reasoning_effort", "response_format", "seed",
    "service_tier", "stop", "stream", "stream_options", "temperature", "tool_choice", "tools",
    "top_p", "user",
}  # fmt: skip


def _calls(r: Request) -> Iterator[tuple[str, Json]]:
    for i, message in enumerate(r.messages):
        for j, call in enumerate(message.get("tool_calls") or ()):
            yield f"messages[{i}].tool_calls[{j}]", call


# --- Groq

_GROQ_REASONS = ("gpt-oss", "qwen3")


@GROQ.refuses("C1")
def groq_field(r: Request) -> Refusals:
    known = {*_CHAT, "logprobs", "top_logprobs", "logit_bias", "reasoning_format", "functions"}
    for name in sorted(r.body.keys() - known - {"include_reasoning", "function_call", "store"}):
        yield Refusal(f"property '{name}' is unsupported")


@GROQ.refuses("C3")
def groq_does_not_reason(r: Request) -> Refusals:
    reasons = any(name in r.model for name in _GROQ_REASONS)
    said = any("reasoning" in message for message in r.messages)
    if not reasons and (said or r.body.get("reasoning_effort") is not None):
        yield Refusal("reasoning is not supported with this model")


@GROQ.refuses("C2")
def groq_message_field(r: Request) -> Refusals:
    known = {"role", "content", "tool_calls", "tool_call_id", "name", "reasoning", "function_call"}
    for i, message in enumerate(r.messages):
        for name in sorted(message.keys() - known):
            yield Refusal(
                f"'messages.{i}' : for 'role:{message.get('role')}' the following must be "
                f"satisfied[('messages.{i}' : property '{name}' is unsupported)]"
            )
        for j, part in enumerate(parts(message)):
            for name in sorted(part.keys() - {"type", "text", "image_url"}):
                yield Refusal(f"'messages.{i}.content.{j}' : property '{name}' is unsupported")


@GROQ.refuses("C4")
def groq_effort(r: Request) -> Refusals:
    effort = r.body.get("reasoning_effort")
    efforts = ("none", "default") if "qwen3" in r.model else ("low", "medium", "high")
    if effort is not None and effort not in efforts:
        yield Refusal(f"`reasoning_effort` must be one of {', '.join(efforts)}", "reasoning_effort")


@GROQ.refuses("C5")
def groq_schema(r: Request) -> Refusals:
    wanted = (r.body.get("response_format") or {}).get("type") == "json_schema"
    if wanted and (r.body.get("stream") or r.tools):
        yield Refusal("response_format json_schema is not supported with streaming or tool use")


@GROQ.refuses("C6")
def groq_not_yet(r: Request) -> Refusals:
    for name in ("logprobs", "top_logprobs", "logit_bias"):
        if r.body.get(name) is not None:
            yield Refusal(f"'{name}' is not supported")
    if any("name" in message for message in r.messages):
        yield Refusal("'messages[].name' is not supported")
    if r.body.get("n", 1) != 1:
        yield Refusal("'n' : number must be at most 1", "n")


# --- Together


@TOGETHER.refuses("C10")
def together(r: Request) -> Refusals:
    if any(message.get("tool_calls") == [] for message in r.messages):
        yield Refusal("messages: tool_calls must not be empty")
    schema = (r.body.get("response_format") or {}).get("json_schema")
    if schema is not None and not schema.get("name"):
        yield Refusal("response_format.json_schema.name: Field required")


# --- Mistral

_MISTRAL = {
    "frequency_penalty", "guardrails", "max_tokens", "messages", "metadata", "model", "n",
    "parallel_tool_calls", "prediction", "presence_penalty", "prompt_cache_key", "prompt_mode",
    "random_seed", "reasoning_effort", "response_format", "safe_prompt", "stop", "stream",
    "temperature", "tool_choice", "tools", "top_p",
}  # fmt: skip
_MISTRAL_MESSAGES = {
    "system": {"role", "content"},
    "user": {"role", "content"},
    "assistant": {"role", "content", "tool_calls", "prefix"},
    "tool": {"role", "content", "tool_call_id", "name"},
}
_MISTRAL_PARTS = {
    "text": {"type", "text"}, "image_url": {"type", "image_url"}, "file": {"type", "file_id"},
    "document_url": {"type", "document_url", "document_name"}, "thinking": {"type", "thinking"},
    "reference": {"type", "reference_ids"}, "input_audio": {"type", "input_audio"},
}  # fmt: skip


def _forbidden(*place: str | int) -> Refusal:
    return Refusal("Extra inputs are not permitted", ".".join(map(str, place)), None, 422)


@MISTRAL.refuses("C20")
def mistral_field(r: Request) -> Refusals:
    for name in sorted(r.body.keys() - _MISTRAL):
        yield _forbidden("body", name)
    for i, message in enumerate(r.messages):
        role = str(message.get("role"))
        if role not in _MISTRAL_MESSAGES:
            yield Refusal("Input tag does not match", f"body.messages.{i}", None, 422)
            return
        for name in sorted(message.keys() - _MISTRAL_MESSAGES[role]):
            yield _forbidden("body", "messages", i, role, name)
        for j, part in enumerate(parts(message)):
            for name in sorted(part.keys() - _MISTRAL_PARTS.get(str(part.get("type")), {"type"})):
                yield _forbidden("body", "messages", i, role, "content", j, name)
    for i, tool in enumerate(r.tools):
        for name in sorted(tool.keys() - {"type", "function"}):
            yield _forbidden("body", "tools", i, name)


@MISTRAL.refuses("C21")
def mistral_bounds(r: Request) -> Refusals:
    if not 0 <= r.body.get("temperature", 0) <= 1.5:
        yield Refusal("Input should be less than or equal to 1.5", "body.temperature", None, 422)
    if len(r.tools) > 128:
        yield Refusal("List should have at most 128 items", "body.tools", None, 422)
    total = tokens(r.messages) + (r.body.get("max_tokens") or 0)
    if total > 128_000:
        yield Refusal(f"Prompt contains {total} tokens, too large for model with 128000 maximum")
    for url in image_urls(r):
        if len(images.from_uri(url) or b"") > 20_000_000:
            yield Refusal("Image exceeds 20 MB")


@MISTRAL.refuses("C22")
def mistral_effort(r: Request) -> Refusals:
    effort = r.body.get("reasoning_effort")
    if effort not in (None, "none", "high"):
        yield Refusal(
            f"reasoning_effort '{effort}' is not supported for this model, supported values are "
            "high and none"
        )


@MISTRAL.refuses("C23")
def mistral_ids(r: Request) -> Refusals:
    ids = [call.get("id") for _, call in _calls(r)]
    ids += [m.get("tool_call_id") for m in r.messages if m.get("role") == "tool"]
    for found in ids:
        if not re.fullmatch(r"[a-zA-Z0-9]{9}", str(found)):
            yield Refusal(
                f"Tool call id was {found} but must be a-z, A-Z, 0-9, with a length of 9."
            )


@MISTRAL.refuses("C24")
def mistral_empty(r: Request) -> Refusals:
    for message in r.messages:
        says = message.get("content") or message.get("tool_calls")
        if message.get("role") == "assistant" and not says:
            yield Refusal("Assistant message must have either content or tool_calls, but not none.")
        if message.get("content") == "":
            yield Refusal("Message content must not be empty")


# --- Gemini

_GEMINI = {*_CHAT, "extra_body", "modalities", "web_search_options"} - {
    "frequency_penalty", "metadata",
}  # fmt: skip


@GEMINI.refuses("C31")
def gemini_key(r: Request) -> Refusals:
    if r.account.key and r.headers.get("authorization") != f"Bearer {r.account.key}":
        yield Refusal("API key not valid. Please pass a valid API key.", code="API_KEY_INVALID")


def _unknown_name(name: str, where: str = "") -> Refusal:
    return Refusal(
        f'Invalid JSON payload received. Unknown name "{name}"{where}: Cannot find field.'
    )


@GEMINI.refuses("C30")
def gemini_field(r: Request) -> Refusals:
    for name in sorted(r.body.keys() - _GEMINI):
        yield _unknown_name(name)
    known = {"role", "content", "name", "tool_calls", "tool_call_id", "extra_content"}
    for i, message in enumerate(r.messages):
        for name in sorted(message.keys() - known):
            yield _unknown_name(name, f" at 'messages[{i}]'")
        for j, part in enumerate(parts(message)):
            for name in sorted(part.keys() - {"type", "text", "image_url", "input_audio"}):
                yield _unknown_name(name, f" at 'messages[{i}].content[{j}]'")


@GEMINI.refuses("C32")
def gemini_signature(r: Request) -> Refusals:
    last = max((i for i, m in enumerate(r.messages) if m.get("role") == "user"), default=0)
    for i, message in enumerate(r.messages):
        for call in (message.get("tool_calls") or ())[:1]:
            google = ((call.get("extra_content") or {}).get("google")) or {}
            if i > last and "gemini-3" in r.model and not google.get("thought_signature"):
                yield Refusal("Function call is missing a thought_signature in functionCall parts.")


@GEMINI.refuses("C33")
def gemini_schema(r: Request) -> Refusals:
    schema = (r.body.get("response_format") or {}).get("json_schema") or {}
    if str(schema).count("'type'") > 200:
        yield Refusal(
            "The specified schema produces a constraint that has too many states for serving"
        )


# --- Azure, beside section O


@AZURE.refuses("C40")
def azure(r: Request) -> Refusals:
    for message in r.messages:
        if any(part.get("type") == "file" for part in parts(message)):
            yield Refusal("Invalid content type: file", "messages")
    if r.model.startswith("mistral") and "max_completion_tokens" in r.body:
        yield _forbidden("body", "max_completion_tokens")


@AZURE.refuses("C41")
def azure_version(r: Request) -> Refusals:
    if "api-version=" in r.path:
        yield Refusal("api-version query parameter is not allowed when using /v1 path")
    if any("<filtered>" in str(message.get("content")) for message in r.messages):
        message = (
            "The response was filtered due to the prompt triggering content management policy."
        )
        yield Refusal(message, "prompt", "content_filter")


# --- vLLM


@VLLM.refuses("C50")
def vllm_tools(r: Request) -> Refusals:
    if r.body.get("tools") == []:
        yield Refusal("`tools` must not be an empty array.", type="BadRequestError", code="400")
    if r.body.get("tool_choice") not in (None, "none") and not r.tools:
        message = "When using `tool_choice`, `tools` must be set."
        yield Refusal(message, type="BadRequestError", code="400")


@VLLM.refuses("C51")
def vllm_flags(r: Request) -> Refusals:
    if r.tools and r.body.get("tool_choice", "auto") == "auto" and not r.account.tools:
        yield Refusal(
            '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be '
            "set",
            type="BadRequestError",
            code="400",
        )


@VLLM.refuses("C53")
def vllm_system(r: Request) -> Refusals:
    systems = [m for m in r.messages if m.get("role") in ("system", "developer")]
    if len(systems) > 1 and "strict-template" in r.model:
        yield Refusal(
            "System message must be at the beginning.", type="BadRequestError", code="400"
        )


@VLLM.refuses("C54")
def vllm_window(r: Request) -> Refusals:
    asked = tokens(r.messages) + (r.body.get("max_tokens") or 0)
    if asked > 131_072:
        yield Refusal(
            f"This model's maximum context length is 131072 tokens. However, you requested {asked} "
            "tokens. Please reduce the length of the messages or completion.",
            type="BadRequestError",
            code="400",
        )


# --- Ollama


@OLLAMA.refuses("C60")
def ollama(r: Request) -> Refusals:
    for url in image_urls(r):
        if url.startswith(("http://", "https://")):
            yield Refusal("invalid image input: image URLs are not supported, use base64 data")
